"""Figures computed by hand, and laws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from crystal_search.metrics import (
    among_best,
    auroc,
    class_rates,
    confusion,
    losses,
    mean_of,
    reliability,
)

NAN = float("nan")
Scores = NDArray[np.float64]

eighths = st.integers(0, 8).map(lambda value: value / 8)  # few values, so that there are ties
some_scores = arrays.arrays(np.float64, st.integers(2, 30), elements=eighths)


def split(count: int, seed: int) -> NDArray[np.bool_]:
    """Return which of `count` are positive: at least one, not all."""
    positive = np.random.default_rng(seed).random(count) < 0.5
    positive[0], positive[1] = True, False
    return positive


def test_among_best_and_losses() -> None:
    shares = np.array([[0.7, 0.2, 0.1], [0.3, 0.5, 0.2], [0.2, 0.5, 0.3]])
    labels = np.array([0, 0, 0])
    assert among_best(shares, labels, 1).tolist() == [True, False, False]
    assert among_best(shares, labels, 2).tolist() == [True, True, False]
    np.testing.assert_allclose(losses(shares, labels), [0.356675, 1.203973, 1.609438], atol=1e-6)


def test_a_loss_stays_finite() -> None:
    assert losses(np.array([[0.0, 1.0]]), np.array([0]))[0] == pytest.approx(-math.log(1e-12))


def test_confusion_has_the_truth_in_rows() -> None:
    labels, answers = np.array([0, 0, 0, 1, 2]), np.array([0, 1, 1, 1, 0])
    assert confusion(labels, answers, 3).tolist() == [[1, 2, 0], [0, 1, 0], [1, 0, 0]]


def test_rates_by_hand() -> None:
    rates = class_rates(np.array([[8.0, 2.0, 0.0], [1.0, 4.0, 0.0], [3.0, 0.0, 0.0]]))
    np.testing.assert_allclose(rates.precision, [8 / 12, 4 / 6, NAN])  # the third was never answered
    np.testing.assert_allclose(rates.recall, [0.8, 0.8, 0.0])
    np.testing.assert_allclose(rates.f1, [16 / 22, 8 / 11, 0.0])
    assert rates.macro_precision == pytest.approx((8 / 12 + 4 / 6 + 0) / 3)
    assert rates.macro_recall == pytest.approx(1.6 / 3)
    assert rates.macro_f1 == pytest.approx((16 / 22 + 8 / 11) / 3)


def test_an_absent_class_has_no_rates_even_if_it_was_answered() -> None:
    rates = class_rates(np.array([[3.0, 1.0], [0.0, 0.0]]))
    np.testing.assert_array_equal([rates.precision[1], rates.recall[1], rates.f1[1]], [NAN] * 3)
    assert rates.macro_recall == 0.75


def test_answers_that_are_no_class_lower_recall_only() -> None:
    rates = class_rates(np.array([[3.0, 0.0, 1.0], [0.0, 2.0, 2.0]]))  # the third column: no drop was found
    assert rates.precision.tolist() == [1.0, 1.0]
    assert rates.recall.tolist() == [0.75, 0.5]


def test_no_rates_of_nothing() -> None:
    rates = class_rates(np.zeros((2, 2)))
    assert all(math.isnan(each) for each in (rates.macro_precision, rates.macro_recall, rates.macro_f1))
    assert math.isnan(mean_of(np.array([])))


@pytest.mark.parametrize(
    ("scores", "positive", "expected"),
    [
        ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.75),
        ([0.5, 0.5, 0.5], [1, 0, 0], 0.5),  # nothing but ties
        ([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0], 3.5 / 4),  # one tie in four pairs
        ([0.2, 0.8], [1, 0], 0.0),
        ([0.2, 0.8], [1, 1], NAN),
        ([], [], NAN),
    ],
)
def test_auroc_by_hand(scores: list[float], positive: list[int], expected: float) -> None:
    found = auroc(np.array(scores), np.array(positive, dtype=bool))
    assert found == pytest.approx(expected, nan_ok=True)


@given(some_scores, st.integers(0, 99))
def test_auroc_of_negated_scores_is_the_rest(scores: Scores, seed: int) -> None:
    positive = split(len(scores), seed)
    assert auroc(-scores, positive) == pytest.approx(1 - auroc(scores, positive))


@given(some_scores, st.integers(0, 99))
def test_auroc_does_not_know_the_order(scores: Scores, seed: int) -> None:
    positive, order = split(len(scores), seed), np.random.default_rng(seed).permutation(len(scores))
    assert auroc(scores[order], positive[order]) == pytest.approx(auroc(scores, positive))


@given(some_scores, st.integers(0, 99))
def test_auroc_counts_a_weight_like_repetition(scores: Scores, seed: int) -> None:
    positive, times = split(len(scores), seed), np.random.default_rng(seed).integers(0, 3, len(scores))
    times[:2] = 1
    repeated = auroc(np.repeat(scores, times), np.repeat(positive, times))
    assert auroc(scores, positive, times.astype(float)) == pytest.approx(repeated)


@given(st.integers(2, 6), st.integers(1, 40), st.integers(0, 99))
def test_a_perfect_classifier_is_perfect(classes: int, count: int, seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, classes, count)
    shares = np.eye(classes)[labels]
    rates = class_rates(confusion(labels, shares.argmax(axis=1), classes))
    assert (rates.macro_precision, rates.macro_recall, rates.macro_f1) == (1.0, 1.0, 1.0)
    assert among_best(shares, labels, 1).all()
    assert losses(shares, labels).max() == 0
    assert reliability(shares.max(axis=1), np.ones(count, dtype=bool)).ece == 0
    areas = [auroc(shares[:, index], labels == index) for index in range(classes)]
    assert {area for area in areas if not math.isnan(area)} <= {1.0}


def test_reliability_by_hand() -> None:
    confidence = np.array([0.55, 0.5, 0.95, 1.0])
    curve = reliability(confidence, np.array([True, False, True, True]), bins=2)
    assert curve.edges.tolist() == [0, 0.5, 1]
    assert curve.counts.tolist() == [0, 4]  # an edge belongs to the bin above, 1 to the last
    np.testing.assert_allclose(curve.confidence, [NAN, 0.75])
    np.testing.assert_allclose(curve.accuracy, [NAN, 0.75])
    assert curve.ece == 0
    halves = reliability(confidence, np.array([True, False, True, True]), bins=10)
    assert halves.ece == pytest.approx((2 * abs(0.525 - 0.5) + 2 * abs(0.975 - 1)) / 4)


@given(st.integers(1, 60), st.integers(0, 999))
def test_ece_is_the_mean_distance_in_bins_weighted_by_count(count: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    sure, right = generator.random(count), generator.random(count) < 0.5
    bins = [(sure >= low / 15) & (sure < (low + 1) / 15) for low in range(15)]
    expected = sum(abs(sure[each].sum() - right[each].sum()) for each in bins) / count
    assert reliability(sure, right).ece == pytest.approx(expected)


def test_no_ece_of_nothing() -> None:
    assert math.isnan(reliability(np.zeros(0), np.zeros(0, dtype=bool)).ece)
