"""A model that would replace another is compared with it first; nobody takes a worse one without a word."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from crystal_search.class_schemes import SCHEMES
from crystal_search.errors import UserError
from crystal_search.evaluation import comparison, models_command
from crystal_search.evaluation.comparison import MEASURES, Measure, compared, comparison_wells
from crystal_search.evaluation.known_images import KnownImage, Truth
from crystal_search.evaluation.whole_image_verdicts import whole_image_verdicts
from crystal_search.exporting.export import export
from crystal_search.main import main
from crystal_search.metrics import Floats
from crystal_search.model import (
    Model,
    default_model,
    default_models_folder,
    in_role,
    models_in_use,
    read_model,
    write_model,
)
from crystal_search.model_card import ClassifierCard, DropCard, ImageCard, ModelCard
from crystal_search.networks.network_kinds import IMAGE_CLASSIFIERS, build, image_classifier_card
from crystal_search.outcomes import GROUPS
from crystal_search.server.home import Home
from tests.recipes import other_model
from tests.tiny_training import TINY_IMAGE

FOUR = SCHEMES["groups-4"].class_names
Told = pytest.CaptureFixture[str]
IMAGES = [KnownImage(name=f"well {number}", label="clear", content=bytes) for number in range(40)]
TRUTH = Truth(name="forty wells", source="", images=IMAGES)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").made()


def spoilt(folder: Path) -> Path:
    """Write a classifier that takes all for clear, and return its card's path."""
    model = default_model(ClassifierCard)
    graph = onnx.load_from_string(model.onnx)
    (bias,) = (each for each in graph.graph.initializer if each.name == "head.bias")
    constants = numpy_helper.to_array(bias).copy()
    constants[model.card.classes.index("clear")] += 100
    bias.CopyFrom(numpy_helper.from_array(constants, bias.name))
    return write_model(graph.SerializeToString(), replace(model.card, name="spoilt"), folder)


