"""Crystals in a result: how many at most, how exact they are written, and how those that somebody else wrote are read.

The format is described in docs/result.md.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from crystal_search.crystal import Crystal, Outline, Uncounted
from crystal_search.hostile_json import Reader

MAX_CRYSTALS = 100  #: of an image that a result tells, the most probable
MAX_UNCOUNTED = 100  #: crystals that do not count, the most probable
MAX_CORNERS = 32  #: of an outline that a result tells
MAX_CRYSTAL_BYTES = 220_000  #: that so many, with so many corners, take in a result's file
LEAST_SIDE_PX = 0.1  #: of a box
MAX_CONTRAST = 255.0  #: light in 8 bit grey levels from surroundings of at least one
ROUNDED_PX = 0.15  #: by which two places, each written with one decimal, are moved against each other at most

Told = TypeVar("Told", Crystal, Uncounted)
Size = tuple[int, int]  #: height and width of the image, stored pixels


def plain_crystals(crystals: tuple[Crystal, ...]) -> list[dict[str, Any]]:
    """Return crystals as JSON has them: pixels with one decimal, angles and contrast with four, probability with six.

    A contrast that was not measured is not there.
    """
    plain = [asdict(rounded(each)) for each in crystals]
    return [{name: value for name, value in each.items() if value is not None} for each in plain]


def rounded(crystal: Crystal) -> Crystal:
    """Return a crystal as exact as it is written.

    >>> rounded(Crystal(probability=0.12345678, row=1.26, column=2.0, long_px=8.04, short_px=0.01,
    ...                 angle_rad=1.570796, outline=((0.0, 0.06),))).box
    (1.3, 2.0, 8.0, 0.1, 1.5708)
    """
    return replace(
        crystal,
        probability=round(crystal.probability, 6),
        row=round(crystal.row, 1),
        column=round(crystal.column, 1),
        long_px=max(round(crystal.long_px, 1), LEAST_SIDE_PX),
        short_px=max(round(crystal.short_px, 1), LEAST_SIDE_PX),
        angle_rad=round(crystal.angle_rad, 4),
        outline=tuple((round(row, 1), round(column, 1)) for row, column in crystal.outline),
        contrast=None if crystal.contrast is None else min(round(crystal.contrast, 4), MAX_CONTRAST),
    )


def plain_uncounted(uncounted: tuple[Uncounted, ...]) -> list[dict[str, Any]]:
    """Return crystals that do not count as JSON has them, as exact as others."""
    return [asdict(uncounted_of(each.crystal)) for each in uncounted]


def uncounted_of(crystal: Crystal) -> Uncounted:
    """Return what is told of a crystal that does not count, as exact as it is written."""
    written = rounded(crystal)
    return Uncounted(**{field.name: getattr(written, field.name) for field in fields(Uncounted)})


def crystal_of(plain: dict[str, Any]) -> Crystal:
    """Return a crystal that we ourselves wrote as JSON."""
    return Crystal(**plain | {"outline": tuple((row, column) for row, column in plain["outline"])})


def crystals_read(read: Reader, size: Size) -> tuple[Crystal, ...] | None:
    """Return the crystals that a stranger's image has, None where it says nothing of any.

    Every one is in or at the border of the image, they are told from the most probable on, outlines are convex.
    """
    if not read.has("crystals"):
        return None
    return _from_the_most_probable_on(read, "crystals", partial(_crystal, size=size), MAX_CRYSTALS)


def uncounted_read(read: Reader, size: Size) -> tuple[Uncounted, ...] | None:
    """Return the crystals of a stranger's image that do not count, None where it says nothing of any."""
    if not read.has("uncounted"):
        return None
    return _from_the_most_probable_on(read, "uncounted", partial(_uncounted, size=size), MAX_UNCOUNTED)


def _from_the_most_probable_on(read: Reader, name: str, one: Callable[[Reader], Told], limit: int) -> tuple[Told, ...]:
    found = read.objects(name, one, limit=limit)
    if any(later.probability > former.probability for former, later in pairwise(found)):
        read.fail(name, "told from the most probable on", [each.probability for each in found])
    return found


def _crystal(read: Reader, size: Size) -> Crystal:
    box = _uncounted(read, size)
    outline = _outline(read, size)
    contrast = read.number("contrast", 0, MAX_CONTRAST) if read.has("contrast") else None
    return replace(box.crystal, outline=outline, contrast=contrast)


def _uncounted(read: Reader, size: Size) -> Uncounted:
    height, width = size
    longest = math.ceil(math.hypot(height, width))
    found = Uncounted(
        probability=read.number("probability", 0, 1),
        row=read.number("row", 0, height),
        column=read.number("column", 0, width),
        long_px=read.number("long_px", LEAST_SIDE_PX, longest),
        short_px=read.number("short_px", LEAST_SIDE_PX, longest),
        angle_rad=read.number("angle_rad", 0, round(math.pi, 4)),
    )
    if found.short_px > found.long_px:
        read.fail("short_px", f"at most long_px, {found.long_px:g}", found.short_px)
    return found


def _outline(read: Reader, size: Size) -> Outline:
    points = read.items("outline", limit=MAX_CORNERS, what="corners")
    if len(points) < 3 or not all(_is_place(point, size) for point in points):
        read.fail("outline", f"at least 3 [row, column] inside the image of {size[0]} x {size[1]} px", points)
    outline = tuple((float(row), float(column)) for row, column in points)
    if not is_convex(outline):
        read.fail("outline", "convex", points)
    return outline


def _is_place(point: Any, size: Size) -> bool:
    """Tell whether something is [row, column] in an image; true is no number here."""
    return (
        type(point) is list
        and len(point) == 2
        and {*map(type, point)} <= {int, float}
        and all(0 <= value <= side for value, side in zip(point, size, strict=True))
    )


def is_convex(outline: Outline, *, within_px: float = ROUNDED_PX) -> bool:
    """Tell whether no corner lies on the wrong side of an edge, apart from what rounding moves both by.

    An outline that goes around twice has every corner on the right side, and is refused for how far it turns.

    >>> is_convex(((0.0, 0.0), (0.0, 9.0), (9.0, 9.0), (9.0, 0.0)))
    True
    >>> is_convex(((0.0, 0.0), (0.0, 9.0), (9.0, 0.0), (9.0, 9.0)))  # crosses itself
    False
    """
    corners = np.array(outline, np.float64)
    edges = np.roll(corners, -1, axis=0) - corners  # (P, 2)
    away = corners[None] - corners[:, None]  # (edges, corners, 2)
    turned = edges[:, None, 0] * away[..., 1] - edges[:, None, 1] * away[..., 0]
    allowed = within_px * (np.hypot(*edges.T)[:, None] + np.hypot(away[..., 0], away[..., 1]) + within_px)
    on_one_side = (turned >= -allowed).all() or (turned <= allowed).all()
    return bool(on_one_side and _turns(edges[edges.any(axis=1)]) < 1.5)


def _turns(edges: NDArray[np.float64]) -> float:
    """Return how many full circles an outline turns by from edge to edge; edges are (N, 2), none of length 0."""
    following = np.roll(edges, -1, axis=0)
    across = edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0]
    return float(abs(np.arctan2(across, (edges * following).sum(axis=1)).sum()) / math.tau)
