"""How well crystals are found one by one: average precisions, counts, lengths, pixels, crystals or none."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crystal_search.bootstrap import Interval, drawn
from crystal_search.crystal import Crystal
from crystal_search.evaluation.average_precision import KINDS, OURS, PARTS, average_precisions
from crystal_search.evaluation.crystal_presence import presence_figures
from crystal_search.evaluation.crystal_verdicts import CrystalVerdict
from crystal_search.evaluation.judge import Figure
from crystal_search.evaluation.pixel_overlap import pixel_figures


def crystal_figures(verdicts: Sequence[CrystalVerdict]) -> list[Figure]:
    """Return average precisions, errors of count and length, overlap of pixels, crystals or none, and false crystals.

    Raises
    ------
    UserError
        If hotcoco is not installed.
    """
    there = [each for each in verdicts if each.objects]
    found = [*_precisions(there), *_of_counts(there), *pixel_figures(there)] if there else []
    return [*found, *presence_figures(verdicts), *_false([each for each in verdicts if each.has_crystals is False])]


def _precisions(verdicts: Sequence[CrystalVerdict]) -> list[Figure]:
    return [
        Figure(_measure(title, name), _alone(value), len(verdicts))
        for kind, title in KINDS.items()
        for name, value in average_precisions(kind, verdicts, OURS).items()
        if not np.isnan(value)
    ]


def _measure(title: str, name: str) -> str:
    """Return what a figure of boxes or masks is called.

    >>> _measure("masks", "50"), _measure("masks", "small")
    ('AP50 of masks', 'AP of masks, small')
    """
    return f"AP of {title}, {name}" if name in PARTS else f"AP{name} of {title}"


def _alone(value: float) -> Interval:
    """Return a figure whose interval nobody knows: drawing images again would take hours."""
    return Interval(value, float("nan"), float("nan"))


def _of_counts(verdicts: Sequence[CrystalVerdict]) -> list[Figure]:
    """Return how many more crystals are counted than there are, and how far the lengths are from the true ones."""
    draws = drawn([each.known.drawn_with for each in verdicts])
    there, counted = (
        np.array(each, np.float64)
        for each in ([len(each.lengths_px) for each in verdicts], [len(each.counted) for each in verdicts])
    )
    bias = draws.figure(lambda times: float((times * counted).sum() / max((times * there).sum(), 1.0)) - 1)
    true, found = [each.lengths_px for each in verdicts], [_lengths(each.counted) for each in verdicts]

    def distance(times: NDArray[np.float64]) -> float:
        return farthest_apart(*(_repeated(each, times) for each in (true, found)))

    return [
        Figure("crystals counted, over those there are, less 1", bias, len(verdicts)),
        Figure("Kolmogorov-Smirnov distance of lengths", draws.figure(distance), len(verdicts)),
    ]


def _lengths(crystals: Sequence[Crystal]) -> NDArray[np.float64]:
    return np.array([each.long_px for each in crystals], np.float64)


def _repeated(values: Sequence[NDArray[np.float64]], times: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([np.tile(each, int(count)) for each, count in zip(values, times, strict=True)])


def farthest_apart(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return how far apart the distribution functions of two samples are at most, NaN where one is empty.

    >>> farthest_apart(np.array([1.0, 2, 3, 4]), np.array([3.0, 4, 5, 6]))
    0.5
    """
    if not len(one) or not len(other):
        return float("nan")
    values = np.concatenate((one, other))
    below = [np.searchsorted(np.sort(each), values, "right") / len(each) for each in (one, other)]
    return float(np.abs(below[0] - below[1]).max())


def _false(verdicts: Sequence[CrystalVerdict]) -> list[Figure]:
    if not verdicts:
        return []
    counted = np.array([len(each.counted) for each in verdicts], np.float64)
    false = drawn([each.known.drawn_with for each in verdicts]).mean(counted)
    return [Figure("false crystals an image without any", false, len(verdicts))]
