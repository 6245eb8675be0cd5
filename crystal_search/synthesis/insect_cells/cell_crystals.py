"""Crystals that grew in insect cells: a long one that sticks out, or a cluster of small hexagonal ones.

The two kinds are those of Kardoost et al. (2024), section 3: target G, one rod a cell, up to 140 micrometres long, at
the bottom of the cell; target H, small crystals with a hexagonal cross-section, many to a cell, turned in any way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from crystal_search.known_names import among
from crystal_search.synthesis.insect_cells.cell_culture import InsectCells
from crystal_search.synthesis.polyhedra import HABITS, Array, Body, corners_of, polyhedron, rotation
from crystal_search.synthesis.seeds import log_uniform

LONG, CLUSTERED = "long", "clustered"  #: kinds
EFFICIENCY = {LONG: (0.6, 1.0), CLUSTERED: (0.5, 1.0)}  #: share of infected cells with crystals
LONGEST_UM, MEDIAN_LENGTH_UM, LENGTH_SPREAD = 140.0, (22.0, 55.0), 0.35
ROD_WIDTH_UM = (1.8, 6.0)
BOX_SHARE = 0.8  #: of rods; the others have six sides
JITTER = 0.05  #: of the places of faces
SECOND_ROD_SHARE = 0.04  #: of cells with a rod
HEADINGS_TRIED = 5
MEAN_CLUSTER, LARGEST_CLUSTER = (1.0, 5.0), 12  #: crystals a cell, beside the first
HEXAGONAL_UM = (1.8, 8.0)  #: widths
BIPYRAMID_SHARE = 0.2
APART, PLACES_TRIED = 0.6, 12  #: distance of such crystals over the sum of how far they reach; where it is looked for
WITHIN = 0.9  #: of the contour, that a crystal of a cluster keeps within
MOST_OF_CELL = 0.62  #: of a cell's radius, that such a crystal reaches at most
CRYSTAL_INDEX = (0.025, 0.11)  #: refractive index of crystals over that of the cell
MOST_PATH_UM = 0.35  #: that crystals of the usual size add; thicker ones have a lower index


@dataclass(frozen=True, slots=True, eq=False)
class CellCrystal:
    """One crystal, and the cell that it grew in."""

    cell: int  #: row of the cells
    kind: str  #: long or clustered
    body: Body  #: in um
    centre: Array  #: (3,): row, column, depth, um
    half_axes: Array  #: (3,): the last along its own axis, um

    @property
    def heading(self) -> float:
        """The angle of its own axis in the image, from columns towards rows, radians."""
        return float(np.arctan2(self.body.axis[0], self.body.axis[1]))


@dataclass(frozen=True, slots=True)
class Growth:
    """What the crystals of an image have in common."""

    efficiency: float  #: share of infected cells with crystals
    index: float  #: refractive index over that of the cell
    length: float  #: median length of rods, um
    width: float  #: median width of rods, um
    cluster: float  #: mean number of crystals of a cluster, beside the first
    size: float  #: median width of clustered crystals, um
    stretch: float  #: length of clustered crystals over their width


def drawn_growth(rng: np.random.Generator, kind: str) -> Growth:
    """Return how the crystals of a culture grew."""
    width, size = log_uniform(rng, *ROD_WIDTH_UM), log_uniform(rng, *HEXAGONAL_UM)
    return Growth(
        efficiency=rng.uniform(*EFFICIENCY[kind]),
        index=min(rng.uniform(*CRYSTAL_INDEX), MOST_PATH_UM / (width if kind == LONG else size)),
        length=log_uniform(rng, *MEDIAN_LENGTH_UM),
        width=width,
        cluster=rng.uniform(*MEAN_CLUSTER),
        size=size,
        stretch=rng.uniform(0.7, 1.6),
    )


@cache
def _reach(habit: str) -> Array:
    """Return how far a habit reaches along row, column and depth, (3,)."""
    return np.asarray(np.abs(corners_of(*HABITS[habit])).max(axis=0))


def _body(rng: np.random.Generator, habit: str, half_axes: Array, turned: Array) -> Body:
    """Return a body that reaches `half_axes` (3,) along its own axes, turned."""
    return polyhedron(rng, habit, half_axes / _reach(habit), turned, JITTER)


def _along(heading: float, lean: float, roll: float) -> Array:
    """Return the turn that brings a body's own axis, depth, to `heading`, leaning out of the image by `lean`."""
    axis = np.array([np.sin(heading) * np.cos(lean), np.cos(heading) * np.cos(lean), np.sin(lean)])
    side = np.array([np.cos(heading), -np.sin(heading), 0.0])
    up = np.cross(axis, side)
    first = np.cos(roll) * side + np.sin(roll) * up
    return np.stack([first, np.cross(axis, first), axis], axis=1)


