"""``crystal-search evaluate-wells``: tables of photographs whose truth people wrote down (docs/real-wells.md)."""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from crystal_search.arguments import count, fraction
from crystal_search.direct.scored_files import Job
from crystal_search.errors import UserError
from crystal_search.evaluation.photograph_labels import read_labels, unnamed
from crystal_search.evaluation.photograph_report import write_report
from crystal_search.evaluation.photographs import verdicts
from crystal_search.model import default_model, default_models_folder
from crystal_search.model_card import ROLES
from crystal_search.processes import processors
from crystal_search.work_unit import Parameters


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of the command."""
    add = parser.add_argument
    add("--images", type=Path, required=True, metavar="FOLDER", help="photographs; the table's names start here")
    add("--labels", type=Path, required=True, metavar="CSV", help="columns file and label; source and mask if known")
    add("--out", type=Path, required=True, metavar="REPORT", help="folder for page, tables and contact sheets")
    add("--models", type=Path, default=default_models_folder(), help="folder of models (default: the package's own)")
    add("--threshold", type=fraction, default=Parameters().threshold, help="of the ranked score (default: %(default)s)")
    add("--workers", type=count, default=processors(), help="processes at a time (default: all processors)")


def run(arguments: argparse.Namespace) -> None:
    """Score the photographs, write the report, and print its table.

    Raises
    ------
    UserError
        If the table is none, names what is not there, or the folder cannot be written.
    """
    if not arguments.images.is_dir():
        raise UserError(f"{arguments.images} is no folder; name the one with the photographs")
    labels = read_labels(arguments.labels, arguments.images)
    job = Job(models=arguments.models, parameters=Parameters(threshold=arguments.threshold), overlays=None)
    cards = [default_model(kind, arguments.models).card for kind in ROLES.values()]
    found = tqdm(
        verdicts(labels, job, workers=min(arguments.workers, len(labels))),
        "scoring",
        len(labels),
        unit="well",
        disable=None,
    )
    models = " and ".join(f"{card.name} ({card.sha256[:12]})" for card in cards)
    try:
        table = write_report(arguments.out, list(found), ignored=unnamed(arguments.images, labels), models=models)
    except OSError as error:
        raise UserError(f"cannot write to {arguments.out}: {error.strerror}; choose another --out") from error
    sys.stdout.write(f"{table}\n{arguments.out / 'index.html'}\n")
