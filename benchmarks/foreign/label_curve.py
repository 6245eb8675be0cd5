"""What a few labels of a foreign imager are worth: readouts of some plates' labels, tested on plates held out."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.foreign.foreign_scores import ForeignScores
from crystal_search.adaptation.held_out import chosen, learnt
from crystal_search.adaptation.labelled import CRYSTAL, NOT_CRYSTAL, Labelled, Seen
from crystal_search.adaptation.readout import LEAST_SHARE, scale_of
from crystal_search.metrics import Floats, auroc

LABELS = (5, 10, 20, 50, 100)
REPEATS, TESTED = 24, 2  #: draws of labels, and plates that are held out of each


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Curve:
    """One imager: areas under the ROC curve on plates held out, (repeats,) and (repeats, sizes)."""

    without: Floats
    with_labels: Floats

    @property
    def gains(self) -> Floats:
        """Mean difference that labels make, (sizes,)."""
        return np.asarray((self.with_labels - self.without[:, None]).mean(axis=0))


def curve_of(scores: ForeignScores, seed: int) -> Curve:
    """Return the learning curve of one imager.

    In every repeat two plates are held out, and labels are drawn among the wells of the others, any of them: a smaller
    number is the beginning of a larger one. Standardisation sees the other plates only.
    """
    without, with_labels = [], []
    for test, order in _divisions(scores, np.random.default_rng(seed)):
        crystal = scores.crystal[test]
        without.append(auroc(_shipped(scores)[test], crystal))
        with_labels.append([auroc(_read_out(scores, order, count)[test], crystal) for count in LABELS])
    return Curve(without=np.array(without), with_labels=np.array(with_labels))


def _divisions(
    scores: ForeignScores, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.int64]]]:
    """Yield which wells are tested, (N,), and the others in the order in which they get labels."""
    names = np.unique(scores.plates)
    for _ in range(REPEATS):
        test = np.isin(scores.plates, rng.choice(names, TESTED, replace=False))
        yield test, rng.permutation(np.flatnonzero(~test))


def _shipped(scores: ForeignScores) -> Floats:
    """Return log-odds of crystals by the shipped score, (N,)."""
    shares = np.clip(scores.crystal_peaks, LEAST_SHARE, 1 - LEAST_SHARE)
    return np.asarray(np.log(shares / (1 - shares)))


def _read_out(scores: ForeignScores, order: NDArray[np.int64], count: int) -> Floats:
    """Return log-odds of crystals by a readout of the first labels, (N,); what has no drop keeps its shipped score.

    Wells in which no drop was found have no features. Somebody who labels them teaches the readout nothing.
    """
    every = Seen(features=scores.features, peaks=scores.peaks, means=scores.means)
    pool, first = (_located(scores, which) for which in (order, order[:count]))
    labelled = Labelled(
        seen=every.of(first),
        groups=np.where(scores.groups[first] < 0, NOT_CRYSTAL, scores.groups[first]),
        plates=tuple(scores.plates[first].tolist()),
        drops=tuple(str(each) for each in first),
    )
    scale = scale_of(every.of(pool))
    if not len(labelled):
        return _shipped(scores)
    said = learnt(labelled, scale, chosen(labelled, scale)).logits(every)[:, CRYSTAL]
    return np.asarray(np.where(scores.located, said, _shipped(scores)))


def _located(scores: ForeignScores, which: NDArray[np.int64]) -> NDArray[np.int64]:
    return which[scores.located[which]]
