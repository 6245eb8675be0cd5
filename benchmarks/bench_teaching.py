"""``python -m benchmarks.bench_teaching``: labels that were asked for against labels of drops drawn at random.

Every label set is read by a readout that begins with the prior, as ``adapt`` fits it. The prior is learnt from other
imagers; how much these have in common with the tested ones is `--shared`.
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from benchmarks.foreign import learn_prior
from benchmarks.simulated_imagers import Imager
from crystal_search.adaptation.held_out import choices_for, learnt
from crystal_search.adaptation.labelled import CRYSTAL, Labelled
from crystal_search.adaptation.readout import Scale, scale_of
from crystal_search.adaptation.teaching import next_to_label
from crystal_search.metrics import Floats, auroc

PLATES, WELLS, TESTED = 8, 96, 20
AT_ONCE = 10  #: labels between two fits
SIZES = (10, 20, 50, 100)
WAYS = ("asked for", "without prior", "at random")
FIRST_OTHER = 1_000_000  #: seed of the imagers that the prior is learnt from
RICH = 1 / 3  #: share of their wells with crystals


def prior_of_others(shared: float) -> Floats:
    """Return what is learnt from other imagers, as many as the shipped prior is learnt from, with two plates each."""
    others = [
        Imager(seed=FIRST_OTHER + place, shipped=1.0, crystals=RICH, shared=shared).drops(2, 18, "old")
        for place in range(learn_prior.IMAGERS)
    ]
    return learn_prior.prior_from([(each.seen, each.crystal) for each in others])


def asked(pool: Labelled, scale: Scale) -> list[NDArray[np.int64]]:
    """Return which drops have labels at each size when the most useful are asked for, ten at a time."""
    has_label, found = np.zeros(len(pool), np.bool_), []
    for size in range(AT_ONCE, SIZES[-1] + 1, AT_ONCE):
        readout = learnt(pool.of(has_label), scale, choices_for(scale)[0])
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
    logits = learnt(chosen, scale, choices_for(scale)[0]).logits(test.seen)[:, CRYSTAL]
    return auroc(logits, test.crystal), int(chosen.crystal.sum())


def measured(imagers: int, shared: float) -> NDArray[np.float64]:
    """Return AUROC and crystals, (imagers, `WAYS`, sizes, 2)."""
    found = np.zeros((imagers, len(WAYS), len(SIZES), 2))
    prior = prior_of_others(shared)
    for seed in range(imagers):
        imager = Imager(seed=seed, shipped=1.0, crystals=0.1, shared=shared)
        pool, test = imager.drops(PLATES, WELLS, "old"), imager.drops(TESTED, WELLS, "new")
        scale = scale_of(pool.seen, prior)
        ways = (asked(pool, scale), asked(pool, scale_of(pool.seen)), at_random(pool, seed))
        for way, labels in enumerate(ways):
            found[seed, way] = [told(pool, test, scale, which) for which in labels]
    return found


def lines(found: NDArray[np.float64], shared: float) -> list[str]:
    """Return what was measured, a line for each number of labels."""
    said = [f"shared {shared:g}: AUROC {', '.join(WAYS)}; the first less each other one (95 %); crystals among labels"]
    for place, size in enumerate(SIZES):
        areas, crystals = found[:, :, place, 0], found[:, :, place, 1].mean(axis=0)
        gains = areas[:, :1] - areas[:, 1:]  # (imagers, ways - 1)
        errors = 1.96 * gains.std(axis=0) / len(gains) ** 0.5
        differences = [f"{gain:+.3f} +- {error:.3f}" for gain, error in zip(gains.mean(axis=0), errors, strict=True)]
        said.append(f"{size:4d}  {_listed(areas.mean(axis=0), 3)};  {', '.join(differences)};  {_listed(crystals, 1)}")
    return said


def _listed(values: Floats, digits: int) -> str:
    return ", ".join(f"{value:.{digits}f}" for value in values)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--imagers", type=int, default=100)
    parser.add_argument("--shared", type=float, nargs="+", default=[0.0, 0.3, 0.5])
    options = parser.parse_args()
    for each in options.shared:
        print("\n".join(lines(measured(options.imagers, each), each)), flush=True)
