"""Calibrating by a curve: what a logit becomes where a straight line does not tell it (isotonic regression).

Zadrozny and Elkan (2002, KDD, Transforming classifier scores into accurate multiclass probability estimates). It bends
as labels say, and so takes more of them than a line, and more still to be proven better.
"""

from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from crystal_search.adaptation.logistic import logit
from crystal_search.metrics import Floats

LIBRARY = "sklearn"  #: of the extra ``adapt``
ADDED = 0.5  #: crystals, and others, that every step of the curve counts beside those that it saw


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Bent:
    """What a logit becomes: straight lines between knots, and beyond the first and last a slope of 1."""

    knots: Floats  #: (K,), logits, ascending
    values: Floats  #: (K,), calibrated logits, none below the one before

    def of(self, logits: Floats) -> Floats:
        """Return calibrated logits, in the same order.

        >>> Bent(knots=np.array([0.0, 2.0]), values=np.array([1.0, 2.0])).of(np.array([-1.0, 1.0, 3.0])).tolist()
        [0.0, 1.5, 3.0]
        """
        beyond = np.minimum(logits - self.knots[0], 0) + np.maximum(logits - self.knots[-1], 0)
        return np.asarray(np.interp(logits, self.knots, self.values) + beyond)


def can_bend() -> bool:
    """Tell whether the library that fits curves is there."""
    return find_spec(LIBRARY) is not None


def bent_by(logits: Floats, positive: NDArray[np.bool_]) -> Bent:
    """Return the curve for logits (N,) of images held out, which never falls.

    Each step of the isotonic regression is a knot, in the mean of its logits, so that logits between two steps keep
    their order.
    """
    from sklearn.isotonic import IsotonicRegression

    shares = IsotonicRegression().fit(logits, positive).predict(logits)  # (N,)
    _, step_of, images = np.unique(shares, return_inverse=True, return_counts=True)
    crystals = np.bincount(step_of, positive)
    knots = np.bincount(step_of, logits) / images
    values = logit((crystals + ADDED) / (images + 2 * ADDED), least=1e-6)
    return Bent(knots=knots, values=np.maximum.accumulate(values))
