"""Oriented boxes and convex outlines as arrays.

A box is (row, column, long side, short side, angle of the long side from columns towards rows in radians). Lengths are
pixels; the centre of the pixel in row 0 and column 0 lies at (0.5, 0.5). A direction is an angle of the same kind.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

DIRECTIONS = 32  #: in which an outline is told, evenly around the full circle, the first along columns
Points = NDArray[np.float64]  #: (..., 2), rows and columns
STEP_DEGREES = 0.5  #: between the directions in which the sides of the smallest rectangle are looked for
_TINY = 1e-9
_THINNEST_PX = 1e-4
_QUARTERS = np.arange(4) * (np.pi / 2)
_SQUARE = np.array([(1, 1), (1, -1), (-1, -1), (-1, 1)], np.float64) / 2  #: corners along the long and short side


def unit_vectors(angles: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return (..., 2), the row and the column of steps of length 1 in directions (...).

    >>> unit_vectors(np.array([0.0, np.pi / 2])).round(6).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    return np.stack((np.sin(angles), np.cos(angles)), axis=-1)


def circle_of_directions() -> NDArray[np.float64]:
    """Return (DIRECTIONS, 2), the unit vectors of the directions in which outlines are told."""
    return unit_vectors(_angles())


def _angles() -> NDArray[np.float64]:
    return np.asarray(np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS))


def corners(boxes: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return the corners (N, 4, 2) of boxes (N, 5), as rows and columns.

    >>> corners(np.array([[10.0, 20.0, 8.0, 4.0, 0.0]])).tolist()
    [[[12.0, 24.0], [8.0, 24.0], [8.0, 16.0], [12.0, 16.0]]]
    """
    boxes = np.asarray(boxes, np.float64)
    along = unit_vectors(boxes[:, 4])[:, None] * boxes[:, None, None, 2].reshape(-1, 1, 1)
    across = unit_vectors(boxes[:, 4] + np.pi / 2)[:, None] * boxes[:, None, None, 3].reshape(-1, 1, 1)
    return np.asarray(boxes[:, None, :2] + _SQUARE[:, :1] * along + _SQUARE[:, 1:] * across)


def smallest_around(points: NDArray[np.floating[Any]], *, pixel_px: float = 0.0) -> NDArray[np.float64]:
    """Return the smallest rectangle (5,) around points (P, 2), or squares with their middle there, to half a degree.

    >>> smallest_around(np.array([(0.0, 0.0), (0.0, 6.0), (2.0, 6.0), (2.0, 0.0)])).round(6).tolist()
    [1.0, 3.0, 6.0, 2.0, 0.0]
    """
    angles = np.deg2rad(np.arange(0, 90, STEP_DEGREES))
    along, across = unit_vectors(angles), unit_vectors(angles + np.pi / 2)  # (directions, 2)
    half = pixel_px * np.abs(along).sum(axis=1) / 2  # a square reaches so far from its middle
    u, v = along @ np.asarray(points, np.float64).T, across @ np.asarray(points, np.float64).T
    low_u, high_u, low_v, high_v = u.min(1) - half, u.max(1) + half, v.min(1) - half, v.max(1) + half
    best = int(np.argmin((high_u - low_u) * (high_v - low_v)))
    side_u, side_v = high_u[best] - low_u[best], high_v[best] - low_v[best]
    middle = (high_u + low_u)[best] / 2 * along[best] + (high_v + low_v)[best] / 2 * across[best]
    angle = angles[best] if side_u >= side_v else angles[best] + np.pi / 2
    return np.array([*middle, max(side_u, side_v), min(side_u, side_v), angle % np.pi])


