"""What a detector says of an image, crystal by crystal."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Outline = tuple[tuple[float, float], ...]  #: corners (row, column), px; (0, 0) is the corner of the first pixel


@dataclass(frozen=True, slots=True, kw_only=True)
class Crystal:
    """One crystal that was found, in pixels of the image as it is stored."""

    probability: float  #: in [0, 1]
    row: float  #: of the box's centre
    column: float
    long_px: float  #: sides of the box
    short_px: float
    angle_rad: float  #: of the long side, from columns towards rows, in [0, pi)
    outline: Outline  #: convex

    @property
    def box(self) -> tuple[float, float, float, float, float]:
        """Centre row and column, long and short side, and the angle of the long side."""
        return self.row, self.column, self.long_px, self.short_px, self.angle_rad

    def enlarged(self, scale: float) -> "Crystal":
        """Return the crystal in an image of `scale` times as many pixels along a side."""
        return Crystal(
            probability=self.probability,
            row=self.row * scale,
            column=self.column * scale,
            long_px=self.long_px * scale,
            short_px=self.short_px * scale,
            angle_rad=self.angle_rad,
            outline=tuple((row * scale, column * scale) for row, column in self.outline),
        )