def _rod(rng: np.random.Generator, cells: InsectCells, number: int, growth: Growth) -> list[CellCrystal]:
    """Return the rod of a cell, seldom two: they lie near its bottom, and their middles in it."""
    found = []
    for _ in range(1 + (rng.random() < SECOND_ROD_SHARE)):
        width = 2 * cells.radius[number]
        length = float(np.clip(growth.length * np.exp(rng.normal(0, LENGTH_SPREAD)), 0.9 * width, LONGEST_UM))
        across = min(growth.width * rng.uniform(0.7, 1.35), length / 3, 0.6 * cells.height[number])
        half_axes = np.array([across / 2, across * rng.uniform(0.35, 0.6), length / 2])
        offset = rng.normal(0, 0.22 * length) * (1 if rng.random() < 0.7 else 0.2)
        offset = float(np.clip(offset, -0.5 * length + 0.5 * width, 0.5 * length - 0.5 * width))
        heading = _free_heading(rng, cells, number, (length, offset))
        turned = _along(heading, rng.normal(0, 0.02), rng.uniform(0, np.pi))
        body = _body(rng, "box" if rng.random() < BOX_SHARE else "hexagonal prism", half_axes, turned)
        place = cells.centres[number] + offset * np.array([np.sin(heading), np.cos(heading)])
        depth = across * 0.5 + rng.exponential(0.5)
        found.append(CellCrystal(number, LONG, body, np.array([*place, depth]), half_axes))
    return found


def _free_heading(rng: np.random.Generator, cells: InsectCells, number: int, rod: tuple[float, float]) -> float:
    """Return a heading in which a rod, of a length and an offset, meets few other cells."""
    length, offset = rod
    steps = np.linspace(-length / 2, length / 2, 15) + offset
    others = np.delete(np.arange(len(cells)), number)
    headings = rng.uniform(0, 2 * np.pi, HEADINGS_TRIED)
    met = []
    for heading in headings:
        points = cells.centres[number] + steps[:, None] * np.array([np.sin(heading), np.cos(heading)])  # (15, 2)
        far = np.linalg.norm(points[:, None] - cells.centres[others], axis=2)  # (15, others)
        met.append(int((far < cells.radius[others]).sum()))
    return float(headings[int(np.argmin(met))])


def _cluster(rng: np.random.Generator, cells: InsectCells, number: int, growth: Growth) -> list[CellCrystal]:
    """Return the small crystals of a cell: near each other, within its contour, none hidden by others."""
    count = 1 + min(int(rng.poisson(growth.cluster * rng.exponential(1.0))), LARGEST_CLUSTER - 1)
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    narrowest = float(cells.contour(turns)[number].min()) * WITHIN
    hub = rng.normal(0, 0.3, 2) * narrowest
    found: list[CellCrystal] = []
    taken: list[tuple[Array, float]] = []
    for _ in range(count):
        body, half_axes = _hexagonal(rng, growth, MOST_OF_CELL * narrowest)
        reach = float(np.hypot(*corners_of(body.normals, body.distances)[:, :2].T).max())
        away = _beside(rng, hub, taken, reach, max(narrowest - reach, 0.0))
        if away is None:
            break
        taken.append((away, reach))
        centre = np.array([*(cells.centres[number] + away), rng.uniform(0.25, 0.75) * cells.height[number]])
        found.append(CellCrystal(number, CLUSTERED, body, centre, half_axes))
    return found


def _hexagonal(rng: np.random.Generator, growth: Growth, most: float) -> tuple[Body, Array]:
    """Return a small crystal that is turned at random and reaches at most about `most`, and its half axes; um."""
    size = min(growth.size * log_uniform(rng, 0.65, 1.5) / 2, most / max(1.0, growth.stretch))
    half_axes = np.array([size, size, size * growth.stretch * rng.uniform(0.8, 1.25)])
    habit = "hexagonal bipyramid" if rng.random() < BIPYRAMID_SHARE else "hexagonal prism"
    return _body(rng, habit, half_axes, rotation(rng)), half_axes


def _beside(
    rng: np.random.Generator, hub: Array, taken: Sequence[tuple[Array, float]], reach: float, farthest: float
) -> Array | None:
    """Return a place, from the cell's middle, beside those that are taken, None where there is no room; um."""
    spread = reach * (0.6 + 0.6 * np.sqrt(len(taken)))
    for _ in range(PLACES_TRIED):
        away = hub + rng.normal(0, spread, 2)
        away = away * min(1.0, farthest / max(float(np.hypot(*away)), 1e-9))
        if all(np.hypot(*(away - other)) >= APART * (reach + its) for other, its in taken):
            return np.asarray(away)
    return None


Grow = Callable[[np.random.Generator, InsectCells, int, Growth], list[CellCrystal]]
KINDS: dict[str, Grow] = {LONG: _rod, CLUSTERED: _cluster}
#: What a culture is made to express: the kinds of crystals in its images.
TARGETS: dict[str, tuple[str, ...]] = {
    "long": (LONG,),
    "clustered": (CLUSTERED,),
    "both": (LONG, CLUSTERED),
    "none": (),
}


def drawn_crystals(
    rng: np.random.Generator, cells: InsectCells, target: str
) -> tuple[tuple[CellCrystal, ...], dict[str, Growth]]:
    """Return the crystals in cells, and how those of each kind grew; healthy cells have none.

    Raises
    ------
    UnknownNameError
        If there is no such target.
    """
    grown = {kind: drawn_growth(rng, kind) for kind in among(TARGETS, target, "target")}
    found: list[CellCrystal] = []
    for number in np.flatnonzero(cells.infected):
        for kind, growth in grown.items():
            if rng.random() < growth.efficiency / np.sqrt(len(grown)):
                found.extend(KINDS[kind](rng, cells, int(number), growth))
    return tuple(found), grown
