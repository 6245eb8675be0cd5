"""Going through the drops of all plates part by part, at a bounded cost however rare is what is looked for.

A part ends when it is full, or when so many inspections were looked at; a bookmark says where the next one begins. The
order is that of plates, inspections and wells, which no score changes: whoever goes on from bookmark to bookmark meets
every drop once, whatever is scored meanwhile.
"""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from crystal_search.hostile_json import UNPRINTABLE
from crystal_search.outcomes import BY_NAME
from crystal_search.server.imaging.imaging_database import DropScores
from crystal_search.server.imaging.inspection_list import InspectionList, InspectionQuery, ListedInspection
from crystal_search.viewer.reading import Board, Place

INSPECTIONS = 16  #: that are looked at for a part; an inspection has hundreds of images
BEGIN = (-1, -1, -1)  #: before every place of a plate
MOST_LETTERS = 1000  #: of a bookmark
MOST_NUMBER = 2**31 - 1  #: what every database keeps


class Bookmark(NamedTuple):
    """How far somebody went: to a place of an inspection of a plate."""

    plate: str
    inspection: int
    place: Place = BEGIN

    @property
    def text(self) -> str:
        """The same for an address."""
        told = json.dumps([self.plate, self.inspection, *self.place], ensure_ascii=False, separators=(",", ":"))
        return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def bookmark_of(text: str) -> Bookmark:
    """Return the bookmark that was given out as `text`.

    Raises
    ------
    ValueError
        If none was.

    >>> bookmark_of(Bookmark("P1", 3, (0, 4, 1)).text)
    Bookmark(plate='P1', inspection=3, place=(0, 4, 1))
    """
    if len(text) > MOST_LETTERS:
        raise ValueError("too long")
    told = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    try:
        value = json.loads(told)
    except RecursionError:
        raise ValueError("nested too deep") from None
    match value:
        case [str(plate), *numbers] if len(numbers) == 4 and _is_kept(plate, numbers):
            inspection, row, column, drop = numbers
            return Bookmark(plate, inspection, (row, column, drop))
    raise ValueError("no bookmark")


def _is_kept(plate: str, numbers: list[object]) -> bool:
    """Tell whether a database can be asked for this."""
    return not UNPRINTABLE.search(plate) and all(
        type(each) is int and BEGIN[0] <= each <= MOST_NUMBER for each in numbers
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which drops are looked for; None or empty: any."""

    auto_outcome: str = ""
    auto_group: str = ""
    auto_above_threshold: bool = False  #: only those that reached it
    auto_p_crystal_from: float | None = None
    manual_outcome: str = ""
    manual_group: str = ""

    def has(self, drop: DropScores) -> bool:
        """Tell whether a drop is among them."""
        machine = drop.current.found if drop.current else None
        by_machine = _fits(machine.outcome if machine else "", self.auto_outcome, self.auto_group)
        by_hand = _fits(drop.manual.outcome if drop.manual else "", self.manual_outcome, self.manual_group)
        sure = not self.auto_above_threshold or bool(machine and machine.above_threshold)
        least = self.auto_p_crystal_from
        likely = least is None or bool(machine and machine.group_peaks and machine.group_peaks[0] >= least)
        return by_machine and by_hand and sure and likely


def _fits(outcome: str, wanted: str, group: str) -> bool:
    known = BY_NAME.get(outcome)
    return wanted in ("", outcome) and group in ("", known.group.value if known else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of all drops."""

    drops: tuple[tuple[Board, DropScores], ...]
    bookmark: Bookmark | None  #: where the next part begins; None: there is none


def part_of(
    imaging: InspectionList,
    read: Callable[[Board], list[DropScores]],
    query: InspectionQuery,
    is_wanted: Callable[[DropScores], bool],
    *,
    begin: Bookmark | None,
    most: int,
) -> Part:
    """Return a part of the drops of all plates.

    Parameters
    ----------
    imaging
        Whose inspections.
    read
        Reads the drops of an inspection, by row, column, drop.
    query
        Which inspections; where they begin and how many is set here.
    is_wanted
        Tells whether a drop is looked for.
    begin
        Where the part before ended; None: there was none.
    most
        Drops.
    """
    after = (begin.plate, begin.inspection - 1) if begin else None
    listed = imaging.list_inspections(replace(query, after=after, limit=INSPECTIONS + 1))
    found: list[tuple[Board, DropScores]] = []
    for inspection in listed[:INSPECTIONS]:
        board = Board(inspection.plate, inspection.number, inspection.channel)
        for drop in _further(read(board), inspection, begin):
            if is_wanted(drop):
                found.append((board, drop))
            if len(found) == most:
                at = Bookmark(inspection.plate, inspection.number, drop.image.key.place)
                return Part(drops=tuple(found), bookmark=at)
    more = len(listed) > INSPECTIONS
    return Part(drops=tuple(found), bookmark=Bookmark(listed[-1].plate, listed[-1].number) if more else None)


def _further(drops: list[DropScores], inspection: ListedInspection, begin: Bookmark | None) -> Iterator[DropScores]:
    """Yield those of an inspection's drops that come after a bookmark."""
    here = begin is not None and (begin.plate, begin.inspection) == (inspection.plate, inspection.number)
    return (drop for drop in drops if not here or begin is None or drop.image.key.place > begin.place)
