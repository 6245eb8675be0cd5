"""How the learning rate goes, and when a training ends."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from crystal_search.training.schedules import OneCycle, Schedule, StepwiseRates


def test_the_papers_rates_fall_when_validation_stagnates_and_then_it_ends() -> None:
    schedule = StepwiseRates(patience=2)
    rates = []
    for loss in (3.0, 2.0, 2.0, 2.1, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5):
        rates.append(schedule.rate(0.5))
        assert not schedule.ended
        schedule.validated(loss)
    assert rates == [1e-2] * 4 + [1e-3] * 3 + [1e-4] * 2 + [1e-5] * 2
    assert schedule.ended


def test_a_gain_of_less_than_a_thousandth_is_stagnation() -> None:
    schedule = StepwiseRates(patience=1)
    schedule.validated(1.0)
    schedule.validated(0.9995)
    assert schedule.rate(0.0) == 1e-3


def test_one_cycle_rises_once_and_falls_to_almost_nothing() -> None:
    rates = [OneCycle(2.0, 0).rate(progress) for progress in np.linspace(0.001, 1, 1000)]
    assert max(rates) == pytest.approx(2.0, rel=1e-3)
    assert np.argmax(rates) == pytest.approx(100, abs=2)
    assert rates[-1] == pytest.approx(0.01)


def test_one_cycle_stops_early_unless_told_not_to() -> None:
    patient, never = OneCycle(1.0, 2), OneCycle(1.0, 0)
    for loss in (1.0, 1.1, 1.2):
        assert not patient.ended
        patient.validated(loss)
        never.validated(loss)
    assert (patient.ended, never.ended) == (True, False)


@given(losses=st.lists(st.floats(0.01, 10), max_size=30), cut=st.integers(0, 30), steps=st.booleans())
def test_a_restored_schedule_goes_on_as_the_one_that_was_saved(losses: list[float], cut: int, steps: bool) -> None:
    def fresh() -> Schedule:
        return StepwiseRates(2) if steps else OneCycle(1.0, 3)

    whole, first, second = fresh(), fresh(), fresh()
    for loss in losses:
        whole.validated(loss)
    for loss in losses[:cut]:
        first.validated(loss)
    second.restore(first.state())
    for loss in losses[cut:]:
        second.validated(loss)
    assert (second.state(), second.ended, second.rate(0.3)) == (whole.state(), whole.ended, whole.rate(0.3))


def test_each_schedule_brings_its_optimiser() -> None:
    weights = [nn.Parameter(torch.zeros(1))]
    assert isinstance(OneCycle(1.0, 0).optimiser(weights), torch.optim.AdamW)
    momentum = StepwiseRates(1).optimiser(weights)
    assert isinstance(momentum, torch.optim.SGD)
    assert momentum.param_groups[0]["momentum"] == 0.9
