"""How far the answers of a network and of its exported file are apart."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from crystal_search.model_card import DENSE, INSTANCES
from crystal_search.networks.mask_rcnn import LEAST_PROBABILITY, MOST_INSTANCES

TOLERANCE = 1e-4  #: largest difference between a number from torch and one from ONNX Runtime
ROUNDINGS = 4  #: times what rounding does to torch's own numbers, two may differ by instead
MOST_ROUNDING = 1e-3  #: by which torch's numbers are wrong; beyond it hosts would tell different things

Answers = Sequence[NDArray[np.float32]]  #: one for each output of a card
Difference = Callable[[Answers, Answers], float]


def largest(one: Answers, other: Answers) -> float:
    """Return the largest difference between two numbers of answers that stand in the same place.

    >>> largest([np.zeros((1, 1, 2, 2), np.float32)], [np.zeros((1, 1, 2, 3), np.float32)])
    inf
    """
    return max(
        float(np.abs(mine - its).max(initial=0)) if mine.shape == its.shape else float("inf")
        for mine, its in zip(one, other, strict=True)
    )


def of_instances(one: Answers, other: Answers) -> float:
    """Return the largest difference between the same instances of two answers; corners count as parts of the farthest.

    The same are those that are nearest to each other, since equally probable ones come in any order. One that is hardly
    probable enough to be told may be told by only one of both.
    """
    mine, its = ([each[0, :, :, 0].T for each in answers] for answers in (one, other))  # (n, numbers) each
    scale = max([1.0, *(float(each[1].max(initial=1)) for each in (mine, its))])
    return max(_from(mine, its, scale), _from(its, mine, scale))


def _from(mine: Answers, its: Answers, scale: float) -> float:
    """Return how far the instances of one answer are from the nearest of the other at most."""
    probability = mine[0].max(axis=1, initial=0)  # (n,)
    least = probability.min(initial=1) if len(probability) == MOST_INSTANCES else LEAST_PROBABILITY
    sure = probability > least + TOLERANCE
    if not sure.any():
        return 0.0
    if not len(its[0]):
        return float("inf")
    told, theirs = (np.concatenate((each[0], each[1] / scale), axis=1) for each in (mine, its))
    apart = np.abs(told[sure, None] - theirs[None]).max(axis=2)  # (sure, n of the other)
    nearest = apart.argmin(axis=1)
    return float(max(apart.min(axis=1).max(), np.abs(mine[2][sure] - its[2][nearest]).max()))


#: By how crystals are read from a detector's answers (`crystals.finding.DECODINGS`).
DIFFERENCES: dict[str, Difference] = {DENSE: largest, INSTANCES: of_instances}
