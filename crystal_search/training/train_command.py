"""``crystal-search train``: render shards, train the networks (docs/training.md)."""

import argparse
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from crystal_search.arguments import count
from crystal_search.networks.cards import CLASSIFIER_WIDTH_PX
from crystal_search.training import chop_command as chop_commands
from crystal_search.training import drop_command as drop_commands
from crystal_search.training.device_options import device_arguments

if TYPE_CHECKING:
    from crystal_search.training.cell_training import Plan, Whereabouts

log = logging.getLogger(__name__)

DEFAULT_SHARDS = Path("runs/shards")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the commands of this module."""
    parser.add_argument("--threads", type=int, default=1, help="processor threads of torch (default: 1)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_shards(_command(commands, "shards", _shards, "render wells to train on"))
    chop_commands.add_arguments(
        _command(commands, "classifier", chop_commands.run, "train a classifier on the chops of a dataset")
    )
    drop_commands.add_arguments(_command(commands, "drop", drop_commands.run, "train the drop locator"))
    _add_cells(_command(commands, "cells", _cells, "train a classifier on every cell of rendered wells"))


def run(arguments: argparse.Namespace) -> None:
    """Run the command that was chosen."""
    import torch

    torch.set_num_threads(arguments.threads)
    chosen: Callable[[argparse.Namespace], None] = arguments.train_command
    chosen(arguments)


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run_command: Callable[[argparse.Namespace], None],
    what: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=what, description=what)
    command.set_defaults(train_command=run_command)
    command.add_argument("--verbose", action="store_true", default=argparse.SUPPRESS, help="log what is done")
    command.add_argument("--threads", type=int, default=argparse.SUPPRESS, help="processor threads (default: 1)")
    return command


def _add_shards(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shards", type=Path, default=DEFAULT_SHARDS, help="folder to write to")
    parser.add_argument("--split", choices=("train", "validation"), default="train")
    parser.add_argument("--wells", type=int, default=4096, help="how many wells in all, a multiple of 64")
    parser.add_argument("--jobs", type=count, default=1, help="processes that render (default: 1)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")


def _shards(arguments: argparse.Namespace) -> None:
    from crystal_search.datasets.rendered_shards import fill
    from crystal_search.datasets.rendering import Rendering

    rendering = Rendering(arguments.split, arguments.device)
    for name in fill(arguments.shards, arguments.split, arguments.wells, rendering, jobs=arguments.jobs):
        log.info("%s is there", name)


def _add_cells(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shards", type=Path, default=DEFAULT_SHARDS, help="folder of rendered wells")
    parser.add_argument("--folder", type=Path, required=True, help="folder for checkpoint and learning curve")
    parser.add_argument("--steps", type=int, default=6000, help="default: 6000")
    parser.add_argument("--batch-size", type=int, default=12, help="default: 12")
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate (default: 2e-3)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in the folder")
    parser.add_argument("--start-from", type=Path, metavar="FOLDER", help="begin with the weights of another training")
    parser.add_argument("--architecture", default="squeezenet", help="network (default: squeezenet)")
    parser.add_argument("--stage", default="all", help="textures, upper or all (default: all)")
    parser.add_argument(
        "--width", type=int, default=CLASSIFIER_WIDTH_PX, help="of the images it is for, px (default: %(default)s)"
    )
    device_arguments(parser)


def _plan(arguments: argparse.Namespace) -> "Plan":
    import torch

    from crystal_search.training.cell_training import Plan
    from crystal_search.training.precision import precision_for

    return Plan(
        steps=arguments.steps,
        batch_size=arguments.batch_size,
        peak_rate=arguments.rate,
        seed=arguments.seed,
        seconds=arguments.minutes and 60 * arguments.minutes,
        precision=precision_for("auto", torch.device(arguments.device)) if arguments.device else "float32",
    )


def _whereabouts(arguments: argparse.Namespace) -> "Whereabouts":
    from crystal_search.training.cell_training import Whereabouts

    return Whereabouts(arguments.folder, resume=arguments.resume, start_from=arguments.start_from)


def _cells(arguments: argparse.Namespace) -> None:
    import torch

    from crystal_search.training.train_cells import train_cells

    train_cells(
        arguments.architecture,
        arguments.stage,
        arguments.shards,
        _plan(arguments),
        _whereabouts(arguments),
        width_px=arguments.width,
        device=torch.device(arguments.device) if arguments.device else None,
        command=chop_commands.typed(),
    )
