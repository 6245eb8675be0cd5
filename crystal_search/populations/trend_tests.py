"""Tests and correlations over times, of one figure a time, for frames of one time are no experiments of their own."""

from collections.abc import Sequence
from itertools import permutations
from math import atanh, factorial, nan, sqrt, tanh

import numpy as np

from crystal_search.bootstrap import LEVEL, Interval
from crystal_search.metrics import Floats

FEWEST_TIMES = 3  #: for a rate, a test or a correlation
FEWEST_FOR_BOUNDS = 4  #: times, for an interval of a correlation
EXACT_UP_TO = 7  #: times, for the exact probability where some figures are equal
NOTHING = Interval(nan, nan, nan)


def least_p(times: int) -> float:
    """Return the smallest probability that a test of so many times can give: that of one order, or of its reverse.

    >>> least_p(3), least_p(5)
    (0.3333333333333333, 0.016666666666666666)
    """
    return 2 / factorial(times) if times > 1 else 1.0


def mann_kendall(hours: Floats, values: Floats) -> tuple[float, float]:
    """Return Kendall's tau-b of a figure (T,) against time (T,), and its probability; NaN of fewer than three times.

    The probability is exact: of all orders in which the figures could have come, those with a tau as far from 0. Of
    more than `EXACT_UP_TO` times with equal figures it is SciPy's approximation.
    """
    from scipy.stats import kendalltau

    known = ~np.isnan(values)
    hours, values = hours[known], values[known]
    if len(values) < FEWEST_TIMES or len(set(values)) < 2:
        return nan, nan
    found = kendalltau(hours, values)
    tied = len(set(values)) < len(values)
    p = _of_all_orders(hours, values) if tied and len(values) <= EXACT_UP_TO else float(found.pvalue)
    return float(found.statistic), p


def _of_all_orders(hours: Floats, values: Floats) -> float:
    orders = np.array(list(permutations(values)))  # (orders, T)
    first, second = np.triu_indices(len(hours), 1)
    later = np.sign(hours[second] - hours[first])
    scores = np.abs(np.sign(orders[:, second] - orders[:, first]) @ later)
    return float((scores >= scores[0]).mean())


def correlations(values: Floats, dissolved: Floats) -> tuple[Interval, Interval]:
    """Return Pearson's and Spearman's correlation of a figure (T,) with a concentration (T,) over times.

    Bounds are Fisher's, for ranks as Bonett and Wright (2000) widen them. They need four times, and none of them is
    known where all ranks agree.
    """
    from scipy.stats import rankdata

    known = ~np.isnan(dissolved) & ~np.isnan(values)
    if known.sum() < FEWEST_TIMES:
        return NOTHING, NOTHING
    figures, others = values[known], dissolved[known]
    linear, ranked = _correlation(figures, others), _correlation(rankdata(figures), rankdata(others))
    times = len(figures)
    return _bounded(linear, times, 1.0), _bounded(ranked, times, 1 + ranked**2 / 2)


def _correlation(figures: Floats, others: Floats) -> float:
    away, other_away = figures - figures.mean(), others - others.mean()
    size = sqrt(float((away**2).sum() * (other_away**2).sum()))
    return float(away @ other_away) / size if size > 0 else nan


def _bounded(correlation: float, times: int, variance: float) -> Interval:
    from scipy.stats import norm

    if times < FEWEST_FOR_BOUNDS or not abs(correlation) < 1 - 1e-12:
        return Interval(correlation, nan, nan)
    middle, half = atanh(correlation), float(norm.ppf((1 + LEVEL) / 2)) * sqrt(variance / (times - 3))
    return Interval(correlation, tanh(middle - half), tanh(middle + half))


def corrected_for_many(probabilities: Sequence[float]) -> list[float]:
    """Return probabilities as Benjamini and Hochberg correct them; those of tests that were not made stay NaN."""
    from scipy.stats import false_discovery_control

    values = np.array(probabilities, np.float64)
    known = ~np.isnan(values)
    if known.any():
        values[known] = false_discovery_control(values[known], method="bh")
    return [float(each) for each in values]
