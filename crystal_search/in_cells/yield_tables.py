"""What cells yield as tables: a row an image, a row a well."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from crystal_search.archives.csv_rows import read_rows
from crystal_search.archives.image_places import Places
from crystal_search.errors import UserError
from crystal_search.evaluation.tables import Cell, Table, table
from crystal_search.in_cells.cell_yield import Yield, alike, yield_of
from crystal_search.in_cells.cells_of_images import CellsOfImage

FIGURES = ("with_crystals_percent", "crystals_a_cell", "crystal_area_percent")
COUNTS = ("cells", "cells_with_crystals", "crystals_in_cells", "cells_cut_off", "crystals_of_cut_cells")
IMAGE_COLUMNS = ("path", "well", *COUNTS, "crystals_outside", *FIGURES, "error")
WELL_COLUMNS = ("well", "images", *COUNTS, "crystals_outside", *FIGURES, "interval_from")
TOLD = {"path": ("path", "file", "image"), "well": ("well",)}
Wells = Mapping[str, str]  #: the well of each image, by its name


def wells_of(images: Sequence[CellsOfImage], told: Path | None) -> Wells:
    """Return the well of each image: as a CSV file tells it, else as names do; a name that tells none is a well's.

    Raises
    ------
    UserError
        If the file cannot be read, or lacks an image.
    """
    if told is None:
        places = Places(each.name for each in images)
        return {each.name: places.of(each.name).well for each in images}
    wells = {row["path"]: row["well"] for row in read_rows(told, TOLD, ("path", "well"))}
    missing = [each.name for each in images if not wells.get(each.name)]
    if missing:
        raise UserError(f"{told} tells no well of {len(missing)} images, as of {missing[0]}; add a line for each")
    return {each.name: wells[each.name] for each in images}


def image_table(images: Sequence[CellsOfImage], wells: Wells) -> Table:
    """Return the table with a row for each image."""
    return table("images", IMAGE_COLUMNS, (_image_row(each, wells[each.name]) for each in images))


def _image_row(image: CellsOfImage, well: str) -> tuple[Cell, ...]:
    found = yield_of([image])
    counts = (None,) * (len(COUNTS) + 1) if image.error else _counts(found, [image])
    return image.name, well, *counts, found.share, found.a_cell, found.area, image.error


def _counts(found: Yield, images: Sequence[CellsOfImage]) -> tuple[Cell, ...]:
    return (
        *(found.cells, found.with_crystals, found.crystals),
        *(sum(each.cut_off for each in images), sum(each.crystals_cut_off for each in images)),
        sum(each.crystals_outside for each in images),
    )


def well_table(images: Sequence[CellsOfImage], wells: Wells) -> Table:
    """Return the table with a row for each well of which an image is known."""
    return table("wells", WELL_COLUMNS, _well_rows([each for each in images if not each.error], wells))


def _well_rows(images: Sequence[CellsOfImage], wells: Wells) -> Iterator[tuple[Cell, ...]]:
    by_well: dict[str, list[CellsOfImage]] = {}
    for image in images:
        by_well.setdefault(wells[image.name], []).append(image)
    known = alike(list(by_well.values()))
    for well, own in by_well.items():
        found = yield_of(own, known)
        figures = found.share, found.a_cell, found.area
        yield well, len(own), *_counts(found, own), *figures, known.interval_from
