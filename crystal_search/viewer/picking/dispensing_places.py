"""Where to dispense into a ticked drop: where people marked it, else as far from crystals and border as can be.

The place is that of King et al. (2024), section 3.2.5, in the drop and without the crystals that its score tells, also
those that do not count. Crystals that people marked to be picked are crystals, too.
"""

from dataclasses import dataclass

from crystal_search.crystal import Crystal, Outline
from crystal_search.crystals.dispensing import (
    LARGEST_SIDE,
    DispensePoint,
    Dispensing,
    DispensingUm,
    Mask,
    where_to_dispense,
)
from crystal_search.errors import UserError
from crystal_search.geometry import Box
from crystal_search.polygons import covered
from crystal_search.result import ImageScore
from crystal_search.result_crystals import MAX_CRYSTALS, MAX_UNCOUNTED
from crystal_search.server.imaging.marks import DISPENSE, PICK, Mark
from crystal_search.viewer.picking.picks import Pick, Position

CLEARANCE = DispensingUm()  #: what a place must have where the scale is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where to dispense into a drop, or why nowhere."""

    positions: tuple[Position, ...] = ()
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known of a drop into which nobody marked where to dispense."""

    outline: Outline
    crystals: tuple[Crystal, ...]
    size_px: tuple[int, int]


def places_to_dispense(pick: Pick, um_per_px: float | None) -> Places:
    """Return the places that people marked, else the one that is farthest from everything.

    Without a scale it is not asked whether that is far enough.
    """
    known = _known(pick)
    if isinstance(known, str):
        return Places(refused=known)
    return _farthest(known, um_per_px) if isinstance(known, _Known) else Places(positions=known)


def why_unknown(pick: Pick) -> str:
    """Return what is missing to tell where to dispense, before any distance is taken; empty where nothing is."""
    known = _known(pick)
    return known if isinstance(known, str) else ""


def _known(pick: Pick) -> tuple[Position, ...] | _Known | str:
    """Return what people marked, else what is known of the drop, else what is missing."""
    found = pick.drop.current.found if pick.drop.current else None
    if found is None or pick.size_px is None:
        return "nothing scored it, or its image could not be read: its size is not known"
    if marked := pick.marked(DISPENSE):
        return tuple(marked)
    if found.drop is None:
        return "no drop was found in it: mark a place"
    crystals = _seen_in(found)
    if isinstance(crystals, str):
        return crystals
    to_pick = tuple(_crystal_at(mark) for mark in pick.drop.marks if mark.kind == PICK)
    return _Known(outline=found.drop.outline, crystals=(*crystals, *to_pick), size_px=pick.size_px)


def _seen_in(found: ImageScore) -> tuple[Crystal, ...] | str:
    """Return all crystals that a score tells, also those that do not count, else why that is too little."""
    if found.crystals is None:
        return "it was never searched for crystals: mark a place"
    if len(found.crystals) >= MAX_CRYSTALS:
        return f"only {MAX_CRYSTALS} crystals of an image are told, and it may have more: mark a place"
    uncounted = found.uncounted or ()
    if len(uncounted) >= MAX_UNCOUNTED:
        return f"only {MAX_UNCOUNTED} crystals that do not count are told, and there may be more: mark a place"
    return (*found.crystals, *(each.crystal for each in uncounted))


def _farthest(known: _Known, um_per_px: float | None) -> Places:
    rule = CLEARANCE.in_px(um_per_px) if um_per_px else Dispensing(least_px=0, spacing_px=0)
    try:
        found = where_to_dispense(_mask(known), known.crystals, rule, size_px=known.size_px)
    except UserError as error:  # without scipy
        return Places(refused=str(error))
    if not found.points:
        return Places(refused=CLEARANCE.why_not(found, um_per_px or 1.0))
    return Places(positions=tuple(map(_position, found.points)))


def _mask(known: _Known) -> Mask:
    """Return which pixels are drop, of the whole image in as many as distances are taken on."""
    shrink = min(1.0, LARGEST_SIDE / max(known.size_px))
    height, width = (max(1, round(side * shrink)) for side in known.size_px)
    rows, columns = height / known.size_px[0], width / known.size_px[1]
    return covered([[(row * rows, column * columns) for row, column in known.outline]], height, width)


def _position(point: DispensePoint) -> Position:
    row_px, column_px = round(point.row, 1), round(point.column, 1)
    return Position(row_px=row_px, column_px=column_px, origin="farthest from crystals", clear=point)


def _crystal_at(mark: Mark) -> Crystal:
    """Return a crystal to be picked as one that covers what was marked, a pixel or a box."""
    if mark.place is None:
        raise ValueError(f"a mark {mark.kind!r} has a place")
    at = mark.place
    box = at if isinstance(at, Box) else Box(at.row, at.column, at.row + 1, at.column + 1)
    sides = (box.right - box.left, box.bottom - box.top)
    return Crystal(
        probability=1.0,
        row=(box.top + box.bottom) / 2,
        column=(box.left + box.right) / 2,
        long_px=max(sides),
        short_px=min(sides),
        angle_rad=0.0,
        outline=((box.top, box.left), (box.top, box.right), (box.bottom, box.right), (box.bottom, box.left)),
    )
