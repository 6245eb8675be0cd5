"""A second opinion: asked of a classifier of whole images, returned, checked, kept, and never mixed with the first."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from crystal_search.class_schemes import SCHEMES
from crystal_search.direct.scored_files import Scored, peaks_for_ranking, row
from crystal_search.errors import ResultError
from crystal_search.inference import Maps
from crystal_search.model import ModelRef
from crystal_search.model_card import LOGITS, ImageCard
from crystal_search.networks.network_kinds import image_classifier_card
from crystal_search.outcomes import OUTCOME_NAMES, Group
from crystal_search.result import ImageScore, Result, image_score_of, result_to_json
from crystal_search.result_reader import check_against, result_from_json
from crystal_search.scoring.pipeline import Models, score_data, score_image
from crystal_search.server.engines.boinc.agreement import score_disagreement
from crystal_search.server.engines.boinc.crystal_agreement import Tolerance
from crystal_search.server.imaging.sql_rows import _found, _json
from crystal_search.work_unit import Parameters, WorkUnit
from tests.unit.builders import MODELS, crystal_score, packed, result_for
from tests.unit.test_classify import BrightnessNetwork, DropNetwork, classifier, well_image

TOLERANCE = Tolerance(probability=0.02)
OPINION = tuple({"clear": 0.75, "crystal_harvestable": 0.25}.get(name, 0.0) for name in OUTCOME_NAMES)


class OpinionNetwork:
    """A classifier of whole images made by hand: the brighter an image, the clearer."""

    def __init__(self) -> None:
        self.asked = 0

    @property
    def card(self) -> ImageCard:
        classes = SCHEMES["groups-4"].class_names
        card = image_classifier_card("whole", "by-hand", classes=classes, normalisation="rgb-1", side_px=64)
        return replace(card, temperature=2.0)

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        self.asked += 1
        assert batch.shape == (1, 3, 64, 64)
        return np.array([[0, 0, 0, 10 * batch.mean()]], np.float32).reshape(1, 4, 1, 1)

    def maps(self, batch: NDArray[np.float32]) -> Maps:
        return {LOGITS: self.logits(batch)}


def models(*, opinion: OpinionNetwork | None) -> Models:
    network = BrightnessNetwork(replace(classifier().card, working_width_px=768))
    return Models(network, DropNetwork(), opinion)


@pytest.mark.parametrize("drop", [True, False])
def test_the_first_opinion_stays_as_it_is(drop: bool) -> None:
    alone = score_image(well_image(drop=drop), models(opinion=None), Parameters())
    both = score_image(well_image(drop=drop), models(opinion=OpinionNetwork()), Parameters())
    assert (alone.second_opinion, alone.second_group) == ((), None)
    assert replace(both, second_opinion=(), seconds={}) == replace(alone, seconds={})
    assert len(both.second_opinion) == 13
    assert both.second_group is Group.CLEAR
    assert {"drop", "second_opinion"} <= both.seconds.keys()


def test_it_is_the_softmax_at_the_card_s_temperature() -> None:
    image = well_image(drop=False)  # 200 of 255 everywhere
    found = score_image(image, models(opinion=OpinionNetwork()), Parameters()).second_opinion
    clear = np.exp(10 * 200 / 255 / 2.0)
    assert found[OUTCOME_NAMES.index("clear")] == pytest.approx(clear / (clear + 3), rel=1e-4)
    assert found[OUTCOME_NAMES.index("precipitate")] == pytest.approx(1 / (clear + 3), rel=1e-4)


def test_ranking_an_image_without_a_drop_asks_for_it_once() -> None:
    network = OpinionNetwork()
    image, both = well_image(drop=False), models(opinion=network)
    score = score_image(image, both, Parameters())
    assert peaks_for_ranking(score, image, both, Parameters())
    assert network.asked == 1


def test_an_image_that_cannot_be_read_has_none() -> None:
    score, _ = score_data(b"no picture", models(opinion=OpinionNetwork()), Parameters())
    assert score.error
    assert score.second_opinion == ()


def test_the_table_of_scores_tells_it() -> None:
    score = replace(crystal_score(), second_opinion=OPINION)
    told = row(Scored(path=Path("a.jpg"), score=score, peaks=score.group_peaks, model="m", seconds=0.0))
    assert (told["second_group"], told["second_probability"], told["group"]) == ("clear", 0.75, "crystal")
    none = row(Scored(path=Path("a.jpg"), score=crystal_score(), peaks=(), model="m", seconds=0.0))
    assert (none["second_group"], none["second_probability"]) == (None, None)


# In results


@pytest.fixture
def unit(tmp_path: Path) -> WorkUnit:
    """Return a work unit that names a classifier of whole images, too."""
    whole = ModelRef(role="image", name="whole-1", sha256="c" * 64)
    return replace(packed(tmp_path / "unit.zip"), models=(MODELS[0], MODELS[1], whole))


def with_opinions(unit: WorkUnit, opinion: tuple[float, ...] = OPINION) -> Result:
    plain = result_for(unit)
    images = tuple(replace(each, score=replace(each.score, second_opinion=opinion)) for each in plain.images)
    return replace(plain, models=unit.models, images=images)


def test_what_is_written_is_read_and_accepted(unit: WorkUnit) -> None:
    result = with_opinions(unit)
    text = result_to_json(result)
    assert result_from_json(text.encode()) == result
    check_against(result, unit)


def test_a_score_without_one_has_no_such_field(unit: WorkUnit) -> None:
    assert "second_opinion" not in result_to_json(result_for(unit))


@pytest.mark.parametrize(
    ("spoil", "trouble"),
    [
        (lambda one: one[:12], "second_opinion must be"),
        (lambda one: [*one[:12], 0.5], "the second opinion adds up to 1.5, expected 1"),
        (lambda one: [*one[:12], float("nan")], "is no result|no JSON|NaN|number"),
        (lambda one: [*one[:12], -0.5], "second_opinion must be"),
        (lambda one: "clear", "second_opinion must be"),
    ],
)
def test_numbers_that_are_no_probabilities_are_refused(
    unit: WorkUnit, spoil: Callable[[list[float]], object], trouble: str
) -> None:
    content = json.loads(result_to_json(with_opinions(unit)))
    score = content["images"][0]["score"]
    score["second_opinion"] = spoil(score["second_opinion"])
    with pytest.raises(ResultError, match=trouble):
        result_from_json(json.dumps(content).encode())


def test_one_that_is_missing_or_that_no_model_gave_is_refused(unit: WorkUnit) -> None:
    with pytest.raises(ResultError, match="image 1 has no second opinion, though a model gives one"):
        check_against(with_opinions(unit, ()), unit)
    without = replace(unit, models=MODELS)
    with pytest.raises(ResultError, match="image 1 has a second opinion of no model"):
        check_against(replace(with_opinions(unit), models=MODELS), without)


def test_an_unreadable_image_has_none(unit: WorkUnit) -> None:
    unread = ImageScore(height_px=0, width_px=0, error="cut off", second_opinion=OPINION)
    result = with_opinions(unit)
    images = (replace(result.images[0], score=unread), result.images[1])
    with pytest.raises(ResultError, match="an image that could not be read has a score or a size"):
        result_from_json(result_to_json(replace(result, images=images)).encode())


def test_two_hosts_must_agree_on_it() -> None:
    one = replace(crystal_score(), second_opinion=OPINION)
    near, far = (tuple(np.array(OPINION) + shift * np.eye(13)[3] - shift * np.eye(13)[10]) for shift in (0.01, 0.03))
    assert score_disagreement(one, replace(one, second_opinion=near), TOLERANCE) == ""
    assert "second opinions differ by 0.0300" in score_disagreement(one, replace(one, second_opinion=far), TOLERANCE)
    assert "13 and 0 second opinions" in score_disagreement(one, crystal_score(), TOLERANCE)


def test_the_ledger_keeps_it_and_reads_what_it_kept_before() -> None:
    score = replace(crystal_score(), second_opinion=OPINION)
    kept = json.loads(_json(_found(score)))
    assert image_score_of(kept).second_opinion == OPINION
    del kept["second_opinion"]
    assert image_score_of(kept).second_opinion == ()
