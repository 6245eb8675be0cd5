"""Imagers of random numbers: what promises and choices of labels are tried on, by the hundred.

Plates differ: each shifts all numbers of its drops, has crystals of its own rarity, and shows them more or less well.
"""

from dataclasses import dataclass

import numpy as np

from crystal_search.adaptation.labelled import CRYSTAL, NOT_CRYSTAL, Labelled, Seen
from crystal_search.metrics import Floats

NUMBERS = 24
COMMON_SEED = (7, 7, 7)  #: of the direction that imagers have in common


@dataclass(frozen=True, slots=True, kw_only=True)
class Imager:
    """How an imager's drops are drawn."""

    seed: int
    clearness: float = 3.0  #: how far crystals lie from the rest in the numbers, in spreads of one number
    shipped: float = 2.0  #: how far in the shipped score's logit
    unlike: float = 0.5  #: spread between plates, of that within
    crystals: float = 0.2  #: share of drops with crystals, in the mean over plates
    numbers: int = NUMBERS  #: of an image
    lookalikes: float = 0.0  #: share of drops without crystals that score and numbers take for some with crystals
    shared: float = 0.0  #: cosine between the way in which crystals lie here and the one that imagers have in common

    def drops(self, plates: int, wells: int, part: str, *, moved: float = 0.0) -> Labelled:
        """Return labelled drops of plates; `part` tells sets of plates apart, `moved` shifts all of their numbers."""
        rng = np.random.default_rng([self.seed, *part.encode()])
        direction = self._direction()
        plate_of = np.repeat(np.arange(plates), wells)
        rarity = rng.beta(2, 2 / self.crystals - 2, plates)
        crystal = rng.random(len(plate_of)) < rarity[plate_of]
        seems = crystal | (np.random.default_rng([self.seed, *part.encode(), 1]).random(len(crystal)) < self.lookalikes)
        clear = (self.clearness + self.unlike * rng.normal(0, 1, plates))[plate_of]
        numbers = rng.normal(0, 1, (len(plate_of), self.numbers))
        numbers += self.unlike * rng.normal(0, 1, (plates, self.numbers))[plate_of] + moved
        numbers += (seems * clear)[:, None] * direction
        logits = self.shipped * (seems - 0.7) + rng.normal(0, 1, len(plate_of))
        logits += self.unlike * rng.normal(0, 1, plates)[plate_of]
        return Labelled(
            seen=Seen(features=numbers, peaks=_peaks(rng, logits), means=rng.dirichlet(np.ones(13), len(plate_of))),
            groups=np.where(crystal, CRYSTAL, NOT_CRYSTAL).astype(np.int64),
            plates=tuple(f"{part} {each}" for each in plate_of),
            drops=tuple(f"{part} {plate} {drop}" for drop, plate in enumerate(plate_of)),
        )

    def _direction(self) -> Floats:
        """Return in which direction of the numbers crystals lie, (numbers,), of length 1."""
        own, common = (
            _unit(np.random.default_rng(seed).normal(0, 1, self.numbers)) for seed in ([self.seed], COMMON_SEED)
        )
        own_part = _unit(own - (own @ common) * common) if self.shared else own
        return np.asarray(self.shared * common + (1 - self.shared**2) ** 0.5 * own_part)


def _unit(direction: Floats) -> Floats:
    return np.asarray(direction / np.linalg.norm(direction))


def _peaks(rng: np.random.Generator, logits: Floats) -> Floats:
    peaks = rng.uniform(0.05, 0.6, (len(logits), 4))
    peaks[:, CRYSTAL] = 1 / (1 + np.exp(-logits))
    return peaks
