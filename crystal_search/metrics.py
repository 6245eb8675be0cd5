"""What is measured of answers whose truth is known. A figure of nothing is NaN, never zero."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]  #: (N,), positions of classes
SMALLEST = 1e-12  #: probability below which a loss does not grow further
BINS = 15  #: of a reliability curve


def ratio(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, NaN where there is no whole.

    >>> ratio(np.array([1.0, 0.0]), np.array([4.0, 0.0])).tolist()
    [0.25, nan]
    """
    found: Floats = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)
    return found


def mean_of(values: Floats) -> float:
    """Return the mean of the values that are none of nothing; NaN where there is no such value."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def among_best(scores: Floats, labels: Labels, count: int) -> NDArray[np.bool_]:
    """Return for each row of scores (N, classes) whether its label is among the `count` highest.

    Of equal scores the earlier class comes first, as `argmax` has it.

    >>> among_best(np.array([[0.5, 0.3, 0.2]]), np.array([1]), 1).tolist()
    [False]
    """
    best = np.argsort(-scores, axis=1, kind="stable")[:, :count]  # (N, count)
    return np.asarray((best == labels[:, None]).any(axis=1))


def losses(shares: Floats, labels: Labels) -> Floats:
    """Return each row's cross entropy in nats, for probabilities (N, classes)."""
    return np.asarray(-np.log(np.maximum(shares[np.arange(len(labels)), labels], SMALLEST)))


def confusion(labels: Labels, answers: Labels, classes: int) -> Floats:
    """Return how often truth (row) was answered with (column), (classes, classes).

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    counts = np.bincount(labels * classes + answers, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class ClassRates:
    """Precision, recall and F1 of every class; NaN where there is nothing to judge by."""

    precision: Floats  #: NaN for a class that was never answered, or is absent
    recall: Floats  #: NaN for an absent class
    f1: Floats  #: NaN for an absent class
    support: Floats  #: how many there are

    @property
    def macro_precision(self) -> float:
        """The mean over the classes that are there; one that was never answered counts as 0."""
        return mean_of(np.where(self.support > 0, np.nan_to_num(self.precision), np.nan))

    @property
    def macro_recall(self) -> float:
        """The mean over the classes that are there."""
        return mean_of(self.recall)

    @property
    def macro_f1(self) -> float:
        """The mean over the classes that are there."""
        return mean_of(self.f1)


def class_rates(counts: Floats) -> ClassRates:
    """Return the rates of a confusion matrix (classes, answers), truth in rows.

    There may be more answers than classes: those behind are answers that are right for nobody.
    """
    classes = len(counts)
    right, support, answered = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)[:classes]
    there = support > 0
    return ClassRates(
        precision=np.where(there, ratio(right, answered), np.nan),
        recall=ratio(right, support),
        f1=np.where(there, ratio(2 * right, support + answered), np.nan),
        support=support,
    )


def auroc(scores: Floats, positive: NDArray[np.bool_], weights: Floats | None = None) -> float:
    """Return how often a positive has a higher score than a negative; a tie counts half.

    Parameters
    ----------
    scores, positive
        (N,) each.
    weights
        How often each counts, (N,); default: once.

    Returns
    -------
    float
        The area under the receiver operating characteristic; NaN without positives or without negatives.

    >>> auroc(np.array([0.9, 0.4, 0.4]), np.array([True, True, False]))
    0.75
    """
    return auroc_by_weights(scores, positive)(np.ones(len(scores)) if weights is None else weights)


def auroc_by_weights(scores: Floats, positive: NDArray[np.bool_]) -> Callable[[Floats], float]:
    """Return the function that gives `auroc` for weights (N,): sorted once for many weights."""
    _, place = np.unique(scores, return_inverse=True)

    def weighted(weights: Floats) -> float:
        for_positive = np.bincount(place, weights * positive)
        for_negative = np.bincount(place, weights * ~positive)
        lower = np.cumsum(for_negative) - for_negative
        pairs = for_positive.sum() * for_negative.sum()
        return float((for_positive * (lower + for_negative / 2)).sum() / pairs) if pairs > 0 else float("nan")

    return weighted


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """How often answers are right, by how sure they were; (bins,) each."""

    edges: Floats  #: (bins + 1,)
    counts: Floats
    confidence: Floats  #: mean; NaN in an empty bin
    accuracy: Floats  #: NaN in an empty bin

    @property
    def ece(self) -> float:
        """The expected calibration error: mean distance between confidence and accuracy, weighted by count."""
        if not self.counts.sum():
            return float("nan")
        distance = np.nan_to_num(np.abs(self.confidence - self.accuracy))
        return float((distance * self.counts).sum() / self.counts.sum())


def reliability(
    confidence: Floats, right: NDArray[np.bool_], weights: Floats | None = None, bins: int = BINS
) -> Reliability:
    """Return the reliability curve of answers of some confidence in [0, 1], in bins of equal width.

    A confidence on an edge belongs to the bin above it, that of 1 to the last.
    """
    weights = np.ones(len(confidence)) if weights is None else weights
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    counts, confidences, rights = (
        np.bincount(place, each, minlength=bins).astype(np.float64)
        for each in (weights, weights * confidence, weights * right)
    )
    return Reliability(np.linspace(0, 1, bins + 1), counts, ratio(confidences, counts), ratio(rights, counts))
