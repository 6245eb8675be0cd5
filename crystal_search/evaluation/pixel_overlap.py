"""How well all crystals of an image together are outlined: the three figures of Kardoost et al. (2024), section 2.4.5.

F and the Jaccard index compare pixels: those that true masks cover with those that outlines cover which count. Both are
means over images. The third compares numbers of crystals: its mean absolute difference over the mean number of crystals
in an image. (The paper divides by "the total number of objects"; only with the mean do its figures come about.)
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crystal_search.bootstrap import Interval, drawn
from crystal_search.evaluation.crystal_verdicts import CrystalVerdict
from crystal_search.evaluation.judge import Figure
from crystal_search.polygons import covered

F, JACCARD, COUNTS = "F of pixels", "Jaccard index of pixels", "difference in crystals an image, over their mean number"


class PixelCounts(NamedTuple):
    """Pixels of an image: in crystals and outlines, in outlines only, in crystals only."""

    found: int
    false: int
    missed: int

    @property
    def f(self) -> float:
        """Harmonic mean of precision and recall; NaN where there is neither a crystal nor an outline.

        >>> PixelCounts(found=2, false=1, missed=3).f
        0.5
        """
        return _ratio(2 * self.found, 2 * self.found + self.false + self.missed)

    @property
    def jaccard(self) -> float:
        """Intersection over union; NaN where both are empty.

        >>> PixelCounts(found=2, false=1, missed=3).jaccard
        0.3333333333333333
        """
        return _ratio(self.found, self.found + self.false + self.missed)


class Outlined(NamedTuple):
    """The three figures, with their intervals."""

    f: Interval
    jaccard: Interval
    counts: Interval


def pixel_counts(verdict: CrystalVerdict) -> PixelCounts:
    """Return how the pixels of crystals and outlines agree; crystals that nobody could see count neither way."""
    shape = verdict.height_px, verdict.width_px
    there, faint = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    for each in verdict.objects or ():
        target = faint if each.too_faint or each.crowd else there
        target |= each.mask
    found = covered([each.outline for each in verdict.counted], *shape)
    asked = there | ~faint
    return PixelCounts(_count(found & there), _count(found & ~there & asked), _count(there & ~found))


def outlined(verdicts: Sequence[CrystalVerdict]) -> Outlined:
    """Return the three figures of images whose crystals are known one by one."""
    draws = drawn([each.known.drawn_with for each in verdicts])
    pixels = [pixel_counts(each) for each in verdicts]
    there = np.array([len(each.lengths_px) for each in verdicts], np.float64)
    off = np.abs(there - [len(each.counted) for each in verdicts])

    def mean(values: Sequence[float]) -> Interval:
        known = ~np.isnan(values)
        return draws.mean(np.nan_to_num(values), known)

    counts = draws.figure(lambda times: _ratio(float(times @ off), float(times @ there)))
    return Outlined(mean([each.f for each in pixels]), mean([each.jaccard for each in pixels]), counts)


def pixel_figures(verdicts: Sequence[CrystalVerdict]) -> list[Figure]:
    """Return the three figures by name."""
    return [
        Figure(name, value, len(verdicts)) for name, value in zip((F, JACCARD, COUNTS), outlined(verdicts), strict=True)
    ]


def _count(mask: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(mask))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
