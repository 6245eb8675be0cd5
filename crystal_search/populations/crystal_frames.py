"""Frames: images of an experiment with the crystals in each, as ``crystal-search crystals`` tells them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import isfinite, radians
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from crystal_search.archives.csv_rows import TableRow, read_rows
from crystal_search.crystals.border_weights import box_weights
from crystal_search.direct.counted_crystals import why_unsearched
from crystal_search.direct.crystal_files import SearchedFile
from crystal_search.errors import UserError
from crystal_search.formats.scale import PIXEL_UM
from crystal_search.found_share import SURE_FROM

BOX = ("centre_row_px", "centre_column_px", "long_px", "short_px", "angle_degrees")
SURE = ("probability", "found_share")
SIZE = ("image_height_px", "image_width_px")
UNSEARCHED = ("error", "none_because")
COLUMNS = {name: (name,) for name in ("path", "crystal", *SURE, *BOX, "um_per_px", *SIZE, *UNSEARCHED)}
LARGEST_PX = 1e6  #: a number beyond is none of an image
Time = TypeVar("Time", float, datetime)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """One image with its crystals."""

    path: str
    boxes: NDArray[np.float64]  #: (N, 5), see `crystals.boxes`
    probabilities: NDArray[np.float64] | None = None  #: (N,); None or NaN of what a person marked
    found_shares: NDArray[np.float64] | None = None  #: (N,), of crystals of that size; None or NaN where nobody knows
    stands_for: NDArray[np.float64] | None = None  #: how many of its size each is, (N,); None: one
    height_px: float | None = None  #: None where nobody knows
    width_px: float | None = None
    um_per_px: float | None = None

    @property
    def weights(self) -> NDArray[np.float64]:
        """How many crystals each stands for, (N,), see `box_weights`; all once where the size is not known."""
        each = np.ones(len(self.boxes)) if self.stands_for is None else self.stands_for
        if self.height_px is None or self.width_px is None or not len(self.boxes):
            return each
        return each * box_weights(self.boxes, (self.height_px, self.width_px))

    def sure(self, least: float | None) -> "Frame":
        """Return the frame with those crystals alone that are so probable, or of whose size the share found is known.

        Parameters
        ----------
        least
            None: those of known share, each of which stands for one over it. What a person marked always counts.
        """
        nothing = np.full(len(self.boxes), np.nan)
        probability = nothing if self.probabilities is None else self.probabilities
        share = nothing if self.found_shares is None or least is not None else self.found_shares
        counts = np.isnan(probability) | (~np.isnan(share) if least is None else probability >= least)
        stands_for = 1 / np.where(np.isnan(share), 1.0, share)[counts]
        boxes, probability, share = self.boxes[counts], probability[counts], share[counts]
        return replace(self, boxes=boxes, probabilities=probability, found_shares=share, stands_for=stands_for)


def sure_frames(frames: Sequence[Frame], least: float | None) -> list[Frame]:
    """Return frames with those crystals alone by which growth is told.

    Parameters
    ----------
    least
        Of their probability. None: those of whose size the share found is known, or, where it is of none, from
        `SURE_FROM` on.
    """
    return [each.sure(SURE_FROM if least is None and not _tell_shares(frames) else least) for each in frames]


def sure_said(frames: Sequence[Frame], least: float | None) -> str:
    """Return in a sentence which crystals are those of `sure_frames`."""
    if all(each.probabilities is None or np.isnan(each.probabilities).all() for each in frames):
        return "Growth is told by all crystals, each once: none has a probability."
    if least is not None:
        return f"Growth is told by crystals of a probability of {least:g} or more, each once, as --growth-from says."
    if _tell_shares(frames):
        return "Growth is told by crystals of sizes of which the share found is known, each by the inverse of that."
    return (
        f"Growth is told by crystals of a probability of {SURE_FROM:g} or more, each once: of none it is known how "
        "often its size is found."
    )


def _tell_shares(frames: Iterable[Frame]) -> bool:
    return any(each.found_shares is not None and not np.isnan(each.found_shares).all() for each in frames)


def read_frames(table: Path) -> tuple[list[Frame], list[str]]:
    """Return the frames in a CSV file of ``crystal-search crystals``, and why images that have none were not searched.

    Raises
    ------
    UserError
        If none was searched, it cannot be read, lacks a column, or a line says what cannot be.
    """
    rows: dict[str, list[tuple[str, TableRow]]] = {}
    for row in read_rows(table, COLUMNS, ("path", "crystal", *BOX)):
        rows.setdefault(row["path"], []).append((f"{table} line {row.line}", row))
    unsearched = {path: why for path, lines in rows.items() if (why := _why_unsearched(lines))}
    good = [_frame(path, lines) for path, lines in rows.items() if path not in unsearched]
    wrong = [f"{path}: {why}" for path, why in unsearched.items()]
    if not good:
        as_one = f", as {wrong[0]}" if wrong else ""
        raise UserError(f"{table} tells of no image that was searched{as_one}; make it with crystal-search crystals")
    return good, wrong


def _why_unsearched(lines: Sequence[tuple[str, TableRow]]) -> str | None:
    return next(filter(None, (why_unsearched(*(row[name] for name in UNSEARCHED)) for _, row in lines)), None)


def _frame(path: str, lines: Sequence[tuple[str, TableRow]]) -> Frame:
    crystals = [(where, row) for where, row in lines if row["crystal"]]
    boxes = [_box(where, row) for where, row in crystals]
    told = {name: np.array([_share(where, row, name) for where, row in crystals], np.float64) for name in SURE}
    height, width = _same(path, lines, SIZE[0]), _same(path, lines, SIZE[1])
    return Frame(
        path=path,
        boxes=np.array(boxes, np.float64).reshape(-1, 5),
        probabilities=told["probability"],
        found_shares=told["found_share"],
        height_px=height,
        width_px=width,
        um_per_px=_scale(path, lines),
    )


def _scale(path: str, lines: Sequence[tuple[str, TableRow]]) -> float | None:
    told, (low, high) = _same(path, lines, "um_per_px"), PIXEL_UM
    if told and not low <= told <= high:
        raise UserError(f"{lines[0][0]}: um_per_px is {told:g}, expected {low:g} to {high:g}; correct the lines")
    return told


def _box(where: str, row: TableRow) -> tuple[float, ...]:
    row_px, column_px, long, short, degrees = (_number(where, row, name) for name in BOX)
    if short <= 0 or long <= 0:
        raise UserError(f"{where}: sides of {long:g} and {short:g} px; a crystal's are above 0: correct the line")
    if long < short:
        raise UserError(f"{where}: the long side of {long:g} px is below the short one of {short:g}; correct the line")
    return row_px, column_px, long, short, radians(degrees)


def _share(where: str, row: TableRow, name: str) -> float:
    """Return a probability or a share; NaN where the table tells none."""
    value = _number(where, row, name) if row[name] else float("nan")
    if value < 0 or value > 1 or (name == "found_share" and value == 0):
        raise UserError(f"{where}: {name} is {value:g}, expected a part of 1; correct the line")
    return value


def _number(where: str, row: TableRow, name: str) -> float:
    try:
        value = float(row.pointed(name))
    except ValueError:
        value = float("nan")
    if not isfinite(value) or abs(value) > LARGEST_PX:
        raise UserError(f"{where}: {name} is {row[name]!r}, expected a number up to {LARGEST_PX:g}; correct the line")
    return value


def _same(path: str, lines: Sequence[tuple[str, TableRow]], name: str) -> float | None:
    told = {_number(where, row, name) for where, row in lines if row[name]}
    if len(told) > 1 or min(told, default=1) <= 0:
        raise UserError(f"{lines[0][0]}: {path} has the {name} {', '.join(map(str, sorted(told)))}; correct the lines")
    return told.pop() if told else None


def found_frames(files: Iterable[SearchedFile]) -> Iterator[Frame | str]:
    """Yield a frame for each file that was searched, or why it was not."""
    for each in files:
        if each.unsearched:
            yield f"{each.path}: {each.unsearched}"
            continue
        boxes = np.array([crystal.box for crystal in each.crystals], np.float64).reshape(-1, 5)
        probabilities = np.array([crystal.probability for crystal in each.crystals], np.float64)
        shares = np.array([each.share_found(crystal) for crystal in each.crystals], np.float64)  # None becomes NaN
        yield Frame(
            path=str(each.path),
            boxes=boxes,
            probabilities=probabilities,
            found_shares=shares,
            height_px=float(each.height_px),
            width_px=float(each.width_px),
            um_per_px=each.um_per_px,
        )


def by_path(frames: Sequence[Frame], table: Mapping[str, Time], where: Path) -> list[Time]:
    """Return what a table says of each frame, by its path, else by its name alone where that is there once.

    Raises
    ------
    UserError
        If it says nothing of a frame.
    """
    names: dict[str, list[Time]] = {}
    for path, value in table.items():
        names.setdefault(path.replace("\\", "/").rpartition("/")[2], []).append(value)
    found = []
    for frame in frames:
        alike = names.get(frame.path.replace("\\", "/").rpartition("/")[2], [])
        if frame.path not in table and len(alike) != 1:
            many = f"{len(alike)} lines have its name" if alike else "no line has its name"
            raise UserError(f"{where} does not tell the time of {frame.path}, and {many}; add a line for it")
        found.append(table[frame.path] if frame.path in table else alike[0])
    return found
