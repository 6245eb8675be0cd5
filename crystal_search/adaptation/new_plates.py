"""Whether a new plate is like those that the labels are of: a promise made on these says nothing of others.

A plate is the mean of its images' inputs. Of all plates, the new one among them, each has a distance from the mean of
all, in units of their spread. Were the new plate drawn like the others, its distance would have any rank with the same
probability, so that an alarm at a rank that one in twenty has is false for one plate in twenty, whatever the
distribution (Vovk, Gammerman and Shafer, 2005, Algorithmic Learning in a Random World, section 2.2).
"""

from collections.abc import Sequence

import numpy as np

from crystal_search.adaptation.labelled import Seen
from crystal_search.adaptation.readout import inputs
from crystal_search.metrics import Floats

ALARM = 0.05  #: how often a plate like the others is called another
PLATES_NEEDED = 19  #: before any plate can be called another so rarely
LEAST_SPREAD = 1e-6


def plate_means(seen: Seen, plates: Sequence[str]) -> dict[str, Floats]:
    """Return the mean of the inputs of each plate's images, (D + ANSWERS,), by plate, sorted."""
    there, names = inputs(seen), np.array(plates, dtype=np.str_)
    return {str(plate): there[names == plate].mean(axis=0) for plate in np.unique(names)}


def likeness(old: Floats, new: Floats) -> float:
    """Return the probability of a plate as far off as the new one, were it drawn like the old ones.

    Parameters
    ----------
    old
        Means of plates that labels are of, (P, K).
    new
        Mean of the new plate, (K,).

    Returns
    -------
    float
        In [1 / (P + 1), 1].

    >>> old = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> likeness(old, np.array([1.5])), likeness(old, np.array([50.0]))
    (1.0, 0.2)
    """
    bag = np.vstack([old, new])
    centred = bag - bag.mean(axis=0)
    distances = np.linalg.norm(centred / np.maximum(centred.std(axis=0), LEAST_SPREAD), axis=1)  # (P + 1,)
    return float((distances >= distances[-1] - 1e-9).mean())


def is_another(old: Floats, new: Floats) -> bool:
    """Return whether the new plate is unlike the old ones, or these are too few to tell."""
    return len(old) < PLATES_NEEDED or likeness(old, new) <= ALARM
