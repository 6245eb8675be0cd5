"""What becomes of a population over time: rates, tests, correlations with a concentration.

A rate is the Theil-Sen slope, the median of the slopes between all pairs of times (Theil 1950, Sen 1968). The
Mann-Kendall test is Kendall's tau against time (Mann 1945) of the figure of each time: frames of one time tell the
same moment, and would make any difference between two moments a trend. Probabilities of several tests are corrected by
Benjamini and Hochberg (1995).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from crystal_search.bootstrap import Interval
from crystal_search.metrics import Floats
from crystal_search.populations.draw_intervals import count_interval, drawn_interval
from crystal_search.populations.frame_tests import FEWEST_CRYSTALS, kolmogorov_smirnov
from crystal_search.populations.population import Population
from crystal_search.populations.times import Concentrations
from crystal_search.populations.trend_tests import (
    FEWEST_TIMES,
    NOTHING,
    corrected_for_many,
    correlations,
    mann_kendall,
)

#: Which of the crystals that two times have in common are compared, as shares of them from the longest on. The longest
#: are often none, but a fibre, or two that touch; among the shortest some are missed.
PLACES = np.linspace(0.1, 0.6, 21)
COUNT, AREA = "crystals a frame", "crystal area a frame"
MEDIANS: dict[str, Callable[[Population], Floats]] = {
    "long side, median": lambda each: each.long,
    "short side, median": lambda each: each.short,
    "aspect, median": lambda each: each.aspect,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trend:
    """What becomes of one figure of a population."""

    measure: str
    hours: Floats  #: (T,)
    figures: tuple[Interval, ...]  #: at each time; NaN where there is nothing to measure
    a_hour: Interval  #: Theil-Sen slope
    tau: float  #: Kendall's, NaN where there are too few
    p: float
    p_corrected: float
    pearson: Interval  #: with the concentration; NaN where none was told
    spearman: Interval

    @property
    def times(self) -> int:
        """How many times have such a figure."""
        return sum(not np.isnan(each.value) for each in self.figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How far the sizes of two neighbouring times are apart."""

    before: float  #: hours
    after: float
    measure: str
    distance: float  #: of Kolmogorov and Smirnov
    p: float
    p_corrected: float


def series_of(populations: Sequence[Population]) -> dict[str, Floats]:
    """Return figures by name, (1 + DRAWS, T): in every draw at every time."""
    ones = [each.a_frame(np.ones_like(each.long)) for each in populations]
    areas = [each.a_frame(each.area) for each in populations]
    medians = {name: [each.quantile(of(each), 0.5) for each in populations] for name, of in MEDIANS.items()}
    return {name: np.stack(each, axis=1) for name, each in {COUNT: ones, AREA: areas, **medians}.items()}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Growth:
    """How fast the same crystals grow, which the median does not tell while new ones come."""

    a_hour: Interval  #: the median over all pairs of times
    since_before: tuple[Interval, ...]  #: at each time, since the one before; NaN at the first
    hours: tuple[float, ...]  #: times with so many crystals that they tell of it


def growth(populations: Sequence[Population]) -> Growth:
    """Return the growth of long sides, of the crystals that each pair of times has in common.

    New crystals are smaller than those that were there. So of two times the one with fewer crystals a frame has the
    same as the largest of the other, as many of them. They are told apart by their places among the largest: the slope
    of a pair is the median difference of their long sides at `PLACES`.
    """
    hours, units = np.array([each.hours for each in populations]), [each.units for each in populations]
    enough = np.array([len(each.long) >= FEWEST_CRYSTALS for each in populations])
    first, second = np.triu_indices(len(hours), 1)
    slopes = _apart(populations)[:, first, second] / (hours[second] - hours[first])  # (draws, pairs)
    slopes = np.where(enough[first] & enough[second], slopes, np.nan)
    since = [NOTHING for _ in populations]
    for pair in np.flatnonzero(second == first + 1).tolist():
        since[second[pair]] = drawn_interval(slopes[:, pair], units[first[pair] : second[pair] + 1])
    all_units = [each for each, counts_too in zip(units, enough, strict=True) if counts_too]
    a_hour = _median_of(slopes, all_units)
    return Growth(a_hour=a_hour, since_before=tuple(since), hours=tuple(hours[enough].tolist()))