def right_for(rights: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have models be right for so many of the forty wells, the first ones; no network is asked."""

    def values(images: Sequence[KnownImage], model: Model[ModelCard], _: Path) -> Floats:
        return np.array([number < rights[model.card.name] for number in range(len(images))], np.float64)

    monkeypatch.setitem(MEASURES, "classifier", Measure("right", lambda _: True, values))
    monkeypatch.setattr(models_command, "comparison_wells", lambda: TRUTH)


def use(card: Path, home: Home, *words: str) -> int:
    return main(["models", "use", str(card), *words, "--home", str(home.path)])


def test_wells_are_drawn_again_for_both_models_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models that are right for the very same wells but one differ by little, however few they are right for."""
    right_for({"a": 19, "b": 20}, monkeypatch)
    model = default_model(ClassifierCard)
    a, b = (Model(replace(model.card, name=name), model.onnx) for name in "ab")
    found = compared(a, b, default_models_folder(), TRUTH)
    assert (found.new.value, found.used.value, found.images) == (19 / 40, 20 / 40, 40)
    assert found.gain.value == pytest.approx(-1 / 40)
    assert -0.1 < found.gain.low < found.gain.high == 0
    assert not found.worse


def test_a_worse_model_is_refused_where_nobody_can_be_asked(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    right_for({"ours-1": 10, "squeezenet-wells-2": 30}, monkeypatch)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    assert use(other_model(tmp_path / "out"), home) == 2
    told = capsys.readouterr()
    assert "ours-1 is worse than squeezenet-wells-2 and not in use; --anyway takes it even so" in told.err
    assert "right, 40 images: ours-1 0.250" in told.out
    assert "squeezenet-wells-2 0.750" in told.out
    assert not home.models.exists()
    assert use(other_model(tmp_path / "out"), home, "--anyway") == 0
    assert models_in_use(home.models)["classifier"].name == "ours-1"


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("yes", 0), ("", 2), ("n", 2)])
def test_who_sits_there_is_asked(
    answer: str, code: int, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right_for({"ours-1": 10, "squeezenet-wells-2": 30}, monkeypatch)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert use(other_model(tmp_path / "out"), home) == code


@pytest.mark.parametrize("right", [29, 30, 40])
def test_a_model_that_is_no_worse_but_by_chance_is_taken(
    right: int, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    right_for({"ours-1": right, "squeezenet-wells-2": 30}, monkeypatch)
    assert use(other_model(tmp_path / "out"), home) == 0
    assert f"difference {(right - 30) / 40:+.3f}" in capsys.readouterr().out


def test_what_is_in_use_is_compared_with_nothing(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    right_for({"ours-1": 10, "squeezenet-wells-2": 30}, monkeypatch)
    card = other_model(tmp_path / "out")
    assert use(card, home, "--anyway") == 0
    capsys.readouterr()
    assert use(card, home) == 0
    assert "comparing" not in capsys.readouterr().out


def test_a_model_in_use_that_is_lost_is_no_hindrance(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    right_for({"ours-1": 10, "ours-2": 1}, monkeypatch)
    assert use(other_model(tmp_path / "out"), home, "--anyway") == 0
    next(home.models.glob("ours-1-*.onnx")).unlink()
    assert use(other_model(tmp_path / "out", "ours-2"), home) == 0
    assert "not compared with the model in use: cannot read model" in caplog.text


def test_a_model_beside_itself_is_no_worse() -> None:
    truth = comparison_wells()
    some = truth.images[:6]
    model = default_model(ClassifierCard)
    found = compared(model, model, default_models_folder(), replace(truth, images=some))
    assert (found.gain, found.worse) == ((0.0, 0.0, 0.0), False)
    assert found.new.value > 0.5


def test_a_classifier_that_takes_all_for_clear_is_found_out(tmp_path: Path) -> None:
    some = [each for each in comparison_wells().images if each.crystal][:8]
    model, folder = default_model(ClassifierCard), default_models_folder()
    found = compared(read_model(spoilt(tmp_path)), model, folder, replace(comparison_wells(), images=some))
    assert found.new.value == 0
    assert found.worse


def test_drop_locators_are_compared_by_their_drops() -> None:
    truth = comparison_wells()
    model = default_model(DropCard)
    found = compared(model, model, default_models_folder(), replace(truth, images=truth.images[:3]))
    assert found.new.value > 0.8
    assert found.measure == "mean intersection over union of drops"


def test_classifiers_of_whole_images_are_compared_by_their_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(IMAGE_CLASSIFIERS, TINY_IMAGE.name, TINY_IMAGE)
    truth = comparison_wells()
    some = [next(each for each in truth.images if each.group is group) for group in GROUPS]
    card = image_classifier_card("whole", TINY_IMAGE.name, classes=FOUR, normalisation="rgb-1", side_px=64)
    network = build(TINY_IMAGE.name, 4, 3).eval()
    model = read_model(export(network, card, tmp_path))
    found = compared(model, model, default_models_folder(), replace(truth, images=some))
    verdicts = whole_image_verdicts(some, in_role(model, ImageCard))
    assert found.new.value == np.mean([each.called is each.known.group for each in verdicts])
    assert found.gain == (0.0, 0.0, 0.0)


def test_photographs_need_labels_that_tell(home: Home, tmp_path: Path, capsys: Told) -> None:
    card = other_model(tmp_path / "out")
    assert use(card, home, "--photographs", str(tmp_path)) == 2
    assert "--photographs and --labels go together" in capsys.readouterr().err
    model = default_model(ClassifierCard)
    nothing = Truth(name="nothing", source="", images=[KnownImage(name="a", label="", content=bytes)])
    with pytest.raises(UserError, match="nothing says nothing about a classifier; name other images"):
        compared(model, model, default_models_folder(), nothing)


def test_all_groups_are_among_the_wells_that_models_are_compared_on() -> None:
    truth = comparison_wells()
    assert len(truth.images) == comparison.WELLS
    assert len({each.group for each in truth.images}) == 4
    assert [each.name for each in truth.images] == [each.name for each in comparison_wells().images]


def test_models_are_compared_without_torch() -> None:
    code = "import sys, crystal_search.evaluation.models_command; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
