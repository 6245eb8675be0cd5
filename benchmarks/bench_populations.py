"""``python -m benchmarks.bench_populations``: how well growth and correlation of played experiments are found.

Experiments of a known course (docs/populations.md), 8 times of 10 frames of 384 x 384 px, with 50, 20 and 5 crystals
a frame at the end; crystals of less than 24 px^2 are not seen. Detectors are played: a perfect one, one that misses
small crystals, one that is unsure of sides, one that sees crystals where there are none.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import ks_2samp, theilslopes

from crystal_search.metrics import Floats
from crystal_search.populations import population, trends
from crystal_search.populations.crystal_frames import Frame
from crystal_search.populations.frame_tests import FEWEST_CRYSTALS, kolmogorov_smirnov
from crystal_search.populations.times import Concentrations
from crystal_search.synthesis.suspension.growth_law import NUCLEATIONS, GrowthLaw

HOURS, FRAMES, SIDE_PX, SEEN_PX2 = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0), 10, 384.0, 24.0
MISSED_PX2, MISSED_SPREAD = 60.0, 0.4  #: area at which half of the crystals are missed; of the logarithm
UNSURE = 0.1  #: standard deviation of the logarithms of sides
FALSE_A_FRAME, FALSE_PX = 2.0, (5.0, 40.0)  #: false crystals in a frame, in the mean; their long sides, log-uniform

HEADINGS = (
    *("crystals come", "a frame", "detector", "growth: mean error", "scatter", "within 10 %"),
    *("median: mean error", "Pearson: true", "mean error", "largest"),
)
Played = Callable[
    [np.random.Generator, Floats], Floats
]  #: from sides (n, 2) that are there to sides (m, 2) that are told


def perfect(_: np.random.Generator, sides: Floats) -> Floats:
    """Return all as they are."""
    return sides


def blind_for_small_ones(rng: np.random.Generator, sides: Floats) -> Floats:
    """Return crystals, the small ones often missing."""
    away = (np.log(sides.prod(axis=1)) - np.log(MISSED_PX2)) / MISSED_SPREAD
    return np.asarray(sides[rng.random(len(sides)) < 1 / (1 + np.exp(-away))])


def unsure_of_sides(rng: np.random.Generator, sides: Floats) -> Floats:
    """Return crystals with sides a tenth too long or too short."""
    return np.asarray(sides * np.exp(UNSURE * rng.normal(size=sides.shape)))


def fanciful(rng: np.random.Generator, sides: Floats) -> Floats:
    """Return crystals with some among them that are none."""
    long = np.exp(rng.uniform(np.log(FALSE_PX[0]), np.log(FALSE_PX[1]), int(rng.poisson(FALSE_A_FRAME))))
    return np.concatenate((sides, np.column_stack((long, long / 3))))


DETECTORS: dict[str, Played] = {
    "perfect": perfect,
    "misses half at 60 px²": blind_for_small_ones,
    "sides unsure by 10 %": unsure_of_sides,
    "2 false ones a frame": fanciful,
}


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of one experiment."""

    growth_error: float  #: over the true growth, less 1
    median_error: float  #: of the slope of the median, likewise
    pearson_error: float  #: of the area with the concentration, less that of a thousand times as many crystals


def experiment(
    law: GrowthLaw, detector: Played, seed: int, frames: int = FRAMES, *, always: float | None = None
) -> list[population.Population]:
    """Return the populations that a played detector tells of an experiment, or of its course at one hour `always`."""
    rng = np.random.default_rng(seed)
    told, hours = [], []
    for hour in HOURS:
        there = law.population(rng, hour if always is None else always, frames)
        for number in range(frames):
            which = (there.frame == number) & (there.area_px2 >= SEEN_PX2)
            long = there.long_px[which]
            sides = detector(rng, np.column_stack((long, long / there.ratio[which])))
            sides = np.sort(sides, axis=1)[:, ::-1]
            places = rng.uniform(0, SIDE_PX, (len(sides), 2))
            boxes = np.column_stack((places, sides, rng.uniform(0, np.pi, len(sides))))
            told.append(Frame(path="", boxes=boxes, height_px=SIDE_PX, width_px=SIDE_PX))
            hours.append(hour)
    return population.populations_of(told, hours, 1.0)


def dissolved(law: GrowthLaw) -> Concentrations:
    """Return the concentrations of an experiment."""
    hours = np.linspace(0, law.hours, 25).tolist()
    return Concentrations(hours=tuple(hours), values=tuple(map(law.concentration, hours)), unit="g/l")


