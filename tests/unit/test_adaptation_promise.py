"""Triage with a promise, plates unlike those that it was made on, and probabilities that mean what they say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crystal_search.adaptation.adapting import adapted, promised
from crystal_search.adaptation.bent import Bent
from crystal_search.adaptation.calibrating import (
    AS_IT_IS,
    Straight,
    calibrated_by,
    calibrated_held_out,
    trust_in,
    with_calibration,
)
from crystal_search.adaptation.held_out import held_out
from crystal_search.adaptation.labelled import kept, seen_of
from crystal_search.adaptation.logistic import sigmoid
from crystal_search.adaptation.new_plates import ALARM, PLATES_NEEDED, is_another, likeness, plate_means
from crystal_search.adaptation.readout import scale_of, shipped_readout
from crystal_search.adaptation.readout_file import readout_from_json, readout_to_json
from crystal_search.adaptation.rescoring import Rescoring, rescored
from crystal_search.adaptation.triage import Promise, effective_count, share_between, triage, upper_bound
from crystal_search.errors import ModelMismatchError
from tests.unit.adapted_drops import an_imager
from tests.unit.builders import crystal_score

FEW = Promise(missed=0.1, confidence=0.9)  #: 22 crystals suffice


@pytest.mark.parametrize(
    ("missed", "of", "bound"),  # Clopper and Pearson's, as tables have them
    [(0, 299, 0.00997), (0, 10, 0.25887), (1, 10, 0.39416), (5, 100, 0.10225), (10, 10, 1.0)],
)
def test_bounds_are_those_of_tables(missed: int, of: int, bound: float) -> None:
    assert upper_bound(missed, of, 0.95) == pytest.approx(bound, abs=1e-5)


@given(of=st.integers(1, 400), missed=st.integers(0, 400), confidence=st.floats(0.5, 0.99))
@settings(deadline=None)
def test_a_bound_grows_with_the_missed_and_falls_with_the_seen(of: int, missed: int, confidence: float) -> None:
    missed = min(missed, of)
    bound = upper_bound(missed, of, confidence)
    assert missed / of <= bound <= 1
    assert upper_bound(missed, of + 1, confidence) <= bound + 1e-9
    assert upper_bound(min(missed + 1, of), of, confidence) >= bound - 1e-9


def test_the_threshold_lies_at_the_lowest_crystal_that_may_not_be_missed() -> None:
    scores = np.arange(60.0)
    plates = [str(each) for each in range(60)]
    found = triage(scores, plates, FEW)
    assert (found.threshold, found.missed, found.counting) == (2.0, 2, 60)
    assert upper_bound(2, 60, 0.9) <= 0.1 < upper_bound(3, 60, 0.9)
    assert found.said() == "at most 10 % of the crystals are among the wells that need no look, with 90 % confidence"
    assert found.more_crystals == 0


def test_without_a_crystal_all_that_the_promise_needs_must_be_labelled() -> None:
    found = triage([], [], FEW)
    assert found.more_crystals == FEW.crystals_needed == 22
    assert found.said().endswith("no crystal was labelled, 22 are needed; label about 22 more")
    assert triage([], [], Promise(missed=1)).more_crystals == 1


def test_too_few_crystals_promise_nothing_and_say_how_many_more() -> None:
    found = triage(np.arange(11.0), [str(each) for each in range(11)], FEW)
    assert found.threshold is None
    assert found.more_crystals == FEW.crystals_needed - 11 == 11
    assert found.said() == (
        "cannot promise to miss at most 10 % of the crystals: 11 labelled crystals of 11 plates count as 11 "
        "independent ones, 22 are needed; label about 11 more; at most 19 % can be promised today"
    )


def test_crystals_of_one_plate_count_once_and_unlike_ones_of_many_plates_each() -> None:
    assert effective_count(np.arange(500.0), ["a"] * 500) == 1
    rng = np.random.default_rng(0)
    plates = [str(each % 50) for each in range(500)]
    assert effective_count(rng.normal(0, 1, 500), plates) > 350
    alike = np.repeat(rng.normal(0, 1, 50)[None], 10, axis=0).ravel()
    assert share_between(alike, np.arange(500) % 50) == pytest.approx(1)
    assert effective_count(alike, plates) == int(500 / (1 + 9 / 2))


def test_the_promise_is_kept_on_imagers_whose_plates_differ() -> None:
    """Depends on the seed: 200 imagers of 60 plates, 0.3 of the variance of crystals' scores between plates."""
    broken = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        plate_of = rng.integers(0, 60, 400)
        scores = (0.3**0.5 * rng.normal(0, 1, 60))[plate_of] + 0.7**0.5 * rng.normal(0, 1, 400)
        found = triage(scores, [str(each) for each in plate_of], Promise(missed=0.05))
        fresh = rng.normal(0, 1, 100_000)  # of plates without end
        broken += found.threshold is not None and (fresh < found.threshold).mean() > 0.05
    assert broken <= 10


@pytest.mark.parametrize("plates", [19, 40])
def test_a_plate_like_the_others_is_called_another_as_seldom_as_is_said(plates: int) -> None:
    """Depends on the seed: 600 imagers with heavy tails; 5 % are expected, and 7.5 % are four standard errors above."""
    rng = np.random.default_rng(plates)
    alarms = [is_another(*np.split(rng.standard_t(3, (plates + 1, 8)), [plates])) for _ in range(600)]
    assert np.mean(alarms) <= ALARM + 0.025


def test_a_plate_from_elsewhere_is_called_another() -> None:
    rng = np.random.default_rng(0)
    old = rng.normal(0, 1, (30, 8))
    assert is_another(old, np.full(8, 5.0))
    assert likeness(old, np.full(8, 5.0)) == 1 / 31
    assert not is_another(old, old.mean(axis=0))
    assert is_another(old[: PLATES_NEEDED - 1], old.mean(axis=0))


