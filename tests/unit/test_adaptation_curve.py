"""Calibrating by a curve: only where labels are many and it is clearly better than a line."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.adaptation import adapting, calibrating
from crystal_search.adaptation.adapting import adapted
from crystal_search.adaptation.bent import Bent, bent_by
from crystal_search.adaptation.calibrating import (
    ENOUGH,
    ENOUGH_PLATES,
    Straight,
    calibrated_by,
    calibration_of,
    is_enough,
    with_calibration,
)
from crystal_search.adaptation.logistic import sigmoid
from crystal_search.adaptation.readout import shipped_readout
from crystal_search.adaptation.readout_file import readout_from_json, readout_to_json
from crystal_search.adaptation.rescoring import Rescoring
from crystal_search.adaptation.triage import Promise, triage
from crystal_search.errors import ModelError
from crystal_search.metrics import Floats
from tests.unit.adapted_drops import an_imager

COUNT, PLATES = 3000, tuple(f"plate {each % 20}" for each in range(3000))
KNOTS = Bent(knots=np.array([-2.0, 0.0, 1.0]), values=np.array([-3.0, -3.0, 4.0]))


def drawn(seed: int, *, bends: bool) -> tuple[Floats, Floats]:
    """Return logits and how probable a crystal is in truth: with a plateau that no line has, or as a line says."""
    logits = np.random.default_rng(seed).normal(0, 3, COUNT)
    return logits, np.where(logits < -1, 0.02, np.where(logits < 2, 0.5, 0.9)) if bends else sigmoid(0.7 * logits - 1)


def crystals(seed: int, shares: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.asarray(np.random.default_rng(seed + 1000).random(len(shares)) < shares)


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=40))
def test_order_is_kept(logits: list[float]) -> None:
    found = KNOTS.of(np.sort(np.array(logits)))
    assert (np.diff(found) >= 0).all()


def test_a_curve_is_what_isotonic_regression_says_in_the_mean_of_each_step() -> None:
    found = bent_by(np.array([-2.0, -1.0, 0.0, 1.0]), np.array([False, True, False, True]))
    assert found.knots.tolist() == [-2.0, -0.5, 1.0]
    np.testing.assert_allclose(sigmoid(found.values), [0.25, 0.5, 0.75])  # (0 + 0.5) / 2, (1 + 0.5) / 3, (1 + 0.5) / 2


def test_a_curve_is_taken_where_no_line_fits_and_is_nearer_to_the_truth() -> None:
    logits, shares = drawn(0, bends=True)
    truth = crystals(0, shares)
    found = calibration_of(logits, truth, PLATES)
    assert isinstance(found, Bent)
    line = calibrated_by(logits, truth)
    fresh, true = drawn(1, bends=True)
    assert np.abs(sigmoid(found.of(fresh)) - true).mean() < 0.5 * np.abs(sigmoid(line.of(fresh)) - true).mean()


def test_a_line_stays_where_a_line_is_true() -> None:
    """Depends on the seeds of ten imagers; a curve may be taken for one in forty."""
    curves = 0
    for seed in range(10):
        logits, shares = drawn(seed, bends=False)
        curves += isinstance(calibration_of(logits, crystals(seed, shares), PLATES), Bent)
    assert curves <= 1


def test_few_labels_or_plates_are_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, shares = drawn(0, bends=True)
    truth = crystals(0, shares)
    few_plates = tuple(f"plate {each % (ENOUGH_PLATES - 1)}" for each in range(COUNT))
    assert isinstance(calibration_of(logits, truth, few_plates), Straight)
    some = np.flatnonzero(truth)[: ENOUGH - 1]
    few = np.sort(np.concatenate([some, np.flatnonzero(~truth)]))
    assert not is_enough(truth[few], [PLATES[each] for each in few])
    assert is_enough(truth, PLATES)
    monkeypatch.setattr(calibrating, "can_bend", lambda: False)
    assert isinstance(calibration_of(logits, truth, PLATES), Straight)


def test_whoever_lacks_the_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    labelled = an_imager(0, plates=3, drops=20)
    told = "labels are enough to calibrate by a curve"
    assert not any(each.startswith(told) for each in adapted(labelled, labelled.seen).advice)
    for module in (adapting, calibrating):
        monkeypatch.setattr(module, "can_bend", lambda: False)
        monkeypatch.setattr(module, "is_enough", lambda *_: True)
    assert any(each.startswith(told) for each in adapted(labelled, labelled.seen).advice)


def bent_readout() -> Rescoring:
    plain = Straight(1.0, 0.0)
    readout = with_calibration(shipped_readout(1), (KNOTS, plain, plain, plain))
    return Rescoring(readout=readout, triage=triage([], [], Promise()), plates=np.zeros((2, 18)))


def test_a_readout_bends_the_logit_of_crystals_only_also_from_its_file() -> None:
    seen = replace(an_imager(0).seen, features=an_imager(0).seen.features[:, :1])
    before = shipped_readout(1).logits(seen)
    rescoring = bent_readout()
    text = readout_to_json(rescoring)
    for readout in (rescoring.readout, readout_from_json(text.encode(), "x").readout):
        found = readout.logits(seen)
        np.testing.assert_allclose(found[:, 0], KNOTS.of(before[:, 0]))
        np.testing.assert_allclose(found[:, 1:], before[:, 1:])
        np.testing.assert_allclose(readout.probabilities(seen)[:, 0], sigmoid(found[:, 0]))
    assert json.loads(text)["version"] == 2
    straight = replace(rescoring, readout=shipped_readout(1))
    assert json.loads(readout_to_json(straight))["version"] == 1


@pytest.mark.parametrize(
    "curve",
    [
        {"knots": [], "values": []},
        {"knots": [1.0], "values": []},
        {"knots": [1.0, 0.0], "values": [0.0, 1.0]},
        {"knots": [0.0, 1.0], "values": [1.0, 0.0]},
        {"knots": ["a"], "values": [1.0]},
        {"knots": [0.0], "values": [1.0], "more": 1},
    ],
)
def test_a_curve_that_is_none_is_refused(curve: dict[str, object]) -> None:
    content = json.loads(readout_to_json(bent_readout())) | {"curve": curve}
    with pytest.raises(ModelError, match="curve"):
        readout_from_json(json.dumps(content).encode(), "x")
