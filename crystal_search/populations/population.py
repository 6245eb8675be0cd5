"""The crystals of each time of an experiment, and the same drawn again and again, so that every figure has an interval.

What is drawn is frames, since crystals of one frame share its light and focus. Where a time has one frame alone its
crystals are drawn, as many as a Poisson process gives.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crystal_search.metrics import Floats, Labels
from crystal_search.populations.crystal_frames import Frame

DRAWS, SEED = 1000, 0
AT_ONCE = 2_000_000  #: numbers of draws that are in memory together


@dataclass(frozen=True, kw_only=True, eq=False)  # no slots: draws are remembered
class Population:
    """The crystals of one time that lie wholly in a frame, one a row."""

    hours: float
    frames: int
    cut_off: int  #: crystals beside them that the border may cut
    frame: Labels  #: (N,), from 0
    weight: Floats  #: (N,), how many crystals each stands for
    long: Floats  #: (N,), px or micrometres
    short: Floats  #: (N,)

    @property
    def aspect(self) -> Floats:
        """Long side over short side, (N,)."""
        return self.long / self.short

    @property
    def area(self) -> Floats:
        """Areas of their boxes, (N,)."""
        return self.long * self.short

    @property
    def units(self) -> int:
        """How many are drawn again: frames, or the crystals of the one frame."""
        return self.frames if self.frames > 1 else len(self.long)

    @cached_property
    def _drawn(self) -> tuple[Labels, Floats]:
        """The unit of each crystal (N,), and how often each unit counts, (1 + DRAWS, units); first each once."""
        rng = np.random.default_rng(SEED)
        if self.frames > 1:
            unit = self.frame
            times = rng.multinomial(self.frames, np.full(self.frames, 1 / self.frames), size=DRAWS).astype(np.float64)
        else:
            unit = np.arange(len(self.long))
            times = rng.poisson(1.0, (DRAWS, len(self.long))).astype(np.float64)
        return unit, np.concatenate((np.ones((1, times.shape[1])), times))

    def _weights(self, order: Labels) -> Iterator[Floats]:
        """Yield how much each crystal of an order (N,) counts in some draws at a time, (draws, N)."""
        unit, times = self._drawn
        step = max(1, AT_ONCE // max(1, len(order)))
        for start in range(0, len(times), step):
            yield times[start : start + step, unit[order]] * self.weight[order]

    def a_frame(self, values: Floats) -> Floats:
        """Return the sum of values (N,) of crystals in a frame, in every draw, (1 + DRAWS,); first the figure."""
        order = np.arange(len(values))
        return np.concatenate([each @ values for each in self._weights(order)]) / self.frames

    def quantile(self, values: Floats, share: float) -> Floats:
        """Return below which value (N,) a share of the crystals lies, in every draw, (1 + DRAWS,); NaN without any."""
        order = np.argsort(values, kind="stable")
        if not len(order):
            return np.full(DRAWS + 1, np.nan)
        return np.concatenate([weighted_quantile(values[order], each, share) for each in self._weights(order)])

    def counts_down(self) -> Iterator[Floats]:
        """Yield, for every draw, how many crystals a frame there are down to each of them, (N,), the longest first."""
        order = np.argsort(-self.long, kind="stable")
        for some in self._weights(order):
            yield from np.cumsum(some, axis=1) / self.frames


def weighted_quantile(ordered: Floats, weights: Floats, share: float) -> Floats:
    """Return the quantile of ordered values (N,) in each row of weights (R, N), the mean of two where it lies between.

    >>> weighted_quantile(np.array([1.0, 2.0, 4.0, 9.0]), np.array([[1.0, 1, 1, 1], [1, 0, 0, 2]]), 0.5).tolist()
    [3.0, 9.0]
    """
    summed = np.cumsum(weights, axis=1)
    whole = summed[:, -1]
    target, slack = share * whole[:, None], 1e-9 * whole[:, None]
    low, high = (summed >= target - slack).argmax(axis=1), (summed > target + slack).argmax(axis=1)
    return np.asarray(np.where(whole > 0, (ordered[low] + ordered[high]) / 2, np.nan))


def populations_of(frames: Sequence[Frame], hours: Sequence[float], scale: float) -> list[Population]:
    """Return the crystals of each time, the first time first.

    Parameters
    ----------
    frames, hours
        Images with their crystals, and the time of each.
    scale
        By which pixels are multiplied: 1, or micrometres a pixel.
    """
    found = []
    for hour in sorted(set(hours)):
        there = [frame for frame, its_hour in zip(frames, hours, strict=True) if its_hour == hour]
        weight = np.concatenate([each.weights for each in there])
        boxes = np.concatenate([each.boxes for each in there])
        number = np.repeat(np.arange(len(there)), [len(each.boxes) for each in there])
        inside = weight > 0
        found.append(
            Population(
                hours=float(hour),
                frames=len(there),
                cut_off=int((~inside).sum()),
                frame=number[inside],
                weight=weight[inside],
                long=scale * boxes[inside, 2],
                short=scale * boxes[inside, 3],
            )
        )
    return found
