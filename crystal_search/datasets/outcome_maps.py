"""What is known of every place of an image: outcomes and the drop, in blocks of 4 x 4 px of the view."""

import numpy as np
from numpy.typing import NDArray

from crystal_search.outcomes import OUTCOME_NAMES

REDUCTION = 4  #: pixels of the grey view per cell of the maps, on a side
OUTSIDE = 255  #: in an outcome map: not in the drop
Bytes = NDArray[np.uint8]

_CLEAR, _FEATURES, _RIM = (OUTCOME_NAMES.index(name) for name in ("clear", "clear_with_features", "rim"))
#: Outcomes from high to low priority where several are seen together; a rim or a feature hides what is clear.
SEEN_FIRST = (*range(_CLEAR), _FEATURES, _RIM, _CLEAR)
_RANK = np.full(256, 255, np.uint8)
_RANK[list(SEEN_FIRST)] = np.arange(len(SEEN_FIRST), dtype=np.uint8)
_UNRANK = np.full(256, OUTSIDE, np.uint8)
_UNRANK[: len(SEEN_FIRST)] = SEEN_FIRST


def highest_priority(outcome_map: Bytes, factor: int = REDUCTION) -> Bytes:
    """Return the outcome of highest priority in each whole block of `factor` x `factor` cells.

    >>> outcome_map = np.full((4, 8), OUTSIDE, np.uint8)
    >>> outcome_map[0, :6] = OUTCOME_NAMES.index("clear")
    >>> outcome_map[2, 5] = OUTCOME_NAMES.index("spherulites")
    >>> [OUTCOME_NAMES[index] for index in highest_priority(outcome_map)[0]]
    ['clear', 'spherulites']
    """
    return np.asarray(_UNRANK[_blocks(_RANK[outcome_map], factor).min(axis=(1, 3))])


def coverage(mask: NDArray[np.bool_]) -> Bytes:
    """Return how much of each whole block of 4 x 4 px is set, 0 to 255."""
    share = _blocks(mask.astype(np.float32), REDUCTION).mean(axis=(1, 3))
    return np.asarray(np.rint(255 * share), dtype=np.uint8)


def _blocks(field: NDArray[np.generic], factor: int) -> NDArray[np.generic]:
    rows, columns = (side // factor for side in field.shape)
    return field[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
