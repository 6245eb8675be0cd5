"""Mask R-CNN from a dataset to a page, as every other network (make mask-rcnn; it needs torchvision)."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from crystal_search.errors import ModelError, UserError
from crystal_search.exit_codes import OK, USAGE
from crystal_search.exporting.answer_differences import of_instances
from crystal_search.exporting.export import compare, noise, write_onnx
from crystal_search.main import main
from crystal_search.model import in_role, read_model
from crystal_search.model_card import CrystalCard
from crystal_search.networks.network_kinds import CRYSTAL_DETECTORS, build
from crystal_search.networks.pretrained_detectors import PUBLISHED, take, take_published
from crystal_search.training.crystals_task import LEARNING
from crystal_search.training.loop import Training
from crystal_search.training.task import Batch
from tests.unit.crystal_dataset import picture, write_crystals

torchvision = pytest.importorskip("torchvision", reason="Mask R-CNN is tried by make mask-rcnn")
LIGHT = ("--network", "mask-rcnn-light", "--side", "64", "--batch-size", "2", "--validate-every", "2")


def words(data: Path, run: str) -> list[str]:
    return ["train", "crystals", "--data", str(data), "--out", str(data / run), *LIGHT, "--steps", "4"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a training that was stopped half-way and resumed."""
    folder, step = write_crystals(tmp_path_factory.mktemp("crystals")), Training._step

    def stopped(self: Training, number: int, batch: Batch) -> float:
        if number == 2:
            raise UserError("stopped")
        return step(self, number, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "_step", stopped)
        assert main(words(folder, "run")) == USAGE
    assert main([*words(folder, "run"), "--resume"]) == OK
    return folder / "run"


def weights(run: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run / "checkpoint.pt", weights_only=True)["network"]
    return state


def test_a_training_that_was_resumed_ends_as_one_that_was_not(run: Path) -> None:
    assert main(words(run.parent, "whole")) == OK
    went_on, whole = weights(run), weights(run.parent / "whole")
    assert all(torch.equal(each, whole[name]) for name, each in went_on.items())


def test_it_becomes_a_model_that_finds_and_is_judged_as_others(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(run), "--name", "tiny", "--models", str(tmp_path)]) == OK
    card = in_role(read_model(tmp_path / "tiny.card.json"), CrystalCard).card
    assert (card.decoding, [each.name for each in card.outputs]) == ("instances", ["instances", "corners", "masks"])
    (tmp_path / "0.png").write_bytes(picture(0))
    asked = ["crystals", str(tmp_path / "0.png"), "--detector", str(tmp_path / "tiny.card.json")]
    assert main([*asked, "--csv", str(tmp_path / "found.csv")]) == OK
    with (tmp_path / "found.csv").open() as file:
        assert all(row["error"] == "" for row in csv.DictReader(file))
    asked = ["evaluate", str(tmp_path / "tiny.card.json"), "--data", str(run.parent), "--split", "validation"]
    assert main([*asked, "--out", str(tmp_path / "out")]) == OK
    assert "AP50 of masks: " in capsys.readouterr().out


def test_an_export_of_other_numbers_is_none(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, other = build("mask-rcnn-light", 1).eval(), build("mask-rcnn-light", 1).eval()
    names = [each.name for each in CRYSTAL_DETECTORS["mask-rcnn-light"].outputs(("crystal",))]
    write_onnx(network, tmp_path / "n.onnx", names, batch=1)
    with pytest.raises(ModelError, match="ONNX Runtime and torch differ by"):
        compare(other, tmp_path / "n.onnx", noise([(1, 64, 96)]), difference=of_instances)


@pytest.mark.parametrize("name", PUBLISHED)
def test_it_learns_crystals_and_drops_and_views_without_any(name: str) -> None:
    torch.manual_seed(0)
    network = build(name, 2).train()
    planes = torch.zeros(2, 2, 64, 64, dtype=torch.uint8)
    planes[0, 0, 8:24, 8:40], planes[0, 1, 4:60, 4:60] = 1, 2
    found = LEARNING["instances"].losses(network, torch.randn(2, 1, 64, 64), planes)
    (parts,) = LEARNING["instances"].parts.values()
    assert set(found) == {"loss", *parts}
    found["loss"].backward()  # type: ignore[no-untyped-call]
    assert all(bool(torch.isfinite(each)) for each in found.values())
    with torch.no_grad():
        judged = [LEARNING["instances"].losses(network.eval(), torch.ones(2, 1, 64, 64), planes) for _ in range(2)]
    assert judged[0]["loss"] == judged[1]["loss"]
    assert not any(each.training for each in network.modules())


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("mask-rcnn-resnet50", lambda: torchvision.models.detection.maskrcnn_resnet50_fpn_v2(weights_backbone=None)),
        ("mask-rcnn-light", torchvision.models.resnet18),
    ],
)
def test_published_weights_are_taken_as_far_as_they_fit(name: str, theirs) -> None:  # type: ignore[no-untyped-def]
    network, state = build(name, 1), theirs().state_dict()
    assert take(network, state, PUBLISHED[name]) > 0.95 * (len(state) - 10)
    body = network.state_dict()
    prefix = PUBLISHED[name].prefix + ("backbone.body." if name == "mask-rcnn-resnet50" else "")
    their = "backbone.body." if name == "mask-rcnn-resnet50" else ""
    torch.testing.assert_close(body[f"{prefix}layer3.0.conv1.weight"], state[f"{their}layer3.0.conv1.weight"])
    torch.testing.assert_close(body[f"{prefix}conv1.weight"], state[f"{their}conv1.weight"].sum(1, keepdim=True))


def test_weights_that_cannot_be_had_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torchvision.models.ResNet18_Weights, "get_state_dict", offline)
    with pytest.raises(Exception, match="could not fetch those of mask-rcnn-light"):
        take_published(build("mask-rcnn-light", 1), architecture="mask-rcnn-light")


def test_a_detector_that_finds_nothing_answers_with_nothing() -> None:
    network = build("mask-rcnn-light", 2).eval()
    network.detector.roi_heads.score_thresh = 1.0  # type: ignore[union-attr]
    with torch.no_grad():
        answers = network(torch.zeros(1, 1, 64, 64))
    assert [tuple(each.shape) for each in answers] == [(1, 2, 0, 1), (1, 4, 0, 1), (1, 784, 0, 1)]
    assert np.isfinite(answers[1].numpy()).all()
