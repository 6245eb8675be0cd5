"""Connected parts of a mask, their holes and their outline; small enough to need no image library."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.geometry import Box

Mask = NDArray[np.bool_]  #: (rows, columns)
Run = tuple[int, int, int]  #: row, first column, column after the last


def _runs(mask: Mask) -> list[Run]:
    """Return the horizontal runs of True, row by row."""
    padded = np.pad(mask.astype(np.int8), ((0, 0), (1, 1)))
    steps = np.diff(padded, axis=1)
    rows, starts = np.nonzero(steps == 1)
    _, stops = np.nonzero(steps == -1)
    return list(zip(rows.tolist(), starts.tolist(), stops.tolist(), strict=True))


def _root(parents: list[int], index: int) -> int:
    while parents[index] != index:
        parents[index] = parents[parents[index]]
        index = parents[index]
    return index


def _joined(runs: list[Run]) -> list[int]:
    """Return for each run the first run of its part; runs touch by an edge, not by a corner."""
    parents = list(range(len(runs)))
    above = 0
    for index, (row, start, stop) in enumerate(runs):
        while runs[above][0] < row - 1:
            above += 1
        other = above
        while other < index and runs[other][0] == row - 1:
            if runs[other][1] < stop and start < runs[other][2]:
                parents[_root(parents, index)] = _root(parents, other)
            other += 1
    return [_root(parents, index) for index in range(len(runs))]


def labelled(mask: Mask) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the parts of a mask that are connected by edges.

    Returns
    -------
    labels
        Shape of `mask`; 0 outside, 1 to the number of parts inside.
    sizes
        Pixels of each part; ``sizes[k - 1]`` belongs to label k.

    >>> labels, sizes = labelled(np.array([[1, 0, 1], [1, 0, 0]], bool))
    >>> labels.tolist(), sizes.tolist()
    ([[1, 0, 2], [1, 0, 0]], [2, 1])
    """
    labels = np.zeros(mask.shape, np.int32)
    runs = _runs(mask)
    roots = _joined(runs)
    numbers = {root: number for number, root in enumerate(sorted(set(roots)), start=1)}
    for (row, start, stop), root in zip(runs, roots, strict=True):
        labels[row, start:stop] = numbers[root]
    return labels, np.bincount(labels.ravel(), minlength=len(numbers) + 1)[1:].astype(np.int64)


def filled(mask: Mask) -> Mask:
    """Return the mask with its holes filled: what False does not reach from the border.

    >>> filled(np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)).all()
    np.True_
    """
    labels, _ = labelled(~np.pad(mask, 1))
    return np.asarray(labels != labels[0, 0])[1:-1, 1:-1]


TURNS = ((0, 1), (1, 0), (0, -1), (-1, 0))  # right, down, left, up; the part is on the right-hand side


def _inside(mask: Mask, row: int, column: int) -> bool:
    return 0 <= row < mask.shape[0] and 0 <= column < mask.shape[1] and bool(mask[row, column])


def outline_of(mask: Mask, points: int) -> tuple[tuple[int, int], ...]:
    """Return the outer edge of a connected part as at most `points` corners of pixels, clockwise.

    Parameters
    ----------
    mask
        One connected part, not empty.
    points
        At least 4.

    >>> outline_of(np.array([[1]], bool), 8)
    ((0, 0), (0, 1), (1, 1), (1, 0))
    """
    row = int(np.argmax(mask.any(axis=1)))
    start = (row, int(np.argmax(mask[row])))
    corners: list[tuple[int, int]] = []
    corner, heading = start, 0
    while not corners or (corner, heading) != (start, 0):
        corners.append(corner)
        corner = (corner[0] + TURNS[heading][0], corner[1] + TURNS[heading][1])
        heading = _next_heading(mask, corner, heading)
    keep = np.unique(np.linspace(0, len(corners), min(points, len(corners)), endpoint=False).astype(int))
    return tuple(corners[index] for index in keep)


def _next_heading(mask: Mask, corner: tuple[int, int], heading: int) -> int:
    """Turn at a corner so that the part stays on the right-hand side; at a touching corner, turn right."""
    row, column = corner
    # The pixels ahead of the corner, right and left of the way, for each heading.
    ahead_right = {0: (row, column), 1: (row, column - 1), 2: (row - 1, column - 1), 3: (row - 1, column)}
    ahead_left = {0: (row - 1, column), 1: (row, column), 2: (row, column - 1), 3: (row - 1, column - 1)}
    if not _inside(mask, *ahead_right[heading]):
        return (heading + 1) % 4
    if _inside(mask, *ahead_left[heading]):
        return (heading - 1) % 4
    return heading


def box_around(mask: Mask) -> Box:
    """Return the smallest rectangle around all pixels of a mask that are set; at least one is.

    >>> box_around(np.array([[0, 0, 0], [0, 1, 0], [0, 1, 1]], bool))
    Box(top=1, left=1, bottom=3, right=3)
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def overlap(truth: Mask, found: Mask | None) -> float:
    """Return the intersection over union of two masks, compared at the size of `found`.

    >>> overlap(np.zeros((2, 2), bool), None)
    1.0
    """
    if found is None:
        return float(not truth.any())
    size = (found.shape[1], found.shape[0])
    share = np.asarray(Pillow.fromarray(truth.astype(np.float32)).resize(size, Pillow.Resampling.BOX))
    expected = share > 0.5
    joint = np.count_nonzero(expected | found)
    return float(np.count_nonzero(expected & found) / joint) if joint else 1.0
