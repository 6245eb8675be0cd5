"""How far figures can be trusted: intervals from drawing wells again.

What is drawn is wells, never chops or images: chops of a well resemble each other, and drawing them one by one
would make every interval too narrow.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crystal_search.metrics import Floats, ratio

DRAWS, LEVEL, SEED = 1000, 0.95, 0


class Interval(NamedTuple):
    """A figure and the bounds that hold it in 95 of 100 draws; NaN where there is nothing to measure."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """The same wells drawn again and again, some of them several times, some not at all."""

    well_of: NDArray[np.int64]  #: (items,): the well of each chop or image
    times: Floats  #: (draws, wells): how often each well was drawn

    def sums(self, values: Floats) -> Floats:
        """Return the sum of `values` (items,) in every draw, (draws,)."""
        return np.asarray(self.times @ np.bincount(self.well_of, values, minlength=self.times.shape[1]))

    def mean(self, values: Floats, among: NDArray[np.bool_] | None = None) -> Interval:
        """Return the mean of `values` (items,), of those `among` (items,) only where given."""
        chosen = np.ones(len(values)) if among is None else among.astype(np.float64)
        values = np.asarray(values, np.float64) * chosen
        return interval(
            float(ratio(np.asarray(values.sum()), np.asarray(chosen.sum()))),
            ratio(self.sums(values), self.sums(chosen)),
        )

    def figure(self, statistic: Callable[[Floats], float]) -> Interval:
        """Return any statistic that takes how often each item counts, (items,)."""
        once = np.ones(len(self.well_of))
        return interval(statistic(once), np.array([statistic(times[self.well_of]) for times in self.times]))


def drawn(wells: Sequence[str], draws: int = DRAWS, seed: int = SEED) -> Draws:
    """Return draws of wells, with replacement, as many as there are; `wells` names the well of each item."""
    names, well_of = np.unique(np.array(wells, dtype=np.str_), return_inverse=True)
    count = len(names)
    if not count:
        return Draws(np.zeros(0, np.int64), np.zeros((draws, 0)))
    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=draws)
    return Draws(well_of.astype(np.int64), times.astype(np.float64))


def interval(value: float, drawn_values: Floats) -> Interval:
    """Return the percentile interval of a figure, widened where it would not hold the figure itself.

    >>> interval(0.5, np.array([0.4, 0.5, np.nan, 0.6]))._asdict()["value"]
    0.5
    """
    known = drawn_values[~np.isnan(drawn_values)]
    if np.isnan(value) or not len(known):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, min(float(low), value), max(float(high), value))
