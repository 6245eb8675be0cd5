"""What the chops around a place say of it: whether a crystal that a detector sees there is one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.geometry import Box
from crystal_search.outcomes import GROUPS, Group
from crystal_search.scoring.ranking import group_columns

NEAR_SIDES = 0.25  #: from the middle of a chop, along rows and columns; what lies there, it was taught to tell


@dataclass(frozen=True, slots=True, eq=False)
class ChopsAround:
    """Where the chops of an image lie, and how probable crystals are in each."""

    middles_px: NDArray[np.float64]  #: (chops, 2), rows and columns, in stored pixels
    near_px: float  #: `NEAR_SIDES`
    crystal: NDArray[np.float64]  #: (chops,), probability of the crystal group

    @property
    def best(self) -> float:
        """The highest probability of crystals in any chop; 0 where there is none."""
        return float(self.crystal.max(initial=0.0))

    def speak_for_crystals(self, row: float, column: float) -> float:
        """Return the mean probability of crystals in the chops whose middle is near a place, else in the nearest.

        It is never more than that of the best chop.
        """
        away = np.abs(self.middles_px - (row, column)).max(axis=1)
        return float(self.crystal[away <= max(self.near_px, away.min())].mean())


def chops_around(boxes: Sequence[Box], probabilities: NDArray[np.float64], scale: float) -> ChopsAround:
    """Return what `boxes`, in pixels of a view of which each is `scale` stored ones, say by their `probabilities`.

    >>> boxes = [Box(0, 0, 256, 256), Box(0, 48, 256, 304), Box(0, 400, 256, 656)]
    >>> around = chops_around(boxes, np.eye(13)[[0, 10, 0]], scale=2.0)
    >>> around.near_px, [around.speak_for_crystals(256, column) for column in (300, 600, 1400)]
    (128.0, [0.5, 0.0, 1.0])
    """
    corners = np.array(boxes, np.float64).reshape(-1, 4)
    return ChopsAround(
        middles_px=scale * (corners[:, :2] + corners[:, 2:]) / 2,
        near_px=scale * NEAR_SIDES * max((box.height for box in boxes), default=0),
        crystal=group_columns(probabilities)[:, GROUPS.index(Group.CRYSTAL)],
    )
