"""Truth in the format of COCO: masks as run lengths, upright boxes, and more about each object beside them.

The format's page: https://cocodataset.org/#format-data. Masks are uncompressed run lengths, which count background
and object in turn, column by column, starting with background.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Record = dict[str, Any]  #: an object of the JSON file


def run_lengths(places: NDArray[np.int64], size: int) -> list[int]:
    """Return the run lengths of a mask of `size` pixels that is set at the sorted, distinct `places`.

    >>> run_lengths(np.array([0, 1, 4]), 6)
    [0, 2, 2, 1, 1]
    >>> run_lengths(np.array([], dtype=np.int64), 6)
    [6]
    """
    if not len(places):
        return [size]
    breaks = np.flatnonzero(np.diff(places) > 1)
    starts = np.concatenate(([places[0]], places[breaks + 1]))
    ends = np.concatenate((places[breaks], [places[-1]])) + 1
    edges = np.stack((starts, ends), axis=1).ravel()
    counts: list[int] = np.diff(np.concatenate(([0], edges, [size]))).tolist()
    return counts if counts[-1] else counts[:-1]


def mask_of(counts: list[int], height: int, width: int) -> NDArray[np.bool_]:
    """Return the mask (height, width) that run lengths say.

    >>> mask_of([0, 2, 2, 1, 1], 2, 3).astype(int).tolist()
    [[1, 0, 1], [1, 0, 0]]
    """
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(width, height).T


def annotation(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    size: tuple[int, int],
    oriented_box: NDArray[np.floating[Any]],
) -> Record:
    """Return the record of one object, without the numbers of itself, its image and its category.

    Parameters
    ----------
    rows, columns
        (M,), the pixels of its mask; may be none.
    size
        Height and width of the image, px.
    oriented_box
        (5,): centre row and column, long and short side in px, and the angle of the long side from columns towards
        rows in radians, as the renderer gives them.
    """
    places = np.sort(columns * size[0] + rows)
    row, column, long, short, angle = (round(float(value), 3) for value in oriented_box)
    upright = [0, 0, 0, 0]
    if len(rows):
        top, left = int(rows.min()), int(columns.min())
        upright = [left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top]
    return {
        "segmentation": {"size": list(size), "counts": run_lengths(places, size[0] * size[1])},
        "area": len(rows),
        "bbox": upright,
        "iscrowd": 0,
        "oriented_box": [column, row, long, short, angle],
    }
