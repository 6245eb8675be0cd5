"""Figures that go into cards, and on which images."""

import shutil
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from PIL import Image as Pillow

from crystal_search.errors import UserError
from crystal_search.evaluation.contenders import contender
from crystal_search.evaluation.evaluation_report import check_cards, put_into_cards
from crystal_search.evaluation.image_figures import classifier_figures, drop_figures
from crystal_search.evaluation.judge import Options
from crystal_search.evaluation.judge_kinds import evaluated
from crystal_search.evaluation.known_images import KnownImage, Truth
from crystal_search.exit_codes import OK, USAGE
from crystal_search.exporting.export import export
from crystal_search.main import main
from crystal_search.model import read_model, write_model
from crystal_search.model_card import ClassifierCard, FirstLookCard, Measurement
from crystal_search.networks.network_kinds import build, classifier_card, drop_locator_card
from crystal_search.outcomes import NO_DROP, OUTCOMES
from crystal_search.unet_drop.network import UNet
from tests.unit.evaluation_files import scored_image
from tests.unit.networks_fakes import fake_well
from tests.unit.test_evaluation_drops import RECORD

LOCATED = [
    "mean intersection over union of drops",
    "median intersection over union of drops",
    "drops with at least 0.9",
    "drops with at least 0.5",
    "drops found",
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with untrained models."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    export(build("squeezenet", len(OUTCOMES)), classifier_card("classes"), folder)
    export(UNet(), drop_locator_card("unet"), folder)
    return folder


def discs(*numbers: int) -> Truth:
    """Return wells made up in a moment."""
    images = []
    for number in numbers:
        well = fake_well(number)
        images.append(
            KnownImage(
                name=str(number),
                label=well.outcome or NO_DROP,
                content=lambda well=well: well.image,  # type: ignore[misc]
                mask=lambda _, well=well: well.drop_mask,  # type: ignore[misc]
                masked=True,
            )
        )
    return Truth(name="discs", source="discs", images=images)


def measured(folder: Path, truth: Truth) -> Mapping[str, int]:
    """Put figures into the cards of the models in `folder`; return those of the locator."""
    net = contender(folder, "models", None, Options(), folder)
    put_into_cards(evaluated([net], truth, Options(), ""))
    found = read_model(folder / "unet.card.json").card.measured
    return {each.measure: each.count for each in found if each.data == truth.name}


def test_figures_go_into_both_cards_and_replace_older_ones(models: Path) -> None:
    for _ in range(2):
        located = measured(models, discs(0, 7))
    last = {"empty wells reported empty": 1, "empty wells with a false drop": 1}
    assert located == dict.fromkeys(LOCATED, 1) | last
    assert len(read_model(models / "unet.card.json").card.measured) == len(located)
    classified = read_model(models / "classes.card.json").card.measured
    assert [(each.data, each.measure, each.count) for each in classified][:2] == [
        ("discs", "4-group accuracy of wells with a drop", 1),
        ("discs", "12-outcome accuracy of wells with a drop", 1),
    ]


def test_figures_of_a_first_look_go_into_its_card_and_not_into_that_of_the_classifier_after_it(
    models: Path, tmp_path: Path
) -> None:
    companions = shutil.copytree(models, tmp_path / "companions")
    after = (companions / "classes.card.json").read_bytes()
    usual = read_model(models / "classes.card.json")
    told = {each.name: getattr(usual.card, each.name) for each in fields(ClassifierCard)}
    card = FirstLookCard(**told | {"name": "first", "file": "first.onnx", "working_width_px": 612, "most_doubt": 0.3})
    path = write_model(usual.onnx, card, tmp_path)
    truth, options = replace(discs(0), name="one disc, twice"), Options(models=companions)
    put_into_cards(evaluated([contender(path, "first", None, options, tmp_path)], truth, options, ""))
    figures = read_model(path).card.measured
    assert ("one disc, twice", "4-group accuracy of wells with a drop") in {(e.data, e.measure) for e in figures}
    assert (companions / "classes.card.json").read_bytes() == after
    located = read_model(companions / "unet.card.json").card.measured
    assert [each.measure for each in located if each.data == truth.name] == LOCATED


def test_a_figure_of_nothing_is_left_out(models: Path) -> None:
    assert list(measured(models, replace(discs(0), name="one disc"))) == LOCATED


def test_photographs_of_which_nobody_knows_anything(models: Path, tmp_path: Path) -> None:
    (tmp_path / "photographs").mkdir()
    Pillow.fromarray(fake_well(0).image).save(tmp_path / "photographs" / "one.png")
    words = ["evaluate", str(models), "--photographs", str(tmp_path / "photographs"), "--name", "a photograph"]
    assert main([*words, "--out", str(tmp_path / "out"), "--cards", "--workers", "1"]) == OK
    for name, measure in (("classes", "images called crystal"), ("unet", "images with a drop found")):
        figures = read_model(models / f"{name}.card.json").card.measured
        assert [each.measure for each in figures if each.data == "a photograph"] == [measure]


@pytest.mark.parametrize(("words", "count"), [(["--demo-plate", "--data", "d"], 2), ([], 0)])
def test_one_thing_is_judged_on(words: list[str], count: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "runs/x", "--out", "nowhere", *words]) == USAGE
    assert f"name one thing to judge on, got {count}" in capsys.readouterr().err


def test_a_device_that_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--out", "nowhere", "--demo-plate", "--device", "abacus"]) == USAGE
    assert "no device 'abacus' here; choose cpu" in capsys.readouterr().err


def test_a_training_has_no_card(models: Path) -> None:
    net = contender(models, "models", None, Options(), models)
    check_cards([net])
    with pytest.raises(UserError, match="models is a training and has no card yet; export it first"):
        check_cards([replace(net, record=RECORD)])


def test_a_missed_drop_counts_against_both_models() -> None:
    peaks = (0.1, 0.1, 0.1, 0.1)
    verdicts = [
        scored_image("a", "clear", overlap=0.0),
        scored_image("b", "spherulites", peaks, likeliest="other", overlap=1.0),
        scored_image("c", "no_drop", overlap=1.0),
    ]
    verdicts = [replace(each, known=replace(each.known, masked=True)) for each in verdicts]
    located = {each.measure: each.interval.value for each in drop_figures(verdicts)}
    assert [located[name] for name in (LOCATED[0], "drops found", "empty wells reported empty")] == [0.5, 0.5, 1.0]
    figures = classifier_figures(verdicts)
    assert [each.interval.value for each in figures] == [0.5, 0.0, 0.0]  # no crystal well: no figure of those
    assert figures[0].measurement("d") == Measurement(
        data="d", measure="4-group accuracy of wells with a drop", value=0.5, count=2
    )


def test_verdicts_compare_groups() -> None:
    verdict = scored_image("a", "spherulites", (0.1, 0.1, 0.1, 0.1), likeliest="phase_separation")
    assert verdict.called is verdict.known.group
    other = scored_image("a", "spherulites", (0.1, 0.1, 0.1, 0.1), likeliest="clear")
    assert other.called is not other.known.group
