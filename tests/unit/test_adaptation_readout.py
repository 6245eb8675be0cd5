"""The regression and the readout made with it: laws, values by hand, and another library's answer."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from crystal_search.adaptation.labelled import NOT_CRYSTAL, Seen
from crystal_search.adaptation.logistic import balanced, fitted, logit, sigmoid, spanned
from crystal_search.adaptation.readout import (
    Choice,
    Readout,
    fitted_readout,
    groups_with_labels,
    scale_of,
    shipped_readout,
)
from tests.unit.adapted_drops import NUMBERS, an_imager


@pytest.mark.parametrize(("rows", "columns"), [(12, 30), (60, 5)])
@pytest.mark.parametrize("penalty", [0.1, 10.0, 300.0])
def test_without_an_offset_it_is_what_scikit_learn_fits(rows: int, columns: int, penalty: float) -> None:
    rng = np.random.default_rng(rows)
    numbers, positive = rng.normal(0, 1, (rows, columns)), rng.random(rows) < 0.3
    positive[:2] = True, False
    other = LogisticRegression(C=1 / penalty, class_weight="balanced", tol=1e-10, max_iter=10_000)
    other.fit(numbers, positive)
    line = fitted(spanned(numbers), positive, np.zeros(rows), penalty=penalty)
    np.testing.assert_allclose(line.weights, other.coef_[0], atol=1e-5)
    assert line.bias == pytest.approx(other.intercept_[0], abs=1e-5)


@given(seed=st.integers(0, 10_000), penalty=st.floats(0.01, 1000), sure=st.floats(0, 20))
@settings(max_examples=40, deadline=None)
def test_no_step_from_the_minimum_loses_less(seed: int, penalty: float, sure: float) -> None:
    rng = np.random.default_rng(seed)
    numbers, offset = rng.normal(0, 1, (15, 4)), rng.normal(0, sure, 15)
    positive = np.arange(15) % 3 == 0

    def loss(bias: float, weights: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        logits = offset + bias + numbers @ weights
        entropy = np.logaddexp(0, np.where(positive, -logits, logits))
        return float((balanced(positive) * entropy).sum() + penalty / 2 * weights @ weights)

    line = fitted(spanned(numbers), positive, offset, penalty=penalty)
    least = loss(line.bias, line.weights)
    for step in 0.01 * rng.normal(0, 1, (10, 5)):
        assert loss(line.bias + step[0], line.weights + step[1:]) >= least - 1e-9


def test_under_a_heavy_penalty_only_the_known_score_is_left() -> None:
    rng = np.random.default_rng(0)
    numbers, offset = rng.normal(0, 1, (30, 8)), rng.normal(0, 2, 30)
    line = fitted(spanned(numbers), np.arange(30) % 2 == 0, offset, penalty=1e9)
    assert np.abs(line.weights).max() < 1e-6


def test_a_readout_is_bias_and_weighted_score_and_weighted_numbers() -> None:
    weights = np.eye(4, 2 + 4 + 13, 2)
    weights[0, :3] = 1.0, -2.0, 2.0
    readout = Readout(bias=np.array([0.5, 0, 0, 0]), weights=weights)
    peaks = np.array([[1 / (1 + np.exp(-1)), 0.5, 0.5, 0.5]])  # logits 1, 0, 0, 0
    seen = Seen(features=np.array([[3.0, 1.0]]), peaks=peaks, means=np.full((1, 13), 1 / 13))
    np.testing.assert_allclose(readout.logits(seen), [[0.5 + 2 * 1 + 3 - 2, 0, 0, 0]])
    crystal = 1 / (1 + np.exp(-3.5))
    np.testing.assert_allclose(readout.probabilities(seen), [[crystal, *[(1 - crystal) / 3] * 3]])


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_probabilities_add_up_and_rank_as_the_logits_of_crystals(seed: int) -> None:
    labelled = an_imager(seed, plates=2, drops=10)
    readout = fitted_readout(labelled, scale_of(labelled.seen), Choice(penalty=1, trust=0.5, numbers=0.2))
    shares = readout.probabilities(labelled.seen)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (shares >= 0).all()
    np.testing.assert_array_equal(shares[:, 0].argsort(), readout.logits(labelled.seen)[:, 0].argsort())


@given(seed=st.integers(0, 1000), factor=st.floats(0.1, 100), shift=st.floats(-50, 50))
@settings(max_examples=20, deadline=None)
def test_the_unit_of_the_numbers_changes_no_answer(seed: int, factor: float, shift: float) -> None:
    labelled = an_imager(seed, plates=2, drops=10)
    other = replace(labelled, seen=replace(labelled.seen, features=factor * labelled.seen.features + shift))
    answers = [
        fitted_readout(each, scale_of(each.seen), Choice(penalty=3, trust=1, numbers=0.5)).logits(each.seen)
        for each in (labelled, other)
    ]
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-4)


def test_the_shipped_readout_says_what_the_shipped_models_say() -> None:
    seen = an_imager(1).seen
    np.testing.assert_allclose(shipped_readout(12).logits(seen), logit(seen.peaks, least=0.001))


def test_groups_without_labels_keep_their_shipped_score() -> None:
    labelled = an_imager(3, plates=2)
    only = replace(labelled, groups=np.where(labelled.groups == 2, NOT_CRYSTAL, labelled.groups))
    assert groups_with_labels(only) == [0, 1, 3]
    readout = fitted_readout(only, scale_of(only.seen), Choice(penalty=3, trust=0.5, numbers=0.5))
    np.testing.assert_array_equal(readout.weights[2], shipped_readout(12).weights[2])
    assert readout.weights[[0, 1, 3], :12].all()
    assert groups_with_labels(replace(labelled, groups=np.where(labelled.crystal, 0, NOT_CRYSTAL))) == [0]


def test_logits_and_shares_are_each_other_turned_round() -> None:
    shares = np.array([0.01, 0.3, 0.99])
    np.testing.assert_allclose(sigmoid(logit(shares, least=0.001)), shares)


def test_a_group_that_is_not_asked_for_keeps_its_shipped_score() -> None:
    labelled = an_imager(1)
    scale, choice = scale_of(labelled.seen), Choice(penalty=1, trust=0.5, numbers=0.2)
    whole, one = fitted_readout(labelled, scale, choice), fitted_readout(labelled, scale, choice, groups=(0,))
    shipped = shipped_readout(NUMBERS)
    np.testing.assert_array_equal(one.weights[0], whole.weights[0])
    np.testing.assert_array_equal(one.weights[1:], shipped.weights[1:])
    assert (one.bias[0], *one.bias[1:]) == (whole.bias[0], 0, 0, 0)
    assert (whole.weights[1:] != shipped.weights[1:]).any()
