"""A first look at fewer pixels: whose score counts, whose features, what results must say, and up to which doubt."""

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from crystal_search.card_file import card_from_json, card_to_json
from crystal_search.direct.scored_files import Scored, row
from crystal_search.errors import ModelCardError, ModelError, ModelMismatchError, ResultError, UserError
from crystal_search.exporting.first_looks import LIMITS, MOST_LOST, TwoLooks, first_look_card, most_doubt
from crystal_search.features import packed as packed_features
from crystal_search.group_rule import doubt_of
from crystal_search.inference import Maps
from crystal_search.model import (
    Model,
    ModelRef,
    answering,
    default_model,
    default_models,
    features_model,
    sha256_of,
    write_model,
)
from crystal_search.model_card import FEATURES, LOGITS, ClassifierCard, DropCard, FirstLookCard, Output
from crystal_search.networks.network_kinds import drop_locator_card
from crystal_search.outcomes import GROUPS, OUTCOME_NAMES, Group
from crystal_search.panel.machine_answers import recipe_names
from crystal_search.result import ImageScore, RankedScore, Result, result_to_json
from crystal_search.result_reader import check_against, result_from_json
from crystal_search.scoring.pipeline import Models, loaded, score_image
from crystal_search.server.engines.boinc.agreement import score_disagreement
from crystal_search.server.engines.boinc.crystal_agreement import Tolerance
from crystal_search.server.imaging.imaging_database import Recipe
from crystal_search.work_unit import Parameters, WorkUnit
from tests.unit.builders import MODELS, crystal_score, featured_card, packed, refusal, result_for
from tests.unit.test_classify import STRIDE, DropNetwork, classifier, well_image

Kind = TypeVar("Kind", bound=ClassifierCard)
FIRST = ModelRef(role="first_look", name="first-1", sha256="f" * 64)


def first_card(most_doubt: float = 0.3, **changed: object) -> FirstLookCard:
    known = {each.name: getattr(classifier().card, each.name) for each in fields(ClassifierCard)}
    features = Output(name=FEATURES, numbers=2, stride_px=STRIDE, offset_px=0)
    outputs = (Output(classes=OUTCOME_NAMES, stride_px=STRIDE), features)
    return FirstLookCard(**known | {"outputs": outputs, "most_doubt": most_doubt} | changed)


