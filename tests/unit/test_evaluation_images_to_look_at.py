"""Crystals found by looking at the likeliest images first."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crystal_search.evaluation.images_to_look_at import LOOKED_AT, looking


def at(found: object, share: float) -> float:
    return float(np.asarray(found)[np.argmin(np.abs(LOOKED_AT - share))])


def test_by_hand() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.1])
    crystal = np.array([True, False, True, False])
    curve = looking(scores, crystal, ["A", "B", "C", "D"], draws=20)
    assert [at(curve.found, share) for share in (0, 0.24, 0.25, 0.5, 0.74, 0.75, 1)] == [0, 0, 0.5, 0.5, 0.5, 1, 1]
    assert curve.needed.value == 0.75
    assert (curve.crystal_wells, curve.images) == (2, 4)


def test_a_well_is_found_with_the_first_of_its_inspections_that_shows_a_crystal() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    crystal = np.array([False, True, True, True, False])  # at first the well A was clear
    curve = looking(scores, crystal, ["A", "A", "A", "B", "C"], draws=20)
    assert curve.crystal_wells == 2
    assert [at(curve.found, share) for share in (0.2, 0.4, 0.6, 0.8)] == [0, 0.5, 0.5, 1]


def test_of_equal_scores_all_are_looked_at_first() -> None:
    curve = looking(np.zeros(4), np.array([True, False, False, False]), ["A", "B", "C", "D"], draws=20)
    assert at(curve.found, 0.99) == 0
    assert curve.needed.value == 1


def test_no_crystals_no_curve() -> None:
    curve = looking(np.array([0.3, 0.2]), np.array([False, False]), ["A", "B"], draws=20)
    assert np.isnan(curve.found).all()
    assert math.isnan(curve.needed.value)


@given(st.integers(1, 30), st.integers(0, 999))
@settings(max_examples=40)
def test_laws(count: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores, crystal = generator.integers(0, 8, count) / 8, generator.random(count) < 0.4
    crystal[0] = True
    wells = [f"W{generator.integers(0, count)}" for _ in range(count)]
    curve = looking(scores, crystal, wells, draws=20)
    assert (np.diff(curve.found) >= 0).all()
    assert curve.found[-1] == 1
    assert ((curve.low <= curve.found) & (curve.found <= curve.high)).all()
    assert curve.needed.low <= curve.needed.value <= curve.needed.high
    order = generator.permutation(count)
    again = looking(scores[order], crystal[order], [wells[index] for index in order], draws=20)
    np.testing.assert_array_equal(again.found, curve.found)


def test_perfect_order_needs_the_crystals_only() -> None:
    crystal = np.arange(100) < 10
    curve = looking(crystal.astype(float), crystal, [f"W{index}" for index in range(100)], draws=50)
    assert curve.needed.value == pytest.approx(0.1)
    assert at(curve.found, 0.1) == 1
