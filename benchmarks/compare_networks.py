"""``python -m benchmarks.compare_networks``: train the four networks, evaluate them side by side, write the tables.

It can be stopped at any moment: a training that was stopped goes on from its checkpoint, one that has ended is taken
as it is.
"""

import argparse
import logging
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crystal_search.files import write_whole
from crystal_search.training.checkpoints import BEST, CHECKPOINT

log = logging.getLogger(__name__)

#: In the order of Table 2 of Thielmann et al. (2023); its VggNet has 16 layers, its ResNet 50.
NETWORKS = ("alexnet", "vgg16", "resnet50", "squeezenet")
COMPARISON, EVALUATION = "comparison.md", "evaluation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is compared, and where."""

    data: Path
    out: Path
    networks: tuple[str, ...]
    hours_each: float | None  #: training time of each network; None: as long as the training's own default
    as_they_are: bool  #: train only networks that have no weights yet
    train_options: tuple[str, ...]  #: handed to ``crystal-search train chops``
    evaluate_options: tuple[str, ...]  #: handed to ``crystal-search evaluate``


def program(*words: str) -> None:
    """Run ``crystal-search`` with these words.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails; it has said why.
    """
    log.info("crystal-search %s", " ".join(words))
    subprocess.run([sys.executable, "-m", "crystal_search.main", *words], check=True)


def training_words(comparison: Comparison, network: str) -> list[str]:
    """Return the command that trains a network, or goes on with it."""
    run = comparison.out / network
    words = ["train", "chops", "--network", network, "--data", str(comparison.data), "--out", str(run)]
    if comparison.hours_each is not None:
        words += ["--hours", f"{comparison.hours_each:g}"]
    words += comparison.train_options
    return [*words, "--resume"] if (run / CHECKPOINT).exists() else words


def trained(comparison: Comparison, network: str) -> Path:
    """Train a network to its end, unless it is to be taken as it is; return its folder."""
    run = comparison.out / network
    if not (comparison.as_they_are and (run / BEST).exists()):
        program(*training_words(comparison, network))
    return run


def compared(comparison: Comparison) -> Path:
    """Train and evaluate all networks; return the Markdown file with their tables."""
    comparison.out.mkdir(parents=True, exist_ok=True)
    runs = [str(trained(comparison, network)) for network in comparison.networks]
    folder = comparison.out / EVALUATION
    words = ["--data", str(comparison.data), "--out", str(folder), "--replace", *comparison.evaluate_options]
    program("evaluate", *runs, *words)
    path = comparison.out / COMPARISON
    write_whole(path, (folder / "tables.md").read_text(encoding="utf-8"))
    return path


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    found = argparse.ArgumentParser(prog="python -m benchmarks.compare_networks", description=__doc__.split(":")[1])
    found.add_argument("--data", type=Path, default=Path("runs/chops"), help="packed dataset (default: runs/chops)")
    found.add_argument("--out", type=Path, default=Path("runs/compare"), help="folder (default: runs/compare)")
    found.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS, help="default: all four")
    found.add_argument("--hours-each", type=float, help="training time of each (default: the training's own)")
    found.add_argument("--as-they-are", action="store_true", help="go on with no training that has weights already")
    found.add_argument(
        "--train", default="", metavar="OPTIONS", help="further options of `train chops`, in one pair of quotes"
    )
    found.add_argument(
        "--evaluate", default="", metavar="OPTIONS", help="further options of `evaluate`, in one pair of quotes"
    )
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Compare the networks and return an exit code: that of the command that failed, or 0."""
    arguments = parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    comparison = Comparison(
        data=arguments.data,
        out=arguments.out,
        networks=tuple(arguments.networks),
        hours_each=arguments.hours_each,
        as_they_are=arguments.as_they_are,
        train_options=tuple(arguments.train.split()),
        evaluate_options=tuple(arguments.evaluate.split()),
    )
    try:
        print(compared(comparison))
    except subprocess.CalledProcessError as error:
        return int(error.returncode)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
