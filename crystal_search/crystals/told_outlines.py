"""Outlines as results tell them: inside the image, and of as few corners as say the same."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crystal_search.crystal import Crystal
from crystal_search.crystals.boxes import cut
from crystal_search.result_crystals import LEAST_SIDE_PX, MAX_CORNERS

AS_GOOD_PX = 0.5  #: what the edge of an outline may lose where a corner is left out, stored pixels


def within(crystal: Crystal, height_px: int, width_px: int) -> Crystal:
    """Return a crystal whose centre lies in an image with what its outline has inside it, and sides that fit in.

    >>> found = within(Crystal(probability=0.9, row=2.0, column=9.0, long_px=40.0, short_px=4.0, angle_rad=0.0,
    ...     outline=((0.0, -11.0), (4.0, -11.0), (4.0, 29.0), (0.0, 29.0))), 9, 12)
    >>> found.outline, found.long_px
    (((4.0, 0.0), (4.0, 12.0), (0.0, 12.0), (0.0, 0.0)), 15.0)
    """
    outline = np.array(crystal.outline, np.float64)
    for direction, limit in (((-1, 0), 0), ((1, 0), height_px), ((0, -1), 0), ((0, 1), width_px)):
        outline = cut(outline, np.array(direction, np.float64), float(limit))
    told = tuple((float(row), float(column)) for row, column in simplified(outline))
    return replace(with_sides_that_fit(crystal, height_px, width_px), outline=told)


def with_sides_that_fit(crystal: Crystal, height_px: int, width_px: int) -> Crystal:
    """Return a crystal whose sides are no shorter than results tell, and no longer than an image's diagonal."""
    diagonal = float(np.hypot(height_px, width_px))
    return replace(
        crystal,
        long_px=min(max(crystal.long_px, LEAST_SIDE_PX), diagonal),
        short_px=min(max(crystal.short_px, LEAST_SIDE_PX), diagonal),
    )


def simplified(outline: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a convex outline (P, 2) without the corners that say least: at most `MAX_CORNERS` are left, at least 3.

    One goes after the other, that which lies nearest to the line between its neighbours first.
    """
    while len(outline) > 3:
        before, after = np.roll(outline, 1, axis=0), np.roll(outline, -1, axis=0)
        along, away = after - before, outline - before
        apart = np.abs(along[:, 0] * away[:, 1] - along[:, 1] * away[:, 0]) / np.maximum(np.hypot(*along.T), 1e-9)
        least = int(apart.argmin())
        if apart[least] > AS_GOOD_PX and len(outline) <= MAX_CORNERS:
            break
        outline = np.delete(outline, least, axis=0)
    return outline
