"""``crystal-search teach``: which images of a folder, or of an installation, to label next (docs/adaptation.md)."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from crystal_search.adaptation.imager_prior import prior_in
from crystal_search.adaptation.labelled import seen_of
from crystal_search.adaptation.teaching import asked_for
from crystal_search.arguments import count
from crystal_search.columns import Cell, csv_text
from crystal_search.direct.as_installed import as_installed
from crystal_search.direct.named_images import inputs, once
from crystal_search.direct.plates_in_paths import plates_in
from crystal_search.direct.scored_files import Job
from crystal_search.errors import UserError
from crystal_search.evaluation.label_material import answers_to, as_listed, labelled_of
from crystal_search.evaluation.label_table import LabelledFile, read_labels, refuse_to_lose_labels
from crystal_search.files import write_whole
from crystal_search.plurals import counted
from crystal_search.processes import processors
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.installation import opened
from crystal_search.server.services.drops_to_label import drops_to_label
from crystal_search.server.services.imager_features import imager_with_features, store_in_use
from crystal_search.work_unit import Parameters

COLUMNS = ("file", "plate", "outcome")  #: of the table, which `adapt` reads when outcomes are filled in
HOME_COLUMNS = ("image_id", "plate", "well", "drop", "inspection", "path")  #: of images that are scored in the viewer
LISTS = (COLUMNS, HOME_COLUMNS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--folder", type=Path, metavar="IMAGES", help="images of one imager, without a database")
    parser.add_argument(
        "--labels", type=Path, nargs="+", metavar="CSV", help="with --folder: tables of labels that there are already"
    )
    parser.add_argument("--count", type=count, default=10, help="how many to label next; default: %(default)s")
    parser.add_argument("--csv", type=Path, required=True, help="list of these images; of a folder a table to fill in")
    parser.add_argument("--imager", default="", help="of --home, whose images")
    models = parser.add_mutually_exclusive_group()
    models.add_argument("--models", type=Path, metavar="DIR", help="folder of models (default: the package's own)")
    models.add_argument(
        "--home",
        type=Path,
        metavar="DIR",
        help="an installation, whose models in use are adapted; without --folder its images that nobody scored",
    )
    parser.add_argument("--workers", type=count, default=processors(), help="processes at a time")
    parser.set_defaults(writes=("csv",))


def run(arguments: argparse.Namespace) -> None:
    """Write which images to label next.

    Raises
    ------
    UserError
        If the labels cannot be read, the list would replace what may hold labels, no image can be scored, or the
        installation has no features.
    ModelMismatchError
        If the classifier gives no features.
    """
    columns: Sequence[str]
    refuse_to_lose_labels(arguments.csv, LISTS)
    if arguments.folder and not arguments.imager:
        columns, rows = COLUMNS, _of_folder(arguments)
    elif arguments.home and not (arguments.folder or arguments.labels):
        columns, rows = HOME_COLUMNS, _of_home(arguments)
    else:
        raise UserError("name --folder, with --labels if there are some, or --home alone: what nobody scored there")
    refuse_to_lose_labels(arguments.csv, LISTS)  # scoring takes minutes, in which somebody may fill it in
    write_whole(arguments.csv, csv_text(columns, rows))
    asked, of = counted(len(rows), "image"), counted(len({row["plate"] for row in rows}), "plate")
    sys.stdout.write(f"{asked} of {of} to label next: {arguments.csv}\n")


def _of_folder(arguments: argparse.Namespace) -> Sequence[Mapping[str, Cell]]:
    folder: Path = arguments.folder
    files = read_labels(arguments.labels, folder) if arguments.labels else []
    installed = as_installed(arguments.home, models=arguments.models)
    parameters = Parameters(threshold=installed.settings.threshold)
    job = Job(models=installed.models, parameters=parameters, overlays=None)
    images = once(inputs([folder]))
    files = as_listed(files, images)
    scores = answers_to(images, job, arguments.workers)
    if not scores:
        raise UserError(f"no image in {folder} could be scored; name a folder of images of wells")
    known = {each.path for each in files}
    new = [at for at, path in enumerate(scores) if path not in known]
    paths, plates = list(scores), plates_of(list(scores), files, folder)
    labelled = labelled_of((each for each in files if each.path in scores), scores)
    others = seen_of(list(scores.values())).of(np.array(new, np.int64))
    prior = prior_in(installed.models, others.features.shape[1])
    wanted = asked_for(labelled, others, [plates[at] for at in new], arguments.count, prior=prior)
    asked = [new[at] for at in wanted]
    return [{"file": paths[at].relative_to(folder).as_posix(), "plate": plates[at]} for at in asked]


def plates_of(paths: Sequence[Path], files: Sequence[LabelledFile], folder: Path) -> list[str]:
    """Return the plate of each image: by its label, else by its path below `folder`."""
    told = {each.path: each.plate for each in files}
    inside = plates_in([path.relative_to(folder) for path in paths])
    return [told.get(path) or plate for path, plate in zip(paths, inside, strict=True)]


def _of_home(arguments: argparse.Namespace) -> Sequence[Mapping[str, Cell]]:
    with opened(arguments.home, create=False) as site:
        store = store_in_use(site)
        imager = imager_with_features(site, store, arguments.imager)
        images = drops_to_label(site, store, imager, count=arguments.count)
    return [dict(zip(HOME_COLUMNS, _place(image), strict=True)) for image in images]


def _place(image: StoredImage) -> tuple[Cell, ...]:
    key = image.key
    return image.id, key.plate, key.well, key.drop, key.inspection, image.path
