"""Rendered insect cells on disk: images, sections, COCO annotations of cells and crystals, contact sheets."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.crystals.boxes import smallest_around
from crystal_search.images import picture_file
from crystal_search.synthesis.frames import check_device
from crystal_search.synthesis.insect_cells.cell_crystals import KINDS
from crystal_search.synthesis.insect_cells.cell_culture import FIELD_UM
from crystal_search.synthesis.insect_cells.cell_image import SIDE_PX, CellImage, Stage, photographed, staged
from crystal_search.synthesis.insect_cells.confocal import SECTION_UM, Section, sections
from crystal_search.synthesis.rendered_folder import CELL, Record, RenderedFolder, Sheet, annotation, check_no_others
from crystal_search.synthesis.seeds import WellSeed

SHEET_PX, SHEET_COLUMNS, SHEET_IMAGES = 384, 6, 48
SECTIONS = "sections"  #: folder of sections

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSet:
    """Which images of insect cells are written."""

    split: str = "train"
    first: int = 0
    count: int = 1
    target: str = "long"  #: one of `cell_crystals.TARGETS`
    side_px: int = SIDE_PX
    sections: int = 0  #: of each
    step_um: float = SECTION_UM  #: between sections
    device: str = "cpu"
    sheet: bool = True


def write_cells(folder: Path, wanted: CellSet) -> int:
    """Write images with their truth; return how many crystals they show.

    Raises
    ------
    UserError
        If there is no such device, or the folder holds other pictures.
    OSError
        If the folder cannot be written.
    """
    from tqdm import tqdm

    check_device(wanted.device)
    check_no_others(folder, _names(wanted))
    torch.set_num_threads(1)
    pictures, cuts = _folder(folder, wanted, SHEET_COLUMNS), _folder(folder / SECTIONS, wanted, wanted.sections)
    for number in tqdm(range(wanted.first, wanted.first + wanted.count), "rendering", unit="image", disable=None):
        seed = WellSeed(wanted.split, number)
        stage = staged(seed, wanted.target, wanted.side_px, torch.device(wanted.device))
        name = f"{number:06d}"
        known = _write_image(pictures, number, name, photographed(seed, stage))
        for place, section in enumerate(sections(seed, stage, wanted.sections, step_um=wanted.step_um)):
            _write_section(cuts, f"{name}/{place:02d}.png", section, (stage, known))
    if wanted.sections:
        cuts.finish()
    pictures.finish()
    return sum("volume_um3" in each for each in pictures.annotations)


def _names(wanted: CellSet) -> list[str]:
    """Return the names of all images and sections."""
    numbers = range(wanted.first, wanted.first + wanted.count)
    cuts = [f"{SECTIONS}/{number:06d}/{place:02d}.png" for number in numbers for place in range(wanted.sections)]
    return [*(f"images/{number:06d}.png" for number in numbers), *cuts]


def _folder(folder: Path, wanted: CellSet, across: int) -> RenderedFolder:
    sheet = Sheet(cell_px=(SHEET_PX, SHEET_PX), across=across, most=SHEET_IMAGES) if wanted.sheet else None
    return RenderedFolder(folder, tuple(KINDS), sheet, others=(CELL,))


@dataclass(frozen=True, slots=True)
class _Known:
    """The numbers of the annotations of an image's cells and crystals, by their rows of the stage."""

    cells: dict[int, int]
    crystals: dict[int, int]


def _write_image(written: RenderedFolder, number: int, name: str, found: CellImage) -> _Known:
    size = found.image.shape[0], found.image.shape[1]
    written.write(f"images/{name}.png", picture_file(Pillow.fromarray(found.image)), found.image)
    written.add_image(number, f"{name}.png", size, um_per_px=round(FIELD_UM / size[1], 6))
    grown = [crystal.cell for crystal in found.crystals]
    cells = {
        cell: written.annotate(
            number, CELL, _annotation(places, size), state=found.stage.cells.states[cell], crystals=grown.count(cell)
        )
        for cell, places in enumerate(found.cells)
        if len(places)
    }
    crystals = {
        crystal.number: written.annotate(
            number,
            crystal.kind,
            _annotation(crystal.places, size),
            cell=cells.get(crystal.cell),
            habit=crystal.habit,
            volume_um3=round(crystal.volume_um3, 3),
            visible_fraction=round(crystal.visible_fraction, 4),
            contrast=round(crystal.contrast, 2),
            too_faint=crystal.too_faint,
        )
        for crystal in found.crystals
    }
    return _Known(cells, crystals)


def _write_section(written: RenderedFolder, name: str, found: Section, of: tuple[Stage, _Known]) -> None:
    """Write a section; `object` says of which annotation of the image each of its annotations is a part."""
    (stage, known), size = of, (found.image.shape[0], found.image.shape[1])
    number = len(written.images) + 1
    written.write(name, picture_file(Pillow.fromarray(found.image)), found.image)
    scale, depth = round(FIELD_UM / size[1], 6), round(found.depth_um, 4)
    written.add_image(number, name, size, um_per_px=scale, depth_um=depth)
    for row, part in known.cells.items():
        if len(found.cells[row]):
            written.annotate(number, CELL, _annotation(found.cells[row], size), object=part)
    for row, part in known.crystals.items():
        if len(found.crystals[row]):
            written.annotate(number, stage.crystals[row].kind, _annotation(found.crystals[row], size), object=part)


def _annotation(places: Places, size: tuple[int, int]) -> Record:
    rows, columns = np.divmod(places, size[1])
    box = smallest_around(np.stack((rows, columns), axis=1) + 0.5, pixel_px=1.0)
    cut_off = bool(min(rows.min(), columns.min()) == 0 or rows.max() == size[0] - 1 or columns.max() == size[1] - 1)
    return annotation(rows, columns, size, box) | {"cut_off": cut_off}
