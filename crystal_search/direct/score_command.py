"""``crystal-search score``: any images or folders, one CSV row for each, no database."""

import argparse
import csv
import os
import sys
from pathlib import Path

from tqdm import tqdm

from crystal_search.arguments import count, fraction
from crystal_search.direct.scored_files import COLUMNS, Job, csv_row, inputs, models_in, scored, to_use
from crystal_search.errors import UserError
from crystal_search.outcomes import THRESHOLD
from crystal_search.processes import processors
from crystal_search.work_unit import Parameters


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE_OR_FOLDER", help="images, or folders of images")
    parser.add_argument("--csv", type=Path, required=True, help="where to write one row for every input")
    parser.add_argument("--overlays", type=Path, metavar="DIR", help="write a picture with coloured frames for each")
    models = parser.add_mutually_exclusive_group()
    models.add_argument("--models", type=Path, metavar="DIR", help="folder of models (default: the package's own)")
    models.add_argument("--home", type=Path, metavar="DIR", help="an installation, to score as it does")
    parser.add_argument("--threshold", type=fraction, help=f"default: the installation's, else {THRESHOLD}")
    parser.add_argument("--scoring", choices=("dense", "windowed"), default="dense", help="default: %(default)s")
    parser.add_argument("--no-drop", choices=("stop", "whole_image"), default="stop", help="where no drop is found")
    parser.add_argument("--workers", type=count, default=processors(), help="processes at a time")


def run(arguments: argparse.Namespace) -> None:
    """Score the images and write the CSV file, whole or not at all.

    Raises
    ------
    UserError
        If there is nothing to score, no installation to score as, or the CSV file cannot be written.
    """
    paths = inputs(arguments.images)
    models, threshold = to_use(arguments.models, arguments.home, arguments.threshold)
    parameters = Parameters(threshold=threshold, scoring=arguments.scoring, no_drop=arguments.no_drop)
    job = Job(models=models, parameters=parameters, overlays=arguments.overlays)
    models_in(job.models)  # an error here, not in each worker
    temporary = arguments.csv.with_name(arguments.csv.name + ".part")
    try:
        if job.overlays:
            job.overlays.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            counts = _write_rows(csv.DictWriter(file, COLUMNS), paths, job, arguments.workers)
        os.replace(temporary, arguments.csv)
    except OSError as error:
        raise UserError(f"cannot write {arguments.csv}, or its pictures: {error.strerror}") from error
    total = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    sys.stdout.write(f"{len(paths)} {'image' if len(paths) == 1 else 'images'}: {total}\n{arguments.csv}\n")


def _write_rows(writer: "csv.DictWriter[str]", paths: list[Path], job: Job, workers: int) -> dict[str, int]:
    counts: dict[str, int] = {}
    writer.writeheader()
    found = scored(paths, job, workers=min(workers, len(paths)))
    for each in tqdm(found, total=len(paths), desc="score", unit="image", disable=not sys.stderr.isatty()):
        writer.writerow(csv_row(each))
        counts[each.score.outcome] = counts.get(each.score.outcome, 0) + 1
    return counts
