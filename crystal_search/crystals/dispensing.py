"""Where to dispense into a drop: far from its border and from its crystals, after King et al. (2024), section 3.2.5.

Needs scipy, so that nothing which every client runs imports it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.crystal import Crystal
from crystal_search.errors import UserError
from crystal_search.polygons import covered, depths

#: Radius of the droplet of 2.5 nl that an Echo sends, um: what is nearer would be hit by it.
DROPLET_UM = 84.0
LARGEST_SIDE = 1024  #: of the grid on which distances are taken, where a mask is enlarged for it

Mask = NDArray[np.bool_]  #: (rows, columns)
Distances = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispensing:
    """What a place to dispense at must have."""

    least_px: float  #: to crystals and to the drop's border, at least, stored pixels
    spacing_px: float  #: between two places, at least
    most: int = 1  #: places, the one that is farthest from everything first


@dataclass(frozen=True, slots=True, kw_only=True)
class DispensingUm:
    """What a place to dispense at must have, in micrometres."""

    least_um: float = DROPLET_UM
    most: int = 1

    def in_px(self, um_per_px: float) -> Dispensing:
        """Return the same in pixels; places are as far apart as two droplets that touch."""
        return Dispensing(least_px=self.least_um / um_per_px, spacing_px=2 * self.least_um / um_per_px, most=self.most)

    def why_not(self, found: "Dispense", um_per_px: float) -> str:
        """Return why there is no place in a drop, for people."""
        if found.best is None:
            return "crystals cover the whole drop"
        best = found.best
        crystal = f"{best.to_crystal_px * um_per_px:.0f} um from a crystal and " if isfinite(best.to_crystal_px) else ""
        border = f"{best.to_border_px * um_per_px:.0f} um from the drop's border"
        return f"the best place is {crystal}{border}; wanted are {self.least_um:g} um"


@dataclass(frozen=True, slots=True, kw_only=True)
class DispensePoint:
    """A place to dispense at, in stored pixels."""

    row: float
    column: float
    to_border_px: float  #: to the nearest place that is no drop, or not in the image
    to_crystal_px: float  #: to the nearest outline of a crystal; infinite where there is none

    @property
    def clearance_px(self) -> float:
        """How far it is from anything that must not be hit."""
        return min(self.to_border_px, self.to_crystal_px)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispense:
    """Where to dispense, or why nowhere."""

    points: tuple[DispensePoint, ...] = ()
    best: DispensePoint | None = None  #: farthest from everything, also where it is too near
    refused: str = ""  #: why there is no point: `covered` or `too near`


def where_to_dispense(
    drop: Mask, crystals: Sequence[Crystal], rule: Dispensing, *, size_px: tuple[int, int]
) -> Dispense:
    """Return the places in a drop that are farthest from its border and from all crystals, the best first.

    The first is King's point: the pixel of the drop without its crystals that the exact Euclidean distance transform
    gives the highest value. The others are local maxima of it. Beyond the image is no drop: what lies there is unknown.

    Parameters
    ----------
    drop
        (rows, columns) of the whole image, at any size; it may have several parts, and holes.
    crystals
        In stored pixels.
    size_px
        Height and width of the image as stored.

    Raises
    ------
    UserError
        If scipy is not installed.
    """
    liquid = finer(drop, size_px)
    cell_px = size_px[1] / liquid.shape[1]  #: stored pixels, along both sides
    free = liquid & ~_taken(crystals, liquid.shape, cell_px)
    if not free.any():
        return Dispense(refused="covered")
    (top, left), reach = _reach(liquid)
    places = _local_maxima(distances(free[reach]))
    border = distances(liquid[reach])
    found: list[DispensePoint] = []
    for row, column in places:
        at = ((top + row + 0.5) * cell_px, (left + column + 0.5) * cell_px)
        if any(np.hypot(at[0] - each.row, at[1] - each.column) < rule.spacing_px for each in found):
            continue
        point = _point(at, float(border[row, column]) * cell_px, crystals)
        if point.clearance_px < rule.least_px:
            if not found:
                return Dispense(best=point, refused="too near")
            break
        found.append(point)
        if len(found) == rule.most:
            break
    return Dispense(points=tuple(found), best=found[0])


def distances(mask: Mask) -> Distances:
    """Return how far the centre of each pixel of a mask is from the nearest one outside, less the half of that one.

    Beyond the array is outside.

    >>> distances(np.ones((3, 3), bool)).tolist()
    [[0.5, 0.5, 0.5], [0.5, 1.5, 0.5], [0.5, 0.5, 0.5]]

    Raises
    ------
    UserError
        If scipy is not installed.
    """
    try:
        from scipy.ndimage import distance_transform_edt
    except ImportError as error:
        raise UserError("places to dispense at need scipy: pip install 'crystal-search[crystals]'") from error
    apart = np.asarray(distance_transform_edt(np.pad(mask, 1)), np.float64)[1:-1, 1:-1]
    return np.where(mask, apart - 0.5, 0.0)


def finer(mask: Mask, size_px: tuple[int, int]) -> Mask:
    """Return a mask of the whole image with smaller pixels, at most `LARGEST_SIDE` along a side and none below stored.

    A locator's pixel is several stored ones; small crystals would fall between their centres.
    """
    shrink = min(1.0, LARGEST_SIDE / max(size_px))
    height, width = (max(1, round(side * shrink)) for side in size_px)
    if max(mask.shape) >= max(height, width):
        return mask
    grey = Pillow.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(grey.resize((width, height), Pillow.Resampling.BILINEAR)) >= 128


def _reach(mask: Mask) -> tuple[tuple[int, int], tuple[slice, slice]]:
    """Return the first row and column of a mask that is not empty, and its part of the array: outside is nothing."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    corner = int(rows[0]), int(columns[0])
    return corner, (slice(corner[0], int(rows[-1]) + 1), slice(corner[1], int(columns[-1]) + 1))


def _taken(crystals: Sequence[Crystal], shape: tuple[int, ...], cell_px: float) -> Mask:
    """Return which pixels crystals cover, at least one each where it lies in the image."""
    height, width = shape
    there = [each.enlarged(1 / cell_px) for each in crystals if each.outline]
    mask = covered((each.outline for each in there), height, width)
    for row, column in (map(int, each.middle) for each in there):
        if 0 <= row < height and 0 <= column < width:
            mask[row, column] = True
    return mask


def _local_maxima(clearance: Distances) -> list[tuple[int, int]]:
    """Return where distances are as high as anywhere around them, the highest first, then the upper left."""
    from scipy.ndimage import maximum_filter

    rows, columns = np.nonzero((clearance > 0) & (clearance == maximum_filter(clearance, size=3, mode="constant")))
    order = np.argsort(-clearance[rows, columns], kind="stable")
    return list(zip(rows[order].tolist(), columns[order].tolist(), strict=True))


def _point(at: tuple[float, float], to_border_px: float, crystals: Sequence[Crystal]) -> DispensePoint:
    """Return the place at a row and a column: distances to outlines are exact, that to the border is of the mask."""
    away = (-float(depths(each.outline, [at])[0]) for each in crystals if each.outline)
    return DispensePoint(
        row=at[0], column=at[1], to_border_px=to_border_px, to_crystal_px=max(0.0, min(away, default=inf))
    )
