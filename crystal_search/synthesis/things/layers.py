"""What lies in a drop: a layer for each thing that has its own outcome; how crystals bend and absorb light."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.synthesis.frames import Draw, Frame, Stamps, stamp
from crystal_search.synthesis.polyhedra import Polyhedra
from crystal_search.synthesis.things.drops import Drop

ABSORBING_UNITS = 60.0  # of thickness at which absorbance is full


@dataclass(frozen=True, slots=True, eq=False)
class Glass:
    """What the crystals of a drop look like in transmitted light."""

    softness: float  #: sigma of the blur of their edges, units
    contrast: float  #: their refractive index less that of the liquor
    absorbance: float | None  #: of `ABSORBING_UNITS`; None for clear ones
    colour: tuple[float, float, float]  #: absorbance in red, green, blue over `absorbance`
    rough: Tensor | None = None  #: (rows, columns), factor on the optical path of a broken surface


@dataclass(frozen=True, slots=True, eq=False)
class Crystals:
    """Single crystals, one a row."""

    centres: NDArray[np.float64]  #: (N, 2), row and column in units
    hubs: NDArray[np.float64]  #: (N, 2), where each began to grow; its own centre, or that of its cluster
    solid: Polyhedra
    glass: Glass

    def grown(self, sizes: NDArray[np.float64]) -> "Crystals":
        """Return the crystals at `sizes` (N,) of what they are, 0 before they nucleate, each grown from its hub."""
        centres = self.hubs + (self.centres - self.hubs) * sizes[:, None]
        return replace(self, centres=centres, solid=self.solid.scaled(sizes))

    def thickness(self, frame: Frame) -> tuple[Tensor, tuple[Stamps, ...]]:
        """Return how far light goes through crystals in units, (rows, columns), and where each one lies."""
        return self.drawn(frame, lambda numbers, rows, columns: self.solid.thickness(frame, numbers, rows, columns))

    def drawn(self, frame: Frame, draw: Draw) -> tuple[Tensor, tuple[Stamps, ...]]:
        """Return the sum of what `draw` makes of each crystal, and where each lies."""
        return stamp(frame, self.centres, self.solid.reach, draw)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Something in a drop that bends or absorbs light."""

    outcome: str  #: what it makes of the well, if it can be seen
    phase: Tensor | None = None  #: (rows, columns), optical path that it adds, units
    density: Tensor | None = None  #: (rows, columns), absorbance
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)  #: absorbance in red, green, blue over `density`
    stamps: tuple[Stamps, ...] = ()  #: single objects, judged one by one; none for a texture
    spread: float = 10.0  #: units around a visible pixel that belong to a texture
    crystals: Crystals | None = None  #: what `stamps` are, if they are crystals

    def stronger(self, factor: float) -> "Layer":
        """Return the same thing with more contrast."""
        return replace(
            self,
            phase=None if self.phase is None else self.phase * factor,
            density=None if self.density is None else self.density * factor,
        )


#: Draws one layer into a drop.
Builder = Callable[[np.random.Generator, Drop], Layer]
