"""``crystal-search teach``: which images of a folder to label next (docs/adaptation.md)."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from crystal_search.adaptation.held_out import chosen, learnt
from crystal_search.adaptation.labelled import seen_of
from crystal_search.adaptation.readout import ANSWERS, Readout, Scale, scale_of, shipped_readout
from crystal_search.adaptation.teaching import next_to_label
from crystal_search.adaptation.triage import counted
from crystal_search.arguments import count
from crystal_search.columns import csv_text
from crystal_search.direct.plates_in_paths import plates_in
from crystal_search.direct.scored_files import Job, inputs, to_use
from crystal_search.errors import UserError
from crystal_search.evaluation.label_material import answers_to, labelled_of
from crystal_search.evaluation.label_table import LabelledFile, read_labels
from crystal_search.files import write_whole
from crystal_search.processes import processors
from crystal_search.result import ImageScore
from crystal_search.work_unit import Parameters

COLUMNS = ("file", "plate", "outcome")  #: of the table, which `adapt` reads when outcomes are filled in


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--folder", type=Path, required=True, metavar="IMAGES", help="images of one imager")
    parser.add_argument("--labels", type=Path, metavar="CSV", help="labels that there are already")
    parser.add_argument("--count", type=count, default=10, help="how many to label next; default: %(default)s")
    parser.add_argument("--csv", type=Path, required=True, help="table to fill in: file, plate, outcome")
    models = parser.add_mutually_exclusive_group()
    models.add_argument("--models", type=Path, metavar="DIR", help="folder of models (default: the package's own)")
    models.add_argument("--home", type=Path, metavar="DIR", help="an installation, whose models in use are adapted")
    parser.add_argument("--workers", type=count, default=processors(), help="processes at a time")


def run(arguments: argparse.Namespace) -> None:
    """Write which images to label next.

    Raises
    ------
    UserError
        If the labels cannot be read, or no image can be scored.
    ModelMismatchError
        If the classifier gives no features.
    """
    folder: Path = arguments.folder
    files = read_labels(arguments.labels, folder) if arguments.labels else []
    models, threshold = to_use(arguments.models, arguments.home, None)
    job = Job(models=models, parameters=Parameters(threshold=threshold, no_drop="whole_image"), overlays=None)
    scores = answers_to(inputs([folder]), job, arguments.workers)
    if not scores:
        raise UserError(f"no image in {folder} could be scored; name a folder of images of wells")
    plates = plates_of(list(scores), files, folder)
    seen, known = seen_of(list(scores.values())), {each.path for each in files}
    scale = scale_of(seen)
    asked = next_to_label(
        seen,
        _readout([each for each in files if each.path in scores], scores, scale),
        scale,
        plates=plates,
        has_label=np.array([path in known for path in scores]),
        count=arguments.count,
    )
    rows = [
        {"file": path.relative_to(folder).as_posix(), "plate": plate}
        for path, plate in zip(scores, plates, strict=True)
    ]
    write_whole(arguments.csv, csv_text(COLUMNS, [rows[index] for index in asked]))
    asked_of, of = counted(len(asked), "image"), counted(len({plates[index] for index in asked}), "plate")
    sys.stdout.write(f"{asked_of} of {of} to label next: {arguments.csv}\n")


def plates_of(paths: Sequence[Path], files: Sequence[LabelledFile], folder: Path) -> list[str]:
    """Return the plate of each image: by its label, else by its path below `folder`."""
    told = {each.path: each.plate for each in files}
    inside = plates_in([path.relative_to(folder) for path in paths])
    return [told.get(path) or plate for path, plate in zip(paths, inside, strict=True)]


def _readout(files: Sequence[LabelledFile], scores: dict[Path, ImageScore], scale: Scale) -> Readout:
    """Return the readout of the labels that there are; the shipped one where there are none."""
    if not files:
        return shipped_readout(len(scale.mean) - ANSWERS)
    labelled = labelled_of(files, scores)
    return learnt(labelled, scale, chosen(labelled, scale))