def pearson(there: Sequence[population.Population], law: GrowthLaw) -> tuple[float, float]:
    """Return the correlation of the crystals' area with the concentration, and the slope of their median length."""
    found = {each.measure: each for each in trends.trends(there, dissolved(law))}
    return found[trends.AREA].pearson.value, found["long side, median"].a_hour.value


def judged(law: GrowthLaw, detector: Played, seed: int, expected: float) -> Found:
    """Return how far what is found of an experiment is from the truth."""
    there = experiment(law, detector, seed)
    known = [each.hours for each in there if len(each.long) >= FEWEST_CRYSTALS]
    true = theilslopes(law.grown_px(np.array(known)), known).slope
    correlation, median = pearson(there, law)
    return Found(trends.growth(there).a_hour.value / true - 1, median / true - 1, correlation - expected)


def print_how_often_intervals_hold(experiments: int) -> None:
    """Print how often the interval of the growth holds 0 where nothing grows, by frames a time."""
    population.DRAWS = 100
    law = GrowthLaw(hours=HOURS[-1], crystals=30, growth_px_per_hour=5, nucleation="seeded")
    for frames in (2, 10):
        found = [trends.growth(experiment(law, perfect, n, frames, always=6.0)).a_hour for n in range(experiments)]
        held = np.mean([each.low <= 0 <= each.high for each in found])
        print(f"{frames} frames a time: {held:.2f} of {experiments} intervals of the growth hold 0")


def print_how_often_one_population_differs(pairs: int = 300, crystals: int = 30, scatter: float = 0.1) -> None:
    """Print how often two times of one population are told to differ, whose frames scatter, by frames and crystals."""
    for frames in (3, 4, 5, 10):
        rng, found = np.random.default_rng(1), []
        for _ in range(pairs):
            one, other = (_scattering(rng, frames, crystals, scatter) for _ in range(2))
            by_frames = kolmogorov_smirnov(one, other, one.long, other.long)[1]
            found.append((by_frames, ks_2samp(one.long, other.long, method="asymp").pvalue))
        by_frames, by_crystals = (np.array(found) < 0.05).mean(axis=0).tolist()
        print(f"{frames} frames: p < 0.05 in {by_frames:.1%} by frames, {by_crystals:.1%} by crystals", flush=True)


def _scattering(rng: np.random.Generator, frames: int, crystals: int, scatter: float) -> population.Population:
    long = np.concatenate([rng.lognormal(3, 0.3, crystals) * np.exp(rng.normal(0, scatter)) for _ in range(frames)])
    frame, ones = np.repeat(np.arange(frames), crystals), np.ones(frames * crystals)
    return population.Population(hours=0.0, frames=frames, cut_off=0, frame=frame, weight=ones, long=long, short=ones)


def main() -> int:
    """Print a row for each kind of experiment and detector."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=30, help="of each kind (default: 30)")
    parser.add_argument("--intervals", action="store_true", help="tell how often intervals hold what is true")
    parser.add_argument("--differences", action="store_true", help="tell how often one population seems two")
    arguments = parser.parse_args()
    if arguments.differences:
        print_how_often_one_population_differs()
        return 0
    if arguments.intervals:
        print_how_often_intervals_hold(arguments.experiments)
        return 0
    population.DRAWS = 1  # figures alone are wanted, no intervals
    print(f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}")
    for nucleation in NUCLEATIONS:
        for crystals in (50, 20, 5):
            law = GrowthLaw(hours=10, crystals=crystals, growth_px_per_hour=5, nucleation=nucleation)
            expected, _ = pearson(experiment(law, perfect, 0, frames=2000 // crystals), law)
            for name, detector in DETECTORS.items():
                found = [judged(law, detector, seed, expected) for seed in range(arguments.experiments)]
                growth, median, correlation = (
                    np.array([getattr(each, field) for each in found])
                    for field in ("growth_error", "median_error", "pearson_error")
                )
                cells = (
                    *(nucleation, str(crystals), name, f"{growth.mean():+.3f}", f"{growth.std():.3f}"),
                    *(f"{(np.abs(growth) < 0.1).mean():.0%}", f"{median.mean():+.3f}", f"{expected:.3f}"),
                    *(f"{correlation.mean():+.3f}", f"{np.abs(correlation).max():.3f}"),
                )
                print(f"| {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
