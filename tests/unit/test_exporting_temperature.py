"""One temperature for all logits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from crystal_search.exporting.calibration import HIGHEST, LOWEST, calibration_error, likeliest_temperature
from crystal_search.scoring.classify import probabilities


def drawn(generator: np.random.Generator, temperature: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return logits, and labels drawn by the probabilities that they have at `temperature`."""
    logits = generator.normal(scale=3, size=(4000, 5))
    ladder = probabilities(logits, temperature).cumsum(axis=1)
    return logits, (generator.random((4000, 1)) > ladder).sum(axis=1).clip(0, 4)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_labels_were_drawn_by_is_found(temperature: float) -> None:
    logits, labels = drawn(np.random.default_rng(0), temperature)
    assert likeliest_temperature(logits, labels) == pytest.approx(temperature, rel=0.06)


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 5))
def test_no_other_temperature_is_likelier(seed: int, other: float) -> None:
    generator = np.random.default_rng(seed)
    logits, labels = generator.normal(scale=2, size=(12, 4)), generator.integers(4, size=12)

    def loss(temperature: float) -> float:
        chosen = probabilities(logits, temperature)[np.arange(12), labels]
        return float(-np.log(chosen).mean())

    assert loss(likeliest_temperature(logits, labels)) <= loss(other) + 1e-9


def test_what_is_always_right_or_always_wrong_stays_within_the_limits() -> None:
    logits = np.eye(3) * 5
    assert likeliest_temperature(logits, np.array([0, 1, 2])) == pytest.approx(LOWEST)
    assert likeliest_temperature(logits, np.array([1, 2, 0])) == pytest.approx(HIGHEST)


def test_the_error_weighs_each_bin_by_its_chops() -> None:
    found = np.array([[0.95, 0.05], [0.95, 0.05], [0.95, 0.05], [0.55, 0.45]])
    labels = np.array([0, 0, 0, 1])  # the bin of 0.95: always right; the bin of 0.55: wrong
    assert calibration_error(found, labels) == pytest.approx((3 * 0.05 + 0.55) / 4)
    assert calibration_error(np.array([[1.0, 0.0]]), np.array([0])) == 0


def test_the_fitted_temperature_makes_the_error_small() -> None:
    logits, labels = drawn(np.random.default_rng(1), 3.0)
    before = calibration_error(probabilities(logits, 1.0), labels)
    after = calibration_error(probabilities(logits, likeliest_temperature(logits, labels)), labels)
    assert after < 0.03 < before
