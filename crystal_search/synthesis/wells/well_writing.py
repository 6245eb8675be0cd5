"""Rendered wells as files: pictures in every channel at every inspection, masks, truth, a contact sheet."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import simplejpeg
import torch
from PIL import Image as Pillow
from tqdm import tqdm

from crystal_search.columns import Cell, csv_text
from crystal_search.files import write_whole
from crystal_search.images import picture_file
from crystal_search.outcomes import NO_DROP, OUTCOME_NAMES, Group, classes_of
from crystal_search.score_cells import outcome_cells
from crystal_search.synthesis.frames import check_device
from crystal_search.synthesis.rendered_folder import RenderedFolder, Sheet, annotation, check_no_others
from crystal_search.synthesis.wells.rendered_well import RenderedImage
from crystal_search.synthesis.wells.series import Visit, render_visits
from crystal_search.synthesis.wells.visits import DAYS, Settings, Well
from crystal_search.wells import WellKey

MASK_REDUCTION = 4  # of the stored drop masks
CELL_PX = (306, 256)  # width and height of an image in a contact sheet
SHEET_COLUMNS, SHEET_CELLS = 12, 384  # of a contact sheet; more pictures are left out
CATEGORIES = tuple(OUTCOME_NAMES[index] for index in classes_of(Group.CRYSTAL))  #: of annotations
TRUTH_FIELDS = ("file", "well", "row", "column", "drop", "outcome", "score_number", "group", "present")
SERIES_FIELDS = ("inspection", "day", "material", "birefringence", "fluorescence", "chromophore")


def write_wells(folder: Path, wells: Sequence[Well], settings: Settings) -> None:
    """Write pictures, masks, ``annotations.json``, ``truth.csv`` and a contact sheet; the table of truth last.

    Raises
    ------
    UserError
        If there is no such device, or the folder holds other pictures.
    OSError
        If the folder cannot be written.
    """
    check_device(settings.device)
    check_no_others(folder, [name for well in wells for names in _names(well, settings) for name in names.values()])
    torch.set_num_threads(1)
    across = SHEET_COLUMNS if settings.plain else settings.inspections * (1 + len(settings.channels))
    sheet = Sheet(cell_px=CELL_PX, across=across, most=SHEET_CELLS) if settings.sheet else None
    written, lines = RenderedFolder(folder, CATEGORIES, sheet), []
    for well in tqdm(wells, "rendering", unit="well", disable=None):
        visits = zip(render_visits(well, settings), _names(well, settings), strict=True)
        for number, (visit, names) in enumerate(visits, start=1):
            _write_visit(written, names, visit, settings)
            lines.append(_truth(well, number, visit, names))
            _annotate(written, len(lines), names["visible"], visit.well)
    written.finish()
    write_whole(folder / "truth.csv", _table(lines, settings))


def _names(well: Well, settings: Settings) -> list[dict[str, str]]:
    """Return what the pictures of each visit are called, by channel."""
    return [
        {each: well.file(number, day, each, settings) for each in ("visible", *settings.channels)}
        for number, day in enumerate(DAYS[: settings.inspections], start=1)
    ]


def _write_visit(written: RenderedFolder, names: dict[str, str], visit: Visit, settings: Settings) -> None:
    """Write the pictures of a visit, each into the file that `names` has for its channel, and the drop's mask."""
    for channel, image in {"visible": visit.well.image, **visit.mates}.items():
        written.write(names[channel], simplejpeg.encode_jpeg(image, settings.quality, "RGB", "420"), image)
    place = written.folder / names["visible"]
    write_whole(place.with_suffix(".mask.png"), _mask_png(visit.well.drop_mask))
    if settings.maps:
        outcomes = Pillow.fromarray(visit.well.outcome_map)  # indices into OUTCOMES, 255 outside of the drop
        write_whole(place.with_suffix(".outcomes.png"), picture_file(outcomes, optimize=True))


def _annotate(written: RenderedFolder, number: int, name: str, well: RenderedImage) -> None:
    size = well.drop_mask.shape[0], well.drop_mask.shape[1]
    written.add_image(number, name, size)
    for crystal in well.crystals:
        written.annotate(
            number,
            crystal.outcome,
            annotation(crystal.rows, crystal.columns, size, crystal.oriented_box),
            visible_fraction=round(crystal.visible_fraction, 4),
            contrast=round(crystal.contrast, 2),
            too_faint=crystal.too_faint,
            habit=crystal.habit,
            aspect=crystal.aspect,
        )


def _truth(well: Well, number: int, visit: Visit, names: dict[str, str]) -> dict[str, Cell]:
    """Return a line of truth; other channels are columns, so that every line is a picture in visible light."""
    place, material = well.on_plate, visit.material
    line: dict[str, Cell] = {
        "file": names["visible"],
        "well": None if place is None else WellKey(plate="", row=place.row, column=place.column).well,
        "row": None if place is None else place.row + 1,
        "column": None if place is None else place.column + 1,
        "drop": 1,
        **outcome_cells(visit.well.outcome or NO_DROP),
        "present": " ".join(visit.well.present),
        "inspection": number,
        "day": f"{visit.day:g}",
    }
    if material is not None:
        line["material"], line["chromophore"] = material.kind, material.chromophore
        line["birefringence"] = f"{material.birefringence:.4f}"
        line["fluorescence"] = f"{material.fluorescence:.3f}"
    return line | {channel: name for channel, name in names.items() if channel != "visible"}


def _table(lines: list[dict[str, Cell]], settings: Settings) -> str:
    fields = TRUTH_FIELDS if settings.plain else (*TRUTH_FIELDS, *SERIES_FIELDS, *settings.channels)
    return csv_text(fields, ({name: line.get(name) for name in fields} for line in lines))


def _mask_png(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> bytes:
    """Return a drop mask as a 1-bit PNG at a quarter of its size."""
    rows, columns = mask.shape
    size = (max(1, columns // MASK_REDUCTION), max(1, rows // MASK_REDUCTION))
    small = Pillow.fromarray(mask.astype(np.uint8) * np.uint8(255)).resize(size, Pillow.Resampling.BOX)
    sharp = small.point(lambda level: 255 if level > 127 else 0).convert("1", dither=Pillow.Dither.NONE)
    return picture_file(sharp, optimize=True)
