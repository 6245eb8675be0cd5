"""How much crystals stand out from what is around them, measured in the image itself (numpy)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crystal_search.crystal import Crystal
from crystal_search.geometry import Box
from crystal_search.images import Grey
from crystal_search.polygons import CoveredPart, covered_parts

LEAST_AROUND_PX = 4  #: how far the surroundings reach; else half the short side
LEAST_PIXELS = 8  #: of the surroundings
NORMAL_SPREAD = 1.4826  #: standard deviation of a normal distribution over the median of how far its values are off
_LEVELS = np.arange(256.0)  #: of a grey image, so few that medians are read from how often each occurs


def with_contrasts(crystals: Sequence[Crystal], grey: Grey) -> tuple[Crystal, ...]:
    """Return crystals with their contrast, measured in the grey image (rows, columns) in whose pixels they are."""
    parts = list(covered_parts((each.outline for each in crystals), *grey.shape))
    taken = np.zeros(grey.shape, np.bool_)
    for part in parts:
        taken[part.box.slices] |= part.mask
    return tuple(
        replace(each, contrast=_contrast(each, part, grey, taken)) for each, part in zip(crystals, parts, strict=True)
    )


def _contrast(crystal: Crystal, part: CoveredPart, grey: Grey, taken: NDArray[np.bool_]) -> float | None:
    """Return how far a crystal's light is from that of its surroundings, as a share of theirs.

    It is the root of the mean square of the difference from the median around the crystal, less what the surroundings
    have of that themselves by their median: noise is no contrast. None where hardly anything around it is free of
    crystals, or no pixel lies in its outline.

    Parameters
    ----------
    part
        The pixels in the crystal's outline.
    grey
        Shape (rows, columns).
    taken
        Which pixels of it crystals cover, same shape.
    """
    around = round(max(LEAST_AROUND_PX, crystal.short_px / 2))
    whole = crystal.upright
    box = Box(whole.top - around, whole.left - around, whole.bottom + around, whole.right + around).clipped(*grey.shape)
    inside, free = grey[part.box.slices][part.mask], grey[box.slices][~taken[box.slices]]
    if not len(inside) or len(free) < LEAST_PIXELS:
        return None
    counts = np.bincount(free, minlength=len(_LEVELS))
    usual = max(_median(_LEVELS, counts), 1.0)
    noise = NORMAL_SPREAD * _median(np.abs(_LEVELS / usual - 1), counts)
    return float(np.sqrt(max(0.0, ((inside / usual - 1) ** 2).mean() - noise**2)))


def _median(values: NDArray[np.float64], counts: NDArray[np.intp]) -> float:
    """Return the median of values (N,), each of which there is so many times (N,)."""
    order = np.argsort(values)
    up_to, total = counts[order].cumsum(), int(counts.sum())
    low, high = values[order[up_to.searchsorted(((total - 1) // 2, total // 2), side="right")]].tolist()
    return float(low + high) / 2
