"""What becomes of a population over time: rates, tests, correlations with a concentration.

A rate is the Theil-Sen slope, the median of the slopes between all pairs of times (Theil 1950, Sen 1968). The
Mann-Kendall test is Kendall's tau of values against time (Mann 1945), of each frame's values: tau-b allows for ties.
Probabilities of several tests are corrected by Benjamini and Hochberg (1995). SciPy reckons all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from crystal_search.bootstrap import Interval, interval
from crystal_search.metrics import Floats
from crystal_search.populations.population import Population, weighted_quantile
from crystal_search.populations.times import Concentrations

COUNT, AREA = "crystals a frame", "crystal area a frame"
MEDIANS: dict[str, Callable[[Population], Floats]] = {
    "long side, median": lambda each: each.long,
    "short side, median": lambda each: each.short,
    "aspect, median": lambda each: each.aspect,
}
FEWEST_TIMES, FEWEST_CRYSTALS = 3, 5  #: for a rate or a correlation; of a time, for a test
EXACT_UP_TO = 1000  #: crystals of both times, for an exact test of Kolmogorov and Smirnov


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trend:
    """What becomes of one figure of a population."""

    measure: str
    hours: Floats  #: (T,)
    drawn: Floats  #: (1 + DRAWS, T), the figure itself first; NaN where there is nothing to measure
    a_hour: Interval  #: Theil-Sen slope
    tau: float  #: Kendall's, NaN where there are too few
    p: float
    p_corrected: float
    pearson: Interval  #: with the concentration; NaN where none was told
    spearman: Interval

    @property
    def figures(self) -> list[Interval]:
        """The figure at each time."""
        return [interval(float(column[0]), column[1:]) for column in self.drawn.T]


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


def growth(populations: Sequence[Population]) -> Growth:
    """Return the growth of long sides, of the crystals that each pair of times has in common.

    New crystals are smaller than those that were there. So of two times the one with fewer crystals a frame has the
    same as the largest of the other, as many of them: the slope of a pair is the difference of their mean long sides.
    """
    hours = np.array([each.hours for each in populations])
    counts = np.stack([each.a_frame(np.ones_like(each.long)) for each in populations], axis=1)  # (draws, T)
    common = np.minimum(counts[:, :, None], counts[:, None, :])  # (draws, T, T)
    enough = np.array([len(each.long) >= FEWEST_CRYSTALS for each in populations])
    common = np.where((common > 0) & enough[:, None] & enough, common, np.nan)
    means = np.stack([each.mean_of_largest(common[:, place]) for place, each in enumerate(populations)], axis=1)
    first, second = np.triu_indices(len(hours), 1)
    slopes = (means[:, second, first] - means[:, first, second]) / (hours[second] - hours[first])  # (draws, pairs)
    neighbours = {int(after): slopes[:, pair] for pair, after in enumerate(second) if after == first[pair] + 1}
    nothing = np.full(len(slopes), np.nan)
    since = [neighbours.get(place, nothing) for place in range(len(hours))]
    return Growth(a_hour=_median_of(slopes), since_before=tuple(interval(float(each[0]), each[1:]) for each in since))


def _median_of(slopes: Floats) -> Interval:
    """Return the median of slopes (draws, pairs), of those that are known; NaN where too few times have crystals."""
    known = ~np.isnan(slopes[0])
    if known.sum() < FEWEST_TIMES:
        return Interval(float("nan"), float("nan"), float("nan"))
    rows = slopes[:, known]
    medians = np.median(rows[~np.isnan(rows).any(axis=1)], axis=1)
    return interval(float(medians[0]), medians[1:])


def trends(populations: Sequence[Population], concentrations: Concentrations | None) -> list[Trend]:
    """Return the trend of each figure, with its correlation with a concentration where one is told."""
    hours = np.array([each.hours for each in populations])
    dissolved = None if concentrations is None else interpolated(concentrations, hours)
    drawn = series_of(populations)
    tests = {name: _mann_kendall(name, populations) for name in drawn}
    corrected = corrected_for_many([p for _, p in tests.values()])
    found = []
    for (name, values), p_corrected in zip(drawn.items(), corrected, strict=True):
        pearson, spearman = _correlations(values, dissolved)
        figures = {"a_hour": _rate(hours, values), "pearson": pearson, "spearman": spearman}
        tau, p = tests[name]
        found.append(Trend(measure=name, hours=hours, drawn=values, tau=tau, p=p, p_corrected=p_corrected, **figures))
    return found


def _rate(hours: Floats, values: Floats) -> Interval:
    from scipy.stats import theilslopes

    slopes = np.full(len(values), np.nan)
    for number, row in enumerate(values):
        known = ~np.isnan(row)
        if known.sum() >= FEWEST_TIMES:
            slopes[number] = theilslopes(row[known], hours[known]).slope
    return interval(float(slopes[0]), slopes[1:])


def _mann_kendall(measure: str, populations: Sequence[Population]) -> tuple[float, float]:
    """Return Kendall's tau against time and its probability, of frames where a frame has such a figure."""
    from scipy.stats import kendalltau

    hours = np.repeat([each.hours for each in populations], [each.frames for each in populations])
    values = np.concatenate([_of_frames(measure, each) for each in populations])
    known = ~np.isnan(values)
    if len(set(hours[known])) < FEWEST_TIMES or len(set(values[known])) < 2:
        return float("nan"), float("nan")
    found = kendalltau(hours[known], values[known])
    return float(found.statistic), float(found.pvalue)


