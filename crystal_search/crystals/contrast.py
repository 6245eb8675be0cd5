"""How much crystals stand out from what is around them, measured in the image itself (numpy)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crystal_search.crystal import Crystal, Outline
from crystal_search.geometry import Box
from crystal_search.images import Grey
from crystal_search.polygons import covered

LEAST_AROUND_PX = 4  #: how far the surroundings reach; else half the short side
LEAST_PIXELS = 8  #: of the surroundings
NORMAL_SPREAD = 1.4826  #: standard deviation of a normal distribution over the median of how far its values are off


def with_contrasts(crystals: Sequence[Crystal], grey: Grey) -> tuple[Crystal, ...]:
    """Return crystals with their contrast, measured in the grey image (rows, columns) in whose pixels they are."""
    taken = covered((each.outline for each in crystals), *grey.shape)
    return tuple(replace(each, contrast=contrast_of(each, grey, taken)) for each in crystals)


def contrast_of(crystal: Crystal, grey: Grey, taken: NDArray[np.bool_]) -> float | None:
    """Return how far a crystal's light is from that of its surroundings, as a share of theirs.

    It is the root of the mean square of the difference from the median around the crystal, less what the surroundings
    have of that themselves by their median: noise is no contrast. None where hardly anything around it is free of
    crystals, or no pixel lies in its outline.

    Parameters
    ----------
    grey
        Shape (rows, columns).
    taken
        Which pixels of it crystals cover, same shape.
    """
    around = round(max(LEAST_AROUND_PX, crystal.short_px / 2))
    whole = crystal.upright
    box = Box(whole.top - around, whole.left - around, whole.bottom + around, whole.right + around).clipped(*grey.shape)
    light, free = grey[box.slices].astype(np.float64), ~taken[box.slices]
    inside = covered([_moved(crystal.outline, box)], *light.shape)
    if not inside.any() or free.sum() < LEAST_PIXELS:
        return None
    usual = max(float(np.median(light[free])), 1.0)
    away = (light / usual - 1) ** 2
    noise = NORMAL_SPREAD * float(np.median(np.abs(light[free] / usual - 1)))
    return float(np.sqrt(max(0.0, away[inside].mean() - noise**2)))


def _moved(outline: Outline, box: Box) -> Outline:
    return tuple((row - box.top, column - box.left) for row, column in outline)
