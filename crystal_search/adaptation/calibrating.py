"""Making a readout's probabilities mean what they say on its imager.

A logit becomes ``slope * logit + shift`` (Platt, 1999), fitted to labels held out, with his targets that keep few
labels from being taken for certainty. Both go into the readout's own weights: applying it stays a dot product.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crystal_search.adaptation.folds import divided
from crystal_search.adaptation.labelled import CRYSTAL, Labelled
from crystal_search.adaptation.logistic import sigmoid
from crystal_search.adaptation.readout import Readout
from crystal_search.bootstrap import Interval, drawn
from crystal_search.metrics import Floats, Reliability, reliability

STEPS = 50
FLATTEST = 0.05  #: slope; a readout may become unsure, but never turn round
PARTS = 10
BINS = 10


class Straight(NamedTuple):
    """What a logit becomes: ``slope * logit + shift``."""

    slope: float
    shift: float

    def of(self, logits: Floats) -> Floats:
        """Return calibrated logits."""
        return np.asarray(self.slope * logits + self.shift)


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
        return Straight(1.0, 0.0)
    target = np.where(positive, (yes + 1) / (yes + 2), 1 / (no + 2))  # (N,)
    inputs = np.column_stack([logits, np.ones(len(logits))])  # (N, 2)
    found = np.array([1.0, 0.0])
    for _ in range(STEPS):
        expected = sigmoid(inputs @ found)
        curvature = (inputs.T * np.maximum(expected * (1 - expected), 1e-6)) @ inputs + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, inputs.T @ (expected - target))
        found -= step * min(1.0, 4 / max(float(np.abs(inputs @ step).max()), 1e-12))
    return Straight(max(float(found[0]), FLATTEST), float(found[1]))


def with_calibration(readout: Readout, each: tuple[Straight, ...]) -> Readout:
    """Return the readout whose logits are calibrated, a calibration for each group."""
    slopes, shifts = (np.array(values) for values in zip(*each, strict=True))
    return Readout(bias=slopes * readout.bias + shifts, weights=slopes[:, None] * readout.weights)


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
        found[here] = calibrated_by(logits[~here], labelled.groups[~here] == CRYSTAL).of(logits[here])
    return found
