"""Labelled images of an imager, made of random numbers: what a readout shall find is known."""

import numpy as np

from crystal_search.adaptation.labelled import Labelled, Seen

NUMBERS = 12


def an_imager(
    seed: int, *, plates: int = 6, drops: int = 20, told_by_shipped: float = 0.5, told_by_numbers: float = 2.0
) -> Labelled:
    """Return labels of an imager: how far crystals lie from the rest in the shipped logit, and in the numbers.

    Each plate shifts all of its numbers, and has crystals of its own rarity.
    """
    rng = np.random.default_rng(seed)
    count = plates * drops
    plate_of = np.repeat(np.arange(plates), drops)
    rarity = rng.uniform(0.15, 0.4, plates)
    crystal = rng.random(count) < rarity[plate_of]
    groups = np.where(crystal, 0, rng.integers(1, 4, count))
    direction = rng.normal(0, 1, NUMBERS) / NUMBERS**0.5
    features = rng.normal(0, 1, (count, NUMBERS)) + 0.3 * rng.normal(0, 1, (plates, NUMBERS))[plate_of]
    features += told_by_numbers * crystal[:, None] * direction
    peaks = rng.uniform(0.05, 0.6, (count, 4))
    peaks[:, 0] = 1 / (1 + np.exp(1 - told_by_shipped * 2 * (crystal - 0.5) - rng.normal(0, 1, count)))
    return Labelled(
        seen=Seen(features=10 + 3 * features, peaks=peaks, means=rng.dirichlet(np.ones(13), count)),
        groups=groups.astype(np.int64),
        plates=tuple(f"plate {each}" for each in plate_of),
        drops=tuple(f"plate {plate} drop {drop}" for drop, plate in enumerate(plate_of)),
    )
