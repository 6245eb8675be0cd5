"""Cutting chops out of a view, and choosing those that belong to the drop."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from crystal_search.geometry import Box
from crystal_search.images import View

LEAST_DROP_FRACTION = 0.25  # with less, a chop shows the plate more than the drop


def cut(view: View, box: Box) -> View:
    """Return the pixels of `view` under `box`; what lies outside of the image is 0.

    >>> cut(np.ones((2, 2), np.float32), Box(-1, 0, 1, 2)).tolist()
    [[0.0, 0.0], [1.0, 1.0]]
    """
    inside = box.clipped(*view.shape[:2])
    if inside == box:
        return view[box.slices]
    chop = np.zeros((box.height, box.width, *view.shape[2:]), view.dtype)
    chop[inside.shifted(-box.top, -box.left).slices] = view[inside.slices]
    return chop


def cut_all(view: View, boxes: Iterable[Box]) -> NDArray[np.float32]:
    """Return the chops of one size under `boxes` as one array of shape (chops, rows, columns[, 3])."""
    return np.stack([cut(view, box) for box in boxes])


def chops_of_drop(mask: NDArray[np.bool_], boxes: Sequence[Box]) -> list[int]:
    """Return which of `boxes` show the drop, so that together they show all of it that any box shows.

    Parameters
    ----------
    mask
        True where the drop is, shape (rows, columns).
    boxes
        Chops in the mask's pixels; they may reach beyond it.

    Returns
    -------
    list of int
        Positions in `boxes`, rising: every chop of which at least a quarter is drop, and the few more that
        are needed to see the drop's tips.
    """
    inside = [box.clipped(*mask.shape) for box in boxes]
    covered = np.array([np.count_nonzero(mask[box.slices]) for box in inside])
    areas = np.array([max(1, box.area) for box in boxes])
    chosen = set(np.flatnonzero(covered >= LEAST_DROP_FRACTION * areas).tolist())
    unseen = mask.copy()
    for index in chosen:
        unseen[inside[index].slices] = False
    while True:
        gains = [np.count_nonzero(unseen[box.slices]) for box in inside]
        best = int(np.argmax(gains)) if gains else 0
        if not gains or not gains[best]:
            return sorted(chosen)
        chosen.add(best)
        unseen[inside[best].slices] = False
