"""A crystallization whose course is known: crystals nucleate and grow, and use up what is dissolved.

All crystals grow at the same speed at a time, in proportion to the supersaturation that is left, whatever their size
(McCabe 1929); each has a factor of its own for it (growth dispersion) and keeps its shape. Nucleation goes with a power
of the supersaturation. What is dissolved falls by what crystals take up (population balance: Randolph and Larson 1988).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from crystal_search.errors import UserError
from crystal_search.known_names import check_among
from crystal_search.synthesis.polyhedra import Array

STEPS, ROUNDS = 400, 80  #: of the grid of times; until law and concentration agree
SEED_PX, SEED_SPREAD = 12.0, 0.2  #: long sides of seeds; their standard deviation, of the logarithm
DISPERSION = 0.1  #: standard deviation of the logarithm of a crystal's own factor
RATIO, RATIO_SPREAD, RATIO_RANGE = (
    3.5,
    0.25,
    (1.1, 11.0),
)  #: long side over short side: median, of the logarithm, limits
START, SATURATED = 10.0, 1.0  #: concentration of what crystallizes, g/l: at the start, and when nothing grows any more


@dataclass(frozen=True, slots=True)
class Nucleation:
    """How crystals come about."""

    seeds: float  #: share of them that is there at the start
    order: float  #: power of the supersaturation with which the others come


NUCLEATIONS = {"seeded": Nucleation(1.0, 1.0), "burst": Nucleation(0.0, 25.0), "steady": Nucleation(0.0, 1.0)}


@dataclass(frozen=True, kw_only=True)  # no slots: the course is remembered
class GrowthLaw:
    """An experiment from its start to its last hour.

    Raises
    ------
    UnknownNameError
        If there is no such nucleation.
    UserError
        If a number is out of its range.
    """

    hours: float  #: until the end
    crystals: float  #: in a frame at the end, in the mean
    growth_px_per_hour: float  #: of long sides, at the start
    depletion: float = 0.8  #: part of the supersaturation that is used up at the end
    nucleation: str = "burst"  #: one of `NUCLEATIONS`

    def __post_init__(self) -> None:
        check_among(NUCLEATIONS, self.nucleation, "nucleation")
        if not 0 <= self.depletion < 1:
            raise UserError(f"the depletion is {self.depletion:g}; give a part from 0 to below 1")
        if min(self.hours, self.crystals, self.growth_px_per_hour) <= 0:
            raise UserError("hours, crystals and growth must be above 0")

    @cached_property
    def _grid(self) -> Array:
        return np.linspace(0, self.hours, STEPS + 1)

    @cached_property
    def _course(self) -> tuple[Array, Array, Array]:
        """Supersaturation left, (STEPS + 1,), from 1; growth since the start, px; share of crystals born by then."""
        kind, step = NUCLEATIONS[self.nucleation], self.hours / STEPS
        left = np.ones(STEPS + 1)
        for _ in range(ROUNDS):
            grown = self.growth_px_per_hour * step * _summed(left)
            born = _summed(left**kind.order)
            born = kind.seeds + (1 - kind.seeds) * born / born[-1]
            size = np.maximum(grown[:, None] - grown[None, 1:], 0)  # (times, births)
            volume = kind.seeds * (SEED_PX + grown) ** 3 + (size**3 * np.diff(born)).sum(axis=1)
            used = self.depletion * (volume - volume[0]) / (volume[-1] - volume[0])
            left = (left + 1 - used) / 2
        return left, grown, born

    def supersaturation(self, hours: float) -> float:
        """Return what is left of the supersaturation, from 1 to 0."""
        return float(np.interp(hours, self._grid, self._course[0]))

    def concentration(self, hours: float) -> float:
        """Return what is dissolved, g/l."""
        return SATURATED + (START - SATURATED) * self.supersaturation(hours)

    def grown_px(self, hours: float | Array) -> Array:
        """Return by how much the long side of a crystal has grown since the start, which was there from the start."""
        return np.asarray(np.interp(hours, self._grid, self._course[1]))

    def expected(self, hours: float) -> float:
        """Return how many crystals of a frame are born by then, in the mean."""
        return float(self.crystals * np.interp(hours, self._grid, self._course[2]))

    def population(self, rng: np.random.Generator, hours: float, frames: int = 1) -> "Population":
        """Return the crystals in frames that are taken at a time, each frame anew from the suspension."""
        count, seeds = int(rng.poisson(self.crystals * frames)), NUCLEATIONS[self.nucleation].seeds
        share = rng.random(count)
        begun = np.interp(share, self._course[2], self._grid)
        is_seed = share < seeds
        first = np.where(is_seed, SEED_PX * np.exp(SEED_SPREAD * rng.normal(size=count)), 0.0)
        since = self.grown_px(hours) - np.where(is_seed, 0.0, self.grown_px(begun))
        own = np.exp(DISPERSION * rng.normal(size=count) - DISPERSION**2 / 2)
        ratio = np.clip(RATIO * np.exp(RATIO_SPREAD * rng.normal(size=count)), *RATIO_RANGE)
        there = is_seed | (begun <= hours)
        long = (first + own * since)[there]
        return Population(frame=rng.integers(0, frames, count)[there], long_px=long, ratio=ratio[there])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Population:
    """Crystals of some frames, one a row."""

    frame: NDArray[np.int64]  #: (n,), from 0
    long_px: Array  #: (n,)
    ratio: Array  #: (n,), long side over short side

    @property
    def area_px2(self) -> Array:
        """The areas of their rectangles, (n,)."""
        return self.long_px**2 / self.ratio


def _summed(values: Array) -> Array:
    """Return integrals from the first value on, in steps of 1, by trapezoids; the first is 0."""
    return np.concatenate(([0.0], np.cumsum((values[1:] + values[:-1]) / 2)))
