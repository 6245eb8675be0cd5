import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crystal_search.class_schemes import SCHEMES
from crystal_search.errors import ModelCardError, ModelError, ModelMismatchError
from crystal_search.model import (
    card_from_json,
    card_to_json,
    default_model,
    model_with_hash,
    read_model,
    sha256_of,
)
from tests.unit.builders import GOLDEN, card


def installed(folder: Path, content: bytes = b"weights") -> Path:
    path = folder / "squeezenet-wells-1.card.json"
    path.write_text(card_to_json(replace(card(), sha256=sha256_of(content))))
    (folder / "squeezenet-wells-1.onnx").write_bytes(content)
    return path


def test_the_golden_card_is_still_written_and_read() -> None:
    golden = (GOLDEN / "model-card-1.json").read_text()
    assert card_to_json(card()) == golden
    assert card_from_json(golden.encode()) == card()


def test_a_model_is_a_file_and_its_card(tmp_path: Path) -> None:
    installed(tmp_path)
    assert model_with_hash(tmp_path, sha256_of(b"weights")).onnx == b"weights"
    assert default_model("classifier", tmp_path).card.name == "squeezenet-wells-1"


def test_another_file_under_the_card_is_refused(tmp_path: Path) -> None:
    path = installed(tmp_path)
    (tmp_path / "squeezenet-wells-1.onnx").write_bytes(b"others")
    with pytest.raises(ModelMismatchError, match="its card says"):
        read_model(path)


def test_a_missing_model_says_what_to_do(tmp_path: Path) -> None:
    path = installed(tmp_path)
    with pytest.raises(ModelError, match="install it there"):
        model_with_hash(tmp_path, "0" * 64)
    with pytest.raises(ModelError, match="expected one drop_locator"):
        default_model("drop_locator", tmp_path)
    (tmp_path / "squeezenet-wells-1.onnx").unlink()
    with pytest.raises(ModelError, match="cannot read"):
        read_model(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", 2),
        ("kind", "oracle"),
        ("file", "../weights.onnx"),
        ("sha256", "short"),
        ("classes", ["crystal", "no crystal"]),
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
    coarse = replace(card(), classes=SCHEMES[scheme].class_names)
    assert card_from_json(card_to_json(coarse).encode()) == coarse


@pytest.mark.parametrize(
    "classes", [SCHEMES["vmxi-10"].class_names, SCHEMES["groups-4"].class_names[::-1], ("crystal", "clear")]
)
def test_other_classes_are_refused_and_the_known_ones_listed(classes: tuple[str, ...]) -> None:
    strange = card_to_json(replace(card(), classes=classes)).encode()
    with pytest.raises(ModelCardError) as refused:
        card_from_json(strange)
    message = str(refused.value)
    assert "; or crystal, precipitate, other, clear, rim; or crystal, precipitate, other, clear; got " in message
    assert message.endswith(f"got {', '.join(classes)}")


def test_every_card_field_is_documented() -> None:
    page = (GOLDEN.parent.parent / "docs" / "model-card.md").read_text()
    content = json.loads((GOLDEN / "model-card-1.json").read_text())
    assert not [field for field in sorted({*content, *content["measured"][0]}) if f"`{field}`" not in page]