def _apart(populations: Sequence[Population]) -> Floats:
    """Return by how much crystals are longer at another time, (1 + DRAWS, T, T), in every draw; NaN without any."""
    longest_first = [-np.sort(-each.long) for each in populations]
    draws = zip(*(each.counts_down() for each in populations), strict=True)
    return np.stack([_apart_in(counted, longest_first) for counted in draws])


def _apart_in(counted: Sequence[Floats], longest_first: Sequence[Floats]) -> Floats:
    """Return the same in one draw, (T, T), given counts down to each crystal, and long sides, of each time."""
    whole = np.array([each[-1] if len(each) else 0.0 for each in counted])
    common = np.minimum(whole[:, None], whole)
    sides = np.zeros((*common.shape, len(PLACES)))  # of each time, where it is beside another
    for place, (count, long) in enumerate(zip(counted, longest_first, strict=True)):
        if len(long):
            at = np.searchsorted(count, common[place][:, None] * PLACES)
            sides[place] = long[np.minimum(at, len(long) - 1)]
    return np.where(common > 0, np.median(sides.transpose(1, 0, 2) - sides, axis=2), np.nan)


def _median_of(slopes: Floats, units: Sequence[int]) -> Interval:
    """Return the median of slopes (draws, pairs), of those that are known; NaN where too few times have crystals."""
    known = ~np.isnan(slopes[0])
    if known.sum() < FEWEST_TIMES:
        return NOTHING
    rows = slopes[:, known]
    return drawn_interval(np.median(rows[~np.isnan(rows).any(axis=1)], axis=1), units)


def trends(populations: Sequence[Population], concentrations: Concentrations | None) -> list[Trend]:
    """Return the trend of each figure, with its correlation with a concentration where one is told."""
    hours = np.array([each.hours for each in populations])
    dissolved = None if concentrations is None else interpolated(concentrations, hours)
    drawn = series_of(populations)
    tests = {name: mann_kendall(hours, values[0]) for name, values in drawn.items()}
    corrected = corrected_for_many([p for _, p in tests.values()])
    found = []
    for (name, values), p_corrected in zip(drawn.items(), corrected, strict=True):
        pearson, spearman = (NOTHING, NOTHING) if dissolved is None else correlations(values[0], dissolved)
        told = {"a_hour": _rate(hours, values, populations), "pearson": pearson, "spearman": spearman}
        figures, (tau, p) = _figures(name, values, populations), tests[name]
        found.append(Trend(measure=name, hours=hours, figures=figures, tau=tau, p=p, p_corrected=p_corrected, **told))
    return found


def _figures(measure: str, values: Floats, populations: Sequence[Population]) -> tuple[Interval, ...]:
    """Return a figure (1 + DRAWS, T) at each time with its interval."""
    if measure == COUNT:
        told = zip(values.T, populations, strict=True)
        return tuple(count_interval(drawn, each.units, len(each.long), each.frames) for drawn, each in told)
    pairs = zip(values.T, populations, strict=True)
    return tuple(drawn_interval(drawn, [each.units], least=0.0) for drawn, each in pairs)


def _rate(hours: Floats, values: Floats, populations: Sequence[Population]) -> Interval:
    from scipy.stats import theilslopes

    slopes = np.full(len(values), np.nan)
    for number, row in enumerate(values):
        known = ~np.isnan(row)
        if known.sum() >= FEWEST_TIMES:
            slopes[number] = theilslopes(row[known], hours[known]).slope
    there = ~np.isnan(values[0])
    return drawn_interval(slopes, [each.units for each, known in zip(populations, there, strict=True) if known])


def interpolated(concentrations: Concentrations, hours: Floats) -> Floats:
    """Return the concentration at `hours` (T,) on straight lines between measurements; NaN before and after them."""
    outside = {"left": float("nan"), "right": float("nan")}
    return np.asarray(np.interp(hours, concentrations.hours, concentrations.values, **outside))


def changes(populations: Sequence[Population]) -> list[Change]:
    """Return Kolmogorov-Smirnov tests of the sizes of neighbouring times, of crystals wholly in a frame, each once."""
    found = [
        (before.hours, after.hours, name, *kolmogorov_smirnov(before, after, of(before), of(after)))
        for before, after in pairwise(populations)
        for name, of in MEDIANS.items()
    ]
    corrected = corrected_for_many([each[-1] for each in found])
    return [
        Change(before=before, after=after, measure=name, distance=distance, p=p, p_corrected=p_corrected)
        for (before, after, name, distance, p), p_corrected in zip(found, corrected, strict=True)
    ]
