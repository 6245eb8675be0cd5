"""``crystal-search train``: train the networks (docs/training.md)."""

import argparse
import logging
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from crystal_search.arguments import count
from crystal_search.datasets.packed import ABOUT
from crystal_search.training.requests import add_options, asked
from crystal_search.training.tasks import TASKS

log = logging.getLogger(__name__)

DEFAULT_SHARDS = Path("runs/shards")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the commands of this module."""
    parser.add_argument("--threads", type=int, default=1, help="processor threads of torch (default: 1)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_shards(_command(commands, "shards", _shards, "render wells to train on"))
    for name, kind in TASKS.items():
        task = _command(commands, name, _train, kind.purpose)
        task.set_defaults(task=name)
        add_options(task, kind.request)


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
    command = commands.add_parser(name, help=what, description=what, allow_abbrev=False)
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


def _train(arguments: argparse.Namespace) -> None:
    from crystal_search.training.train import train

    command = shlex.join(["crystal-search", *sys.argv[1:]])
    steps = train(arguments.task, asked(TASKS[arguments.task].request, arguments, command))
    if os.environ.get("RANK", "0") == "0":  # of the processes that torchrun starts, one tells
        sys.stdout.write(what_now(arguments.out, arguments.data, steps))


def what_now(run: Path, data: Path, steps: int) -> str:
    """Return what a person does after a training that made so many steps.

    >>> print(what_now(Path("runs/x"), Path("shards"), 300), end="")
    300 steps are done; weights and learning-curve.png are in runs/x
    put it to work:  crystal-search export runs/x
    """
    how_good = f"how good it is:  crystal-search evaluate {run} --data {data} --out {run}-evaluation\n"
    return (
        f"{steps} steps are done; weights and learning-curve.png are in {run}\n"
        f"{how_good if (data / ABOUT).exists() else ''}"
        f"put it to work:  crystal-search export {run}\n"
    )