def reaches(points: NDArray[np.floating[Any]], centres: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return how far points (N, P, 2) reach from centres (N, 2) in each of `DIRECTIONS` directions, (N, DIRECTIONS)."""
    away = np.asarray(points, np.float64) - np.asarray(centres, np.float64)[:, None]
    return np.asarray((away @ circle_of_directions().T).max(axis=1))


def outline_of(reach: NDArray[np.floating[Any]], centre: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return the convex outline (P, 2) that reaches so far (DIRECTIONS,) from a centre (2,) at most.

    Each direction allows the half of the plane that lies before its reach; what all allow is the outline. So an outline
    that reaches nowhere farther than another one lies within it.
    """
    (outline,) = _within_limits(circle_of_directions()[None], np.asarray(reach, np.float64)[None])
    return np.asarray(outline + np.asarray(centre, np.float64))


def outlines_in_boxes(reach: NDArray[np.floating[Any]], boxes: NDArray[np.floating[Any]]) -> list[NDArray[np.float64]]:
    """Return the outlines (P, 2) that reach so far (N, DIRECTIONS) from the centres of boxes (N, 5), cut off at these.

    A box says better than a few directions how wide a long crystal is. One without a width is taken as `_THINNEST_PX`
    wide, so that every outline has corners.

    >>> (outline,) = outlines_in_boxes(np.full((1, DIRECTIONS), 50.0), np.array([[9.0, 9.0, 8.0, 4.0, 0.3]]))
    >>> float(areas(outline[None])[0]).__round__(6)
    32.0
    """
    boxes = np.asarray(boxes, np.float64)
    half = np.maximum(boxes[:, 2:4], _THINNEST_PX) / 2
    limits = np.concatenate((reach, half, half), axis=1)  # (N, limits)
    turns = np.concatenate((np.broadcast_to(_angles(), reach.shape), boxes[:, 4:] + _QUARTERS), axis=1) % (2 * np.pi)
    order = np.argsort(turns, axis=1)
    directions = unit_vectors(np.take_along_axis(turns, order, axis=1))
    outlines = _within_limits(directions, np.take_along_axis(limits, order, axis=1))
    return [outline + centre for outline, centre in zip(outlines, boxes[:, :2], strict=True)]


def _within_limits(directions: Points, limits: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the convex outlines (P, 2) of what reaches no farther than limits (N, L) in directions (N or 1, L, 2).

    Directions are told in the order of their angles. Each limit is a line, of which the others leave a stretch or
    nothing; where the stretches begin are the corners.
    """
    along = directions @ np.array([(0.0, -1.0), (1.0, 0.0)])  # each turned by a quarter: rows are what columns were
    ahead = directions @ directions.swapaxes(1, 2)  # (N, L, L): of the angle between two limits the cosine,
    aside = along @ directions.swapaxes(1, 2)  # and the sine
    mine, its = limits[:, :, None], limits[:, None]
    little = _TINY * (1 + np.abs(limits).max(axis=1, keepdims=True, initial=0.0))
    parallel = np.abs(aside) < _TINY
    crossing = (its - ahead * mine) / np.where(parallel, 1.0, aside)  # where along the first line the second is met
    begin = np.where(~parallel & (aside < 0), crossing, -np.inf).max(axis=2)
    end = np.where(~parallel & (aside > 0), crossing, np.inf).min(axis=2)
    before = np.triu(np.ones(ahead.shape[1:], np.bool_), 1)  # of two limits that are the same one goes
    same_way = (mine > its) | ((mine == its) & before)
    beyond = parallel & np.where(ahead > 0, same_way, mine + its < -little[:, None]) & ~np.eye(len(before), dtype=bool)
    there = (end - begin > little) & ~beyond.any(axis=2)
    points = limits[..., None] * directions + np.where(there, begin, 0.0)[..., None] * along
    return [each[kept] for each, kept in zip(points, there, strict=True)]


def cut(polygon: NDArray[np.float64], direction: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
    """Return the part of a convex polygon (P, 2) in which nothing reaches farther than `limit` in a direction."""
    beyond = polygon @ direction - limit
    if (beyond <= 0).all():
        return polygon
    following, its_beyond = np.roll(polygon, -1, axis=0), np.roll(beyond, -1)
    crosses = (beyond > 0) != (its_beyond > 0)
    share = np.where(crosses, beyond / np.where(crosses, beyond - its_beyond, 1.0), 0.0)
    met = polygon + share[:, None] * (following - polygon)
    pairs = np.stack((polygon, met), axis=1)  # (P, 2, 2): each corner, then where its side is cut
    kept = np.stack((beyond <= 0, crosses), axis=1)
    return np.asarray(pairs[kept])


def within_outline(polygon: NDArray[np.floating[Any]], outline: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return the part of a convex polygon (P, 2) that lies within a convex outline (Q, 2); no points where none does.

    >>> square = np.array([(0.0, 0.0), (0.0, 4.0), (4.0, 4.0), (4.0, 0.0)])
    >>> float(areas(within_outline(square, square + 2)))
    4.0
    """
    outline = np.asarray(outline, np.float64)
    found, middle = np.asarray(polygon, np.float64), outline.mean(axis=0)
    for start, side in zip(outline, np.roll(outline, -1, axis=0) - outline, strict=True):
        outwards = np.array([side[1], -side[0]])
        outwards = outwards if outwards @ (start - middle) >= 0 else -outwards
        if len(found):
            found = cut(found, outwards, float(outwards @ start))
    return found


def areas(polygons: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return the areas (N,) of polygons (N, P, 2)."""
    rows, columns = polygons[..., 0], polygons[..., 1]
    return np.asarray(np.abs((rows * np.roll(columns, -1, -1) - columns * np.roll(rows, -1, -1)).sum(-1)) / 2)


def overlaps(one: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return intersection over union (N,) of boxes (N, 5) and boxes (N, 5), pair by pair.

    >>> overlaps(np.array([[0, 0, 4, 2, 0.0]]), np.array([[0, 1, 4, 2, 0.0]])).round(6).tolist()
    [0.6]
    """
    mine, its = corners(one), corners(other)
    points, valid = _common_points(mine, its)
    count = valid.sum(axis=1)
    middle = (points * valid[..., None]).sum(axis=1) / np.maximum(count, 1)[:, None]
    away = points - middle[:, None]
    turn = np.where(valid, np.arctan2(away[..., 0], away[..., 1]), np.inf)
    order = np.argsort(turn, axis=1)
    ordered = np.take_along_axis(away, order[..., None], axis=1)
    there = np.take_along_axis(valid, order, axis=1)
    ordered = np.where(there[..., None], ordered, ordered[:, :1])  # repeats the first point: encloses nothing more
    shared = np.where(count > 2, areas(ordered), 0.0)
    union = areas(mine) + areas(its) - shared
    return np.asarray(shared / np.maximum(union, _TINY))


def _common_points(one: Points, other: Points) -> tuple[Points, NDArray[np.bool_]]:
    """Return points (N, 24, 2), and which of them are corners of what both of two convex polygons (N, 4, 2) cover."""
    start, end = one[:, :, None], np.roll(one, -1, 1)[:, :, None]
    its_start, its_end = other[:, None], np.roll(other, -1, 1)[:, None]
    side, its_side, gap = end - start, its_end - its_start, its_start - start
    turned = _cross(side, its_side)
    parallel = np.abs(turned) < _TINY
    safe = np.where(parallel, 1.0, turned)
    share, its_share = _cross(gap, its_side) / safe, _cross(gap, side) / safe
    meets = ~parallel & (share >= 0) & (share <= 1) & (its_share >= 0) & (its_share <= 1)
    met = start + share[..., None] * side
    points = np.concatenate((one, other, met.reshape(-1, 16, 2)), axis=1)
    valid = np.concatenate((_within(one, other), _within(other, one), meets.reshape(-1, 16)), axis=1)
    return points, valid


def _within(points: NDArray[np.float64], polygon: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which points (N, P, 2) lie in convex polygons (N, 4, 2)."""
    side = (np.roll(polygon, -1, 1) - polygon)[:, None]
    sign = _cross(side, points[:, :, None] - polygon[:, None])
    return np.asarray((sign >= -_TINY).all(-1) | (sign <= _TINY).all(-1))


def _cross(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0])
