"""``crystal-search crystals sizes``: how the crystals of an experiment become more and larger (docs/populations.md)."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from crystal_search.arguments import count, length, micrometres, probability
from crystal_search.direct.as_installed import as_installed
from crystal_search.direct.asked_detector import add_enlarge, asked_detector
from crystal_search.direct.crystal_files import Search
from crystal_search.direct.crystals_command import check_places, searched_files
from crystal_search.direct.file_scales import FileScales, scales_of
from crystal_search.direct.named_images import inputs, once
from crystal_search.errors import UserError
from crystal_search.evaluation.tables import csv_of
from crystal_search.files import write_whole
from crystal_search.found_share import SURE_FROM
from crystal_search.naming import Naming
from crystal_search.plurals import counted
from crystal_search.populations.crystal_frames import Frame, found_frames, read_frames, sure_frames, sure_said
from crystal_search.populations.population import populations_of
from crystal_search.populations.population_page import check_libraries, population_page, said
from crystal_search.populations.population_tables import experiment, time_table, trend_table
from crystal_search.populations.times import (
    Timed,
    read_concentrations,
    times_of_files,
    times_of_names,
    times_of_table,
)
from crystal_search.processes import processors

GAP_MINUTES = Naming().gap_minutes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("source", type=Path, metavar="FOLDER_OR_CSV", help="images of an experiment, or what `crystals` wrote of them")
    add(
        "--detector",
        metavar="CARD_OR_NAME",
        help="a crystal detector's card or name, for a folder (default: in use at --home, else ours)",
    )
    add_enlarge(parser)
    add("--by", choices=("time",), default="time", help="what populations are told apart by (default: %(default)s)")
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--times", type=Path, metavar="CSV", help="path and time of each image, in hours or as dates")
    when.add_argument("--file-times", action="store_true", help="times when the files were written last")
    add("--gap-minutes", type=length, default=GAP_MINUTES, help="images so far apart are of two times (default: 30)")
    add("--concentrations", type=Path, metavar="CSV", help="time and concentration of what is dissolved")
    add(
        "--growth-from",
        type=probability,
        metavar="PROBABILITY",
        help=f"of crystals that tell growth, each once (default: as the detector's card says, else {SURE_FROM})",
    )
    add("--csv", type=Path, required=True, help="one row for every time")
    add("--trends", type=Path, metavar="CSV", help="one row for every trend")
    add("--page", type=Path, metavar="HTML", help="page with plots and tests")
    add(
        "--um-per-px",
        type=micrometres,
        metavar="UM",
        help="micrometres a pixel (default: as CSV, settings or images tell, or px)",
    )
    add("--home", type=Path, metavar="DIR", help="installation: its scales and models (default: none)")
    add("--threads", type=count, default=processors(), help="processor threads (default: all processors)")
    parser.set_defaults(writes=("csv", "trends", "page"))


def run(arguments: argparse.Namespace) -> None:
    """Tell what becomes of the crystals, and write it.

    Raises
    ------
    UserError
        If there is nothing to tell of, nobody knows when images were taken, or no folder for what is written.
    ModelError
        If the model cannot be used.
    """
    check_libraries()
    read = (arguments.source, arguments.times, arguments.concentrations)
    check_places((arguments.csv, arguments.trends, arguments.page), but=read)
    frames, wrong = _frames(arguments)
    if not any(len(each.boxes) for each in frames):
        raise UserError(f"there is no crystal in {len(frames)} images of {arguments.source}; there is nothing to tell")
    timed = _times(frames, arguments)
    if len(set(timed.hours)) < 2:
        raise UserError(
            " ".join((f"all {len(frames)} images are of one time ({timed.said}); name two or more.", *timed.warnings))
        )
    told = read_concentrations(arguments.concentrations, timed.began) if arguments.concentrations else None
    scale, unit = _scale(frames, arguments.um_per_px)
    kinds = (frames, sure_frames(frames, arguments.growth_from))
    there, grown = (populations_of(each, timed.hours, scale) for each in kinds)
    found = replace(experiment(there, grown, unit, told), growth_by=sure_said(frames, arguments.growth_from))
    warnings = [*timed.warnings, *_warnings(frames, wrong)]
    write_whole(arguments.csv, csv_of(time_table(found)))
    if arguments.trends:
        write_whole(arguments.trends, csv_of(trend_table(found)))
    if arguments.page:
        command = shlex.join(["crystal-search", *sys.argv[1:]])
        about = f"{len(frames)} images of {arguments.source}; {timed.said}."
        page = population_page(found, about=about, warnings=warnings, command=command)
        write_whole(arguments.page, page)
    sys.stderr.writelines(f"warning: {each}\n" for each in warnings)
    sys.stdout.writelines(f"{sentence}\n" for sentence in said(found))


def _frames(arguments: argparse.Namespace) -> tuple[list[Frame], list[str]]:
    """Return the frames, and why other images were not searched."""
    installed = as_installed(arguments.home)
    scales = scales_of(arguments.um_per_px, installed.settings)
    if not arguments.source.is_dir():
        if said := [name for name in ("detector", "enlarge") if vars(arguments)[name] is not None]:
            raise UserError(
                f"{arguments.source} is no folder of images; --{said[0]} is for one: leave it out for a CSV file"
            )
        told, wrong = read_frames(arguments.source)
        return [_scaled(each, scales) for each in told], wrong
    search = Search(network=asked_detector(arguments, installed), scales=scales)
    files = searched_files(once(inputs([arguments.source])), search, None)
    found = list(found_frames(files))
    frames = [each for each in found if isinstance(each, Frame)]
    if not frames:
        raise UserError(f"none of {len(found)} images of {arguments.source} can be read; name another folder")
    return frames, [each for each in found if isinstance(each, str)]


def _scaled(frame: Frame, scales: FileScales) -> Frame:
    """Return a frame of a table with the scale that is said of its path, where the table tells none."""
    said = None if frame.um_per_px else scales.said_of(Path(frame.path))
    return replace(frame, um_per_px=said.um_per_px) if said else frame


def _times(frames: Sequence[Frame], arguments: argparse.Namespace) -> Timed:
    if arguments.times:
        return times_of_table(frames, arguments.times)
    if arguments.file_times:
        return times_of_files(frames, arguments.gap_minutes)
    return times_of_names(frames, arguments.gap_minutes)


def _scale(frames: Sequence[Frame], um_per_px: float | None) -> tuple[float, str]:
    """Return by what pixels are multiplied, and the unit that they become.

    Raises
    ------
    UserError
        If images are of several scales, or only some with crystals tell one.
    """
    told = np.array([each.um_per_px for each in frames if each.um_per_px])
    if um_per_px:
        return um_per_px, "um"
    if not len(told):
        return 1.0, "px"
    if silent := [each.path for each in frames if len(each.boxes) and not each.um_per_px]:
        raise UserError(
            f"{len(silent)} images with crystals tell no scale, as {silent[0]}, and others do; say --um-per-px for all"
        )
    if np.ptp(told) > 0.02 * told.mean():
        raise UserError(
            f"images have {told.min():.4g} to {told.max():.4g} micrometres a pixel; tell of one scale at a time"
        )
    return float(np.median(told)), "um"


def _warnings(frames: Sequence[Frame], wrong: Sequence[str]) -> list[str]:
    warnings = []
    if wrong:
        warnings.append(f"{counted(len(wrong), 'image')} left out, not searched: {'; '.join(wrong[:5])}")
    if unknown := sum(each.height_px is None or each.width_px is None for each in frames):
        warnings.append(
            f"The size of {unknown} images is not known, so that crystals which the border cuts count there as they "
            "are; run crystal-search crystals again to have sizes in its table."
        )
    if len({(each.height_px, each.width_px) for each in frames}) > 1:
        warnings.append("Images are of several sizes; crystals a frame cannot be compared between them.")
    return warnings
