"""Where to shoot at crystals: points inside of them, the crystals that are best to hit first (numpy)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.crystal import Crystal
from crystal_search.crystals.boxes import unit_vectors
from crystal_search.errors import UserError
from crystal_search.polygons import Points, crosses, depths

MOST_POINTS = 10_000  #: of the grid over one crystal; a smaller spacing is a mistake
_LEAST_DEPTH_PX = 1e-6  #: a point on the outline is not inside


@dataclass(frozen=True, slots=True, kw_only=True)
class Shooting:
    """How points are laid on crystals, and which crystals come first."""

    spacing_px: float | None = None  #: between points of the grid on one crystal; None: one point a crystal
    margin_px: float = 0.0  #: from points of a grid to the outline, at least
    apart_px: float | None = None  #: gap from which on a crystal is alone; None: its own short side


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A point to shoot at, in stored pixels."""

    crystal: int  #: which of the crystals that were given, from 0
    row: float
    column: float
    depth_px: float  #: from there to the crystal's outline
    gap_px: float  #: from the crystal's outline to the nearest other one; infinite where there is none
    is_alone: bool  #: whether that is far enough for a beam to hit nothing else


def targets_of(crystals: Sequence[Crystal], shooting: Shooting | None = None) -> tuple[Target, ...]:
    """Return where to shoot at crystals, always inside of their outlines, in an order that the crystals alone decide.

    Crystals that are alone come first, then the others; among these the larger come first. The points of one crystal
    follow each other along its long side. A crystal without an outline is none to shoot at.

    Raises
    ------
    UserError
        If the spacing is so small that a crystal would get more than `MOST_POINTS`.
    """
    shooting = shooting or Shooting()
    there = [number for number, each in enumerate(crystals) if each.area_px2 > 0]
    gaps = gaps_between([crystals[number] for number in there])
    alone = [
        gap >= (crystals[number].short_px if shooting.apart_px is None else shooting.apart_px)
        for number, gap in zip(there, gaps, strict=True)
    ]
    order = sorted(
        range(len(there)), key=lambda at: (not alone[at], -crystals[there[at]].area_px2, crystals[there[at]].box)
    )
    return tuple(
        Target(crystal=there[at], row=row, column=column, depth_px=depth, gap_px=gaps[at], is_alone=alone[at])
        for at in order
        for row, column, depth in points_on(crystals[there[at]], shooting)
    )


def points_on(crystal: Crystal, shooting: Shooting) -> list[tuple[float, float, float]]:
    """Return row, column and depth of the points on one crystal.

    They are a square grid along the long side, as far as it lies in the outline and far enough from that; the grid goes
    through the middle, or lies half a spacing beside it along one side or both, whichever has more points. Where no
    point of it does, and without a spacing, it is the middle alone.
    """
    outline, middle = np.array(crystal.outline), np.array(crystal.middle)
    grid = np.empty((0, 2))
    if shooting.spacing_px is not None:
        axes = unit_vectors(crystal.angle_rad + np.array([0, np.pi / 2]))  # (2, 2): along, across
        grid = _fullest(outline, middle, shooting.spacing_px * axes, max(shooting.margin_px, _LEAST_DEPTH_PX))
    points = grid if len(grid) else middle[None]
    return [(row, column, deep) for row, column, deep in np.column_stack((points, depths(outline, points))).tolist()]


def _fullest(outline: Points, middle: Points, steps: Points, least_depth: float) -> Points:
    """Return as many points (N, 2) as can be of a grid of `steps` (2, 2), along and across, that lie deep enough."""
    reach = np.abs((outline - middle) @ steps.T / (steps**2).sum(axis=1)).max(axis=0)  # steps to the farthest corner
    counts = np.ceil(reach).astype(int) + 1
    if np.prod(2.0 * counts + 1) > MOST_POINTS:
        spacing = float(np.hypot(*steps[0]))
        raise UserError(
            f"points {spacing:g} px apart are more than {MOST_POINTS} on one crystal; name a larger spacing"
        )
    along, across = np.meshgrid(*(np.arange(-count, count + 1) for count in counts), indexing="ij")
    whole = np.stack((along, across), axis=-1).reshape(-1, 2)
    grids = [middle + (whole + beside) @ steps for beside in ((0, 0), (0.5, 0), (0, 0.5), (0.5, 0.5))]
    kept = [grid[depths(outline, grid) >= least_depth] for grid in grids]
    return max(kept, key=len)


def gaps_between(crystals: Sequence[Crystal]) -> list[float]:
    """Return how far each crystal's outline is from the nearest other one, px; 0 where two overlap, else infinite."""
    outlines = [np.array(each.outline) for each in crystals]
    middles = np.array([each.middle for each in crystals]).reshape(-1, 2)
    radii = np.array(
        [np.hypot(*(outline - middle).T).max() for outline, middle in zip(outlines, middles, strict=True)]
    ).reshape(-1)
    return [_nearest(number, outlines, middles, radii) for number in range(len(outlines))]


def _nearest(number: int, outlines: Sequence[Points], middles: Points, radii: NDArray[np.float64]) -> float:
    """Return the smallest gap of an outline, looking only at others that circles around them allow to be nearer."""
    at_least = np.hypot(*(middles - middles[number]).T) - radii - radii[number]
    found = np.inf
    for other in np.argsort(at_least, kind="stable").tolist():
        if other == number:
            continue
        if at_least[other] >= found:
            break
        found = min(found, _gap(outlines[number], outlines[other]))
    return float(found)


def _gap(one: Points, other: Points) -> float:
    """Return how far two polygons are apart; 0 where they overlap."""
    nearest = min(-depths(other, one).max(), -depths(one, other).max())
    return 0.0 if nearest <= 0 or crosses(one, other) else float(nearest)
