"""Crystals of a stack of sections, joined to bodies with a volume.

Outlines in neighbouring sections are of the same crystal where they overlap enough; each has one in the section above
and one in that below at most, those that overlap most. A volume is the sum of areas times the step between sections.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.crystal import Crystal
from crystal_search.crystals.boxes import areas, outline_of, reaches, within_outline
from crystal_search.crystals.section_areas import SectionArea, around_edge

LEAST_OVERLAP = 0.4  #: area that two outlines share, over that of the smaller, from which on they are one crystal's


@dataclass(frozen=True, slots=True, kw_only=True)
class StackedCrystal:
    """One crystal in a stack."""

    first: int  #: the lowest section that shows it, from 0
    parts: tuple[Crystal, ...]  #: what sections show of it, from `first` upwards

    @property
    def largest(self) -> Crystal:
        """The part with the largest area."""
        return max(self.parts, key=lambda each: each.area_px2)

    def height_um(self, step_um: float) -> float:
        """How high it is, as far as sections a step apart tell."""
        return len(self.parts) * step_um

    def volume_um3(
        self, um_per_px: float, step_um: float, *, area: SectionArea = around_edge, pixel_px: float = 1.0
    ) -> float:
        """Its volume: areas times the step.

        Parameters
        ----------
        um_per_px, step_um
            How large a pixel is, and how far it is to the next section.
        area, pixel_px
            How areas are read from what a detector tells, and how large a pixel that it saw is, in stored ones.
        """
        return sum(area(each, pixel_px) for each in self.parts) * um_per_px**2 * step_um


def joined(
    sections: Sequence[Sequence[Crystal]], *, least_overlap: float = LEAST_OVERLAP
) -> tuple[StackedCrystal, ...]:
    """Return the crystals of a stack by the sections in which they begin.

    Parameters
    ----------
    sections
        What is found in each, from the bottom upwards.
    least_overlap
        Area that two outlines share, over that of the smaller one.
    """
    found: list[tuple[int, list[Crystal]]] = []
    open_ones: list[list[Crystal]] = []
    for number, section in enumerate(sections):
        goes_on = _pairs([parts[-1] for parts in open_ones], section, least_overlap)
        following: list[list[Crystal]] = []
        for place, crystal in enumerate(section):
            if place in goes_on:
                parts = open_ones[goes_on[place]]
                parts.append(crystal)
            else:
                parts = [crystal]
                found.append((number, parts))
            following.append(parts)
        open_ones = following
    return tuple(StackedCrystal(first=first, parts=tuple(parts)) for first, parts in found)


def _pairs(below: Sequence[Crystal], above: Sequence[Crystal], least: float) -> dict[int, int]:
    """Return for crystals above, by their place, the place of the one below that they go on from."""
    shared = _shared(below, above)  # (below, above)
    found: dict[int, int] = {}
    for place in np.argsort(-shared, axis=None, kind="stable").tolist():
        lower, upper = divmod(place, len(above))
        if shared[lower, upper] < least:
            break
        if upper not in found and lower not in found.values():
            found[upper] = lower
    return found


def _shared(below: Sequence[Crystal], above: Sequence[Crystal]) -> NDArray[np.float64]:
    """Return the area that hulls share over the smaller one's, (below, above)."""
    one, other = [_hull(each) for each in below], [_hull(each) for each in above]
    shares = np.zeros((len(one), len(other)))
    for lower, mine in enumerate(one):
        for upper, its in enumerate(other):
            if not len(mine) or not len(its):  # outlines that are a line
                continue
            apart = (mine.min(axis=0) > its.max(axis=0)) | (its.min(axis=0) > mine.max(axis=0))
            if not apart.any():
                both = within_outline(mine, its)
                smaller = min(float(areas(mine)), float(areas(its)))
                shares[lower, upper] = float(areas(both)) / smaller if smaller > 0 else 0.0
    return shares


def _hull(crystal: Crystal) -> NDArray[np.float64]:
    """Return a convex outline (P, 2) around a crystal."""
    points, middle = np.array(crystal.outline, np.float64), np.array([crystal.row, crystal.column])
    return outline_of(reaches(points[None], middle[None])[0], middle)
