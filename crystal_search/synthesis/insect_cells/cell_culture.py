"""Which insect cells are in an image: how many, where, how large, healthy or infected.

A culture is what all cells of an image have in common. High Five cells are about 15 to 22 micrometres wide; infected
ones swell and round off, and their nucleus fills most of them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.synthesis.polyhedra import Array
from crystal_search.synthesis.seeds import log_uniform

FIELD_UM = 300.0  #: side of the field of view; Kardoost et al. (2024), section 2.3
CELL_COUNT, RADIUS_UM, RADIUS_SPREAD = (24, 210), (7.2, 10.8), (0.06, 0.16)
CLUMPED_SHARE = (0.0, 0.8)  #: of cells, that lie against another one
CLOSEST = 0.94  #: distance of two cells over the sum of their radii
BEYOND_UM = 9.0  #: how far outside of the field a centre may lie
PLACES_TRIED = 40
INFECTED_SHARE = (0.55, 1.0)
RARE_SHARE, RARE_INFECTED = 0.15, (0.02, 0.4)  #: of cultures in which few cells are infected
LYSED_SHARE = (0.0, 0.12)
SWOLLEN = 1.12  #: an infected cell over a healthy one
WAVES = 6  #: of a contour, from two to a turn
ROUGH_HEALTHY, ROUGH_INFECTED, ROUGH_LYSED = 0.075, 0.035, 0.13  #: amplitude of a contour's waves, of the radius
CELL_INDEX = (0.02, 0.05)  #: refractive index of a cell over that of the medium


@dataclass(frozen=True, slots=True)
class Culture:
    """What the cells of an image have in common."""

    cells: int  #: that are looked for a place
    radius: float  #: median, um
    spread: float  #: standard deviation of the radii's logarithm
    clumped: float  #: share of cells that lie against another one
    infected: float  #: share
    lysed: float  #: share of the infected ones
    flatness: float  #: height of a cell over its width
    index: float  #: refractive index over that of the medium


@dataclass(frozen=True, slots=True, eq=False)
class InsectCells:
    """The cells of an image, one a row; the lowest point of each lies at depth 0, on the bottom of the dish."""

    centres: Array  #: (N, 2), row and column, um; some lie a little outside of the field
    radius: Array  #: (N,), um
    height: Array  #: (N,), um
    power: Array  #: (N,), of the profile: thickness is height (1 - u^2)^power
    amplitudes: Array  #: (N, WAVES), of the contour's waves, over the radius
    phases: Array  #: (N, WAVES), radians
    index: Array  #: (N,), refractive index over that of the medium
    infected: NDArray[np.bool_]  #: (N,)
    lysed: NDArray[np.bool_]  #: (N,); what is left of dead cells, all of them infected

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.radius)

    @property
    def states(self) -> tuple[str, ...]:
        """What each cell is: healthy, infected or lysed."""
        dead = np.where(self.lysed, "lysed", "infected")
        return tuple(np.where(self.infected, dead, "healthy").tolist())

    def contour(self, turns: Array) -> Array:
        """Return how far the contours reach, (N, T), in directions (T,) from columns towards rows, radians."""
        waves = np.arange(2, WAVES + 2)
        swing = np.cos(waves * turns[:, None] + self.phases[:, None, :])  # (N, T, WAVES)
        return np.asarray(self.radius[:, None] * (1 + (self.amplitudes[:, None, :] * swing).sum(axis=2)))


def drawn_culture(rng: np.random.Generator) -> Culture:
    """Return a random culture."""
    rare = rng.random() < RARE_SHARE
    return Culture(
        cells=int(log_uniform(rng, *CELL_COUNT)),
        radius=rng.uniform(*RADIUS_UM),
        spread=rng.uniform(*RADIUS_SPREAD),
        clumped=rng.uniform(*CLUMPED_SHARE),
        infected=rng.uniform(*(RARE_INFECTED if rare else INFECTED_SHARE)),
        lysed=rng.uniform(*LYSED_SHARE),
        flatness=rng.uniform(0.45, 0.85),
        index=rng.uniform(*CELL_INDEX),
    )


def drawn_cells(rng: np.random.Generator, culture: Culture) -> InsectCells:
    """Return the cells of an image; those that find no place are left out."""
    infected = rng.random(culture.cells) < culture.infected
    radius = culture.radius * np.exp(rng.normal(0, culture.spread, culture.cells)) * np.where(infected, SWOLLEN, 1.0)
    centres = _placed(rng, radius, culture.clumped)
    there = ~np.isnan(centres[:, 0])
    centres, radius, infected = centres[there], radius[there], infected[there]
    count = len(radius)
    lysed = infected & (rng.random(count) < culture.lysed)
    rough = np.where(lysed, ROUGH_LYSED, np.where(infected, ROUGH_INFECTED, ROUGH_HEALTHY))
    swings = rng.exponential(1.0, (count, WAVES)).clip(max=2.5) / np.arange(1, WAVES + 1)
    return InsectCells(
        centres=centres,
        radius=radius,
        height=2 * radius * culture.flatness * rng.uniform(0.85, 1.15, count) * np.where(lysed, 0.6, 1.0),
        power=rng.uniform(0.45, 0.8, count),
        amplitudes=swings * rough[:, None],
        phases=rng.uniform(0, 2 * np.pi, (count, WAVES)),
        index=culture.index * rng.uniform(0.8, 1.25, count) * np.where(lysed, 0.4, 1.0),
        infected=infected,
        lysed=lysed,
    )


def _placed(rng: np.random.Generator, radius: Array, clumped: float) -> Array:
    """Return where cells lie, (N, 2) row and column, um; NaN where there was no place."""
    centres = np.full((len(radius), 2), np.nan)
    for number, mine in enumerate(radius):
        for _ in range(PLACES_TRIED):
            there = np.flatnonzero(~np.isnan(centres[:number, 0]))
            place = rng.uniform(-BEYOND_UM, FIELD_UM + BEYOND_UM, 2)
            if len(there) and rng.random() < clumped:
                other = int(rng.choice(there))
                turn = rng.uniform(0, 2 * np.pi)
                far = (mine + radius[other]) * rng.uniform(CLOSEST, 1.08)
                place = centres[other] + far * np.array([np.sin(turn), np.cos(turn)])
            gaps = np.hypot(*(centres[there] - place).T) / (radius[there] + mine)
            inside = (np.abs(place - FIELD_UM / 2) <= FIELD_UM / 2 + BEYOND_UM).all()
            if inside and (gaps >= CLOSEST).all():
                centres[number] = place
                break
    return centres
