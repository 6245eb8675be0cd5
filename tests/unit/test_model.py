import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.card_file import card_from_json, card_to_json
from crystal_search.class_schemes import SCHEMES
from crystal_search.errors import ModelCardError, ModelError, ModelMismatchError
from crystal_search.found_share import FoundShare
from crystal_search.model import default_model, in_role, model_in_any, read_model, sha256_of
from crystal_search.model_card import ClassifierCard, DropCard, Output
from crystal_search.networks.network_kinds import crystal_detector_card
from crystal_search.outcomes import OUTCOME_NAMES
from tests.unit.builders import GOLDEN, card, featured_card


def installed(folder: Path, content: bytes = b"weights") -> Path:
    path = folder / "squeezenet-wells-1.card.json"
    path.write_text(card_to_json(replace(card(), sha256=sha256_of(content))))
    (folder / "squeezenet-wells-1.onnx").write_bytes(content)
    return path


def test_the_golden_card_is_still_written_and_read() -> None:
    golden = (GOLDEN / "model-card-7.json").read_text()
    assert card_to_json(featured_card()) == golden
    assert card_from_json(golden.encode()) == featured_card()
    for version in (3, 4, 5, 6):
        assert card_from_json((GOLDEN / f"model-card-{version}.json").read_bytes()) == featured_card()


def test_before_version_4_every_detector_was_read_as_maps() -> None:
    card = crystal_detector_card("d", "dense-crystals", normalisation="local-contrast-1", working_width_px=1224)
    content = json.loads(card_to_json(card))
    assert content["decoding"] == "dense"
    del content["decoding"], content["least_in_drops"], content["found_share"]
    assert card_from_json(json.dumps(content | {"version": 3}).encode()) == card
    with pytest.raises(ModelCardError, match="decoding"):
        card_from_json(json.dumps(content | {"version": 4}).encode())
    with pytest.raises(ModelCardError, match="one of dense, instances"):
        card_from_json(json.dumps(content | {"version": 4, "decoding": "guessed"}).encode())


def test_before_version_5_crystals_in_drops_counted_as_all_do() -> None:
    card = crystal_detector_card("d", "dense-crystals", normalisation="local-contrast-1", working_width_px=1224)
    shy = replace(card, least_in_drops=0.7)
    assert (card.counts_in_drops, shy.counts_in_drops) == (card.least_probability, 0.7)
    content = json.loads(card_to_json(shy))
    assert card_from_json(json.dumps(content).encode()) == shy
    del content["least_in_drops"], content["found_share"]
    assert card_from_json(json.dumps(content | {"version": 4}).encode()) == card
    with pytest.raises(ModelCardError, match="least_in_drops"):
        card_from_json(json.dumps(content).encode())


def test_before_version_6_nobody_said_which_share_of_crystals_is_found() -> None:
    card = crystal_detector_card("d", "dense-crystals", normalisation="local-contrast-1", working_width_px=1224)
    share = {"from_probability": 0.6, "from_area_px2": 24.0, "half_px2": 60.0, "spread": 0.5}
    content = json.loads(card_to_json(replace(card, found_share=FoundShare(**share))))
    assert content["found_share"] == share
    assert card_from_json(json.dumps(content).encode()) == replace(card, found_share=FoundShare(**share))
    with pytest.raises(ModelCardError, match="spread"):
        card_from_json(json.dumps(content | {"found_share": share | {"spread": 0}}).encode())
    for wrong in ({"from_area_px2": 1.0}, {"from_area_px2": 24.0, "spread": 0.05}):  # 0.0003, and 1e-8
        with pytest.raises(ModelCardError, match=r"from_area_px2 must be an area of which 0\.05 or more are found"):
            card_from_json(json.dumps(content | {"found_share": share | wrong}).encode())
    del content["found_share"]
    assert card_from_json(json.dumps(content | {"version": 5}).encode()) == card


def test_a_card_says_how_many_times_narrow_images_are_enlarged_where_they_are() -> None:
    card = crystal_detector_card("d", "dense-crystals", normalisation="local-contrast-1", working_width_px=1224)
    assert "enlarged" not in json.loads(card_to_json(card))
    twice = replace(card, enlarged=2.0)
    content = json.loads(card_to_json(twice))
    assert content["enlarged"] == 2.0
    assert card_from_json(json.dumps(content).encode()) == twice
    del content["enlarged"]
    assert card_from_json(json.dumps(content).encode()) == card
    for wrong in (0.5, 5, "2", None, True):
        with pytest.raises(ModelCardError, match="enlarged must be a number from 1 to 4"):
            card_from_json(json.dumps(content | {"enlarged": wrong}).encode())
    old = {name: value for name, value in content.items() if name != "found_share"} | {"version": 5}
    assert card_from_json(json.dumps(old).encode()) == card
    with pytest.raises(ModelCardError, match="unknown 'enlarged'"):
        card_from_json(json.dumps(old | {"enlarged": 2.0}).encode())
    with pytest.raises(ModelCardError, match="NaN"):
        card_from_json(json.dumps(content | {"enlarged": float("nan")}).encode())


