"""Intervals from drawing wells again."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crystal_search.bootstrap import Draws, drawn, interval

values = st.lists(st.floats(0, 1), min_size=1, max_size=20)


@given(values, st.integers(1, 6), st.integers(0, 99))
@settings(max_examples=40)
def test_an_interval_holds_its_figure(items: list[float], wells: int, seed: int) -> None:
    draws = drawn([f"W{index % wells}" for index in range(len(items))], draws=50, seed=seed)
    found = draws.mean(np.array(items))
    assert found.value == pytest.approx(np.mean(items))
    assert found.low <= found.value <= found.high


@given(values)
@settings(max_examples=40)
def test_a_mean_is_the_same_figure_as_any_statistic(items: list[float]) -> None:
    draws, numbers = drawn([f"W{index // 2}" for index in range(len(items))], draws=30), np.array(items)
    any_statistic = draws.figure(lambda weights: float((weights * numbers).sum() / weights.sum()))
    np.testing.assert_allclose(draws.mean(numbers), any_statistic, atol=1e-9)


def test_wells_are_drawn_not_items() -> None:
    """Two wells whose items agree: a draw holds both, or one of them twice."""
    draws = drawn(["A"] * 50 + ["B"] * 50, draws=200)
    found = draws.mean(np.array([0.0] * 50 + [1.0] * 50))
    assert found == (0.5, 0.0, 1.0)
    alone = drawn([f"W{index}" for index in range(100)], draws=200).mean(np.array([0.0] * 50 + [1.0] * 50))
    assert 0.35 < alone.low < 0.45
    assert 0.55 < alone.high < 0.65


def test_weights_by_hand() -> None:
    draws = Draws(np.array([0, 1, 0]), np.array([[2.0, 0.0], [1.0, 1.0]]))
    found = draws.figure(lambda weights: float(weights @ [1.0, 10.0, 100.0]))  # as if each counted so often
    assert found == (111, 111, interval(111, np.array([202.0, 111.0])).high)
    assert draws.sums(np.array([1.0, 10.0, 100.0])).tolist() == [202, 111]


def test_a_mean_among_none_is_empty() -> None:
    found = drawn(["A", "B"]).mean(np.array([1.0, 0.0]), np.array([False, False]))
    assert all(math.isnan(each) for each in found)
    assert all(math.isnan(each) for each in drawn([]).mean(np.zeros(0)))


def test_a_draw_without_the_class_is_left_out() -> None:
    found = drawn(["A", "B"], draws=100).mean(np.array([1.0, 0.0]), np.array([True, False]))
    assert found == (1.0, 1.0, 1.0)
    assert interval(0.5, np.array([NAN, 0.25, 0.75]))[1:] == pytest.approx((0.2625, 0.7375))


NAN = float("nan")


def test_the_same_draws_every_time() -> None:
    assert (drawn(["A", "B", "C"]).times == drawn(["A", "B", "C"]).times).all()
