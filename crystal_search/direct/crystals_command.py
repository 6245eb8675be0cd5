"""``crystal-search crystals``: crystals one by one in any images or folders, no database (docs/crystals.md)."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from crystal_search.arguments import count, fraction, length, micrometres, probability
from crystal_search.columns import csv_text
from crystal_search.crystals.dispensing import DROPLET_UM, DispensingUm, distances
from crystal_search.direct import crystal_stacks
from crystal_search.direct.aiming import ShootingUm
from crystal_search.direct.as_installed import Installed, as_installed
from crystal_search.direct.asked_detector import add_enlarge, asked_detector, told_of_sight
from crystal_search.direct.counted_crystals import NO_DROP
from crystal_search.direct.crystal_files import COLUMNS, Search, SearchedFile, coco_text, in_drops, rows_of, searched
from crystal_search.direct.crystal_stacks import stacked_rows
from crystal_search.direct.dispenser_files import add_lists, lists_of, places_of, write_lists
from crystal_search.direct.file_scales import scales_of
from crystal_search.direct.named_drops import NamedDrops
from crystal_search.direct.named_images import inputs, once
from crystal_search.direct.scored_files import make_folder, overlay_name
from crystal_search.direct.target_files import DISPENSE_COLUMNS, SAY_SCALE, TARGET_COLUMNS, dispense_rows, target_rows
from crystal_search.dispensers.transfer_lists import TRANSFER_LISTS
from crystal_search.errors import ImageError, UserError
from crystal_search.files import write_whole
from crystal_search.inference import OnnxNetwork
from crystal_search.model import default_model
from crystal_search.model_card import CrystalCard, DropCard
from crystal_search.plurals import counted
from crystal_search.processes import processors
from crystal_search.work_unit import CRYSTALS_FROM


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("images", nargs="+", type=Path, metavar="IMAGE_OR_FOLDER", help="images, or folders of images")
    add(
        "--detector",
        metavar="CARD_OR_NAME",
        help="a crystal detector's card or name (default: in use at --home, else ours, that for drops where drops are)",
    )
    add_enlarge(parser)
    _add_limits(parser)
    add("--csv", type=Path, required=True, help="one row for every crystal, and for every image without any")
    add("--overlays", type=Path, metavar="DIR", help="write a picture of what was found for each image")
    add("--coco", type=Path, metavar="JSON", help="write boxes and outlines as COCO annotations")
    add(
        "--um-per-px",
        type=micrometres,
        metavar="UM",
        help="micrometres a stored pixel (default: settings, else the file)",
    )
    add(
        "--section-um",
        type=micrometres,
        metavar="UM",
        help="images of a folder are sections so far apart: one row for every crystal",
    )
    add("--home", type=Path, metavar="DIR", help="installation: its scales and models (default: none)")
    _add_aims(parser)
    add("--threads", type=count, default=processors(), help="processor threads (default: all processors)")
    parser.set_defaults(writes=("csv", "coco", "targets", "dispense", *TRANSFER_LISTS))


def _add_limits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what counts").add_argument
    add(
        "--in-drops",
        action="store_true",
        help="images are of wells: count what lies in the drop, where the classifier sees crystals, too",
    )
    add(
        "--crystals-from",
        type=probability,
        metavar="PROBABILITY",
        help="what the chops around a crystal must say, with --in-drops (0: anything, though --least holds; "
        f"default: the installation's, else {CRYSTALS_FROM})",
    )
    add(
        "--least",
        type=fraction,
        metavar="PROBABILITY",
        help="of a crystal that counts (default: what the card says, for drops by its least_in_drops)",
    )


def _add_aims(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("where to shoot").add_argument
    add("--targets", type=Path, metavar="CSV", help="write points in crystals, the best crystals first")
    add("--spacing", type=length, metavar="UM", help="several points on a crystal so far apart (default: one)")
    add("--margin", type=length, metavar="UM", help="of these from the crystal's outline, at least")
    add("--apart", type=length, metavar="UM", help="gap that makes a crystal alone (default: its own short side)")
    add = parser.add_argument_group("where to dispense").add_argument
    add("--dispense", type=Path, metavar="CSV", help="write the places in drops that are farthest from everything")
    add(
        "--least-clearance",
        type=length,
        metavar="UM",
        default=DROPLET_UM,
        help="from crystals and the drop's border (default: %(default)g)",
    )
    add("--candidates", type=count, default=1, help="places for a drop, at most (default: 1)")
    add_lists(parser)


def run(arguments: argparse.Namespace) -> None:
    """Search all images, and say how many crystals were found.

    Raises
    ------
    UserError
        If there is nothing to search, no folder for what is found, or of no image the scale that this needs.
    ModelError
        If the model cannot be used.
    ImageError
        If not one image could be read. What is asked for is written all the same, and says why.
    """
    search = _search(arguments, as_installed(arguments.home))
    paths = once(inputs(arguments.images))
    aims = (arguments.targets, arguments.dispense, *places_of(arguments).values())
    check_places((arguments.csv, arguments.coco, *aims), but=paths)
    lists = lists_of(arguments, paths)
    if arguments.overlays:
        make_folder(arguments.overlays)
    found = list(searched_files(paths, search, arguments.overlays))
    write_whole(arguments.csv, _table(found, arguments.section_um, search.network.card))
    if arguments.coco:
        write_whole(arguments.coco, coco_text(found))
    _write_aims(found, search, arguments, lists.drops if lists else None)
    sys.stdout.write(f"{_said(found, arguments.csv)}\n")
    if lists and search.dispensing:
        write_lists(lists, found, search.dispensing)
    _check(found, arguments, needs_scale=arguments.section_um is not None or search.needs_scale)


def _said(found: Sequence[SearchedFile], table: Path) -> str:
    """Return how much was found, and in how many images nothing could be."""
    read = [each for each in found if each.error is None]
    dry, unread = sum(each.none_because == NO_DROP for each in read), len(found) - len(read)
    crystals = counted(sum(len(each.crystals) for each in read), "crystal")
    said = f"{crystals} in {counted(len(read), 'image')} are in {table}"
    said += f"; in {dry} no drop was found" if dry else ""
    return said + (f"; {unread} could not be looked at, and it says why" if unread else "")


def _check(found: Sequence[SearchedFile], arguments: argparse.Namespace, *, needs_scale: bool) -> None:
    """End with an error if no image could be read, or none has the scale that is needed; warn of some without one."""
    read = [each for each in found if each.error is None]
    if not read:
        raise ImageError(f"not one image could be read; {arguments.csv} says why")
    lacking = [each for each in read if each.um_per_px is None] if needs_scale else []
    if len(lacking) == len(read):
        raise UserError(f"the scale of no image is known: {SAY_SCALE}; {arguments.csv} has all that needs none")
    if lacking:
        some = f"{len(lacking)} of {len(read)} images, as {lacking[0].path}"
        sys.stderr.write(f"warning: the scale is not known of {some}: {SAY_SCALE}\n")


def _search(arguments: argparse.Namespace, installed: Installed) -> Search:
    """Return what to look for; what is missing for it is said before anything is searched."""
    dispensed = arguments.dispense is not None or bool(places_of(arguments))
    network = asked_detector(arguments, installed, drops=arguments.in_drops or dispensed)
    lengths_um = {"spacing_um": arguments.spacing, "margin_um": arguments.margin, "apart_um": arguments.apart}
    if arguments.targets is None and any(each is not None for each in lengths_um.values()):
        raise UserError("--spacing, --margin and --apart are of targets; name a file by --targets")
    if arguments.crystals_from is not None and not arguments.in_drops:
        raise UserError("--crystals-from is of what is found in drops; say --in-drops as well")
    search = Search(
        network=network,
        scales=scales_of(arguments.um_per_px, installed.settings),
        shooting=ShootingUm(**lengths_um) if arguments.targets else None,
        picture=arguments.overlays is not None,
        least_probability=arguments.least,
    )
    if arguments.in_drops:
        least = arguments.crystals_from
        search = in_drops(search, installed, threads=arguments.threads, crystals_from=least)
    if not dispensed:
        return search
    distances(np.zeros((1, 1), np.bool_))  # without scipy this says so
    return replace(
        search,
        dispensing=DispensingUm(least_um=arguments.least_clearance, most=arguments.candidates),
        drop=search.drop or OnnxNetwork(default_model(DropCard, installed.models), threads=arguments.threads),
    )


def _write_aims(
    found: Sequence[SearchedFile], search: Search, arguments: argparse.Namespace, drops: NamedDrops | None
) -> None:
    if search.shooting:
        write_whole(arguments.targets, csv_text(TARGET_COLUMNS, [row for each in found for row in target_rows(each)]))
    if arguments.dispense and (rule := search.dispensing):
        rows = [row for each in found for row in dispense_rows(each, rule, drops)]
        write_whole(arguments.dispense, csv_text(DISPENSE_COLUMNS, rows))


def searched_files(paths: Sequence[Path], search: Search, overlays: Path | None) -> Iterator[SearchedFile]:
    """Yield what is in each file, after its picture was written where one is wanted."""
    files = (searched(path, search) for path in tqdm(paths, desc="images", unit="", disable=None))
    for number, found in enumerate(told_of_sight(files, search.network.card.sight)):
        if overlays and found.error is None:
            write_whole(overlays / overlay_name(number, found.path), found.picture)
        yield replace(found, picture=b"")


def _table(found: Sequence[SearchedFile], section_um: float | None, card: CrystalCard) -> str:
    """Return the CSV file of what was found: image by image, or joined over sections."""
    if section_um is None:
        return csv_text(COLUMNS, [row for each in found for row in rows_of(each)])
    rows = list(stacked_rows(found, section_um, card))
    if wrong := [row for row in rows if row["error"]]:
        sys.stderr.write(f"warning: {len(wrong)} stacks have no volumes, as {wrong[0]['path']}: {wrong[0]['error']}\n")
    return csv_text(crystal_stacks.COLUMNS, rows)


def check_places(places: Iterable[Path | None], *, but: Iterable[Path | None]) -> None:
    """Refuse, before anything is searched, files that could not be written, or that would replace what is read.

    Raises
    ------
    UserError
        If there is no folder for one of `places`, or one of them is named twice, or is one of `but`.
    """
    taken = {each.resolve() for each in but if each}
    for path in filter(None, places):
        if not path.parent.is_dir():
            raise UserError(f"there is no folder {path.parent} for {path.name}; make it, or name another place")
        if path.resolve() in taken:
            raise UserError(f"{path} is to be written, and is read or written already; name another place")
        taken.add(path.resolve())
