"""``crystal-search train``: train the networks (docs/training.md)."""

import argparse
import os
import shlex
import sys
from pathlib import Path

from crystal_search.arguments import count
from crystal_search.datasets.packed import ABOUT, open_dataset
from crystal_search.training.requests import add_options, asked
from crystal_search.training.task_kinds import TASKS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the commands of this module."""
    parser.add_argument("--threads", type=count, default=1, help="processor threads of torch (default: 1)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, kind in TASKS.items():
        task = commands.add_parser(name, help=kind.purpose, description=kind.purpose, allow_abbrev=False)
        task.set_defaults(task=name)
        task.add_argument("--verbose", action="store_true", default=argparse.SUPPRESS, help="log what is done")
        task.add_argument("--threads", type=count, default=argparse.SUPPRESS, help="processor threads (default: 1)")
        add_options(task, kind.request)


def run(arguments: argparse.Namespace) -> None:
    """Run the training that was chosen, and say what to do next."""
    import torch

    from crystal_search.training.train import train

    torch.set_num_threads(arguments.threads)
    command = shlex.join(["crystal-search", *sys.argv[1:]])
    steps = train(arguments.task, asked(TASKS[arguments.task].request, arguments, command))
    if os.environ.get("RANK", "0") == "0":  # of the processes that torchrun starts, one tells
        sys.stdout.write(what_now(arguments.out, judged_by(arguments.data), steps))


def judged_by(data: Path) -> str:
    """Return how `evaluate` is asked to judge what learnt from `data`; nothing where that is no dataset."""
    if not (data / ABOUT).exists():
        return ""
    return "--rendered 256" if open_dataset(data).rendered else f"--data {data}"


def what_now(run: Path, judge: str, steps: int) -> str:
    """Return what a person does after a training that made so many steps.

    >>> print(what_now(Path("runs/x"), "--rendered 256", 300), end="")
    300 steps are done; weights and learning-curve.png are in runs/x
    how good it is:  crystal-search evaluate runs/x --rendered 256 --out runs/x-evaluation
    put it to work:  crystal-search export runs/x
    """
    how_good = f"how good it is:  crystal-search evaluate {run} {judge} --out {run}-evaluation\n"
    return (
        f"{steps} steps are done; weights and learning-curve.png are in {run}\n"
        f"{how_good if judge else ''}"
        f"put it to work:  crystal-search export {run}\n"
    )
