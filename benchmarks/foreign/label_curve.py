"""What a few labels of a foreign imager are worth: readouts of some plates' labels, tested on plates held out."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.foreign.foreign_scores import ForeignScores
from crystal_search.adaptation.gain import LEAST_PLATES
from crystal_search.adaptation.held_out import chosen, held_out, learnt
from crystal_search.adaptation.labelled import CRYSTAL, NOT_CRYSTAL, Labelled, Seen
from crystal_search.adaptation.logistic import logit
from crystal_search.adaptation.readout import LEAST_SHARE, Scale, scale_of
from crystal_search.bootstrap import drawn
from crystal_search.metrics import Floats, auroc, auroc_by_weights

LABELS = (5, 10, 20, 50, 100)
REPEATS, TESTED = 20, 2  #: draws of labels, and plates that are held out of each
ADAPTED = 8  #: of the draws, the first ones, for which it is asked what ``adapt`` would decide


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Curve:
    """One imager: areas under the ROC curve on plates held out, (repeats,) and (repeats, sizes)."""

    without: Floats
    with_labels: Floats
    proven: NDArray[np.bool_]  #: (ADAPTED, sizes), whether ``adapt`` would use the readout

    @property
    def gains(self) -> Floats:
        """Mean difference that readouts make, whether proven or not, (sizes,)."""
        return np.asarray((self.with_labels - self.without[:, None]).mean(axis=0))

    @property
    def as_used(self) -> Floats:
        """Mean difference that labels make where only proven readouts are used, (sizes,); of the first draws."""
        differences = self.with_labels - self.without[:, None]
        return np.asarray((differences[: len(self.proven)] * self.proven).mean(axis=0))


def curve_of(scores: ForeignScores, seed: int, prior: Floats | None = None) -> Curve:
    """Return the learning curve of one imager.

    In every repeat two plates are held out, and labels are drawn among the wells of the others, any of them: a smaller
    number is the beginning of a larger one. Standardisation sees the other plates only. `prior` is what readouts of the
    classifier have in common at other imagers, where that is known.
    """
    without, with_labels, proven = [], [], []
    for repeat, (test, order) in enumerate(_divisions(scores, np.random.default_rng(seed))):
        crystal, taught = scores.crystal[test], [_taught(scores, order, count, prior) for count in LABELS]
        without.append(auroc(_shipped(scores)[test], crystal))
        with_labels.append([auroc(_read_out(scores, each)[test], crystal) for each in taught])
        if repeat < ADAPTED:
            proven.append([_proven(each) for each in taught])
    return Curve(without=np.array(without), with_labels=np.array(with_labels), proven=np.array(proven))


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
    return logit(scores.crystal_peaks, least=LEAST_SHARE)


@dataclass(frozen=True, slots=True, eq=False)
class _Taught:
    """Labels of an imager, and how its images are standardised."""

    labelled: Labelled
    scale: Scale


def _taught(scores: ForeignScores, order: NDArray[np.int64], count: int, prior: Floats | None = None) -> _Taught:
    """Return the first labels; wells in which no drop was found have no features, and teach nothing."""
    pool, first = (which[scores.located[which]] for which in (order, order[:count]))
    every = _seen(scores)
    labelled = Labelled(
        seen=every.of(first),
        groups=np.where(scores.crystal[first], CRYSTAL, NOT_CRYSTAL),
        plates=tuple(scores.plates[first].tolist()),
        drops=tuple(str(each) for each in first),
    )
    return _Taught(labelled, scale_of(every.of(pool), prior))


def _seen(scores: ForeignScores) -> Seen:
    return Seen(features=scores.features, peaks=scores.peaks, means=scores.means)


def _read_out(scores: ForeignScores, taught: _Taught) -> Floats:
    """Return log-odds of crystals, (N,); wells in which no drop was found keep their shipped score."""
    readout = learnt(taught.labelled, taught.scale, chosen(taught.labelled, taught.scale))
    return np.where(scores.located, readout.logits(_seen(scores))[:, CRYSTAL], _shipped(scores))


def _proven(taught: _Taught) -> bool:
    """Return what ``adapt`` decides: whether labels held out speak for a readout of the others, beyond chance."""
    labelled, crystal = taught.labelled, taught.labelled.crystal
    if not crystal.any() or crystal.all():
        return False
    draws = drawn(labelled.plates if len(set(labelled.plates)) >= LEAST_PLATES else labelled.drops)
    after = auroc_by_weights(held_out(labelled, taught.scale).logits[:, CRYSTAL], crystal)
    before = auroc_by_weights(labelled.seen.peaks[:, CRYSTAL], crystal)
    return draws.figure(lambda times: after(times) - before(times)).low > 0
