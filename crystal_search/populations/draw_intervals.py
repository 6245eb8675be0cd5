"""Intervals of figures whose scatter is known from drawing frames again, also where frames are few.

Draws of n frames scatter by the root of (n - 1) / n too little, and that scatter itself is known from n frames alone:
Student's t of so many degrees of freedom makes up for both (Hesterberg 2015, Teacher's Corner of The American
Statistician 69, 371). An interval without a width is none.
"""

from collections.abc import Sequence
from math import nan, sqrt

import numpy as np

from crystal_search.bootstrap import LEVEL, Interval
from crystal_search.metrics import Floats

ABOVE = (1 + LEVEL) / 2
ROUNDING = 1e-9  #: part of a figure by which draws differ that are alike, since their sums were rounded otherwise


def drawn_interval(drawn: Floats, units: Sequence[int], *, least: float = -np.inf) -> Interval:
    """Return the interval of a figure.

    Parameters
    ----------
    drawn
        (1 + draws,), first the figure itself; draws without one are NaN.
    units
        How many frames, or crystals of the one frame, were drawn at each of its times.
    least
        What it cannot be below.

    Returns
    -------
    The figure; its bounds are NaN where there is nothing to reckon them from.
    """
    from scipy.stats import t

    value, others = float(drawn[0]), drawn[1:][~np.isnan(drawn[1:])]
    free = sum(max(each - 1, 0) for each in units)
    if np.isnan(value) or not free or not len(others) or np.ptp(others) <= ROUNDING * np.abs(others).max():
        return Interval(value, nan, nan)
    half = float(t.ppf(ABOVE, free)) * float(others.std()) * sqrt(sum(units) / free)
    return Interval(value, max(value - half, least), value + half)


def count_interval(drawn: Floats, units: int, crystals: int, frames: int) -> Interval:
    """Return the interval of crystals a frame, at least as wide as that of crystals that lie anywhere (Garwood 1936).

    Parameters
    ----------
    drawn
        As above.
    units, crystals, frames
        Of the one time: how many were drawn, and the crystals wholly in its frames.
    """
    from scipy.stats import chi2

    value, low, high = drawn_interval(drawn, [units], least=0.0)
    each = value / crystals if crystals else 1 / frames
    fewest = float(chi2.ppf(1 - ABOVE, 2 * crystals)) / 2 * each if crystals else 0.0
    most = float(chi2.ppf(ABOVE, 2 * crystals + 2)) / 2 * each
    return Interval(value, float(np.nanmin((low, fewest))), float(np.nanmax((high, most))))
