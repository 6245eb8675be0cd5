"""When frames were taken: from a table, from their names as robots write them, or from the files if asked for."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import pairwise
from math import isfinite
from pathlib import Path

from crystal_search.archives.csv_rows import TableRow, read_rows
from crystal_search.errors import UserError
from crystal_search.name_parts import ReadName
from crystal_search.naming import Naming
from crystal_search.populations.crystal_frames import Frame, by_path
from crystal_search.robot_names import DETECTABLE, detected, read_name

TIMES = {"path": ("path", "file", "image"), "time": ("time", "hours", "imaged_at")}
CONCENTRATIONS = {
    "time": ("time", "hours"),
    "concentration": ("concentration",),
    "unit": ("concentration_unit", "unit"),
}
HOUR_S = 3600.0
LONGEST_H = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """Frames with their times."""

    hours: tuple[float, ...]  #: of each frame
    began: datetime | None  #: what hours count from; None where the table tells hours
    said: str  #: where times are from, in words
    warnings: tuple[str, ...] = ()  #: what a reader of the times must know


def times_of_table(frames: Sequence[Frame], table: Path) -> Timed:
    """Return the times that a CSV file with the columns path and time tells: hours, or ISO 8601.

    Raises
    ------
    UserError
        If it cannot be read, says nothing of a frame or two times of one image, or a time is none.
    """
    told = _told(table)
    said = f"times of {table.name}"
    clocks = {name: each for name, each in told.items() if isinstance(each, datetime)}
    if clocks and len(clocks) < len(told):
        raise UserError(f"{table} tells some times in hours and some as dates; write all in one way")
    if not clocks:
        hours = {name: each for name, each in told.items() if not isinstance(each, datetime)}
        return Timed(hours=tuple(by_path(frames, hours, table)), began=None, said=said)
    moments = by_path(frames, clocks, table)
    began = min(moments)
    return Timed(hours=tuple(_since(began, each) for each in moments), began=began, said=said)


def _told(table: Path) -> Mapping[str, float | datetime]:
    told: dict[str, float | datetime] = {}
    for row in read_rows(table, TIMES, ("path", "time")):
        where = f"{table} line {row.line}"
        found = read_time(row["time"], where, row.pointed("time"))
        if told.setdefault(row["path"], found) != found:
            raise UserError(f"{where}: {row['path']} has two times; tell each image once")
    return told


def _since(began: datetime, moment: datetime) -> float:
    return (moment - began).total_seconds() / HOUR_S


def read_time(text: str, where: str, pointed: str | None = None) -> float | datetime:
    """Return hours, or a date with its time; clocks of no time zone are taken to be of one.

    Hours may be negative: they count from a moment of somebody's choice, and images may be from before it.

    `pointed` is the same with a decimal point, where it may have a comma.

    >>> read_time("-2.5", ""), read_time("2026-01-05T08:30", "")
    (-2.5, datetime.datetime(2026, 1, 5, 8, 30, tzinfo=datetime.timezone.utc))

    Raises
    ------
    UserError
        If it is neither.
    """
    try:
        hours = float(text if pointed is None else pointed)
    except ValueError:
        hours = float("nan")
    if isfinite(hours) and abs(hours) <= LONGEST_H:
        return hours
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"{where}: {text!r} is no time; write hours as 2.5, or a date as 2026-01-05T08:30") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def times_of_names(frames: Sequence[Frame], gap_minutes: float) -> Timed:
    """Return the times that the names of frames tell; images of one inspection have one time.

    Raises
    ------
    UserError
        If names tell no times.
    """
    paths = [frame.path for frame in frames]
    convention = detected(paths, among=DETECTABLE)
    if not convention:
        raise UserError("no robot calls its images so that their times are known; tell them with --times, a CSV file")
    naming = Naming(convention=convention)
    moments = [_moment(path, naming) for path in paths]
    return _together(moments, gap_minutes, f"times of names ({convention})")


def _moment(path: str, naming: Naming) -> datetime:
    found = read_name(path, naming)
    taken = found.taken if isinstance(found, ReadName) else None
    if taken is None:
        reason = "its name tells no time" if isinstance(found, ReadName) else found.reason
        raise UserError(f"{path}: {reason}; tell the times with --times, a CSV file")
    return _as_moment(taken)


def _as_moment(taken: date | datetime) -> datetime:
    moment = taken if isinstance(taken, datetime) else datetime.combine(taken, time())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def times_of_files(frames: Sequence[Frame], gap_minutes: float) -> Timed:
    """Return when files were written last; a copy may be younger than its image.

    Raises
    ------
    UserError
        If a file is not there.
    """
    try:
        seconds = [os.stat(frame.path).st_mtime for frame in frames]
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}; tell the times with --times, a CSV file") from error
    moments = [datetime.fromtimestamp(each, UTC) for each in seconds]
    return _together(moments, gap_minutes, "times when the files were written")


def _together(moments: Sequence[datetime], gap_minutes: float, said: str) -> Timed:
    """Return hours since the first moment; those without a gap between them are one time, that of the first."""
    began, last, start = min(moments), min(moments), min(moments)
    starts: dict[datetime, datetime] = {}
    for moment in sorted(set(moments)):
        if _since(last, moment) * 60 > gap_minutes:
            start = moment
        starts[moment], last = start, moment
    hours = tuple(_since(began, starts[each]) for each in moments)
    return Timed(hours=hours, began=began, said=said, warnings=_long_ones(starts, gap_minutes))


def _long_ones(starts: Mapping[datetime, datetime], gap_minutes: float) -> tuple[str, ...]:
    """Return a warning where the moments of one time, by when that starts, lie further apart than the gap."""
    longest = max(_since(start, moment) * 60 for moment, start in starts.items())
    if longest <= gap_minutes:
        return ()
    there = sorted(starts)
    widest = max(_since(*pair) * 60 for pair in pairwise(there) if starts[pair[0]] == starts[pair[1]])
    return (
        f"Images of up to {longest:.0f} minutes count as one time, since each follows within {gap_minutes:g} minutes "
        f"of another; a --gap-minutes below {widest:g} takes them apart.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Concentrations:
    """What was dissolved at some times, in order."""

    hours: tuple[float, ...]
    values: tuple[float, ...]
    unit: str


def read_concentrations(table: Path, began: datetime | None) -> Concentrations:
    """Return a CSV file with the columns time and concentration, in hours as those of the frames.

    Parameters
    ----------
    began
        What hours of the frames count from; None where these were told in hours.

    Raises
    ------
    UserError
        If it cannot be read, has less than two times, the same twice, or times of another kind than the frames.
    """
    rows = list(read_rows(table, CONCENTRATIONS, ("time", "concentration")))
    pairs = sorted(_pair(row, f"{table} line {row.line}", began) for row in rows)
    hours = [hour for hour, _ in pairs]
    if len(set(hours)) < len(hours) or len(hours) < 2:
        raise UserError(f"{table} tells {len(set(hours))} times in {len(hours)} lines; tell two or more, each once")
    unit = next((row["unit"] for row in rows if row["unit"]), "")
    return Concentrations(hours=tuple(hours), values=tuple(value for _, value in pairs), unit=unit)


def _pair(row: TableRow, where: str, began: datetime | None) -> tuple[float, float]:
    told = read_time(row["time"], where, row.pointed("time"))
    if isinstance(told, datetime) != (began is not None):
        ours = "hours" if began is None else "dates"
        raise UserError(f"{where}: the time {row['time']!r} is of another kind than those of images, which are {ours}")
    try:
        value = float(row.pointed("concentration"))
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise UserError(f"{where}: the concentration {row['concentration']!r} is no number; correct the line")
    return (told if not isinstance(told, datetime) else _since(began or told, told)), value
