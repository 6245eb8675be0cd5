"""``crystal-search train classifier``: train a network on the chops of a packed dataset (docs/training-chops.md)."""

import argparse
import os
import shlex
import sys
from pathlib import Path

from crystal_search.class_schemes import TRAINABLE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of this command."""
    parser.add_argument("--network", required=True, help="squeezenet, alexnet, vgg16 or resnet50")
    parser.add_argument("--data", type=Path, required=True, metavar="DATASET", help="folder of `dataset build`")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder for the training")
    parser.add_argument("--classes", type=int, choices=tuple(TRAINABLE), help="default: as many as the labels have")
    _add_length(parser)
    _add_rates(parser)
    _add_machine(parser)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in RUN")
    parser.add_argument("--start-from", type=Path, metavar="RUN", help="begin with the weights of another training")
    parser.add_argument("--pretrained", action="store_true", help="begin with ImageNet weights of torchvision")


def _add_length(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("how long").add_argument
    add("--epochs", type=float, help="parts of one too; default: 10 with one-cycle, at most 100 with steps")
    add("--steps", type=int, help="batches")
    add("--hours", type=float, help="end when so much training time is over; the rate follows the clock")
    add("--patience", type=int, help="validations without a gain; default: 10 with one-cycle (0: never), 3 with steps")
    add("--validation-chops", type=int, default=2000, help="how many to look at, always the same (default: 2000)")
    add("--validate-every", type=int, metavar="STEPS", help="default: after every epoch")
    add("--checkpoint-minutes", type=float, default=5.0, help="default: 5, and after every validation")


def _add_rates(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("how").add_argument
    add("--schedule", choices=("one-cycle", "steps"), default="one-cycle", help="steps is the paper's way")
    add("--rate", type=float, help="learning rate: one-cycle's peak, or the first of the steps (default 1e-2)")
    add("--batch-size", type=int, default=32, help="chops a step, of all processes together (default: 32)")
    add("--balance", choices=("none", "sqrt", "equal"), default="sqrt", help="of classes (default: sqrt)")
    add("--label-smoothing", type=float, default=0.05, help="default: 0.05")
    add("--seed", type=int, default=0)


def _add_machine(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("on what").add_argument
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: a GPU where there is one")
    add("--precision", choices=("auto", "float32", "bf16", "fp16"), default="auto", help="default: bf16 where native")
    add("--workers", type=int, help="processes that decode and change chops; default: 0, beside a GPU up to 16")


def run(arguments: argparse.Namespace) -> None:
    """Train as asked."""
    from crystal_search.training.train_chops import Request, train_on_chops

    options = {name: getattr(arguments, name) for name in Request.__dataclass_fields__ if hasattr(arguments, name)}
    steps = train_on_chops(Request(**options, command=typed()))
    if os.environ.get("RANK", "0") == "0":  # of the processes that torchrun starts, one tells
        sys.stdout.write(what_now(arguments.out, arguments.data, steps))


def what_now(run: Path, data: Path, steps: int) -> str:
    """Return what a person does after a training that made so many steps.

    >>> print(what_now(Path("runs/x"), Path("chops"), 300), end="")
    300 steps are done; weights and learning-curve.png are in runs/x
    how good it is:  crystal-search evaluate runs/x --data chops --out runs/x-evaluation
    put it to work:  crystal-search export runs/x
    """
    return (
        f"{steps} steps are done; weights and learning-curve.png are in {run}\n"
        f"how good it is:  crystal-search evaluate {run} --data {data} --out {run}-evaluation\n"
        f"put it to work:  crystal-search export {run}\n"
    )


def typed() -> str:
    """Return the command as it was typed, for the record."""
    return shlex.join(["crystal-search", *sys.argv[1:]])
