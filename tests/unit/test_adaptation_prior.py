"""What readouts of many imagers have in common: its file, what it does to a readout, and what it was learnt from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.foreign.drawn_imagers import REACH, drawn_imager
from benchmarks.foreign.imagers import IMAGERS, ForeignImager
from benchmarks.foreign.learn_prior import prior_from
from crystal_search.adaptation.held_out import CHOICES, FROM_PRIOR, choices_for
from crystal_search.adaptation.imager_prior import prior_json, prior_of
from crystal_search.adaptation.labelled import Labelled
from crystal_search.adaptation.logistic import logit
from crystal_search.adaptation.readout import ANSWERS, Choice, fitted_readout, inputs, scale_of
from crystal_search.errors import ModelError
from crystal_search.metrics import auroc
from crystal_search.model import default_model
from crystal_search.model_card import ClassifierCard
from tests.unit.adapted_drops import NUMBERS, an_imager

SHA256 = "ab" * 32
DIRECTION = np.linspace(-1, 1, NUMBERS + ANSWERS)

#: Of the axes of `REACH`: the foreign imagers that lie out there, and where.
FARTHER: dict[str, dict[str, float]] = {
    "gamma": {"steep-tones": 2.4},
    "blur": {"out-of-focus": 4.5},
    "defocus": {"far-defocus": -2.6},
    "lamp": {"dark-field": 1.3, "oblique": 0.75},
    "aperture": {"low-aperture": 0.055},
    "floor": {"pale": 0.6},
    "noise": {"noisy": 0.07},
    "tint": {"blue-lamp": 0.12},
    "corners": {"through-a-tube": 0.1},
    "view": {"far-view-of-a-grid": 1900},
    "quality": {"thumbnails": 12},
}


def test_the_shipped_classifier_has_a_prior_for_all_of_its_inputs() -> None:
    card = default_model(ClassifierCard).card
    assert card.features is not None
    prior = prior_of(card.sha256, card.features.channels)
    assert prior is not None
    assert prior.shape == (card.features.channels + ANSWERS,)


def test_a_prior_is_found_by_the_classifiers_hash_alone(tmp_path: Path) -> None:
    (tmp_path / "ours.prior.json").write_text(prior_json(SHA256, DIRECTION, "four imagers"))
    found = prior_of(SHA256, NUMBERS, tmp_path)
    assert found is not None
    np.testing.assert_allclose(found, DIRECTION, rtol=1e-5)
    assert prior_of("cd" * 32, NUMBERS, tmp_path) is None
    assert prior_of(SHA256, NUMBERS + 1, tmp_path) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("readout prior", "poem"), "crystal-search readout prior"),
        (('"version": 1', '"version": 2'), "version"),
        ((f'"numbers": {NUMBERS + ANSWERS}', f'"numbers": {NUMBERS + ANSWERS + 1}'), "weights"),
        (("-1.0,", "NaN,"), "NaN"),
        ((SHA256, "short"), "classifier_sha256"),
    ],
)
def test_a_file_that_breaks_the_format_is_refused(change: tuple[str, str], message: str, tmp_path: Path) -> None:
    text = prior_json(SHA256, DIRECTION, "four imagers")
    assert change[0] in text
    (tmp_path / "ours.prior.json").write_text(text.replace(*change))
    with pytest.raises(ModelError, match=message):
        prior_of(SHA256, NUMBERS, tmp_path)


def test_without_a_prior_nothing_else_is_chosen_from() -> None:
    seen = an_imager(0).seen
    assert choices_for(scale_of(seen)) == CHOICES
    assert choices_for(scale_of(seen, DIRECTION)) == (FROM_PRIOR, *CHOICES)


def test_labels_that_count_for_nothing_leave_score_and_prior() -> None:
    labelled = an_imager(2, plates=2)
    scale = scale_of(labelled.seen, DIRECTION)
    readout = fitted_readout(labelled, scale, Choice(penalty=1e9, trust=0.6, numbers=0.5, prior=1), groups=(0,))
    standard = (inputs(labelled.seen) - scale.mean) / scale.spread
    expected = 0.6 * logit(labelled.seen.peaks[:, 0], least=0.001) + standard @ DIRECTION
    differences = readout.logits(labelled.seen)[:, 0] - expected
    np.testing.assert_allclose(differences, differences[0], atol=1e-4)  # the bias is fitted to the labels


def test_only_the_logits_of_crystals_have_a_prior() -> None:
    labelled = an_imager(2, plates=2)
    choice = Choice(penalty=1, trust=0.5, numbers=0.5, prior=1)
    with_it, without = (fitted_readout(labelled, scale_of(labelled.seen, prior), choice) for prior in (DIRECTION, None))
    np.testing.assert_array_equal(with_it.weights[1:], without.weights[1:])
    assert not np.allclose(with_it.weights[0], without.weights[0])


def sharing(seed: int) -> Labelled:
    """Return an imager whose crystals the fourth number tells, as it does at every other."""
    labelled, rng = an_imager(seed, plates=4), np.random.default_rng(seed + 1000)
    features = rng.normal(0, 1, (len(labelled), NUMBERS))
    features[:, 3] += 1.5 * labelled.crystal
    return replace(labelled, seen=replace(labelled.seen, features=features))


def test_what_imagers_have_in_common_is_learnt_and_helps_another_one() -> None:
    """The seed decides which imagers are drawn; they share what tells their crystals."""
    prior = prior_from([(each.seen, each.crystal) for each in map(sharing, range(12))])
    assert int(np.abs(prior[:NUMBERS]).argmax()) == 3
    assert prior[3] > 0
    new = sharing(99)
    crystals, others = (np.flatnonzero(new.crystal == which)[:3] for which in (True, False))
    few = new.of(np.isin(np.arange(len(new)), [*crystals, *others]))
    usual = fitted_readout(few, scale_of(new.seen), CHOICES[0]).logits(new.seen)[:, 0]
    begun = fitted_readout(few, scale_of(new.seen, prior), FROM_PRIOR).logits(new.seen)[:, 0]
    assert auroc(begun, new.crystal) > auroc(usual, new.crystal) + 0.05


@pytest.mark.parametrize("imager", IMAGERS, ids=lambda imager: imager.name)
def test_no_drawn_imager_is_as_far_out_as_a_foreign_one(imager: ForeignImager) -> None:
    ((axis, value),) = [(axis, there[imager.name]) for axis, there in FARTHER.items() if imager.name in there]
    assert value == imager.value
    low, high = REACH[axis]
    assert not low <= value <= high
    assert not any(drawn_imager(number).equipment.grid_units for number in range(30))


def test_a_drawn_imager_is_the_same_every_time_and_out_of_the_ordinary_in_what_is_written() -> None:
    assert drawn_imager(3) == drawn_imager(3)
    for number in range(30):
        equipment, camera = drawn_imager(number).equipment, drawn_imager(number).camera
        for name in ("gamma", "blur", "defocus", "lamp", "aperture", "floor"):
            value = getattr(equipment, name)
            assert value is None or REACH[name][0] <= value <= REACH[name][1]
        assert REACH["quality"][0] <= camera.quality <= 95
        assert 0.002 <= camera.noise <= REACH["noise"][1]
