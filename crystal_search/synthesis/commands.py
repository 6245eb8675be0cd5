"""``crystal-search render``: rendered wells, a rendered plate, or crystals in suspension, as files with their truth."""

import argparse
import csv
import io
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image as Pillow

from crystal_search.arguments import count
from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.outcomes import NO_DROP, outcome_named
from crystal_search.synthesis.plate import COLUMNS, ROWS, file_name, plate_outcomes, well_seed
from crystal_search.synthesis.plate_types import PLATE_TYPES
from crystal_search.synthesis.seeds import SPLITS, WellSeed

WELLS, SUSPENSIONS = 96, 48  # rendered where no --count is given
ROWS_X_COLUMNS = len(ROWS) * COLUMNS
MASK_REDUCTION = 4  # of the stored drop masks
CELL_PX = (306, 256)  # width and height of an image in a contact sheet
SHEET_COLUMNS = 12
TRUTH_FIELDS = ("file", "row", "column", "drop", "outcome", "score_number", "group", "present")


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
    parser.add_argument(
        "what", choices=("wells", "plate", "suspension"), help="single wells, 96 wells of one imager, or suspensions"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for images, masks and truth.csv")
    parser.add_argument(
        "--count", type=int, help=f"how many; not of a plate (default: {WELLS}; suspensions: {SUSPENSIONS})"
    )
    parser.add_argument("--split", choices=SPLITS, default="train", help="no two splits share an image")
    parser.add_argument("--seed-start", type=int, default=0, help="number of the first well, or of the plate")
    parser.add_argument("--outcome", help="what all wells show; not of a plate (default: drawn)")
    parser.add_argument("--plate-type", choices=PLATE_TYPES, help="of the wells (default: drawn)")
    parser.add_argument("--barcode", default="demo", help="of the plate, in file names (default: %(default)s)")
    parser.add_argument("--width", type=int, default=1224, help="of the images of wells, pixels (default: %(default)s)")
    parser.add_argument(
        "--height", type=int, default=1024, help="of the images of wells, pixels (default: %(default)s)"
    )
    parser.add_argument("--quality", type=int, default=80, help="of the JPEGs of wells (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--maps", action="store_true", help="write NAME.outcomes.png as well: each pixel's outcome")
    parser.add_argument("--no-sheet", action="store_true", help="write no contact sheet")
    suspension = parser.add_argument_group("suspension")
    suspension.add_argument("--crystals", type=count, default=100, help="at most in an image (default: %(default)s)")
    suspension.add_argument(
        "--overlap",
        type=float,
        default=0.3,
        help="part of a crystal that may lie on larger ones (default: %(default)s)",
    )
    suspension.add_argument("--border", action="store_true", help="crystals may lie across the border")
    suspension.add_argument("--no-noise", action="store_true", help="light and sensor only")
    suspension.add_argument("--batch", type=count, default=2, help="images made at once; 256 suits a GPU (default: 2)")


def run(arguments: argparse.Namespace) -> None:
    """Render what the arguments ask for.

    Raises
    ------
    UserError
        If nothing is to be rendered, or the folder cannot be written.
    """
    if arguments.what == "plate" and (arguments.count is not None or arguments.outcome is not None):
        raise UserError(f"a plate has {ROWS_X_COLUMNS} wells of all outcomes; leave out --count and --outcome")
    if arguments.what == "suspension":
        _write_suspension(arguments)
        return
    pictures = _plate_pictures(arguments) if arguments.what == "plate" else _well_pictures(arguments)
    if not pictures:
        raise UserError(f"--count is {arguments.count}; render at least 1 well")
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        _render(pictures, arguments)
    except OSError as error:
        raise UserError(f"cannot write to {arguments.out}: {error.strerror}; choose another --out") from error


def _write_suspension(arguments: argparse.Namespace) -> None:
    if not 0 <= arguments.overlap <= 1:
        raise UserError(f"--overlap is {arguments.overlap}; give a part between 0 and 1")
    if arguments.outcome is not None or arguments.maps:
        raise UserError("a suspension has no outcome and no map of outcomes; leave out --outcome and --maps")
    number = SUSPENSIONS if arguments.count is None else arguments.count
    if number < 1:
        raise UserError(f"--count is {number}; render at least 1 image")
    from crystal_search.synthesis.suspension.scene import Settings
    from crystal_search.synthesis.suspension.writing import Which, write_set

    settings = Settings(
        most=arguments.crystals,
        overlap=arguments.overlap,
        across_border=arguments.border,
        noise=not arguments.no_noise,
    )
    which = Which(arguments.split, arguments.seed_start, number)
    try:
        crystals = write_set(
            arguments.out,
            which,
            settings,
            device=arguments.device,
            batch=arguments.batch,
            sheet=not arguments.no_sheet,
        )
    except OSError as error:
        raise UserError(f"cannot write to {arguments.out}: {error.strerror}; choose another --out") from error
    sys.stdout.write(
        f"{number} images with {crystals} crystals are in {arguments.out}, the truth in annotations.json\n"
    )


def _well_pictures(arguments: argparse.Namespace) -> list[_Picture]:
    wells = WELLS if arguments.count is None else arguments.count
    numbers = range(arguments.seed_start, arguments.seed_start + wells)
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

    from crystal_search.synthesis.annotations import WellAnnotations
    from crystal_search.synthesis.wells import render_well

    torch.set_num_threads(1)
    truth = io.StringIO()
    table = csv.DictWriter(truth, TRUTH_FIELDS, lineterminator="\n")
    table.writeheader()
    cells: list[Pillow.Image] = []
    annotations = WellAnnotations()
    for picture in tqdm(pictures, "rendering", unit="well", disable=None):
        well = render_well(
            picture.seed,
            outcome=picture.outcome,
            height_px=arguments.height,
            width_px=arguments.width,
            device=arguments.device,
            imager=picture.imager,
            crystals=True,
            plate_type=arguments.plate_type,
        )
        data = simplejpeg.encode_jpeg(well.image, arguments.quality, "RGB", "420")
        write_whole(arguments.out / picture.file, data)
        write_whole(arguments.out / f"{Path(picture.file).stem}.mask.png", mask_png(well.drop_mask))
        if arguments.maps:
            write_whole(arguments.out / f"{Path(picture.file).stem}.outcomes.png", map_png(well.outcome_map))
        table.writerow(_truth(picture, well.outcome) | {"present": " ".join(well.present)})
        annotations.add(picture.file, well)
        if not arguments.no_sheet:
            cells.append(Pillow.fromarray(well.image).resize(CELL_PX, Pillow.Resampling.BOX))
    write_whole(arguments.out / "annotations.json", annotations.as_json())
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
