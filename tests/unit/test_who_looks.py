"""Whose scores something reads that was fitted to scores, and what the card of a readout says of it."""

import json
from pathlib import Path

import pytest

from crystal_search.card_file import card_from_json, card_to_json
from crystal_search.errors import ModelCardError
from crystal_search.model import ModelRef, looks_of
from crystal_search.model_card import ReadoutCard
from crystal_search.who_looks import Looks
from tests.readout_site import readout_model

ALONE, PAIR = Looks(first="c" * 64), Looks(first="f" * 64, behind="c" * 64)
OTHER_BEHIND, OTHER_FIRST = Looks(first="f" * 64, behind="d" * 64), Looks(first="e" * 64, behind="c" * 64)


@pytest.mark.parametrize("fitted", [ALONE, PAIR, OTHER_BEHIND, OTHER_FIRST])
@pytest.mark.parametrize("now", [ALONE, PAIR, OTHER_BEHIND, OTHER_FIRST])
def test_what_was_fitted_reads_the_scores_of_the_same_models_only(fitted: Looks, now: Looks) -> None:
    assert fitted.fit(now) == (fitted == now)


def test_where_nobody_said_who_was_behind_a_first_look_anybody_may_be() -> None:
    untold = Looks(first="f" * 64)
    assert [untold.fit(each) for each in (PAIR, OTHER_BEHIND, OTHER_FIRST, ALONE)] == [True, True, False, False]


def test_models_of_a_recipe_look_in_one_order() -> None:
    refs = [ModelRef(role=role, sha256=role[0] * 64) for role in ("first_look", "drop", "crystals", "classifier")]
    assert looks_of(refs) == PAIR
    assert looks_of(refs[1:]) == ALONE
    assert str(PAIR) == "the classifier cccccccccccc after the first look ffffffffffff"
    assert str(ALONE) == "the classifier cccccccccccc"


def test_a_card_names_both_models_whose_answers_a_readout_reads(tmp_path: Path) -> None:
    card = readout_model(tmp_path, classifier="f" * 64, behind="c" * 64).card
    content = json.loads(card_to_json(card))
    assert (content["version"], content["classifier_sha256"], content["behind_sha256"]) == (7, "f" * 64, "c" * 64)
    assert card_from_json(json.dumps(content).encode()) == card
    assert card.looks == PAIR
    alone = readout_model(tmp_path, classifier="c" * 64).card
    assert json.loads(card_to_json(alone))["behind_sha256"] is None
    assert alone.looks == ALONE


def test_before_version_7_no_card_said_who_was_behind(tmp_path: Path) -> None:
    content = json.loads(card_to_json(readout_model(tmp_path, classifier="f" * 64, behind="c" * 64).card))
    for wrong in ("c", "", 7, "C" * 64):
        with pytest.raises(ModelCardError, match="behind_sha256 must be"):
            card_from_json(json.dumps(content | {"behind_sha256": wrong}).encode())
    with pytest.raises(ModelCardError, match="unknown 'behind_sha256'"):
        card_from_json(json.dumps(content | {"version": 6}).encode())
    del content["behind_sha256"]
    with pytest.raises(ModelCardError, match="behind_sha256"):
        card_from_json(json.dumps(content).encode())
    old = card_from_json(json.dumps(content | {"version": 6}).encode())
    assert isinstance(old, ReadoutCard)
    assert old.looks == Looks(first="f" * 64)
