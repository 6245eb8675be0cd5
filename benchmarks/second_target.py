"""``python -m benchmarks.second_target``: what a detector that knows one kind of crystals in cells learns of a second.

Table 1 of Kardoost et al. (2024) on rendered insect cells: a detector learns long crystals (their target G) or
clustered ones (H) from few images, then the other kind from few more, at two rates; or both at once. Every command it
runs is one of ``crystal-search``. It can be stopped at any moment: what was done is not done again, and a training that
was stopped goes on from its checkpoint.

An image counts as one to learn from whether the training saw it or not: of ten, seven are learnt from, two choose
weights and threshold, and one, which a dataset keeps to test on, is not used. The paper's trainings saw all of them.
"""

import argparse
import csv
import json
import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.compare_networks import program
from crystal_search.arguments import count
from crystal_search.evaluation.paper import KARDOOST_TABLE_1, OTHER_IMAGES
from crystal_search.files import write_whole
from crystal_search.training.checkpoints import CHECKPOINT

TARGETS = {"G": "long", "H": "clustered"}  #: the paper's, and ours
SHARES = "80/19.9/0.1"  #: of images to train on, to choose weights and threshold by, and to test on
DONE = "done"  #: file in the folder of what is done
FIGURES = ("f_pixels_percent", "jaccard_percent", "count_difference_percent")
TITLES = ("F", "Jaccard index", "Difference in crystals")


@dataclass(frozen=True, slots=True)
class Images:
    """Images of one target."""

    target: str  #: G or H
    count: int

    def __str__(self) -> str:
        """Return what the paper calls them."""
        return f"{self.target}{self.count}"


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a training learns, and which one it goes on from."""

    images: tuple[Images, ...]
    after: "Lesson | None" = None
    rate: float | None = None  #: None: that of first trainings
    rank: int = 0  #: which of the rates it is, from the highest

    @property
    def title(self) -> str:
        """What the paper calls it."""
        together = " + ".join(map(str, self.images))
        return together if self.after is None else f"{self.after.title} > {together}"

    @property
    def name(self) -> str:
        """Name of its folder."""
        plain = self.title.replace(" > ", "-then-").replace(" + ", "-and-")
        return plain if self.rate is None else f"{plain}-at-{self.rate:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is asked, and where."""

    out: Path
    counts: tuple[int, ...]  #: images that a target is learnt from, the last by first trainings that are gone on from
    rates: tuple[float, ...]  #: peaks of second trainings, the highest first
    first_rate: float  #: of first trainings
    steps: int  #: of first trainings
    second_steps: int
    test: int  #: images of each target
    side_px: int
    options: tuple[str, ...]  #: handed to ``crystal-search train crystals``
    begin: Path | None  #: training that first ones begin with


def lessons(study: Study) -> list[Lesson]:
    """Return all trainings in the order of the paper's table; what one goes on from comes before it."""
    found: list[Lesson] = []
    for one, other in (("G", "H"), ("H", "G")):
        first = [Lesson((Images(one, number),)) for number in study.counts]
        found += first
        found += [
            Lesson((Images(other, number),), first[-1], rate, rank)
            for number in study.counts
            for rank, rate in enumerate(study.rates)
        ]
    return [*found, Lesson((Images("H", study.counts[-1]), Images("G", study.counts[-1])))]


def rendered(study: Study, images: Images, split: str) -> Path:
    """Return the folder of images of a target; fewer are the first of more."""
    folder = study.out / "images" / f"{images}-{split}"
    words = ["--count", str(images.count), "--split", split, "--side", str(study.side_px), "--no-sheet"]
    if not (folder / "annotations.json").exists():
        program("render", "cells", "--target", TARGETS[images.target], *words, "--out", str(folder))
    return folder


def dataset(study: Study, lesson: Lesson) -> Path:
    """Return the dataset that a training learns from."""
    name = "-and-".join(map(str, lesson.images))
    folder = study.out / "datasets" / name
    if not (folder / "dataset.json").exists():
        archives = [str(rendered(study, each, "train")) for each in lesson.images]
        program("dataset", "build", *archives, "--shares", SHARES, "--out", str(folder))
    return folder


def learnt(study: Study, lesson: Lesson) -> Path:
    """Return the folder of a training that has ended."""
    run = study.out / "trainings" / lesson.name
    if (run / DONE).exists():
        return run
    first = lesson.after is None
    begin = study.begin if lesson.after is None else learnt(study, lesson.after)
    steps, rate = (study.steps, study.first_rate) if first else (study.second_steps, lesson.rate)
    words = ["--data", str(dataset(study, lesson)), "--out", str(run), "--steps", str(steps), "--rate", f"{rate:g}"]
    if begin is not None:
        words += ["--start-from", str(begin)]
    resume = ["--resume"] if (run / CHECKPOINT).exists() else []
    program("train", "crystals", *words, *study.options, *resume)
    (run / DONE).touch()
    return run


