"""Making a readout's probabilities mean what they say on its imager.

A logit becomes ``slope * logit + shift`` (Platt, 1999), fitted to labels held out, with his targets that keep few
labels from being taken for certainty. Both go into the readout's own weights: applying it stays a dot product. With
many labels the logit of crystals may follow a curve instead (`bent`), where it is clearly better on plates held out.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crystal_search.adaptation.bent import Bent, bent_by, can_bend
from crystal_search.adaptation.folds import divided
from crystal_search.adaptation.labelled import CRYSTAL, Labelled, kept
from crystal_search.adaptation.logistic import sigmoid
from crystal_search.adaptation.readout import Readout
from crystal_search.bootstrap import Interval, drawn
from crystal_search.metrics import Floats, Labels, Reliability, reliability

STEPS = 50
FLATTEST = 0.05  #: slope; a readout may become unsure, but never turn round
PARTS = 10
BINS = 10
ENOUGH, ENOUGH_PLATES = 200, 10  #: labels of crystals and of the rest, and plates, before a curve is tried
CLEARLY = 2  #: standard errors


class Straight(NamedTuple):
    """What a logit becomes: ``slope * logit + shift``."""

    slope: float
    shift: float

    def of(self, logits: Floats) -> Floats:
        """Return calibrated logits."""
        return np.asarray(self.slope * logits + self.shift)


Calibration = Straight | Bent
AS_IT_IS = Straight(1.0, 0.0)


def calibrated_by(logits: Floats, positive: NDArray[np.bool_]) -> Straight:
    """Return the calibration of greatest likelihood for logits (N,) of images held out; none where there is one class.

    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(0, 3, 4000)
    >>> found = calibrated_by(2 * logits + 1, rng.random(4000) < sigmoid(logits))
    >>> round(found.slope, 1), round(found.shift, 1)
    (0.5, -0.5)
    """
    yes, no = int(positive.sum()), int((~positive).sum())
    if not yes or not no:
        return AS_IT_IS
    target = np.where(positive, (yes + 1) / (yes + 2), 1 / (no + 2))  # (N,)
    inputs = np.column_stack([logits, np.ones(len(logits))])  # (N, 2)
    found = np.array([1.0, 0.0])
    for _ in range(STEPS):
        expected = sigmoid(inputs @ found)
        curvature = (inputs.T * np.maximum(expected * (1 - expected), 1e-6)) @ inputs + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, inputs.T @ (expected - target))
        found -= step * min(1.0, 4 / max(float(np.abs(inputs @ step).max()), 1e-12))
    return Straight(max(float(found[0]), FLATTEST), float(found[1]))


def with_calibration(readout: Readout, each: tuple[Calibration, ...]) -> Readout:
    """Return the readout whose logits are calibrated, a calibration for each group; only that of crystals may bend."""
    straight = [one if isinstance(one, Straight) else AS_IT_IS for one in each]
    slopes, shifts = (np.array(values) for values in zip(*straight, strict=True))
    bent = each[CRYSTAL]
    return Readout(
        bias=slopes * readout.bias + shifts,
        weights=slopes[:, None] * readout.weights,
        bent=bent if isinstance(bent, Bent) else None,
    )


def calibration_of(logits: Floats, crystal: NDArray[np.bool_], plates: Sequence[str]) -> Calibration:
    """Return the calibration for logits (N,) of crystals: a line, or a curve where that is clearly better.

    It needs `ENOUGH` labels of crystals and of the rest, of `ENOUGH_PLATES` plates, and a loss on plates held out that
    is lower by more than `CLEARLY` standard errors of the difference, plate by plate.
    """
    line = calibrated_by(logits, crystal)
    if not is_enough(crystal, plates) or not can_bend():
        return line
    part = divided(plates, crystal, PARTS)
    lower = _losses(logits, crystal, part, calibrated_by) - _losses(logits, crystal, part, bent_by)  # (N,)
    _, plate_of = np.unique(np.array(plates, dtype=np.str_), return_inverse=True)
    by_plate = np.bincount(plate_of, lower)
    clearly = by_plate.sum() > CLEARLY * by_plate.std(ddof=1) * len(by_plate) ** 0.5
    return bent_by(logits, crystal) if clearly else line


def is_enough(crystal: NDArray[np.bool_], plates: Sequence[str]) -> bool:
    """Tell whether labels are enough for a curve to be tried."""
    return min(int(crystal.sum()), int((~crystal).sum())) >= ENOUGH and len(set(plates)) >= ENOUGH_PLATES


def _losses(
    logits: Floats, crystal: NDArray[np.bool_], part: Labels, fit: Callable[[Floats, NDArray[np.bool_]], Calibration]
) -> Floats:
    """Return the cross entropy (N,) of each image, its part calibrated on the others."""
    found = np.zeros(len(logits))
    for each in range(int(part.max()) + 1):
        here = part == each
        found[here] = fit(logits[~here], crystal[~here]).of(logits[here])
    return np.asarray(np.logaddexp(0, np.where(crystal, -found, found)))


class Trust(NamedTuple):
    """How often crystals are there, by how sure the score is of them; and how far off that is in the mean."""

    curve: Reliability
    error: Interval  #: expected calibration error, in [0, 1]


def trust_in(shares: Floats, labelled: Labelled) -> Trust:
    """Return how probabilities (N,) of crystals compare with how often they are there."""
    truth = labelled.crystal
    error = drawn(labelled.drops).figure(lambda times: reliability(shares, truth, times, BINS).ece)
    return Trust(reliability(shares, truth, bins=BINS), error)


def calibrated_held_out(logits: Floats, labelled: Labelled) -> Floats:
    """Return logits (N,) of crystals, each plate's calibrated on the others: what new plates may expect."""
    names = labelled.plates if len(set(labelled.plates)) > 1 else labelled.drops
    part = divided(names, labelled.crystal, PARTS)
    found = np.zeros(len(logits))
    for each in range(int(part.max(initial=-1)) + 1):
        here = part == each
        others = kept(labelled.plates, ~here)
        found[here] = calibration_of(logits[~here], labelled.crystal[~here], others).of(logits[here])
    return found
