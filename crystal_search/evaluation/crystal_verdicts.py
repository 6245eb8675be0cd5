"""What a detector of crystals says of an image, beside what is known of it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from crystal_search.archives.seen_objects import SeenObject
from crystal_search.crystal import Crystal
from crystal_search.evaluation.known_images import KnownImage
from crystal_search.evaluation.label_table import NO_CRYSTAL
from crystal_search.training.crystal_source import Truth, truth_of


@dataclass(frozen=True, kw_only=True, eq=False)  # no slots: the truth is remembered
class CrystalVerdict:
    """What a detector says of one image of which it is known which crystals, or at least whether any, are in it."""

    known: KnownImage
    height_px: int
    width_px: int
    objects: tuple[SeenObject, ...] | None  #: its crystals; None: nobody marked them one by one
    found: tuple[Crystal, ...]  #: also those that are too improbable to count
    least_probability: float  #: of those that count

    @cached_property
    def truth(self) -> Truth:
        """Its crystals, with boxes in pixels as stored."""
        return truth_of(self.objects or (), (self.height_px, self.width_px))

    @property
    def lengths_px(self) -> NDArray[np.float64]:
        """The long sides of its crystals but the ignored ones."""
        crystals = self.truth.crystals
        return np.asarray(crystals.boxes[~crystals.ignored, 2])

    @property
    def counted(self) -> tuple[Crystal, ...]:
        """What was found and is probable enough to count."""
        return tuple(each for each in self.found if each.probability >= self.least_probability)

    @property
    def has_crystals(self) -> bool | None:
        """Whether it shows crystals; None where nobody knows."""
        return has_crystals(self.known, self.objects)


def has_crystals(known: KnownImage, objects: tuple[SeenObject, ...] | None) -> bool | None:
    """Return whether an image shows crystals: by those that were marked one by one, else by its label.

    None, where there is neither, or all that was marked is too faint to be seen and the label does not say.
    """
    if objects is not None and not (objects and all(each.too_faint for each in objects)):
        return bool(objects)
    if known.empty or known.label == NO_CRYSTAL:
        return False
    return None if known.group is None else known.crystal
