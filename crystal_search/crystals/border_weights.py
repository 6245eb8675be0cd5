"""How many things each stands for that lies wholly in an image, where the border cuts large ones off more often."""

import numpy as np
from numpy.typing import NDArray

from crystal_search.crystals.boxes import corners

Floats = NDArray[np.float64]
BORDER_PX = 2.0  #: a box that comes so near to the border may be that of a crystal that goes on behind it


def box_weights(boxes: Floats, size_px: tuple[float, float]) -> Floats:
    """Return how many crystals each of these boxes (N, 5) of an image stands for, (N,), see `border_weights`.

    >>> box_weights(np.array([[8.0, 50, 20, 12, 0], [8.0, 50, 20, 13, 0]]), (100, 100)).round(2)
    array([1.57, 0.  ])
    """
    points = corners(boxes)
    return border_weights(points.min(axis=1), points.max(axis=1), size_px, BORDER_PX)


def border_weights(low: Floats, high: Floats, size_px: tuple[float, float], border_px: float) -> Floats:
    """Return how many things each stands for, (N,): 0 where the border may cut it, more than 1 elsewhere.

    A large thing is cut by the border more often than a small one, so that those that lie wholly in the image are too
    few and too small. Each counts by how many places of an image it could lie at, of those at which it would be wholly
    inside (Miles 1974; Lantuejoul 1978).

    Parameters
    ----------
    low, high
        (N, 2), first and last row and column of each, px.
    size_px
        Height and width of the image.
    border_px
        How near to the border a thing may be cut by it.

    >>> border_weights(np.array([[0.0, 10], [20, 20]]), np.array([[9.0, 20], [70, 70]]), (100, 100), 0.5).round(2)
    array([0.  , 4.16])
    """
    size = np.array(size_px, np.float64)
    inside = ((low >= border_px) & (high <= size - border_px)).all(axis=1)
    free = np.maximum(size - 2 * border_px - (high - low), 1.0).prod(axis=1)
    return np.asarray(np.where(inside, size.prod() / free, 0.0))
