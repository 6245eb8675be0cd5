"""Polygons: how large they are, what lies in them and how deep, the pixels that they cover (numpy).

A polygon is (corners, 2), rows and columns in pixels, closed by the way from its last corner to its first; (0, 0) is
the corner of the first pixel. It may be concave; what an even number of its sides encloses is outside.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crystal_search.geometry import Box

Points = NDArray[np.float64]  #: (..., 2), rows and columns
DEEP_ENOUGH = 0.5  #: how deep a centroid lies, of the deepest point; in a convex polygon it is at least two thirds
PRECISION = 0.01  #: of the deepest point's depth, of the longest side of the upright rectangle
_TINY = 1e-12


def area_of(polygon: ArrayLike) -> float:
    """Return the area of a polygon that does not cross itself; 0 for fewer than three corners.

    >>> area_of([(0, 0), (0, 4), (3, 4), (3, 0)])
    12.0
    """
    rows, columns = _relative(polygon).T
    return float(abs((rows * np.roll(columns, -1) - columns * np.roll(rows, -1)).sum()) / 2)


def depths(polygon: ArrayLike, points: ArrayLike) -> NDArray[np.float64]:
    """Return how far points (N, 2) lie from a polygon's border, (N,); negative outside.

    >>> depths([(0, 0), (0, 4), (4, 4), (4, 0)], [(1, 2), (2, 2), (2, 7)]).tolist()
    [1.0, 2.0, -3.0]
    """
    start = np.asarray(polygon, np.float64).reshape(-1, 2)
    asked = np.asarray(points, np.float64).reshape(-1, 2)
    side = np.roll(start, -1, axis=0) - start  # (P, 2)
    away = asked[:, None] - start  # (N, P, 2)
    share = (away * side).sum(-1) / np.maximum((side**2).sum(-1), _TINY)
    gaps = away - np.clip(share, 0, 1)[..., None] * side
    apart = np.sqrt((gaps**2).sum(-1).min(axis=1))
    return np.asarray(np.where(_within(start, asked), apart, -apart))


def middle_of(polygon: ArrayLike) -> tuple[float, float]:
    """Return a point in the middle of a polygon that has an area, always inside of it.

    It is the centroid where that lies deep enough in it, as in every convex polygon, and else the deepest point, the
    pole of inaccessibility.

    >>> middle_of([(0, 0), (0, 4), (2, 4), (2, 0)])
    (1.0, 2.0)
    """
    corners = np.asarray(polygon, np.float64).reshape(-1, 2)
    centroid = _centroid(corners)
    (depth,) = depths(corners, centroid)
    if depth > 0 and (_is_convex(corners) or depth >= DEEP_ENOUGH * depths(corners, _deepest(corners))[0]):
        return float(centroid[0]), float(centroid[1])
    row, column = _deepest(corners)
    return float(row), float(column)


def covered(polygons: Iterable[Sequence[tuple[float, float]]], height: int, width: int) -> NDArray[np.bool_]:
    """Return which pixels of an image have their centre in one of the polygons, (height, width).

    >>> covered([[(0, 1), (0, 3), (2, 3), (2, 1)]], 2, 4).astype(int).tolist()
    [[0, 1, 1, 0], [0, 1, 1, 0]]
    """
    mask = np.zeros((height, width), np.bool_)
    for each in covered_parts(polygons, height, width):
        mask[each.box.slices] |= each.mask
    return mask


class CoveredPart(NamedTuple):
    """The pixels of an image that have their centre in one polygon."""

    box: Box  #: around all of them, inside the image
    mask: NDArray[np.bool_]  #: which of it they are


def covered_parts(polygons: Iterable[Sequence[tuple[float, float]]], height: int, width: int) -> Iterator[CoveredPart]:
    """Yield which pixels of an image have their centre in each of the polygons.

    >>> (part,) = covered_parts([[(0, 1), (0, 3), (2, 3), (2, 1)]], 2, 4)
    >>> part.box, part.mask.tolist()
    (Box(top=0, left=1, bottom=2, right=3), [[True, True], [True, True]])
    """
    outlines = list(polygons)
    sides = [side for each in outlines for side in zip(each, [*each[1:], *each[:1]], strict=True)]
    rows, columns, counts = _crossings(np.array(sides, np.float64).reshape(-1, 2, 2), height, width)
    number_before = np.concatenate(([0], np.cumsum(counts)))  # of the crossings, for each side
    first_sides = np.cumsum([0, *(len(each) for each in outlines)])
    for begin, end in pairwise(number_before[first_sides].tolist()):
        yield _painted(rows[begin:end], columns[begin:end])


def _crossings(
    sides: NDArray[np.float64], height: int, width: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return where sides (N, start and end, 2) cross the middles of an image's rows, one side after the other.

    That is the rows, the first columns to the right of the crossings, and how many each side has, (N,).
    """
    (y, x), (y_end, x_end) = sides[:, 0].T, sides[:, 1].T
    first, last = (
        np.clip(np.ceil(each - 0.5), 0, height).astype(np.intp) for each in (np.minimum(y, y_end), np.maximum(y, y_end))
    )
    counts = last - first
    side = np.repeat(np.arange(len(sides)), counts)
    rows = np.arange(len(side)) + np.repeat(first - np.cumsum(counts) + counts, counts)
    met = x[side] + (rows + 0.5 - y[side]) / (y_end - y)[side] * (x_end - x)[side]
    return rows, np.clip(np.ceil(met - 0.5), 0, width).astype(np.intp), counts


