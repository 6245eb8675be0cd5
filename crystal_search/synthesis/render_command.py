"""``crystal-search render``: wells, a plate, suspensions, also over time, insect cells, as files with their truth."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from crystal_search.arguments import count, length
from crystal_search.errors import UserError
from crystal_search.synthesis.seeds import RENDERED_SPLITS, WellSeed
from crystal_search.synthesis.things.plate_types import PLATE_TYPES
from crystal_search.synthesis.wells.visits import (
    COLUMNS,
    DAYS,
    HEIGHT_PX,
    MATES,
    PATTERN,
    ROWS,
    WIDTH_PX,
    OnPlate,
    Settings,
    Well,
    plate_outcomes,
    well_seed,
)

WELLS, IMAGES = 96, 48  # rendered where no --count is given
CRYSTALS = 100  # in an image where nobody says how many
HOURS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)  # of a suspension over time
ROWS_X_COLUMNS = len(ROWS) * COLUMNS
MOST_SECTIONS = 99


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``crystal-search render``."""
    parser.add_argument(
        "what",
        choices=tuple(WRITERS),
        help="single wells, 96 wells of one imager, suspensions, one suspension over time, or insect cells",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for images, masks and truth.csv")
    parser.add_argument(
        "--count", type=int, help=f"how many; not of a plate (default: {WELLS}; suspensions and cells: {IMAGES})"
    )
    parser.add_argument("--split", choices=RENDERED_SPLITS, default="train", help="no two splits share an image")
    parser.add_argument("--seed-start", type=int, default=0, help="number of the first well, or of the plate")
    parser.add_argument("--outcome", help="what all wells show; not of a plate (default: drawn)")
    parser.add_argument("--plate-type", choices=PLATE_TYPES, help="of the wells (default: drawn)")
    parser.add_argument(
        "--inspections", type=int, default=1, help=f"of wells, up to {len(DAYS)}; crystals grow (default: %(default)s)"
    )
    parser.add_argument("--channels", nargs="+", choices=MATES, default=(), help="of wells, beside visible light")
    parser.add_argument("--barcode", default="demo", help="of the plate, in file names (default: %(default)s)")
    parser.add_argument(
        "--width", type=int, default=WIDTH_PX, help="of the images of wells, pixels (default: %(default)s)"
    )
    parser.add_argument(
        "--height", type=int, default=HEIGHT_PX, help="of the images of wells, pixels (default: %(default)s)"
    )
    parser.add_argument("--quality", type=int, default=80, help="of the JPEGs of wells (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--maps", action="store_true", help="write NAME.outcomes.png as well: each pixel's outcome")
    parser.add_argument("--no-sheet", action="store_true", help="write no contact sheet")
    _add_suspension_arguments(parser)
    _add_cell_arguments(parser)


def _add_suspension_arguments(parser: argparse.ArgumentParser) -> None:
    suspension = parser.add_argument_group("suspension")
    suspension.add_argument("--most-crystals", type=count, help=f"in an image (default: {CRYSTALS})")
    suspension.add_argument(
        "--overlap",
        type=float,
        default=0.3,
        help="part of a crystal that may lie on larger ones (default: %(default)s)",
    )
    suspension.add_argument("--border", action="store_true", help="crystals may lie across the border")
    suspension.add_argument("--no-noise", action="store_true", help="light and sensor only")
    growth = parser.add_argument_group(
        "growth: frames of a suspension whose crystals nucleate and grow (docs/populations.md)"
    )
    growth.add_argument(
        "--hours", type=float, nargs="+", default=HOURS, help="when frames are taken (default: 1 to 10)"
    )
    growth.add_argument("--mean-crystals", type=count, help=f"in a frame at the end, in the mean (default: {CRYSTALS})")
    growth.add_argument("--frames", type=count, default=10, help="at each time (default: %(default)s)")
    growth.add_argument("--growth", type=length, default=5.0, help="px an hour at the start (default: %(default)s)")
    growth.add_argument("--nucleation", default="burst", help="seeded, burst or steady (default: %(default)s)")
    growth.add_argument(
        "--depletion", type=float, default=0.8, help="part of the supersaturation that is used up at last"
    )
    suspension.add_argument("--batch", type=count, default=2, help="images made at once; 256 suits a GPU (default: 2)")


def _add_cell_arguments(parser: argparse.ArgumentParser) -> None:
    cells = parser.add_argument_group("cells")
    cells.add_argument(
        "--target",
        choices=("long", "clustered", "both", "none"),
        default="long",
        help="one long crystal a cell, small hexagonal ones in clusters, both, or none (default: %(default)s)",
    )
    cells.add_argument("--side", type=count, default=512, help="of the images, pixels (default: %(default)s)")
    cells.add_argument("--sections", type=int, default=0, help="confocal sections of each image (default: none)")
    cells.add_argument(
        "--section-um", type=float, default=2.1, help="from section to section, micrometres (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Render what the arguments ask for.

    Raises
    ------
    UserError
        If nothing is to be rendered, there is no such device, or the folder cannot be written or holds other pictures.
    """
    if arguments.what == "plate" and (arguments.count is not None or arguments.outcome is not None):
        raise UserError(f"a plate has {ROWS_X_COLUMNS} wells of all outcomes; leave out --count and --outcome")
    try:
        said = WRITERS[arguments.what](arguments)
    except OSError as error:
        raise UserError(f"cannot write to {arguments.out}: {error.strerror}; choose another --out") from error
    sys.stdout.write(said)


def _write_suspension(arguments: argparse.Namespace) -> str:
    """Write images of crystals in suspension, and return what was done."""
    if not 0 <= arguments.overlap <= 1:
        raise UserError(f"--overlap is {arguments.overlap}; give a part between 0 and 1")
    number = _images(arguments, "a suspension", "suspensions")
    if arguments.mean_crystals is not None:
        raise UserError("--mean-crystals is of growth; say --most-crystals, which no image exceeds")
    from crystal_search.synthesis.suspension.scene import Settings
    from crystal_search.synthesis.suspension.suspension_writing import Which, write_set

    settings = Settings(
        most=arguments.most_crystals or CRYSTALS,
        overlap=arguments.overlap,
        across_border=arguments.border,
        noise=not arguments.no_noise,
    )
    which = Which(arguments.split, arguments.seed_start, number)
    device, batch, sheet = arguments.device, arguments.batch, not arguments.no_sheet
    crystals = write_set(arguments.out, which, settings, device=device, batch=batch, sheet=sheet)
    return f"{number} images with {crystals} crystals are in {arguments.out}, the truth in annotations.json\n"


def _images(arguments: argparse.Namespace, one: str, many: str) -> int:
    """Return how many images without wells are asked for; nothing may be asked that only wells have."""
    if arguments.outcome is not None or arguments.maps:
        raise UserError(f"{one} has no outcome and no map of outcomes; leave out --outcome and --maps")
    if arguments.channels or arguments.inspections != 1 or arguments.plate_type:
        raise UserError(f"{many} are seen once, in visible light; leave out --channels, --inspections and --plate-type")
    number: int = IMAGES if arguments.count is None else arguments.count
    if number < 1:
        raise UserError(f"--count is {number}; render at least 1 image")
    return number


def _write_cells(arguments: argparse.Namespace) -> str:
    """Write images of insect cells, and return what was done."""
    number = _images(arguments, "an insect cell", "insect cells")
    from crystal_search.synthesis.insect_cells.cell_image import SIDES_PX
    from crystal_search.synthesis.insect_cells.cell_writing import CellSet, write_cells

    if not SIDES_PX[0] <= arguments.side <= SIDES_PX[1]:
        raise UserError(f"--side is {arguments.side}; give {SIDES_PX[0]} to {SIDES_PX[1]} px")
    if not 0 <= arguments.sections <= MOST_SECTIONS or not arguments.section_um > 0:
        raise UserError(
            f"--sections is {arguments.sections}, --section-um {arguments.section_um}; give up to {MOST_SECTIONS} "
            "sections, more than 0 micrometres apart"
        )
    wanted = CellSet(
        split=arguments.split,
        first=arguments.seed_start,
        count=number,
        target=arguments.target,
        side_px=arguments.side,
        sections=arguments.sections,
        step_um=arguments.section_um,
        device=arguments.device,
        sheet=not arguments.no_sheet,
    )
    crystals = write_cells(arguments.out, wanted)
    return f"{number} images with {crystals} crystals are in {arguments.out}, the truth in annotations.json\n"


def _write_growth(arguments: argparse.Namespace) -> str:
    """Write frames of a suspension over time, and return what was done."""
    if not 0 <= arguments.overlap <= 1:
        raise UserError(f"--overlap is {arguments.overlap}; give a part between 0 and 1")
    _images(arguments, "a suspension over time", "suspensions over time")
    if arguments.count is not None:
        raise UserError("a suspension over time has --frames at each of --hours; leave out --count")
    if arguments.most_crystals is not None:
        raise UserError("frames of growth have --mean-crystals at the end, some more; leave out --most-crystals")
    from crystal_search.synthesis.suspension.growth_law import GrowthLaw
    from crystal_search.synthesis.suspension.growth_writing import Experiment, write_experiment
    from crystal_search.synthesis.suspension.scene import Settings

    law = GrowthLaw(
        hours=max(arguments.hours),
        crystals=arguments.mean_crystals or CRYSTALS,
        growth_px_per_hour=arguments.growth,
        depletion=arguments.depletion,
        nucleation=arguments.nucleation,
    )
    seed = WellSeed(arguments.split, arguments.seed_start)
    what = Experiment(seed=seed, law=law, hours=tuple(arguments.hours), frames=arguments.frames)
    settings = Settings(overlap=arguments.overlap, across_border=True, noise=not arguments.no_noise)
    crystals = write_experiment(arguments.out, what, settings, device=arguments.device, batch=arguments.batch)
    frames = len(what.hours) * what.frames
    return f"{frames} frames with {crystals} crystals are in {arguments.out}, what is true in course.csv\n"


def _write_wells(arguments: argparse.Namespace) -> str:
    """Write wells, and return what was done."""
    channels = tuple(arguments.channels)
    if not 1 <= arguments.inspections <= len(DAYS):
        raise UserError(f"--inspections is {arguments.inspections}; give 1 to {len(DAYS)}")
    wells = _plate_wells(arguments) if arguments.what == "plate" else _single_wells(arguments)
    if not wells:
        raise UserError(f"--count is {arguments.count}; render at least 1 well")
    from crystal_search.synthesis.wells.well_writing import write_wells

    settings = Settings(
        size=(arguments.height, arguments.width),
        inspections=arguments.inspections,
        channels=channels,
        device=arguments.device,
        plate_type=arguments.plate_type,
        quality=arguments.quality,
        maps=arguments.maps,
        sheet=not arguments.no_sheet,
    )
    write_wells(arguments.out, wells, settings)
    said = f"{len(wells)} wells are in {arguments.out}, what they show in truth.csv\n"
    if channels and arguments.what == "plate":
        said += f"to import them: crystal-search import {arguments.out} --pattern '{PATTERN}'\n"
    return said


def _single_wells(arguments: argparse.Namespace) -> list[Well]:
    wells = WELLS if arguments.count is None else arguments.count
    numbers = range(arguments.seed_start, arguments.seed_start + wells)
    return [Well(WellSeed(arguments.split, number), arguments.outcome or "any") for number in numbers]


def _plate_wells(arguments: argparse.Namespace) -> list[Well]:
    imager = WellSeed(arguments.split, arguments.seed_start)
    outcomes = plate_outcomes(imager)
    return [
        Well(
            well_seed(imager, row, column),
            outcomes[row * COLUMNS + column],
            OnPlate(arguments.barcode, row, column, imager),
        )
        for row in range(len(ROWS))
        for column in range(COLUMNS)
    ]


#: What can be rendered.
WRITERS: dict[str, Callable[[argparse.Namespace], str]] = {
    "wells": _write_wells,
    "plate": _write_wells,
    "suspension": _write_suspension,
    "growth": _write_growth,
    "cells": _write_cells,
}
