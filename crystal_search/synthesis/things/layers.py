"""What lies in a drop: a layer for each thing that has its own outcome."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from crystal_search.synthesis.frames import Stamps
from crystal_search.synthesis.things.drops import Drop
from crystal_search.synthesis.things.glass import Crystals


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
