"""One temperature for all logits of a classifier, so that its probabilities mean what they say.

Guo et al. (2017), arXiv:1706.04599: the temperature under which the labels of chops never trained on are most
probable, and the expected calibration error that says how far off probabilities are.
"""

import numpy as np
from numpy.typing import NDArray

from crystal_search.metrics import reliability
from crystal_search.scoring.classify import probabilities

LOWEST, HIGHEST = 0.05, 20.0  #: temperatures that can be found
HALVINGS = 60

Logits = NDArray[np.float64]  #: (chops, classes)
Labels = NDArray[np.int64]  #: (chops,), positions in the classes


def likeliest_temperature(logits: Logits, labels: Labels) -> float:
    """Return the temperature of greatest likelihood, within `LOWEST` and `HIGHEST`.

    The mean negative logarithm of the likelihood is convex in the inverse temperature: its slope has one zero,
    which is found by halving.
    """
    low, high = 1 / HIGHEST, 1 / LOWEST
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _slope(logits, labels, middle) > 0:
            high = middle
        else:
            low = middle
    return 2 / (low + high)


def _slope(logits: Logits, labels: Labels, inverse: float) -> float:
    """Return the derivative of the mean negative log-likelihood by the inverse temperature."""
    expected = (probabilities(logits, 1 / inverse) * logits).sum(axis=1)
    return float((expected - logits[np.arange(len(labels)), labels]).mean())


def calibration_error(found: NDArray[np.float64], labels: Labels) -> float:
    """Return by how much confidence and accuracy differ in the mean, in [0, 1], for probabilities (chops, classes).

    >>> calibration_error(np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([0, 1])).__round__(6)
    0.4
    """
    return reliability(found.max(axis=1), found.argmax(axis=1) == labels).ece