class SameEverywhere(Generic[Kind]):
    """A classifier made by hand: the same logits in every cell, and two features that are its number."""

    def __init__(self, card: Kind, number: float, **logits: float) -> None:
        self.card, self.number, self.asked = card, number, 0
        self._logits = np.array([logits.get(name, 0.0) for name in OUTCOME_NAMES], np.float32)

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.maps(batch)[LOGITS]

    def maps(self, batch: NDArray[np.float32]) -> Maps:
        self.asked += 1
        size = (len(batch), 1, batch.shape[2] // STRIDE, batch.shape[3] // STRIDE)
        cells = np.ones(size, np.float32)
        return {
            LOGITS: cells * self._logits[None, :, None, None],
            FEATURES: cells.repeat(2, axis=1) * np.float32(self.number),
        }


def looking(most_doubt: float, **first: float) -> tuple[Models, SameEverywhere[ClassifierCard]]:
    """Return models whose first look says `first`, and the classifier after it, which says precipitate."""
    narrow = first_card(most_doubt, working_width_px=384)
    outputs = narrow.outputs
    after = SameEverywhere(replace(classifier().card, working_width_px=768, outputs=outputs), 2.0, precipitate=9.0)
    return Models(after, DropNetwork(), first_look=SameEverywhere(narrow, 1.0, **first)), after


def test_a_first_look_that_is_sure_counts_and_the_classifier_is_not_asked() -> None:
    models, after = looking(0.3, clear=9.0)
    found = score_image(well_image(drop=True), models, Parameters())
    assert (found.outcome, found.looks, after.asked) == ("clear", 1, 0)
    assert found.doubt == pytest.approx(1 - found.group_peaks[3])
    assert found.best_chops[0].box.width == pytest.approx(64 * 1024 / 384, abs=1)  # chops of 64 px of 384


@pytest.mark.parametrize(
    ("most_doubt", "first"),
    [(0.3, {"clear": 2.0}), (0.3, {"crystal_harvestable": 9.0}), (0.0, {"clear": 9.0}), (0.9, {"clear": 3.0})],
    ids=["in doubt", "crystals", "never sure enough", "unsure"],
)
def test_what_a_first_look_doubts_and_every_crystal_is_left_to_the_classifier(
    most_doubt: float, first: dict[str, float]
) -> None:
    models, after = looking(most_doubt, **first)
    found = score_image(well_image(drop=True), models, Parameters())
    assert (found.outcome, found.looks, after.asked) == ("precipitate", 2, 1)
    alone = score_image(well_image(drop=True), Models(after, DropNetwork()), Parameters())
    assert replace(found, looks=0, packed_features=b"", seconds={}) == replace(alone, packed_features=b"", seconds={})


@pytest.mark.parametrize("first", [{"clear": 9.0}, {"clear": 2.0}])
def test_features_are_always_of_who_looks_first(first: dict[str, float]) -> None:
    models, _ = looking(0.3, **first)
    found = score_image(well_image(drop=True), models, Parameters()).features
    assert found is not None
    assert found.tolist() == [1.0, 1.0]


def test_an_image_without_a_drop_is_not_looked_at() -> None:
    models, after = looking(0.3, clear=9.0)
    found = score_image(well_image(drop=False), models, Parameters())
    assert (found.score, found.looks, found.doubt, after.asked) == (None, 0, 1.0, 0)


@given(peaks=st.lists(st.floats(0, 1), min_size=4, max_size=4), group=st.sampled_from(GROUPS[1:]))
def test_doubt_is_at_least_what_speaks_for_crystals_and_what_lacks_to_being_sure(
    peaks: list[float], group: Group
) -> None:
    doubt = doubt_of(group, peaks, above_threshold=True)
    assert 0 <= doubt <= 1
    assert doubt >= max(peaks[0], 1 - peaks[GROUPS.index(group)])
    assert doubt_of(Group.CRYSTAL, peaks, above_threshold=True) == doubt_of(group, peaks, above_threshold=False) == 1


# Its card


def test_its_card_is_read_as_it_was_written() -> None:
    card = first_card(0.45, sha256="a" * 64, file="first-1.onnx", name="first-1")
    assert card_from_json(card_to_json(card).encode()) == card
    assert (card.role, card.title, card.needed) == ("first_look", "first look", False)


@pytest.mark.parametrize("value", [1.0, -0.1, "0.3", None])
def test_a_limit_under_which_all_or_nothing_would_count_is_refused(value: object) -> None:
    told = json.loads(card_to_json(first_card(0.45, sha256="a" * 64, file="first-1.onnx")))
    told["most_doubt"] = value
    with pytest.raises(ModelCardError, match="most_doubt must be"):
        card_from_json(json.dumps(told).encode())


def test_a_classifier_is_no_first_look_and_is_not_mistaken_for_one(tmp_path: Path) -> None:
    usual = default_model(ClassifierCard)
    for model in (usual, default_model(DropCard)):
        write_model(model.onnx, model.card, tmp_path)
    assert features_model(tmp_path).card.sha256 == usual.card.sha256
    told = {each.name: getattr(usual.card, each.name) for each in fields(usual.card)}
    graph = onnx.load_from_string(usual.onnx)
    graph.doc_string = "another file"
    write_model(graph.SerializeToString(), FirstLookCard(**told | {"name": "first-1", "most_doubt": 0.3}), tmp_path)
    assert [each.card.role for each in default_models(tmp_path)] == ["classifier", "first_look", "drop"]
    assert default_model(ClassifierCard, tmp_path).card.name == usual.card.name
    assert features_model(tmp_path).card.name == "first-1"
    assert [each.card.role for each in default_models(tmp_path, but=("first_look",))] == ["classifier", "drop"]


def test_answers_are_of_who_looks_first_then_of_the_classifier_and_the_locator() -> None:
    assert answering(MODELS) == MODELS
    detector = ModelRef(role="crystals", sha256="c" * 64)
    assert answering([MODELS[1], detector, FIRST, MODELS[0]]) == (FIRST, *MODELS)


def first_of_shipped(**changed: object) -> Model[FirstLookCard]:
    """Return the shipped classifier as a first look of another file; it cannot be run."""
    usual = default_model(ClassifierCard)
    told = {each.name: getattr(usual.card, each.name) for each in fields(usual.card)}
    file = b"another file"
    card = FirstLookCard(**told | {"name": "first-1", "most_doubt": 0.3, "sha256": sha256_of(file)} | changed)
    return Model(card, file)


@pytest.mark.parametrize("width", [1224, 2448])
def test_one_that_sees_as_much_as_the_classifier_is_not_loaded(width: int) -> None:
    wide = first_of_shipped(working_width_px=width)
    with pytest.raises(ModelMismatchError, match=f"sees images {width} px wide, .* 1224: a first look must see less"):
        loaded([default_model(ClassifierCard), default_model(DropCard), wide])


def test_whose_features_scores_have_is_told_though_another_model_is_lost(tmp_path: Path) -> None:
    for model in (default_model(ClassifierCard), default_model(DropCard), first_of_shipped()):
        write_model(model.onnx, model.card, tmp_path)
    (tmp_path / default_model(DropCard).card.file).unlink()
    assert features_model(tmp_path).card.role == "first_look"


def test_a_panel_tells_a_recipe_with_a_first_look_from_that_without() -> None:
    named = [replace(each, name=name) for each, name in zip(MODELS, ("ours-2", "drop-1"), strict=True)]
    recipes = [Recipe(models=tuple(models), threshold=0.85) for models in (named, [*named, FIRST])]
    assert recipe_names(recipes) == ["ours-2", "ours-2 after first-1"]


# In results


@pytest.fixture
def unit(tmp_path: Path) -> WorkUnit:
    """Return a work unit that names a first look, too."""
    return replace(packed(tmp_path / "unit.zip"), models=(MODELS[0], MODELS[1], FIRST))


def clear_score(peaks: Sequence[float] = (0.1, 0.15, 0.15, 0.95)) -> ImageScore:
    shares = tuple(0.76 if name == "clear" else 0.02 for name in OUTCOME_NAMES)
    score = RankedScore(outcome="clear", probability=peaks[3], above_threshold=peaks[3] >= 0.85)
    chop = replace(crystal_score().best_chops[0], outcome="clear", probability=peaks[3])
    return replace(
        crystal_score(), score=score, class_probabilities=shares, group_peaks=tuple(peaks), best_chops=(chop,)
    )


def with_looks(unit: WorkUnit, looks: int) -> Result:
    plain = result_for(unit)
    images = tuple(replace(each, score=replace(each.score, looks=looks)) for each in plain.images)
    return replace(plain, models=unit.models, images=images)


def test_what_is_written_is_read_and_accepted(unit: WorkUnit) -> None:
    result = with_looks(unit, 2)
    assert result_from_json(result_to_json(result).encode()) == result
    check_against(result, unit)
    assert "looks" not in result_to_json(result_for(unit))


@pytest.mark.parametrize("looks", [0, 3, -1, "2", True, 1.5])
def test_any_other_number_of_looks_is_refused(unit: WorkUnit, looks: object) -> None:
    content = json.loads(result_to_json(with_looks(unit, 2)))
    content["images"][0]["score"]["looks"] = looks
    with pytest.raises(ResultError, match="looks must be"):
        result_from_json(json.dumps(content).encode())


def test_looks_that_are_missing_or_of_no_model_are_refused(unit: WorkUnit) -> None:
    with pytest.raises(ResultError, match="image 1 does not say how often it was looked at"):
        check_against(with_looks(unit, 0), unit)
    with pytest.raises(ResultError, match="image 1 has looks, though no model looks first"):
        check_against(replace(with_looks(unit, 1), models=MODELS), replace(unit, models=MODELS))


def test_an_image_without_a_score_has_no_looks(unit: WorkUnit) -> None:
    result = with_looks(unit, 2)
    empty = ImageScore(height_px=200, width_px=256, looks=1)
    images = (replace(result.images[0], score=empty), result.images[1])
    with pytest.raises(ResultError, match="an image without a score has a drop, chops or looks"):
        result_from_json(result_to_json(replace(result, images=images)).encode())
    without = (replace(result.images[0], score=replace(empty, looks=0)), result.images[1])
    check_against(replace(result, images=without), unit)


def test_two_hosts_must_agree_on_who_looked() -> None:
    one = replace(crystal_score(), looks=1)
    assert "1 and 2 looks" in score_disagreement(one, replace(one, looks=2), Tolerance(probability=0.02))


def refused(score: ImageScore, folder: Path) -> str:
    """Return what a home that knows a first look with features, and a classifier without any, says of a score."""
    told = {each.name: getattr(featured_card(), each.name) for each in fields(ClassifierCard)}
    first = FirstLookCard(**told | {"most_doubt": 0.3, "name": "first-1", "working_width_px": 612})
    plain = replace(featured_card(), outputs=featured_card().outputs[:1])
    return refusal(score, folder, [plain, first, drop_locator_card("drop-unet-1")], models=(*MODELS, FIRST))


def test_a_first_look_in_doubt_is_not_believed_to_have_looked_alone(tmp_path: Path) -> None:
    four = packed_features(np.zeros(4))
    sure = replace(clear_score(), looks=1, packed_features=four)
    assert "30 chops, of 24 that the drop has" in refused(sure, tmp_path)  # in its view; places are looked at last
    doubtful = replace(clear_score((0.35, 0.15, 0.15, 0.95)), looks=1, packed_features=four)
    assert "first-1 looked alone, with a doubt of 0.35, above 0.3" in refused(doubtful, tmp_path)
    unsure = replace(clear_score((0.1, 0.15, 0.15, 0.8)), looks=1, packed_features=four)
    assert "first-1 looked alone, with a doubt of 1, above 0.3" in refused(unsure, tmp_path)
    called = replace(crystal_score(), looks=1, packed_features=four)
    assert "first-1 looked alone, with a doubt of 1, above 0.3" in refused(called, tmp_path)
    assert "is no chop of the drop" in refused(replace(doubtful, looks=2), tmp_path)


@pytest.mark.parametrize("looks", [1, 2])
def test_features_are_as_many_as_the_first_look_gives(tmp_path: Path, looks: int) -> None:
    none = replace(clear_score(), looks=looks)
    assert "0 features, first-1 gives 4" in refused(none, tmp_path)


def test_the_table_of_scores_tells_it() -> None:
    score = replace(crystal_score(), looks=2)
    told = [
        row(Scored(path=Path("a.jpg"), score=each, peaks=each.group_peaks, model="m", seconds=0.0))["looks"]
        for each in (score, crystal_score())
    ]
    assert told == [2, None]


# Up to which doubt it counts

CLEAR, CRYSTAL, OTHER = Group.CLEAR, Group.CRYSTAL, Group.OTHER


def two(true: Sequence[Group], first: Sequence[Group], doubts: Sequence[float], second: Sequence[Group]) -> TwoLooks:
    return TwoLooks(true=true, first=first, doubts=np.array(doubts), second=second)


def test_as_much_is_spared_as_costs_nothing() -> None:
    wells = two(
        [CLEAR, CLEAR, CRYSTAL, OTHER],
        [CLEAR, CLEAR, CLEAR, CLEAR],
        [0.1, 0.42, 0.46, 0.71],
        [CLEAR, CLEAR, CRYSTAL, OTHER],
    )
    assert most_doubt(wells) == 0.45
    assert wells.again(0.45) == 0.5
    assert wells.counted(0.45) == [CLEAR, CLEAR, CRYSTAL, OTHER]
    assert (wells.right(wells.counted(0.5)), wells.called(wells.counted(0.5))) == (0.75, 0.0)


def test_two_wells_of_a_hundred_may_be_lost_and_three_may_not() -> None:
    def wells(wrong: int) -> TwoLooks:
        said = [OTHER] * wrong + [CLEAR] * (100 - wrong)
        return two([CLEAR] * 100, said, [0.2] * wrong + [0.1] * (100 - wrong), [CLEAR] * 100)

    assert most_doubt(wells(2)) == LIMITS[0]
    assert most_doubt(wells(3)) == 0.15


def test_crystals_may_not_be_lost_for_wells_that_are_won() -> None:
    wells = two([CRYSTAL, OTHER, OTHER], [CLEAR, OTHER, OTHER], [0.1, 0.2, 0.2], [CRYSTAL, CLEAR, CLEAR])
    with pytest.raises(ModelError, match=f"more than {MOST_LOST:.0%} is lost to the classifier alone; train it longer"):
        most_doubt(wells)


def test_one_that_is_never_sure_is_refused() -> None:
    with pytest.raises(ModelError, match="a first look spares nothing"):
        most_doubt(two([CRYSTAL], [CRYSTAL], [1.0], [CRYSTAL]))


@pytest.mark.parametrize(("changed", "why"), [({"padded": True}, "pads"), ({"normalisation": "rgb-1"}, "sees")])
def test_what_rendered_wells_cannot_be_scored_with_is_no_first_look(
    tmp_path: Path, changed: dict[str, object], why: str
) -> None:
    first = first_of_shipped(working_width_px=612, **changed)
    with pytest.raises(UserError, match=f"first-1 {why}.*name another classifier"):
        first_look_card(first, default_model(ClassifierCard), tmp_path)


def test_a_first_look_sees_less_than_the_classifier(tmp_path: Path) -> None:
    usual = default_model(ClassifierCard)
    with pytest.raises(ModelMismatchError, match=r"sees images 1224 px wide, .* 1224: a first look must see less"):
        first_look_card(Model(usual.card, usual.onnx), usual, tmp_path)
    assert sha256_of(usual.onnx) == usual.card.sha256
