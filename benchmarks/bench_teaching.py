"""``python -m benchmarks.bench_teaching``: labels that were asked for against labels of drops drawn at random."""

import argparse

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulated_imagers import Imager
from crystal_search.adaptation.held_out import CHOICES, learnt
from crystal_search.adaptation.labelled import CRYSTAL, Labelled
from crystal_search.adaptation.readout import Scale, scale_of
from crystal_search.adaptation.teaching import next_to_label
from crystal_search.metrics import auroc

PLATES, WELLS, TESTED = 8, 96, 20
AT_ONCE = 10  #: labels between two fits
SIZES = (10, 20, 50, 100)


def asked(pool: Labelled, scale: Scale) -> list[NDArray[np.int64]]:
    """Return which drops have labels at each size when the most useful are asked for, ten at a time."""
    has_label, found = np.zeros(len(pool), np.bool_), []
    for size in range(AT_ONCE, SIZES[-1] + 1, AT_ONCE):
        readout = learnt(pool.of(has_label), scale, CHOICES[0])
        new = next_to_label(
            pool.seen, readout, scale, plates=pool.plates, has_label=has_label, count=size - int(has_label.sum())
        )
        has_label[new] = True
        if size in SIZES:
            found.append(np.flatnonzero(has_label))
    return found


def at_random(pool: Labelled, seed: int) -> list[NDArray[np.int64]]:
    """Return which drops have labels at each size when they are drawn."""
    order = np.random.default_rng(seed).permutation(len(pool))
    return [order[:size] for size in SIZES]


def told(pool: Labelled, test: Labelled, scale: Scale, which: NDArray[np.int64]) -> tuple[float, int]:
    """Return the AUROC on other plates after these labels, and how many crystals are among them."""
    chosen = pool.of(np.isin(np.arange(len(pool)), which))
    logits = learnt(chosen, scale, CHOICES[0]).logits(test.seen)[:, CRYSTAL]
    return auroc(logits, test.crystal), int(chosen.crystal.sum())


def measured(imagers: int) -> NDArray[np.float64]:
    """Return AUROC and crystals (imagers, ways, sizes, 2), of labels asked for and of labels drawn."""
    found = np.zeros((imagers, 2, len(SIZES), 2))
    for seed in range(imagers):
        imager = Imager(seed=seed, shipped=1.0, crystals=0.1)
        pool, test = imager.drops(PLATES, WELLS, "old"), imager.drops(TESTED, WELLS, "new")
        scale = scale_of(pool.seen)
        for way, labels in enumerate((asked(pool, scale), at_random(pool, seed))):
            found[seed, way] = [told(pool, test, scale, which) for which in labels]
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--imagers", type=int, default=100)
    found = measured(parser.parse_args().imagers)
    print("labels  AUROC asked for  at random  difference (95 %)      crystals among them")
    for place, size in enumerate(SIZES):
        first, second = found[:, 0, place, 0], found[:, 1, place, 0]
        difference = first - second
        error = 1.96 * difference.std() / len(difference) ** 0.5
        crystals = found[:, :, place, 1].mean(axis=0)
        print(
            f"{size:6d}  {first.mean():15.3f}  {second.mean():9.3f}  {difference.mean():+.3f} +- {error:.3f}"
            f"        {crystals[0]:5.1f} and {crystals[1]:.1f}"
        )
