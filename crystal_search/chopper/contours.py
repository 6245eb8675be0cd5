"""How much a chop shows: the length of the contours in it.

Thielmann et al. (2023), section 2.2, take a chop for training only if the contours in it exceed a threshold. Here a
contour is where the local contrast of the view (`images.local_contrast`) changes most steeply, and steeper than
`LEAST_STEEPNESS`; it is one pixel wide, at half the view's resolution, and its length is in pixels of the view.

In a chop of 256 px: empty liquid 0 to 40 px, the edge of a drop that crosses it 250 to 600 px, one small crystal
from 60 px on, a granular precipitate several thousand. A line that is drawn counts on both of its sides.
"""

import numpy as np
from numpy.typing import NDArray

from crystal_search.geometry import Box
from crystal_search.images import Grey, View, local_contrast

REDUCTION = 2  #: pixels of the view per cell of a map of contours, on a side
LEAST_STEEPNESS = 0.06  #: local contrast per pixel of the view; a step of 6 % of the brightness, slightly blurred
_BLUR = np.array([1, 4, 6, 4, 1], np.float32) / 16

Contours = NDArray[np.float32]  #: (rows/2, columns/2), length of contour in each cell, in pixels of the view


def _halved(view: View) -> View:
    rows, columns = (side // REDUCTION for side in view.shape)
    whole = view[: rows * REDUCTION, : columns * REDUCTION]
    return np.asarray(whole.reshape(rows, REDUCTION, columns, REDUCTION).mean(axis=(1, 3)))


def _blurred(field: View) -> View:
    """Blur by 1 cell, edge values repeated outside."""
    rows, columns = field.shape
    tall = np.pad(field, ((2, 2), (0, 0)), mode="edge")
    field = np.asarray(sum(weight * tall[k : k + rows] for k, weight in enumerate(_BLUR)))
    wide = np.pad(field, ((0, 0), (2, 2)), mode="edge")
    return np.asarray(sum(weight * wide[:, k : k + columns] for k, weight in enumerate(_BLUR)))


def contours_of(grey: Grey) -> Contours:
    """Return where the contours of a grey image run.

    Parameters
    ----------
    grey
        Image of shape (rows, columns) at working width, at least 8 px on a side; lamp and exposure cancel.

    Returns
    -------
    ndarray of float32, shape (rows // 2, columns // 2)
        The length of the contour in each cell, in pixels of `grey`; 0 where there is none.
    """
    field = np.pad(_blurred(_halved(local_contrast(grey))), 1, mode="edge")
    down = (field[2:, 1:-1] - field[:-2, 1:-1]) / (2 * REDUCTION)
    right = (field[1:-1, 2:] - field[1:-1, :-2]) / (2 * REDUCTION)
    steepness = np.hypot(down, right)
    along = np.maximum(np.abs(down), np.abs(right))
    # One cell is crest in each column that a contour crosses more along than across, or in each such row.
    length = REDUCTION * steepness / np.where(along > 0, along, 1)
    crest = np.where(np.abs(down) > np.abs(right), _is_crest(steepness), _is_crest(steepness.T).T)
    return np.where(crest & (steepness > LEAST_STEEPNESS), length, 0).astype(np.float32)


def _is_crest(steepness: View) -> NDArray[np.bool_]:
    """Return which cells are steeper than the one below, and no less steep than the one above."""
    padded = np.pad(steepness, ((1, 1), (0, 0)))
    return np.asarray((steepness >= padded[:-2]) & (steepness > padded[2:]))


def contour_length(contours: Contours, box: Box) -> float:
    """Return the length of the contours in `box`, a rectangle in pixels of the image, in these pixels.

    >>> contour_length(np.full((4, 4), 2, np.float32), Box(0, 0, 4, 8))
    16.0
    """
    cells = Box(*(edge // REDUCTION for edge in box)).clipped(*contours.shape)
    return float(contours[cells.slices].sum())
