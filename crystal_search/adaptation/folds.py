"""Dividing labelled images so that what is tested has nothing in common with what was learnt from.

Images of a plate share protein, screen, day and light: learning from some and testing on others would flatter. So
whole plates are held out; where there is only one, whole drops with all their inspections.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from crystal_search.adaptation.labelled import Labelled
from crystal_search.metrics import Labels

Unit = Literal["plate", "drop"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Folds:
    """Into which of several parts each image falls."""

    unit: Unit  #: what is never divided
    part: Labels  #: (N,), from 0

    @property
    def parts(self) -> int:
        """How many there are."""
        return int(self.part.max(initial=-1)) + 1


def folds(labelled: Labelled, most: int) -> Folds:
    """Return at most `most` parts with about as many crystals and images each, by plate, or by drop of the only one."""
    unit: Unit = "plate" if len(set(labelled.plates)) > 1 else "drop"
    names = labelled.plates if unit == "plate" else labelled.drops
    return Folds(unit=unit, part=divided(names, labelled.crystal, most))


def divided(names: Sequence[str], crystal: NDArray[np.bool_], most: int) -> Labels:
    """Return the part (N,) of each image, all of one name in the same.

    The largest names come first, each into the part that has the fewest crystals, then the fewest images.

    >>> divided(["a", "a", "b", "c"], np.array([True, False, True, False]), 2).tolist()
    [0, 0, 1, 1]
    """
    unique, name_of = np.unique(np.array(names, dtype=np.str_), return_inverse=True)
    crystals = np.bincount(name_of, crystal, minlength=len(unique)).astype(int)
    images = np.bincount(name_of, minlength=len(unique))
    loads = [(0, 0, part) for part in range(min(most, len(unique)))]  # crystals, images, part
    part_of = np.zeros(len(unique), np.int64)
    for name in np.lexsort((np.arange(len(unique)), -images, -crystals)).tolist():
        least = min(loads)
        part_of[name] = least[2]
        loads[loads.index(least)] = (least[0] + crystals[name], least[1] + images[name], least[2])
    return part_of[name_of]
