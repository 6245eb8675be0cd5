"""Polygons: how large they are, what lies in them and how deep, the pixels that they cover (numpy).

A polygon is (corners, 2), rows and columns in pixels, closed by the way from its last corner to its first; (0, 0) is
the corner of the first pixel. It may be concave; what an even number of its sides encloses is outside.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
    for polygon in polygons:
        y, x = np.array(polygon, np.float64).reshape(-1, 2).T
        x_next, y_next = np.roll(x, -1), np.roll(y, -1)
        first, last = np.clip((np.floor(y.min()), np.ceil(y.max())), 0, height).astype(int)
        for row in range(first, last):
            at = row + 0.5
            crosses = (y <= at) != (y_next <= at)
            share = (at - y[crosses]) / (y_next[crosses] - y[crosses])
            edges = np.sort(x[crosses] + share * (x_next[crosses] - x[crosses]))
            columns = np.clip(np.ceil(edges - 0.5), 0, width).astype(int)
            for left, right in zip(columns[::2], columns[1::2], strict=True):
                mask[row, left:right] = True
    return mask


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
    """Return the point that lies deepest in a polygon.

    The upright square around it is divided again and again into four; a square that can hold no deeper point than the
    deepest centre so far is dropped (after Garcia-Castellanos and Lombardo 2007, and Mapbox' polylabel).
    """
    low, high = corners.min(axis=0), corners.max(axis=0)
    half = float((high - low).max()) / 2
    precision = PRECISION * half
    centres, best, depth = ((low + high) / 2)[None], corners[0], -np.inf
    quarters = np.array([(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)])
    while len(centres):
        found = depths(corners, centres)
        if found.max() > depth:
            best, depth = centres[found.argmax()], float(found.max())
        open_still = (found + half * np.sqrt(2) > depth + precision) | ((depth <= 0) & (half > _TINY))
        centres = (centres[open_still][:, None] + half * quarters).reshape(-1, 2)
        half /= 2
    return np.asarray(best)


def _within(start: Points, points: Points) -> NDArray[np.bool_]:
    """Return which points (N, 2) an odd number of sides encloses, by the sides that lie before them in their row."""
    end = np.roll(start, -1, axis=0)
    row = points[:, :1]  # (N, 1)
    crosses = (start[:, 0] <= row) != (end[:, 0] <= row)
    rise = np.where(crosses, end[:, 0] - start[:, 0], 1.0)
    at = start[:, 1] + (row - start[:, 0]) / rise * (end[:, 1] - start[:, 1])
    return np.asarray((crosses & (at > points[:, 1:])).sum(axis=1) % 2 == 1)
