"""Evidence that something happens more often than it should, image by image, with a bound on false alarms.

For a thing that happens with a probability of at most p0, whatever happened before, a bet on p1 > p0 multiplies
what was staked by p1 / p0 when it happens and by (1 - p1) / (1 - p0) when not: on average by at most 1. Evidence
begins anew at 1 whenever it is below; it is averaged over several bets. Until it reaches A without cause, at least A
images pass on average: the sum of what bets would be worth that began at each image so far is at least as large, and
grows by at most 1 with each image (Shin, Ramdas and Rinaldo 2023, E-detectors, arXiv:2203.03532; for a likelihood
ratio it is Page's CUSUM with Lorden's bound).
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from crystal_search.metrics import Floats

BETS = (0.3, 0.6, 0.9)  #: how far beyond the bound, as shares of the way to 1


@dataclass(slots=True, eq=False)
class Evidence:
    """Logarithms of the evidence about several things at a time."""

    bounds: Floats  #: (things,): how often each may happen, in (0, 1)
    logs: Floats = field(init=False)  #: (bets, things), at least 0 before an image
    began: NDArray[np.int64] = field(init=False)  #: (bets, things): after which image the evidence began
    images: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.logs = np.zeros((len(BETS), len(self.bounds)))
        self.began = np.zeros(self.logs.shape, np.int64)

    @property
    def bets(self) -> Floats:
        """The probabilities that are bet on, (bets, things)."""
        return self.bounds + np.array(BETS)[:, None] * (1 - self.bounds)

    def add(self, happened: NDArray[np.bool_]) -> Floats:
        """Take note of one more image, (things,); return the logarithm of the evidence for each, (things,)."""
        bets = self.bets
        lost = self.logs <= 0
        self.began[lost] = self.images
        odds = np.where(happened, np.log(bets / self.bounds), np.log((1 - bets) / (1 - self.bounds)))
        self.logs = np.maximum(self.logs, 0) + odds
        self.images += 1
        most = self.logs.max(axis=0)
        return np.asarray(most + np.log(np.exp(self.logs - most).mean(axis=0)))

    def since(self, thing: int) -> int:
        """Return after how many images the evidence about a thing began."""
        return int(self.began[self.logs[:, thing].argmax(), thing])

    def forget(self, things: NDArray[np.bool_]) -> None:
        """Begin anew with some of the things, (things,)."""
        self.logs[:, things] = 0