def test_of_crystals_that_are_seen_enlarged_the_share_of_larger_ones_is_found() -> None:
    card = crystal_detector_card("d", "dense-crystals", normalisation="local-contrast-1", working_width_px=1224)
    share = FoundShare(from_probability=0.6, from_area_px2=10.0, half_px2=60.0, spread=0.5)
    known = replace(card, found_share=share)
    twice = replace(known, enlarged=2.0)
    assert known.share_found(60.0, 0.7, 512) == twice.share_found(15.0, 0.7, 512) == 0.5
    assert known.share_found(240.0, 0.7, 2448) == twice.share_found(240.0, 0.7, 2448) == 0.5  # halved, both


@given(area=st.floats(1e-9, 1e6), spread=st.floats(0.05, 5))
def test_no_share_is_told_of_crystals_smaller_than_those_that_were_measured(area: float, spread: float) -> None:
    share = FoundShare(from_probability=0.6, from_area_px2=24.0, half_px2=24.0, spread=spread).of(area)
    assert (share is None) == (area < 24)
    assert share is None or 0.5 <= share <= 1


@given(area=st.floats(10, 1e5), other=st.floats(10, 1e5))
def test_of_larger_crystals_a_larger_share_is_found(area: float, other: float) -> None:
    share = FoundShare(from_probability=0.6, from_area_px2=10.0, half_px2=60.0, spread=0.5)
    assert share.of(60.0) == 0.5
    low, high = (share.of(which(area, other)) for which in (min, max))
    assert low is not None
    assert high is not None
    assert 0 < low <= high <= 1


def test_a_card_of_version_1_is_read_as_well() -> None:
    assert card_from_json((GOLDEN / "model-card-1.json").read_bytes()) == card()


def test_a_card_of_version_2_has_outputs_of_classes_alone() -> None:
    golden = (GOLDEN / "model-card-2.json").read_bytes()
    assert card_from_json(golden) == card()
    assert card().features is None
    with pytest.raises(ModelCardError, match="unknown 'numbers, offset_px'"):
        card_from_json((GOLDEN / "model-card-3.json").read_bytes().replace(b'"version": 3', b'"version": 2'))


def first_drop_card() -> dict[str, Any]:
    """Return the card of a drop locator as version 1 had it, a classifier's fields and all."""
    content: dict[str, Any] = json.loads((GOLDEN / "model-card-1.json").read_text())
    told = {"kind": "drop_locator", "classes": ["drop"], "normalisation": "centred-1", "working_width_px": 256}
    return content | told | {"side_px": 16, "output_stride_px": 1, "cells_per_chop": 1, "chop_stride_px": 1}


def test_what_meant_nothing_for_a_drop_locator_is_no_longer_there() -> None:
    found = card_from_json(json.dumps(first_drop_card()).encode())
    assert isinstance(found, DropCard)
    assert (found.role, found.side_multiple_px, found.outputs) == ("drop", 16, (Output(classes=("drop",)),))
    assert "side_px" not in card_to_json(found)
    assert card_from_json(card_to_json(found).encode()) == found


@pytest.mark.parametrize(("key", "value"), [("kind", "drop"), ("role", "drop"), ("side_px", 0), ("padded", None)])
def test_a_card_of_version_1_is_refused_by_the_same_rules(key: str, value: Any) -> None:
    content = first_drop_card() | {key: value}
    if value is None:
        del content[key]
    with pytest.raises(ModelCardError, match=key):
        card_from_json(json.dumps(content).encode())


def test_a_drop_locator_reads_grey_images() -> None:
    with pytest.raises(ModelCardError, match="of grey images, which a drop locator reads, got 'rgb-1'"):
        card_from_json(json.dumps(first_drop_card() | {"normalisation": "rgb-1"}).encode())


def test_a_role_of_a_newer_version_is_refused_by_name() -> None:
    newer = card_to_json(card()).replace('"classifier"', '"oracle"').encode()
    with pytest.raises(ModelCardError, match="classifier, first_look, drop, image, crystals, readout, got 'oracle'"):
        card_from_json(newer)


def test_a_model_in_another_role_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelMismatchError, match="squeezenet-wells-1 is a classifier, expected a drop locator"):
        in_role(read_model(installed(tmp_path)), DropCard)


def test_a_model_is_a_file_and_its_card(tmp_path: Path) -> None:
    installed(tmp_path)
    assert model_in_any([tmp_path], sha256_of(b"weights")).onnx == b"weights"
    assert default_model(ClassifierCard, tmp_path).card.name == "squeezenet-wells-1"


