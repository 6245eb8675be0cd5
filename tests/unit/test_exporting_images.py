"""A training on whole images becomes a model: compared with torch, calibrated, described."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from crystal_search.card_file import card_from_json, card_to_json
from crystal_search.class_schemes import SCHEMES
from crystal_search.datasets.packed import open_dataset
from crystal_search.errors import ModelCardError, ModelMismatchError, UserError
from crystal_search.exporting.answer_differences import TOLERANCE
from crystal_search.exporting.export import export
from crystal_search.exporting.exported_runs import export_run
from crystal_search.images import decode
from crystal_search.inference import OnnxNetwork
from crystal_search.main import main
from crystal_search.model import in_role, read_model
from crystal_search.model_card import ClassifierCard, ImageCard
from crystal_search.networks.network_kinds import IMAGE_CLASSIFIERS, build, image_classifier_card
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.scoring.image_opinion import class_opinion
from crystal_search.server.models_in_use import check_answer
from crystal_search.training.checkpoints import load_trained, save_checkpoint
from crystal_search.training.image_scores import image_scores
from crystal_search.training.run_record import RunRecord, write_run
from tests.unit.dataset_files import write_dataset

FOUR = SCHEMES["groups-4"].class_names
SIDE_PX = 96
WELLS = {"train": {"clear": 2}, "validation": {"clear": 3, "crystal_bad_form": 2, "no_drop": 1}}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("datasets") / "patterns", {}, wells=WELLS)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """Return the folder of a training that learnt nothing."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    torch.manual_seed(0)
    network = build("efficientnet-lite0", 4, 3)
    save_checkpoint(folder, 1, network, None, {})
    record = RunRecord(
        role="image", architecture="efficientnet-lite0", classes=FOUR, normalisation="rgb-1", working_width_px=SIDE_PX,
        data=str(data), task="images", command="crystal-search train images", seed=0,
    )  # fmt: skip
    write_run(folder, record)
    return folder


@pytest.fixture(scope="module")
def card_file(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_run(run, "whole-1", tmp_path_factory.mktemp("models"))


def test_its_card_says_what_it_is(card_file: Path) -> None:
    card = in_role(read_model(card_file), ImageCard).card
    assert (card.role, card.title, card.needed) == ("image", "whole-image classifier", False)
    assert (card.classes, card.working_width_px, card.normalisation) == (FOUR, SIDE_PX, "rgb-1")
    assert card.training_data == "2 training images of patterns: patterns"
    assert [each.measure.split(" of ")[0] for each in card.measured] == [
        "4-class accuracy", "expected calibration error", "expected calibration error"
    ]  # fmt: skip
    assert all(each.count == 5 for each in card.measured)
    assert card_from_json(card_to_json(card).encode()) == card
    check_answer(read_model(card_file))


def test_the_model_file_gives_the_numbers_of_the_training(run: Path, data: Path, card_file: Path) -> None:
    network, dataset = OnnxNetwork(in_role(read_model(card_file), ImageCard)), open_dataset(data)
    scores = image_scores(load_trained(run, "image"), dataset, "validation")
    for row, logits in zip(scores.rows, scores.logits, strict=True):
        found = class_opinion(decode(dataset.image(row), at_least_width_px=1224), network)
        shares = np.exp(logits.astype(np.float64) / network.card.temperature)
        expected = dict(
            zip(("crystal_harvestable", "precipitate", "other", "clear"), shares / shares.sum(), strict=True)
        )
        assert found.sum() == pytest.approx(1)
        assert {name: value for name, value in zip(OUTCOME_NAMES, found, strict=True) if value} == pytest.approx(
            expected, abs=10 * TOLERANCE
        )
    assert np.ptp(scores.logits, axis=0).max() > 1000 * TOLERANCE  # else equality would say little


@pytest.mark.parametrize("name", IMAGE_CLASSIFIERS)
def test_every_image_classifier_can_be_exported(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    card = image_classifier_card("mine", name, classes=OUTCOME_NAMES, normalisation="local-contrast-1", side_px=64)
    model = read_model(export(build(name, 13, 1).eval(), card, tmp_path))
    assert OnnxNetwork(model).logits(np.zeros((2, 1, 64, 64), np.float32)).shape == (2, 13, 1, 1)


def test_a_dataset_without_validation_images_is_said(run: Path, tmp_path: Path) -> None:
    empty = write_dataset(tmp_path / "empty", {}, wells={"train": {"clear": 2}})
    with pytest.raises(UserError, match="has no validation images to calibrate on; name another --data"):
        export_run(run, "whole-2", tmp_path, empty)


def test_int8_is_for_classifiers_of_chops(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run), "--int8"]) == 2
    assert "trained a whole-image classifier; only classifiers become int8" in capsys.readouterr().err


def test_the_command_tells_of_the_temperature(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run), "--name", "told", "--models", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "whole-image classifier efficientnet-lite0, sha256" in said
    assert "temperature" in said.splitlines()[0]


def test_other_classes_are_refused(card_file: Path) -> None:
    card = in_role(read_model(card_file), ImageCard).card
    odd = replace(card, outputs=(replace(card.outputs[0], classes=("crystal", "rest")),))
    with pytest.raises(
        ModelCardError, match=r"the whole-image classifier's classes are crystal_harv.* got crystal, rest"
    ):
        card_from_json(card_to_json(odd).encode())


def test_a_classifier_of_chops_is_none_of_images(card_file: Path) -> None:
    with pytest.raises(ModelMismatchError, match="whole-1 is a whole-image classifier, expected a classifier"):
        in_role(read_model(card_file), ClassifierCard)
