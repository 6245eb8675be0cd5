"""Triage with a promise: which wells need no look, and how many crystals are among them at the most.

The threshold lies as high as an upper confidence bound on the share of crystals below it allows. That share only grows
with the threshold, so the bound may be computed at every threshold and the highest taken that it allows, without a
correction for having looked at many (Bates et al., 2021, Journal of the ACM 68(6), theorem 1; Angelopoulos et al.,
2022, arXiv:2208.02814). The bound is the exact one for a binomial count (Clopper and Pearson, 1934).

Crystals of one plate resemble each other, so that hundreds of one plate prove little about the next. They count as
fewer: a plate's m crystals as m / (1 + (m - 1) r), r being how alike being missed is within plates (Kish, 1965, Survey
Sampling, section 5.4). It is taken as half of the share of the variance of crystals' scores that lies between plates:
for scores of normal distribution rare events are alike by at most a third of that. This part is no theorem; a
simulation holds it, with plates of heavier tails, too (docs/adaptation.md).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.metrics import Floats
from crystal_search.plurals import counted

HALVINGS = 60
MISSED_ALIKE = 0.5  #: how alike being missed is within plates, of how alike scores are


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """At most this share of the crystals is among the wells that are not looked at, with this confidence."""

    missed: float = 0.01
    confidence: float = 0.95

    @property
    def crystals_needed(self) -> int:
        """Independent crystals that must all be found before it can be given.

        >>> Promise().crystals_needed, Promise(missed=0.05).crystals_needed
        (299, 59)
        """
        return math.ceil(math.log(1 - self.confidence) / math.log(1 - self.missed)) if self.missed < 1 else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Triage:
    """From which score on a well must be looked at."""

    promise: Promise
    threshold: float | None  #: wells with a score below it need no look; None: the promise cannot be given
    crystals: int  #: labelled ones that were held out
    plates: int  #: that these are of
    counting: int  #: as how many independent ones they count
    missed: int  #: of them, below the threshold
    bound: float  #: at most this share is missed, with the promise's confidence

    @property
    def more_crystals(self) -> int:
        """About how many more labelled crystals the promise needs, of plates like these; 0 when it can be given."""
        if self.threshold is not None:
            return 0
        short = self.promise.crystals_needed - self.counting
        each = self.crystals / self.counting if self.counting else 1
        return max(1, math.ceil(short * each))

    def said(self) -> str:
        """Return what is promised, or why it cannot be and what can, in a sentence.

        >>> triage([], [], Promise()).said()[:70]
        'cannot promise to miss at most 1 % of the crystals: no crystal was lab'
        """
        share = f"{100 * self.promise.missed:g} %"
        sure = f"with {100 * self.promise.confidence:g} % confidence"
        if self.threshold is not None:
            return f"at most {share} of the crystals are among the wells that need no look, {sure}"
        there = (
            f"{counted(self.crystals, 'labelled crystal')} of {counted(self.plates, 'plate')} "
            f"count as {counted(self.counting, 'independent one')}"
        )
        told = there if self.crystals else "no crystal was labelled"
        instead = f"; at most {100 * self.bound:.2g} % can be promised today" if self.counting else ""
        return (
            f"cannot promise to miss at most {share} of the crystals: {told}, "
            f"{self.promise.crystals_needed} are needed; label about {self.more_crystals} more{instead}"
        )


def triage(scores: Sequence[float] | Floats, plates: Sequence[str], promise: Promise) -> Triage:
    """Return the highest threshold under which the promise can be given.

    Parameters
    ----------
    scores
        Of labelled crystals, (N,), each by a readout that never saw its plate.
    plates
        The plate of each.
    promise
        To give.
    """
    ordered = np.sort(np.asarray(scores, np.float64))
    total = len(ordered)
    counting = effective_count(np.asarray(scores, np.float64), plates)
    missed = 0
    while missed + 1 < total and _bound(missed + 1, total, counting, promise) <= promise.missed:
        missed += 1
    bound = _bound(missed, total, counting, promise) if counting else 1.0
    return Triage(
        promise=promise,
        threshold=float(ordered[missed]) if counting and bound <= promise.missed else None,
        crystals=total,
        plates=len(set(plates)),
        counting=counting,
        missed=missed,
        bound=bound,
    )


def _bound(missed: int, total: int, counting: int, promise: Promise) -> float:
    return upper_bound(math.ceil(missed * counting / total), counting, promise.confidence)


def upper_bound(missed: int, of: int, confidence: float) -> float:
    """Return the exact upper confidence bound of a share of which `missed` of `of` independent ones were seen.

    >>> round(upper_bound(0, 299, 0.95), 4), round(upper_bound(1, 10, 0.95), 4)
    (0.01, 0.3942)
    """
    if missed >= of:
        return 1.0
    low, high = missed / of, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _at_most(missed, of, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(missed: int, of: int, share: float) -> float:
    """Return the probability that of `of` independent ones with this probability at most `missed` happen."""
    logs = (
        [
            math.lgamma(of + 1)
            - math.lgamma(k + 1)
            - math.lgamma(of - k + 1)
            + k * math.log(share)
            + (of - k) * math.log1p(-share)
            for k in range(missed + 1)
        ]
        if 0 < share < 1
        else [0.0 if share == 0 else -math.inf]
    )
    return math.fsum(map(math.exp, logs))


def effective_count(scores: Floats, plates: Sequence[str]) -> int:
    """Return as how many independent ones the crystals of plates count.

    >>> effective_count(np.array([1.0, 3.0, 2.0, 1.5]), list("abcd"))
    4
    >>> effective_count(np.array([1.0, 1.0, 3.0, 3.0]), list("aabb"))
    2
    """
    if not len(scores):
        return 0
    _, plate_of = np.unique(np.array(plates, dtype=np.str_), return_inverse=True)
    sizes = np.bincount(plate_of)
    alike = MISSED_ALIKE * share_between(scores, plate_of) if len(sizes) > 1 else 1.0
    return int((sizes / (1 + (sizes - 1) * alike)).sum() + 1e-9)


def share_between(scores: Floats, plate_of: NDArray[np.intp]) -> float:
    """Return how much of the variance of scores lies between plates, in [0, 1], by analysis of variance.

    0 where nothing can be known of it: with one crystal on each plate, which then does not matter.
    """
    sizes = np.bincount(plate_of)
    count, plates = len(scores), len(sizes)
    if count == plates:
        return 0.0
    means = np.bincount(plate_of, scores) / sizes
    between = (sizes * (means - scores.mean()) ** 2).sum() / (plates - 1)
    within = ((scores - means[plate_of]) ** 2).sum() / (count - plates)
    usual = (count - (sizes**2).sum() / count) / (plates - 1)
    total = between + (usual - 1) * within
    return float(np.clip((between - within) / total, 0, 1)) if total > 0 else 1.0
