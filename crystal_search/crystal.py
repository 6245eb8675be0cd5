"""What a detector says of an image, crystal by crystal, and what can be measured of each."""

from dataclasses import dataclass, fields, replace
from math import ceil, cos, floor, hypot, sin

import numpy as np
from numpy.typing import NDArray

from crystal_search.geometry import Box
from crystal_search.polygons import area_of, middle_of

Floats = NDArray[np.float32]
Outline = tuple[tuple[float, float], ...]  #: corners (row, column), px; (0, 0) is the corner of the first pixel

LEAST_CONTRAST = 0.03  #: of a crystal that is not faint, as in rendered suspensions
BORDER_PX = 1.0  #: how near to the image's border an outline is cut off by it


@dataclass(frozen=True, slots=True, kw_only=True)
class Crystal:
    """One crystal that was found, in pixels of the image as it is stored."""

    probability: float  #: in [0, 1]
    row: float  #: of the box's centre
    column: float
    long_px: float  #: sides of the box
    short_px: float
    angle_rad: float  #: of the long side, from columns towards rows, in [0, pi)
    outline: Outline  #: convex, from our detector; may be concave
    contrast: float | None = None  #: how far its light is from its surroundings', of theirs; None: not measured

    @property
    def box(self) -> tuple[float, float, float, float, float]:
        """Centre row and column, long and short side, and the angle of the long side."""
        return self.row, self.column, self.long_px, self.short_px, self.angle_rad

    @property
    def area_px2(self) -> float:
        """What the outline encloses, square pixels."""
        return area_of(self.outline)

    @property
    def aspect(self) -> float:
        """Long side of the box over the short one, at least 1."""
        return self.long_px / self.short_px

    @property
    def upright(self) -> Box:
        """The smallest upright rectangle of whole pixels around the outline, which may reach out of the image."""
        top, left, bottom, right = self._reach
        return Box(floor(top), floor(left), ceil(bottom), ceil(right))

    @property
    def middle(self) -> tuple[float, float]:
        """Row and column of a point that is always inside the outline, also of a concave one (`polygons.middle_of`)."""
        return middle_of(self.outline) if self.area_px2 > 0 else (self.row, self.column)

    @property
    def is_faint(self) -> bool:
        """Whether it was looked at how far it differs from its surroundings, and that is too little to be sure of."""
        return self.contrast is not None and self.contrast < LEAST_CONTRAST

    def is_cut_off(self, height_px: int, width_px: int) -> bool:
        """Tell whether the border of an image of this size cuts it off, so that its size is not known."""
        top, left, bottom, right = self._reach
        return min(top, left) < BORDER_PX or bottom > height_px - BORDER_PX or right > width_px - BORDER_PX

    @property
    def _reach(self) -> tuple[float, float, float, float]:
        """How far the outline goes: top, left, bottom, right."""
        points = self.outline or ((self.row, self.column),)
        rows, columns = [row for row, _ in points], [column for _, column in points]
        return min(rows), min(columns), max(rows), max(columns)

    def enlarged(self, scale: float) -> "Crystal":
        """Return the crystal in an image of `scale` times as many pixels along a side."""
        return replace(
            self,
            row=self.row * scale,
            column=self.column * scale,
            long_px=self.long_px * scale,
            short_px=self.short_px * scale,
            outline=tuple((row * scale, column * scale) for row, column in self.outline),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncounted:
    """A crystal that a detector saw but that does not count: nobody is shown it, but what must not hit it knows it."""

    probability: float  #: in [0, 1]
    row: float  #: of the box's centre, px of the image as it is stored
    column: float
    long_px: float  #: sides of the box
    short_px: float
    angle_rad: float  #: of the long side, from columns towards rows, in [0, pi)

    @property
    def reach_px(self) -> float:
        """How far from the centre it may go: half of the box's diagonal."""
        return hypot(self.long_px, self.short_px) / 2

    @property
    def crystal(self) -> Crystal:
        """The same as a crystal that fills its box.

        >>> seen = Uncounted(probability=0.5, row=10.0, column=20.0, long_px=8.0, short_px=4.0, angle_rad=0.0)
        >>> seen.crystal.outline
        ((12.0, 24.0), (8.0, 24.0), (8.0, 16.0), (12.0, 16.0))
        """
        along = self.long_px / 2 * sin(self.angle_rad), self.long_px / 2 * cos(self.angle_rad)
        across = self.short_px / 2 * cos(self.angle_rad), -self.short_px / 2 * sin(self.angle_rad)
        corners = [
            (self.row + first * along[0] + second * across[0], self.column + first * along[1] + second * across[1])
            for first, second in ((1, 1), (1, -1), (-1, -1), (-1, 1))
        ]
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        return Crystal(**told, outline=tuple(corners))
