"""``crystal-search render``: rendered wells, or a rendered plate, as files with their truth."""

import argparse
import csv
import io
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image as Pillow

from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.outcomes import NO_DROP, outcome_named
from crystal_search.synthesis.plate import COLUMNS, ROWS, file_name, plate_outcomes, well_seed
from crystal_search.synthesis.seeds import SPLITS, WellSeed

WELLS = 96  # rendered where no --count is given
ROWS_X_COLUMNS = len(ROWS) * COLUMNS
MASK_REDUCTION = 4  # of the stored drop masks
CELL_PX = (306, 256)  # width and height of an image in a contact sheet
SHEET_COLUMNS = 12
TRUTH_FIELDS = ("file", "row", "column", "drop", "outcome", "score_number", "group")


@dataclass(frozen=True, slots=True)
class _Picture:
    """One image to render."""

    seed: WellSeed
    outcome: str | None
    file: str
    row: str  #: letter; empty when the well is on no plate
    column: str  #: number from 1; empty when the well is on no plate
    imager: WellSeed | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``crystal-search render``."""
    parser.add_argument("what", choices=("wells", "plate"), help="single wells, or 96 wells of one imager")
    parser.add_argument("--out", type=Path, required=True, help="folder for images, masks and truth.csv")
    parser.add_argument("--count", type=int, help=f"number of wells; not of a plate (default: {WELLS})")
    parser.add_argument("--split", choices=SPLITS, default="train", help="no two splits share an image")
    parser.add_argument("--seed-start", type=int, default=0, help="number of the first well, or of the plate")
    parser.add_argument("--outcome", help="what all wells show; not of a plate (default: drawn)")
    parser.add_argument("--barcode", default="demo", help="of the plate, in file names (default: %(default)s)")
    parser.add_argument("--width", type=int, default=1224, help="of the images, pixels (default: %(default)s)")
    parser.add_argument("--height", type=int, default=1024, help="of the images, pixels (default: %(default)s)")
    parser.add_argument("--quality", type=int, default=80, help="of the JPEGs (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--maps", action="store_true", help="write NAME.outcomes.png as well: each pixel's outcome")
    parser.add_argument("--no-sheet", action="store_true", help="write no contact sheet")


def run(arguments: argparse.Namespace) -> None:
    """Render what the arguments ask for.

    Raises
    ------
    UserError
        If nothing is to be rendered, or the folder cannot be written.
    """
    if arguments.what == "plate" and (arguments.count is not None or arguments.outcome is not None):
        raise UserError(f"a plate has {ROWS_X_COLUMNS} wells of all outcomes; leave out --count and --outcome")
    pictures = _plate_pictures(arguments) if arguments.what == "plate" else _well_pictures(arguments)
    if not pictures:
        raise UserError(f"--count is {arguments.count}; render at least 1 well")
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        _render(pictures, arguments)
    except OSError as error:
        raise UserError(f"cannot write to {arguments.out}: {error.strerror}; choose another --out") from error


def _well_pictures(arguments: argparse.Namespace) -> list[_Picture]:
    count = WELLS if arguments.count is None else arguments.count
    numbers = range(arguments.seed_start, arguments.seed_start + count)
    return [
        _Picture(WellSeed(arguments.split, number), arguments.outcome or "any", f"{number:05d}.jpg", "", "", None)
        for number in numbers
    ]


def _plate_pictures(arguments: argparse.Namespace) -> list[_Picture]:
    imager = WellSeed(arguments.split, arguments.seed_start)
    outcomes = plate_outcomes(imager)
    return [
        _Picture(
            well_seed(imager, row, column),
            outcomes[row * COLUMNS + column],
            file_name(arguments.barcode, row, column),
            letter,
            str(column + 1),
            imager,
        )
        for row, letter in enumerate(ROWS)
        for column in range(COLUMNS)
    ]


def _render(pictures: list[_Picture], arguments: argparse.Namespace) -> None:
    import torch
    from tqdm import tqdm

    from crystal_search.synthesis.wells import render_well

    torch.set_num_threads(1)
    truth = io.StringIO()
    table = csv.DictWriter(truth, TRUTH_FIELDS, lineterminator="\n")
    table.writeheader()
    cells: list[Pillow.Image] = []
    for picture in tqdm(pictures, "rendering", unit="well", disable=None):
        well = render_well(
            picture.seed,
            outcome=picture.outcome,
            height_px=arguments.height,
            width_px=arguments.width,
            device=arguments.device,
            imager=picture.imager,
        )
        data = simplejpeg.encode_jpeg(well.image, arguments.quality, "RGB", "420")
        write_whole(arguments.out / picture.file, data)
        write_whole(arguments.out / f"{Path(picture.file).stem}.mask.png", mask_png(well.drop_mask))
        if arguments.maps:
            write_whole(arguments.out / f"{Path(picture.file).stem}.outcomes.png", map_png(well.outcome_map))
        table.writerow(_truth(picture, well.outcome))
        if not arguments.no_sheet:
            cells.append(Pillow.fromarray(well.image).resize(CELL_PX, Pillow.Resampling.BOX))
    write_whole(arguments.out / "truth.csv", truth.getvalue().encode())
    if cells:
        write_whole(arguments.out / "contact-sheet.png", _contact_sheet(cells))
    sys.stdout.write(f"{len(pictures)} wells are in {arguments.out}, what they show in truth.csv\n")


def _truth(picture: _Picture, outcome: str | None) -> dict[str, str]:
    known = None if outcome is None else outcome_named(outcome)
    return {
        "file": picture.file,
        "row": picture.row,
        "column": picture.column,
        "drop": "1",
        "outcome": NO_DROP if known is None else known.name,
        "score_number": "" if known is None else str(known.score_number),
        "group": "" if known is None else str(known.group),
    }


def mask_png(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> bytes:
    """Return a drop mask as a 1-bit PNG at a quarter of its size."""
    rows, columns = mask.shape
    size = (max(1, columns // MASK_REDUCTION), max(1, rows // MASK_REDUCTION))
    small = Pillow.fromarray(mask.astype(np.uint8) * np.uint8(255)).resize(size, Pillow.Resampling.BOX)
    buffer = io.BytesIO()
    small.point(lambda level: 255 if level > 127 else 0).convert("1", dither=Pillow.Dither.NONE).save(
        buffer, "PNG", optimize=True
    )
    return buffer.getvalue()


def map_png(outcome_map: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    """Return an outcome map, indices into ``OUTCOMES`` and 255 outside of the drop, as a grey PNG of its size."""
    buffer = io.BytesIO()
    Pillow.fromarray(outcome_map).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _contact_sheet(cells: list[Pillow.Image]) -> bytes:
    width, height = CELL_PX
    columns = min(SHEET_COLUMNS, len(cells))
    sheet = Pillow.new("RGB", (columns * width, -(-len(cells) // columns) * height))
    for index, cell in enumerate(cells):
        sheet.paste(cell, (index % columns * width, index // columns * height))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()
