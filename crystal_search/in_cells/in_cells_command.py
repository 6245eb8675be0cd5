"""``crystal-search crystals in-cells``: crystals that insect cells hold, and what a well yields (docs/in-cells.md)."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from crystal_search.annotations.annotated_image import AnnotatedImage
from crystal_search.annotations.annotation_files import picture_of
from crystal_search.annotations.annotation_format import ReadOptions
from crystal_search.annotations.format_kinds import READ
from crystal_search.arguments import count, fraction
from crystal_search.direct.as_installed import as_installed
from crystal_search.direct.asked_detector import add_enlarge, asked_detector
from crystal_search.direct.crystal_files import Search
from crystal_search.direct.crystals_command import check_places, searched_files
from crystal_search.errors import UserError
from crystal_search.evaluation.tables import csv_of
from crystal_search.files import write_whole
from crystal_search.in_cells.cell_yield import check_library, yield_of
from crystal_search.in_cells.cells_of_images import CRYSTAL, LEAST_SHARE, CellsOfImage, is_crystal
from crystal_search.in_cells.crystals_and_cells import Counting, check_called, counted, found_in, paired, read_drawn
from crystal_search.in_cells.yield_tables import image_table, well_table, wells_of
from crystal_search.plurals import counted as in_words
from crystal_search.processes import processors
from crystal_search.synthesis.rendered_folder import CELL


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("cells", type=Path, metavar="ANNOTATIONS", help="folder or file in which cells are marked one by one")
    add("--from", dest="kind", choices=READ, help="format of ANNOTATIONS (default: by its names)")
    add("--images", type=Path, metavar="DIR", help="where the images lie (default: beside the annotations)")
    crystals = parser.add_mutually_exclusive_group()
    crystals.add_argument(
        "--crystals",
        type=Path,
        metavar="FROM",
        help="crystals: annotations, as crystals --coco writes them (default: those of ANNOTATIONS)",
    )
    add("--crystals-format", choices=READ, help="of these (default: by their names)")
    crystals.add_argument(
        "--detector", metavar="CARD_OR_NAME", help="look for crystals by a crystal detector: its card or name"
    )
    add_enlarge(parser)
    add("--csv", type=Path, required=True, help="one row for every image")
    add("--yields", type=Path, metavar="CSV", help="one row for every well")
    add("--image-wells", type=Path, metavar="CSV", help="path and well of each image (default: as names tell)")
    add(
        "--least-share",
        type=fraction,
        default=LEAST_SHARE,
        help="of a crystal's pixels that lie in its cell, at least (default: %(default)s)",
    )
    add("--faint", action="store_true", help="count crystals, too, that can hardly be seen")
    add("--threads", type=count, default=processors(), help="processor threads (default: all processors)")
    parser.set_defaults(writes=("csv", "yields"))


def run(arguments: argparse.Namespace) -> None:
    """Count crystals in cells, and write what images and wells yield.

    Raises
    ------
    UserError
        If cells or crystals are not known, or there is no folder for what is written.
    ModelError
        If the model cannot be used.
    """
    check_library()
    if arguments.enlarge is not None and arguments.detector is None:
        raise UserError("--enlarge is of images in which a detector looks; name one by --detector, or leave it out")
    check_places((arguments.csv, arguments.yields), but=(arguments.cells, arguments.crystals, arguments.image_wells))
    cells = read_drawn(arguments.cells, arguments.kind, ReadOptions(images=arguments.images, label=CELL))
    check_called(cells, arguments.cells, CELL)
    counting = Counting(least_share=arguments.least_share, faint=arguments.faint)
    found = _counted(cells, arguments, counting)
    if all(each.error for each in found):
        raise UserError(f"none of {len(found)} images can be counted; {found[0].name}: {found[0].error}")
    wells = wells_of(found, arguments.image_wells)
    write_whole(arguments.csv, csv_of(image_table(found, wells)))
    if arguments.yields:
        write_whole(arguments.yields, csv_of(well_table(found, wells)))
        if not arguments.image_wells and len(set(wells.values())) == len(wells) > 1:
            sys.stderr.write(
                "warning: by their names every image is of a well of its own; --image-wells tells others\n"
            )
    sys.stdout.write(_said(found, arguments.csv))


def _counted(cells: Sequence[AnnotatedImage], arguments: argparse.Namespace, counting: Counting) -> list[CellsOfImage]:
    if arguments.detector is not None:
        return _searched(cells, arguments, counting)
    if not arguments.crystals:
        if not any(is_crystal(each) for image in cells for each in image.objects):
            sys.stderr.write(
                f"warning: no crystal is marked in {arguments.cells}; --crystals or --detector tell others\n"
            )
        return [counted(image, image, counting) for image in cells]
    others = read_drawn(arguments.crystals, arguments.crystals_format, ReadOptions(images=arguments.images))
    check_called(others, arguments.crystals, CRYSTAL)
    return [counted(image, other, counting) for image, other in paired(cells, others)]


def _searched(cells: Sequence[AnnotatedImage], arguments: argparse.Namespace, counting: Counting) -> list[CellsOfImage]:
    """Return what images hold by a detector; one that is not there, or cannot be read, says so."""
    folder = arguments.images or (arguments.cells if arguments.cells.is_dir() else arguments.cells.parent)
    pictures = {image.name: picture_of(image.name, [folder]) for image in cells}
    search = Search(network=asked_detector(arguments, as_installed()))
    files = searched_files([each for each in pictures.values() if each], search, None)
    found = []
    for image in cells:
        if pictures[image.name] is None:
            found.append(CellsOfImage(name=image.name, error=f"there is no such image in {folder}; say --images"))
            continue
        file = next(files)
        seen = counted(image, found_in(file), counting)
        found.append(replace(seen, error=file.unsearched) if file.unsearched else seen)
    return found


def _said(found: Sequence[CellsOfImage], where: Path) -> str:
    known = [each for each in found if not each.error]
    whole = yield_of(known)
    unknown = len(found) - len(known)
    wrong = f"; {in_words(unknown, 'image')} could not be counted, and it says why" if unknown else ""
    return (
        f"{100 * whole.share.value:.1f} % of cells have crystals, {whole.a_cell.value:.2f} a cell, corrected for the "
        f"border: {in_words(whole.cells, 'cell')} in {in_words(len(known), 'image')}; rows are in {where}{wrong}\n"
    )