def test_another_file_under_the_card_is_refused(tmp_path: Path) -> None:
    path = installed(tmp_path)
    (tmp_path / "squeezenet-wells-1.onnx").write_bytes(b"others")
    with pytest.raises(ModelMismatchError, match="its card says"):
        read_model(path)


def test_a_missing_model_says_what_to_do(tmp_path: Path) -> None:
    path = installed(tmp_path)
    with pytest.raises(ModelError, match="install it there"):
        model_in_any([tmp_path], "0" * 64)
    with pytest.raises(ModelError, match="expected one drop locator"):
        default_model(DropCard, tmp_path)
    (tmp_path / "squeezenet-wells-1.onnx").unlink()
    with pytest.raises(ModelError, match="cannot read"):
        read_model(path)


LOGITS = {"name": "logits", "classes": list(OUTCOME_NAMES), "numbers": 0, "stride_px": 16, "offset_px": None}
FEATURES = {"name": "features", "classes": [], "numbers": 4, "stride_px": 24, "offset_px": 39}


@pytest.mark.parametrize(
    "changes",
    [
        {"outputs": [LOGITS, FEATURES | {"offset_px": None}]},
        {"outputs": [LOGITS, FEATURES | {"numbers": 0, "classes": ["a", "b"]}]},
        {"outputs": [LOGITS, FEATURES | {"stride_px": 32}]},  # chops at a stride of 48 px would not share cells
        {"outputs": [LOGITS, FEATURES | {"offset_px": 128}]},  # a chop of 256 px has no cell
        {"outputs": [LOGITS, FEATURES], "padded": True},
    ],
)
def test_features_that_would_depend_on_the_way_of_scoring_are_refused(changes: dict[str, Any]) -> None:
    content = json.loads(card_to_json(card()))
    assert card_from_json(json.dumps(content | {"outputs": [LOGITS, FEATURES]}).encode()) == featured_card()
    with pytest.raises(ModelCardError, match="features must be"):
        card_from_json(json.dumps(content | changes).encode())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", 8),
        ("role", "oracle"),
        ("file", "../weights.onnx"),
        ("sha256", "short"),
        ("outputs", []),
        ("outputs", [LOGITS | {"stride_px": 0}]),
        ("outputs", [LOGITS] * 2),
        ("outputs", [LOGITS | {"numbers": 13}]),
        ("outputs", [LOGITS | {"classes": []}]),
        ("outputs", [LOGITS, FEATURES | {"numbers": 4097}]),
        ("outputs", [LOGITS, FEATURES | {"offset_px": 0.5}]),
        ("working_width_px", 1.5),
        ("normalisation", "guess"),
        ("chop_stride_px", 50),
        ("padded", "no"),
        ("temperature", 0),
        ("measured", [{"data": "x"}]),
        ("surprise", 1),
    ],
)
def test_a_card_that_says_what_cannot_be_is_refused(key: str, value: Any) -> None:
    content = json.loads(card_to_json(card())) | {key: value}
    with pytest.raises(ModelCardError, match=key if key != "surprise" else "unknown"):
        card_from_json(json.dumps(content).encode())


@pytest.mark.parametrize("scheme", ["outcomes-13", "groups-5", "groups-4"])
def test_a_classifier_has_the_classes_of_a_scheme_that_can_be_trained(scheme: str) -> None:
    coarse = replace(card(), outputs=(Output(classes=SCHEMES[scheme].class_names, stride_px=16),))
    assert card_from_json(card_to_json(coarse).encode()) == coarse


@pytest.mark.parametrize(
    "classes", [SCHEMES["vmxi-10"].class_names, SCHEMES["groups-4"].class_names[::-1], ("crystal", "clear")]
)
def test_other_classes_are_refused_and_the_known_ones_listed(classes: tuple[str, ...]) -> None:
    strange = card_to_json(replace(card(), outputs=(Output(classes=classes, stride_px=16),))).encode()
    with pytest.raises(ModelCardError) as refused:
        card_from_json(strange)
    message = str(refused.value)
    assert "; or crystal, precipitate, other, clear, rim; or crystal, precipitate, other, clear; got " in message
    assert message.endswith(f"got {', '.join(classes)}")


def test_every_card_field_is_documented() -> None:
    page = (GOLDEN.parent.parent / "docs" / "model-card.md").read_text()
    content = json.loads((GOLDEN / "model-card-2.json").read_text())
    drop = json.loads(card_to_json(default_model(DropCard).card))
    assert not [
        field
        for field in sorted({*content, *content["measured"][0], *content["outputs"][0], *drop})
        if f"`{field}`" not in page
    ]
