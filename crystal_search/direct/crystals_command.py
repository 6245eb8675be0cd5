"""``crystal-search crystals``: crystals one by one in any images or folders, no database (docs/crystals.md)."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from crystal_search.arguments import count, length
from crystal_search.columns import csv_text
from crystal_search.direct import crystal_stacks
from crystal_search.direct.crystal_files import COLUMNS, SearchedFile, coco_text, rows_of, searched
from crystal_search.direct.crystal_stacks import Scale, stacked_rows
from crystal_search.direct.scored_files import inputs, make_folder, overlay_name
from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.inference import Network, OnnxNetwork
from crystal_search.model import in_role, read_model
from crystal_search.model_card import CrystalCard
from crystal_search.processes import processors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("images", nargs="+", type=Path, metavar="IMAGE_OR_FOLDER", help="images, or folders of images")
    add("--model", type=Path, required=True, metavar="CARD", help="card of a crystal detector")
    add("--csv", type=Path, required=True, help="one row for every crystal, and for every image without any")
    add("--overlays", type=Path, metavar="DIR", help="write a picture with boxes for each image")
    add("--coco", type=Path, metavar="JSON", help="write boxes and outlines as COCO annotations")
    add("--um-per-px", type=length, metavar="UM", help="micrometres a pixel of the images as stored")
    add(
        "--z", type=length, metavar="UM", help="images of a folder are sections so far apart: one row for every crystal"
    )
    add("--threads", type=count, default=processors(), help="processor threads (default: all processors)")


def run(arguments: argparse.Namespace) -> None:
    """Search all images, and say how many crystals were found.

    Raises
    ------
    UserError
        If there is nothing to search, or no folder for what is found.
    ModelError
        If the model cannot be used.
    """
    if arguments.z and not arguments.um_per_px:
        raise UserError("--z asks for volumes, and these need the size of a pixel; give --um-per-px too")
    model = in_role(read_model(arguments.model), CrystalCard)
    paths = inputs(arguments.images)
    for place in filter(None, (arguments.csv, arguments.coco)):
        check_place(place)
    if arguments.overlays:
        make_folder(arguments.overlays)
    found = list(searched_files(paths, OnnxNetwork(model, threads=arguments.threads), arguments.overlays))
    write_whole(arguments.csv, _table(found, arguments.um_per_px, arguments.z))
    if arguments.coco:
        write_whole(arguments.coco, coco_text(found))
    crystals, wrong = sum(len(each.crystals) for each in found), sum(each.error is not None for each in found)
    unread = f"; {wrong} could not be read, and it says why" if wrong else ""
    sys.stdout.write(f"{crystals} crystals in {len(found) - wrong} images are in {arguments.csv}{unread}\n")


def searched_files(
    paths: Sequence[Path], network: Network[CrystalCard], overlays: Path | None
) -> Iterator[SearchedFile]:
    """Yield what is in each file, after its picture was written where one is wanted."""
    for number, path in enumerate(tqdm(paths, desc="images", unit="", disable=None)):
        found = searched(path, network, picture=overlays is not None)
        if overlays and found.error is None:
            write_whole(overlays / overlay_name(number, path), found.picture)
        yield replace(found, picture=b"")


def _table(found: Sequence[SearchedFile], um_per_px: float | None, section_um: float | None) -> str:
    """Return the CSV file of what was found: image by image, or joined over sections."""
    if um_per_px and section_um:
        return csv_text(crystal_stacks.COLUMNS, stacked_rows(found, Scale(um_per_px, section_um)))
    return csv_text(COLUMNS, [row for each in found for row in rows_of(each, um_per_px)])


def check_place(path: Path) -> None:
    """Refuse a file in a folder that is not there before anything is searched."""
    if not path.parent.is_dir():
        raise UserError(f"there is no folder {path.parent} for {path.name}; make it, or name another place")