def test_every_image_is_in_or_out_or_nothing_is_promised() -> None:
    seen = an_imager(0, plates=24, drops=5)
    plates = [f"plate {each // 5}" for each in range(120)]
    means = np.array(list(plate_means(seen.seen, plates).values()))
    found = triage(np.arange(60.0) / 60 - 0.5, [str(each) for each in range(60)], FEW)
    assert found.threshold is not None
    rescoring = Rescoring(readout=shipped_readout(12), triage=found, plates=means)
    first = rescored(rescoring, seen.seen, plates)
    logits = rescoring.readout.logits(seen.seen)[:, 0]
    assert set(first.answers) == {"in", "out"}
    assert [each == "in" for each in first.answers] == (logits >= found.threshold).tolist()
    elsewhere = replace(seen.seen, features=seen.seen.features + np.where(np.arange(120) < 5, 1000, 0)[:, None])
    assert rescored(rescoring, elsewhere, plates).answers == ("cannot_promise",) * 5 + first.answers[5:]
    without = replace(rescoring, triage=triage([], [], FEW))
    assert set(rescored(without, seen.seen, plates).answers) == {"cannot_promise"}


def test_calibrated_probabilities_mean_what_they_say() -> None:
    labelled = an_imager(3, plates=20, drops=40, told_by_numbers=3)
    truth = labelled.crystal
    logits = np.where(truth, 3.0, -3.0) + np.random.default_rng(0).normal(0, 8, len(truth))
    before = trust_in(sigmoid(logits), labelled)
    after = trust_in(sigmoid(calibrated_held_out(logits, labelled)), labelled)
    assert after.error.high < 0.1 < before.error.low
    assert after.curve.counts.sum() == len(truth)
    assert calibrated_by(logits, truth).slope < 0.3
    assert calibrated_by(-logits, truth).slope > 0  # never turned round
    assert tuple(calibrated_by(logits[truth], truth[truth])) == (1, 0)


def test_calibration_goes_into_the_weights() -> None:
    labelled = an_imager(3)
    plain = shipped_readout(12)
    lines = tuple(calibrated_by(plain.logits(labelled.seen)[:, group], labelled.groups == group) for group in range(4))
    found = with_calibration(plain, lines).logits(labelled.seen)
    for group, line in enumerate(lines):
        np.testing.assert_allclose(found[:, group], line.of(plain.logits(labelled.seen)[:, group]))


def test_all_that_labels_say_comes_of_one_call() -> None:
    labelled = an_imager(5, plates=8, told_by_shipped=0.2, told_by_numbers=3)
    found = adapted(labelled, labelled.seen, FEW)
    assert found.gain.counts
    assert found.triage.crystals == found.gain.crystals
    assert found.triage.threshold is not None
    assert found.plates.shape == (8, 12 + 17)
    assert found.trust.error.value < found.shipped.error.value
    before = held_out(labelled, scale_of(labelled.seen))
    made = triage(before.logits[labelled.crystal, 0], kept(labelled.plates, labelled.crystal), FEW)
    assert (made.missed, made.bound) == (found.triage.missed, found.triage.bound)


@given(
    values=st.lists(st.floats(-20, 20), min_size=1, max_size=8),
    slope=st.floats(0.05, 4),
    shift=st.floats(-5, 5),
    seed=st.integers(0, 100),
)
@settings(max_examples=40, deadline=None)
def test_no_calibration_has_a_well_missed_that_was_looked_at_before(
    values: list[float], slope: float, shift: float, seed: int
) -> None:
    labelled = an_imager(seed % 5, plates=60, drops=5)
    logits = np.random.default_rng(seed).normal(0, 4, len(labelled))
    plain = promised(labelled, logits, AS_IT_IS, FEW)
    assert plain.threshold is not None
    bent = Bent(knots=np.linspace(-6, 6, len(values)), values=np.sort(np.array(values)))
    level = Bent(knots=np.array([-6.0, 6.0]), values=np.array([-1.0, -1.0]))
    for calibration in (Straight(slope, shift), bent, level):
        made = promised(labelled, logits, calibration, FEW)
        assert made.threshold is not None
        assert replace(made, threshold=0) == replace(plain, threshold=0)
        look = calibration.of(logits) >= made.threshold
        assert look[logits >= plain.threshold].all()
        far = logits < plain.threshold - 0.1
        assert calibration is not level or look[np.abs(logits) < 6].all()
        assert not look[far].any() or not isinstance(calibration, Straight)


def test_a_promise_is_the_same_after_the_file_of_a_readout_whose_curve_is_level() -> None:
    labelled = an_imager(0, plates=60, drops=5)
    plain = shipped_readout(12)
    level = Bent(knots=np.array([-9.0, 9.0]), values=np.array([-1 / 3, -1 / 3]))
    logits = plain.logits(labelled.seen)[:, 0]
    made = promised(labelled, logits, level, FEW)
    readout = with_calibration(plain, (level, AS_IT_IS, AS_IT_IS, AS_IT_IS))
    means = np.array(list(plate_means(labelled.seen, labelled.plates).values()))
    text = readout_to_json(Rescoring(readout=readout, triage=made, plates=means))
    found = rescored(readout_from_json(text.encode(), "x"), labelled.seen, labelled.plates)
    assert "out" not in found.answers


def test_scores_without_features_are_refused() -> None:
    with pytest.raises(ModelMismatchError, match="no features"):
        seen_of([replace(crystal_score(), packed_features=b"")])
