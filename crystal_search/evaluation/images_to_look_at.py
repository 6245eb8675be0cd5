"""How many images a person must look at, best ones first, to find the wells with crystals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.bootstrap import DRAWS, SEED, Interval, drawn, interval
from crystal_search.metrics import Floats

LOOKED_AT = np.linspace(0, 1, 101)  #: shares of images at which the curve is told
TO_FIND = 0.9  #: share of the crystal wells that the headline speaks of


@dataclass(frozen=True, slots=True, eq=False)
class Looking:
    """Crystal wells found by looking at images in order of their score."""

    found: Floats  #: (101,), share of crystal wells at each of `LOOKED_AT`; NaN without crystal wells
    low: Floats  #: (101,), bounds from drawing wells again
    high: Floats
    needed: Interval  #: share of the images to look at for `TO_FIND` of the crystal wells
    crystal_wells: int
    images: int


def looking(scores: Floats, crystal: NDArray[np.bool_], wells: Sequence[str], draws: int = DRAWS) -> Looking:
    """Return what is found by looking at images in order of `scores` (N,), the highest first.

    A well is found with its first image that shows a crystal. Of images with equal scores all must be looked at
    before any of them counts.

    Parameters
    ----------
    scores, crystal
        (N,): how much each image speaks for a crystal, and whether it shows one.
    wells
        The well of each image; one well can have several images.
    draws
        How often wells are drawn again.
    """
    steps = _Steps.of(scores, crystal, wells)
    found, needed = steps.curve(np.ones(steps.wells)), steps.needed(np.ones(steps.wells))
    times = drawn(wells, draws, SEED).times
    curves = np.array([steps.curve(each) for each in times]).reshape(-1, len(LOOKED_AT))
    curves = curves[~np.isnan(curves[:, 0])]
    bounds = np.quantile(curves, [0.025, 0.975], axis=0) if len(curves) else np.full((2, len(LOOKED_AT)), np.nan)
    return Looking(
        found=found,
        low=np.minimum(bounds[0], found),
        high=np.maximum(bounds[1], found),
        needed=interval(needed, np.array([steps.needed(each) for each in times])),
        crystal_wells=len(steps.first_of),
        images=len(scores),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    """Images in steps of equal score, from the highest to the lowest."""

    step_of: NDArray[np.int64]  #: (images,)
    well_of: NDArray[np.int64]  #: (images,)
    first_step: NDArray[np.int64]  #: (crystal wells,): where each is found
    first_of: NDArray[np.int64]  #: (crystal wells,): which well it is
    steps: int
    wells: int

    @classmethod
    def of(cls, scores: Floats, crystal: NDArray[np.bool_], wells: Sequence[str]) -> "_Steps":
        levels, step_of = np.unique(-scores, return_inverse=True)
        names, well_of = np.unique(np.array(wells, dtype=np.str_), return_inverse=True)
        first = np.full(len(names), len(levels), dtype=np.int64)
        np.minimum.at(first, well_of[crystal], step_of[crystal])
        with_crystals = np.flatnonzero(first < len(levels))
        return cls(step_of, well_of, first[with_crystals], with_crystals, len(levels), len(names))

    def _shares(self, times: Floats) -> tuple[Floats, Floats]:
        """Return the shares of images looked at and of crystal wells found after each step."""
        looked = np.cumsum(np.bincount(self.step_of, times[self.well_of], minlength=self.steps))
        found = np.cumsum(np.bincount(self.first_step, times[self.first_of], minlength=self.steps))
        return looked / looked[-1], found / found[-1]

    def _is_empty(self, times: Floats) -> bool:
        return not len(self.first_of) or not times[self.first_of].any()

    def curve(self, times: Floats) -> Floats:
        """Return the share of crystal wells found at each of `LOOKED_AT`, wells counting `times` (wells,)."""
        if self._is_empty(times):
            return np.full(len(LOOKED_AT), np.nan)
        looked, found = self._shares(times)
        done = np.searchsorted(looked, LOOKED_AT + 1e-9, side="right")  # steps that are done by then
        return np.asarray(np.concatenate([[0.0], found])[done])

    def needed(self, times: Floats) -> float:
        """Return the share of images to look at for `TO_FIND` of the crystal wells."""
        if self._is_empty(times):
            return float("nan")
        looked, found = self._shares(times)
        return float(looked[int(np.argmax(found >= TO_FIND - 1e-9))])