def _painted(rows: NDArray[np.intp], columns: NDArray[np.intp]) -> CoveredPart:
    """Return the pixels that an odd number of crossings of their row lie to the left of."""
    if not len(rows):
        return CoveredPart(Box(0, 0, 0, 0), np.zeros((0, 0), np.bool_))
    box = Box(int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()))
    across = box.width + 1  # a crossing to the right of the last column counts for nothing
    places = (rows - box.top) * across + columns - box.left
    passed = np.bincount(places, minlength=box.height * across).cumsum()  # each row adds an even number to the next
    return CoveredPart(box, (passed & 1 == 1).reshape(box.height, across)[:, :-1])


def crosses(one: ArrayLike, other: ArrayLike) -> bool:
    """Tell whether a side of one polygon crosses one of the other.

    >>> crosses([(0, 0), (0, 4), (4, 4), (4, 0)], [(2, 2), (2, 9), (3, 9)])
    True
    >>> crosses([(0, 0), (0, 4), (4, 4), (4, 0)], [(1, 1), (1, 2), (2, 2)])
    False
    """
    start, its_start = (np.asarray(each, np.float64).reshape(-1, 2) for each in (one, other))
    end, its_end = np.roll(start, -1, axis=0), np.roll(its_start, -1, axis=0)
    parted = _side_of(start, end, its_start) * _side_of(start, end, its_end) < 0  # (sides, its sides)
    parts = _side_of(its_start, its_end, start) * _side_of(its_start, its_end, end) < 0  # (its sides, sides)
    return bool((parted & parts.T).any())


def _side_of(start: Points, end: Points, points: Points) -> NDArray[np.float64]:
    """Return on which side of each line points lie, (lines, points): above 0, below 0 or 0."""
    way, away = (end - start)[:, None], points - start[:, None]
    return np.asarray(way[..., 0] * away[..., 1] - way[..., 1] * away[..., 0])


def _relative(polygon: ArrayLike) -> Points:
    """Return corners from the first one: far from it, products would lose their last digits."""
    corners = np.asarray(polygon, np.float64).reshape(-1, 2)
    return corners - corners[:1]


def _centroid(corners: Points) -> Points:
    rows, columns = _relative(corners).T
    twice = rows * np.roll(columns, -1) - columns * np.roll(rows, -1)
    if abs(twice.sum()) < _TINY:
        return np.asarray(corners.mean(axis=0))
    sums = [((each + np.roll(each, -1)) * twice).sum() for each in (rows, columns)]
    return np.asarray(corners[0] + np.array(sums) / (3 * twice.sum()))


def _is_convex(corners: Points) -> bool:
    side = np.roll(corners, -1, axis=0) - corners
    turn = side[:, 0] * np.roll(side[:, 1], -1) - side[:, 1] * np.roll(side[:, 0], -1)
    return bool((turn >= -_TINY).all() or (turn <= _TINY).all())


def _deepest(corners: Points) -> Points:
    """Return the point that lies deepest in a polygon, or nearly so.

    The upright square around it is divided again and again into four; a square that can hold no deeper point than the
    deepest so far is dropped (after Garcia-Castellanos and Lombardo 2007, and Mapbox' polylabel).
    """
    low, high = corners.min(axis=0), corners.max(axis=0)
    half = float((high - low).max()) / 2
    precision = PRECISION * half
    best, centres = _in_widest_row(corners), ((low + high) / 2)[None]
    depth = float(depths(corners, best)[0])
    quarters = np.array([(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)])
    while len(centres):
        found = depths(corners, centres)
        if found.max() > depth:
            best, depth = centres[found.argmax()], float(found.max())
        may_hold = found + half * np.sqrt(2) > depth + precision
        centres = (centres[may_hold][:, None] + half * quarters).reshape(-1, 2)
        half /= 2
    return np.asarray(best)


def _in_widest_row(corners: Points) -> Points:
    """Return a point that is inside of a polygon however thin it is: the middle of where a row is in it the longest."""
    levels = np.unique(corners[:, 0])
    best, widest = corners[0], 0.0
    end = np.roll(corners, -1, axis=0)
    for row in ((levels[1:] + levels[:-1]) / 2).tolist():
        met = (corners[:, 0] <= row) != (end[:, 0] <= row)
        share = (row - corners[met, 0]) / (end[met, 0] - corners[met, 0])
        columns = np.sort(corners[met, 1] + share * (end[met, 1] - corners[met, 1]))
        for left, right in zip(columns[::2].tolist(), columns[1::2].tolist(), strict=True):
            if right - left > widest:
                best, widest = np.array((row, (left + right) / 2)), right - left
    return np.asarray(best)


def _within(start: Points, points: Points) -> NDArray[np.bool_]:
    """Return which points (N, 2) an odd number of sides encloses, by the sides that lie before them in their row."""
    end = np.roll(start, -1, axis=0)
    row = points[:, :1]  # (N, 1)
    crosses = (start[:, 0] <= row) != (end[:, 0] <= row)
    rise = np.where(crosses, end[:, 0] - start[:, 0], 1.0)
    at = start[:, 1] + (row - start[:, 0]) / rise * (end[:, 1] - start[:, 1])
    return np.asarray((crosses & (at > points[:, 1:])).sum(axis=1) % 2 == 1)