def _of_frames(measure: str, population: Population) -> Floats:
    if measure == COUNT:
        return population.of_frames(lambda weights, _: float(weights.sum()), population.long)
    if measure == AREA:
        return population.of_frames(lambda weights, values: float(weights @ values), population.area)
    return population.of_frames(_median, MEDIANS[measure](population))


def _median(weights: Floats, values: Floats) -> float:
    order = np.argsort(values, kind="stable")
    return float(weighted_quantile(values[order], weights[None, order], 0.5)[0]) if len(order) else float("nan")


def interpolated(concentrations: Concentrations, hours: Floats) -> Floats:
    """Return the concentration at `hours` (T,) on straight lines between measurements; NaN before and after them."""
    outside = {"left": float("nan"), "right": float("nan")}
    return np.asarray(np.interp(hours, concentrations.hours, concentrations.values, **outside))


def _correlations(values: Floats, dissolved: Floats | None) -> tuple[Interval, Interval]:
    """Return Pearson's and Spearman's correlation, over times, of figures (draws, T) with a concentration (T,)."""
    from scipy.stats import rankdata

    nothing = Interval(float("nan"), float("nan"), float("nan"))
    if dissolved is None:
        return nothing, nothing
    known = ~np.isnan(dissolved) & ~np.isnan(values[0])
    if known.sum() < FEWEST_TIMES:
        return nothing, nothing
    rows, others = values[:, known], dissolved[known]
    rows = rows[~np.isnan(rows).any(axis=1)]
    linear = _correlation(rows, others)
    ranked = _correlation(rankdata(rows, axis=1), rankdata(others))
    return interval(float(linear[0]), linear[1:]), interval(float(ranked[0]), ranked[1:])


def _correlation(rows: Floats, others: Floats) -> Floats:
    """Return the correlation of each row (R, T) with others (T,), NaN where either does not change."""
    away, other_away = rows - rows.mean(axis=1, keepdims=True), others - others.mean()
    size = np.sqrt((away**2).sum(axis=1) * (other_away**2).sum())
    return np.asarray((away @ other_away) / np.where(size > 0, size, np.nan))


def changes(populations: Sequence[Population]) -> list[Change]:
    """Return Kolmogorov-Smirnov tests of the sizes of neighbouring times, of crystals wholly in a frame, each once."""
    from scipy.stats import ks_2samp

    found = []
    for before, after in pairwise(populations):
        for name, of in MEDIANS.items():
            one, other = of(before), of(after)
            fewest, most = sorted((len(one), len(other)))
            tested = (
                ks_2samp(one, other, method="exact" if most <= EXACT_UP_TO else "asymp")
                if fewest >= FEWEST_CRYSTALS
                else None
            )
            distance, p = (float(tested.statistic), float(tested.pvalue)) if tested else (float("nan"),) * 2
            found.append((before.hours, after.hours, name, distance, p))
    corrected = corrected_for_many([each[-1] for each in found])
    return [
        Change(before=before, after=after, measure=name, distance=distance, p=p, p_corrected=p_corrected)
        for (before, after, name, distance, p), p_corrected in zip(found, corrected, strict=True)
    ]


def corrected_for_many(probabilities: Sequence[float]) -> list[float]:
    """Return probabilities as Benjamini and Hochberg correct them; those of tests that were not made stay NaN."""
    from scipy.stats import false_discovery_control

    values = np.array(probabilities, np.float64)
    known = ~np.isnan(values)
    if known.any():
        values[known] = false_discovery_control(values[known], method="bh")
    return [float(each) for each in values]
