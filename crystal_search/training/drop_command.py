"""``crystal-search train drop``: train the drop locator on masks that people drew (docs/training-drops.md)."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from crystal_search.training.device_options import device_arguments

if TYPE_CHECKING:
    from crystal_search.training.cell_training import Plan, Whereabouts

SHIPPED, NOTHING = "shipped", "nothing"  #: beside the folder of a training, what one may begin with
RATE, GENTLE_RATE = 4e-3, 2e-4  #: from nothing, and from weights that find drops already


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of this command."""
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DATASET", help="packed dataset with masks, or rendered shards")
    add("--out", type=Path, required=True, metavar="RUN", help="folder for the training")
    add("--steps", type=int, default=1000, help="batches (default: 1000)")
    add("--batch-size", type=int, default=8, help="images a step (default: 8)")
    add("--rate", type=float, help=f"peak learning rate (default: {GENTLE_RATE}; from nothing: {RATE})")
    add("--seed", type=int, default=0)
    add("--patience", type=int, default=10, help="validations without a gain before it ends (default: 10; 0: never)")
    add("--validate-every", type=int, default=100, metavar="STEPS", help="default: 100")
    add("--resume", action="store_true", help="go on from the checkpoint in RUN")
    device_arguments(parser)
    add(
        "--start-from",
        metavar="RUN",
        help="begin with the weights of another training, or with shipped, or nothing "
        "(default: shipped where DATASET is packed, nothing where it is rendered)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Train as asked."""
    import torch

    from crystal_search.training.chop_command import typed, what_now
    from crystal_search.training.learning_curve import curve_rows
    from crystal_search.training.train_drops import train_drop_locator

    start = _start(arguments)
    train_drop_locator(
        arguments.data,
        _plan(arguments, start),
        _whereabouts(arguments, start),
        shipped=start == SHIPPED,
        patience=arguments.patience,
        device=torch.device(arguments.device) if arguments.device else None,
        command=typed(),
    )
    steps = int(curve_rows(arguments.out)[-1]["step"])
    sys.stdout.write(what_now(arguments.out, arguments.data, steps))


def _start(arguments: argparse.Namespace) -> str:
    from crystal_search.datasets.packed import ABOUT

    if arguments.start_from is not None:
        return str(arguments.start_from)
    return SHIPPED if (arguments.data / ABOUT).exists() else NOTHING


def _plan(arguments: argparse.Namespace, start: str) -> "Plan":
    import torch

    from crystal_search.training.cell_training import Plan
    from crystal_search.training.precision import precision_for

    return Plan(
        steps=arguments.steps,
        batch_size=arguments.batch_size,
        peak_rate=arguments.rate or (RATE if start == NOTHING else GENTLE_RATE),
        seed=arguments.seed,
        steps_per_epoch=arguments.validate_every,
        seconds=arguments.minutes and 60 * arguments.minutes,
        precision=precision_for("auto", torch.device(arguments.device)) if arguments.device else "float32",
    )


def _whereabouts(arguments: argparse.Namespace, start: str) -> "Whereabouts":
    from crystal_search.training.cell_training import Whereabouts

    folder = None if start in (SHIPPED, NOTHING) else Path(start)
    return Whereabouts(arguments.out, resume=arguments.resume, start_from=folder)
