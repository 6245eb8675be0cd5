"""``crystal-search dataset``: pack archives of scored images for training; say what a dataset holds."""

import argparse
import csv
import logging
import os
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from crystal_search.arguments import count
from crystal_search.errors import UserError
from crystal_search.hostile_json import printable
from crystal_search.model import default_models_folder

if TYPE_CHECKING:
    from crystal_search.archives.archive import Archive
    from crystal_search.datasets.building import Plan

log = logging.getLogger(__name__)

#: Kinds of archives by how a file's name ends, where that tells.
KIND_BY_SUFFIX = {".csv": "csv", ".rec": "recordio", ".tfrecord": "marco"}
CLASSES = (13, 5, 4)
RENDER = "render wells whose truth is known place by place, shard by shard"
#: Kinds of archives by a file in a folder: annotations, an installation.
KIND_BY_FILE = {
    "annotations.json": "coco",
    "imaging.sqlite": "imaging",
    "classifications.csv": "zooniverse",
    "masks.csv": "masks",
    "objects.csv": "instances",
    "class_names.txt": "semantic",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the commands of this module."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    what = "find drops, cut chops, divide them, pack them"
    build = commands.add_parser("build", help=what, description=what, allow_abbrev=False)
    build.set_defaults(run=_build)
    _add_archive(build)
    _add_choice(build)
    _add_division(build)
    _add_rendering(commands.add_parser("render", help=RENDER, description=RENDER, allow_abbrev=False))
    show = commands.add_parser("show", help="say what a dataset holds", allow_abbrev=False)
    show.set_defaults(run=lambda arguments: _say(arguments.dataset))
    show.add_argument("dataset", type=Path, help="folder of the dataset")


def _add_archive(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("archives", type=Path, nargs="+", metavar="ARCHIVE", help="folder or file of scored images")
    parser.add_argument("--out", type=Path, required=True, help="folder of the dataset; must not be there yet")
    parser.add_argument("--from", dest="kind", metavar="KIND", help="what the archives are (default: by their names)")
    parser.add_argument("--scheme", help="classes in which the archives were scored (default: that of their kind)")
    parser.add_argument("--are-chops", action="store_true", help="the images are chops already")
    parser.add_argument(
        "--column", action="append", default=[], metavar="WHAT=NAME", help="csv, vmxi: name of the column of WHAT"
    )
    parser.add_argument(
        "--label-table", type=Path, metavar="CSV", help="vmxi: the table of labels, if it lies elsewhere"
    )
    parser.add_argument("--corrections", type=Path, help="labels that people corrected (docs/label-review.md)")
    parser.add_argument("--class-names", metavar="NAMES", help="recordio: its classes with commas between, or a file")


def _add_choice(parser: argparse.ArgumentParser) -> None:
    from crystal_search.datasets.chop_recipe import UV_CHOICES

    parser.add_argument("--classes", type=int, choices=CLASSES, help="to train for (default: what the archives have)")
    parser.add_argument("--colour", action="store_true", help="keep colours, for networks that read them")
    parser.add_argument(
        "--uv", choices=UV_CHOICES, default="prefer", help="UV images of crystals must show contours (default: prefer)"
    )
    parser.add_argument(
        "--contours",
        action="append",
        default=[],
        metavar="OUTCOME=PX",
        help="of these pixels that a chop of an outcome needs; also rim, uv; may be repeated",
    )
    parser.add_argument("--models", type=Path, default=default_models_folder(), help="folder of the drop locator")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")


def _add_division(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--split-by", choices=("plate", "well"), help="what splits are made of (default: plates)")
    parser.add_argument(
        "--shares", default="80/10/10", help="of train, validation, test; 0 leaves one out (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="another gives other splits (default: 0)")
    parser.add_argument(
        "--splits-of", type=Path, metavar="DATASET", help="wells of an earlier dataset stay in the split they were in"
    )


def _add_rendering(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_render)
    add = parser.add_argument
    add("dataset", type=Path, metavar="OUT", help="folder of the dataset; goes on where it was stopped")
    add("--split", choices=("train", "validation"), default="train", help="default: train")
    add("--wells", type=int, default=4096, help="how many wells in all, a multiple of 64 (default: 4096)")
    add("--objects", action="store_true", help="keep each single crystal too")
    add("--jobs", type=count, default=1, help="processes that render (default: 1)")
    add("--device", default="cpu", help="cpu or cuda (default: cpu)")


def _build(arguments: argparse.Namespace) -> None:
    from crystal_search.datasets.building import LEFT_OUT, build
    from crystal_search.datasets.chop_recipe import Recipe, thresholds_with
    from crystal_search.datasets.dataset_report import REPORT, SHEET

    recipe = Recipe(
        thresholds=thresholds_with(arguments.contours),
        uv=arguments.uv,
        in_colour=arguments.colour,
        models=arguments.models,
    )
    done = build(_archives(arguments), arguments.out, recipe, _plan(arguments))
    _say(arguments.out)
    if unknown := done.drops_unknown:
        sys.stdout.write(
            f"\n{len(unknown)} images do not tell which drop they show, such as {printable(unknown[0])}: what looks "
            "alike is in one split, but one drop may be in two; a table with a column well settles it (--from csv)\n"
        )
    with (arguments.out / LEFT_OUT).open(encoding="utf-8", newline="") as table:
        counts = Counter(row["what"] for row in csv.DictReader(table))
    sys.stdout.write(
        f"\nleft out: {counts['image']} images, {counts['chop']} chops; {arguments.out / LEFT_OUT} says why\n"
        f"before you train, look at {arguments.out / REPORT} and {arguments.out / SHEET}\n"
    )


def _render(arguments: argparse.Namespace) -> None:
    from crystal_search.datasets.rendering import Rendering, fill
    from crystal_search.synthesis.frames import check_device

    check_device(arguments.device)
    split, objects = arguments.split, arguments.objects
    render = Rendering(split, arguments.device, objects)
    for shard in fill(arguments.dataset, split, arguments.wells, render, jobs=arguments.jobs, objects=objects):
        log.info("%s is there", shard.file)


def _archives(arguments: argparse.Namespace) -> "list[Archive]":
    from crystal_search.archives.archive_kinds import ArchiveOptions, open_archive
    from crystal_search.archives.corrected import corrected

    options = ArchiveOptions(
        scheme=arguments.scheme,
        chops=arguments.are_chops,
        columns=dict(_column(each) for each in arguments.column),
        csv=arguments.label_table,
        classes=arguments.class_names,
    )
    archives = [open_archive(arguments.kind or kind_of(path), path, options) for path in arguments.archives]
    return archives if arguments.corrections is None else corrected(archives, arguments.corrections)


def _column(text: str) -> tuple[str, str]:
    what, _, name = text.partition("=")
    if not name:
        raise UserError(f"--column {text}: expected WHAT=NAME, as in outcome=score")
    return what, name


def kind_of(path: Path) -> str:
    """Return the kind of archive that lies at `path`, where its name or its sub-folders tell.

    Raises
    ------
    UserError
        If they do not.
    """
    from crystal_search.archives.archive_kinds import ARCHIVES

    if path.suffix.lower() in KIND_BY_SUFFIX:
        return KIND_BY_SUFFIX[path.suffix.lower()]
    for file, kind in KIND_BY_FILE.items():
        if (path / file).is_file():
            return kind
    if path.is_dir() and any(each.is_dir() and not each.name.startswith(".") for each in path.iterdir()):
        return "folder"
    if not path.exists():
        raise UserError(f"there is no {path}; name the folder or file of an archive")
    if path.is_dir() and (tables := sorted(each.name for each in path.iterdir() if each.suffix.lower() == ".csv")):
        raise UserError(f"{path} is a folder with the table {tables[0]}; name the table itself: {path / tables[0]}")
    raise UserError(f"cannot tell what kind of archive {path} is; say --from with one of {', '.join(ARCHIVES)}")


def shares_of(text: str) -> dict[str, float]:
    """Return the shares of train, validation and test in a text as ``80/10/10``.

    Raises
    ------
    UserError
        If it is not written so, or leaves nothing for any split.

    >>> shares_of("8/1/1")["train"], shares_of("0/1/0")
    (0.8, {'train': 0.0, 'validation': 1.0, 'test': 0.0})
    """
    from crystal_search.wells import SPLITS

    try:
        parts = [float(part) for part in text.split("/")]
    except ValueError:
        parts = []
    if len(parts) != len(SPLITS) or not all(0 <= part < float("inf") for part in parts) or not any(parts):
        raise UserError(
            f"--shares {text}: expected three numbers from 0 on, not all 0, for {', '.join(SPLITS)}, as in 80/10/10"
        )
    return {split: part / sum(parts) for split, part in zip(SPLITS, parts, strict=True)}


def _plan(arguments: argparse.Namespace) -> "Plan":
    from crystal_search.datasets.building import Plan
    from crystal_search.datasets.packed import open_dataset, splits_of_wells

    if arguments.workers < 1:
        raise UserError(f"--workers {arguments.workers}: expected at least 1")
    return Plan(
        classes=arguments.classes,
        split_by=arguments.split_by,
        shares=shares_of(arguments.shares),
        seed=arguments.seed,
        earlier={} if arguments.splits_of is None else splits_of_wells(open_dataset(arguments.splits_of)),
        workers=arguments.workers,
        command=shlex.join(["crystal-search", *sys.argv[1:]]),
    )


def _say(folder: Path) -> None:
    from crystal_search.datasets.dataset_report import summary
    from crystal_search.datasets.packed import open_dataset

    sys.stdout.write(summary(open_dataset(folder)))