def judged(study: Study, wanted: Sequence[Lesson], target: str) -> dict[str, dict[str, Any]]:
    """Return the figures of all trainings on the test images of a target, by the names of their folders."""
    folder = study.out / f"evaluation-{TARGETS[target]}"
    test = rendered(study, Images(target, study.test), "test")
    runs = [str(learnt(study, each)) for each in wanted]
    program("evaluate", *runs, "--coco", str(test), "--out", str(folder), "--replace")
    with (folder / "kardoost-table-1.csv").open(encoding="utf-8", newline="") as file:
        return {row["network"]: dict(row) for row in csv.DictReader(file)}


def rows(wanted: Sequence[Lesson], found: dict[str, dict[str, dict[str, Any]]]) -> Iterator[list[str]]:
    """Yield a row of our table for each training: figures of H / G with their intervals, then the paper's."""
    for number, lesson in enumerate(wanted, start=1):
        ours = [" / ".join(_shown(found[target][lesson.name], name) for target in ("H", "G")) for name in FIGURES]
        theirs = _paper(lesson)
        rate = "" if lesson.rate is None else f", rate {lesson.rate:g}"
        yield [str(number), f"{lesson.title}{rate}", *ours, *theirs]


def _shown(row: dict[str, Any], name: str) -> str:
    if not row[name]:
        return "–"
    value, low, high = (f"{float(row[each]):.1f}" for each in (name, f"{name}_low", f"{name}_high"))
    return f"{value} ({low}–{high})"


def _paper(lesson: Lesson) -> list[str]:
    """Return the figures of the paper's row of the same name and rank of rate, empty where it has none."""
    same = [row for row in KARDOOST_TABLE_1 if row[1] == lesson.title]
    if len(same) <= lesson.rank:
        return [""] * len(FIGURES)
    _, _, _, clustered, long = same[lesson.rank]
    return [f"{one:.1f} / {other:.1f}" for one, other in zip(clustered, long, strict=True)]


def table(study: Study, wanted: Sequence[Lesson], found: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Return the table as Markdown, with what has to be said of it."""
    titles = ["No.", "Learnt from", *(f"{each} H / G (%)" for each in TITLES), *(f"Theirs: {each}" for each in TITLES)]
    lines = [titles, ["---"] * len(titles), *rows(wanted, found)]
    begun = "nothing" if study.begin is None else str(study.begin)
    return (
        f"First trainings: {study.steps} steps from {begun}, rate {study.first_rate:g}; second ones: "
        f"{study.second_steps} steps. Tested on {study.test} rendered images each of clustered (H) and long crystals "
        f"(G), {study.side_px} px wide.\nThe difference in crystals is over their mean number in an image. Intervals: "
        f"95 %, images drawn again.\nTheirs (Kardoost et al. 2024, Table 1): "
        f"{OTHER_IMAGES[0].lower()}{OTHER_IMAGES[1:]}.\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)
    )


def studied(study: Study) -> Path:
    """Do all of it; return the Markdown file with the table."""
    wanted = lessons(study)
    for lesson in wanted:
        learnt(study, lesson)
    found = {target: judged(study, wanted, target) for target in TARGETS}
    write_whole(study.out / "table-1.json", json.dumps(found, indent=1))
    path = study.out / "table-1.md"
    write_whole(path, table(study, wanted, found))
    return path


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    found = argparse.ArgumentParser(prog="python -m benchmarks.second_target", description=__doc__.split(":")[1])
    add = found.add_argument
    add("--out", type=Path, default=Path("runs/second-target"), help="folder (default: %(default)s)")
    add("--images", type=count, nargs="+", default=[10, 30, 50], help="to learn from (default: 10 30 50)")
    add("--rates", type=float, nargs="+", default=[3e-3, 3e-4], help="of second trainings (default: 0.003 0.0003)")
    add("--first-rate", type=float, default=3e-3, help="of first trainings (default: 0.003)")
    add("--steps", type=count, default=4000, help="of first trainings (default: %(default)s)")
    add("--second-steps", type=count, help="of second trainings (default: a quarter of --steps)")
    add("--test", type=count, default=150, help="images of each target to judge on (default: %(default)s)")
    add("--side", type=count, default=512, help="of the images, pixels (default: %(default)s)")
    add("--start-from", type=Path, metavar="RUN", help="training that first ones begin with (default: none)")
    add("--train", default="", metavar="OPTIONS", help="further options of `train crystals`, in one pair of quotes")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Fill the table, print it and return an exit code: that of the command that failed, or 0."""
    arguments = parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    study = Study(
        out=arguments.out,
        counts=tuple(sorted(arguments.images)),
        rates=tuple(sorted(arguments.rates, reverse=True)),
        first_rate=arguments.first_rate,
        steps=arguments.steps,
        second_steps=arguments.second_steps or -(-arguments.steps // 4),
        test=arguments.test,
        side_px=arguments.side,
        options=tuple(arguments.train.split()),
        begin=arguments.start_from,
    )
    try:
        print(studied(study).read_text(encoding="utf-8"), end="")
    except subprocess.CalledProcessError as error:
        return int(error.returncode)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
