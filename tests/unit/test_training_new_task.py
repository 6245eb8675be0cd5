"""A task of a new kind, tiny masks of crystals, is one file and two entries; the loop does all else for it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from crystal_search.exit_codes import OK, USAGE
from crystal_search.main import main
from crystal_search.networks.architectures import NETWORKS, Architecture, network_for
from crystal_search.training.checkpoints import BEST, CHECKPOINT, load_trained
from crystal_search.training.learning_curve import PICTURE, curve_rows
from crystal_search.training.machine import Machine
from crystal_search.training.requests import Request
from crystal_search.training.run_record import read_run, recorded
from crystal_search.training.task import Batch, Losses, Task, Verdict
from crystal_search.training.tasks import TASKS, TaskKind

SIDE_PX, HELD = 32, 16


class StoppedError(Exception):
    """The power is off."""


# The task


def two_layers(classes: int, channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), nn.ReLU(), nn.Dropout2d(0.1), nn.Conv2d(4, classes, 1))


@dataclass
class RandomCrystals:
    """Grey noise with a lighter rectangle in it, made from seed and step alone."""

    seed: int
    fails_at: ClassVar[int] = -1
    shards: list[str] = field(default_factory=list)

    def names(self) -> list[str]:
        return self.shards

    def refresh(self) -> None:
        """Do nothing: it does not grow."""

    def use(self, names: list[str]) -> None:
        self.shards = names

    def batch(self, step: int, size: int) -> Batch:
        if step == self.fails_at:
            raise StoppedError
        generator = np.random.default_rng([self.seed, step])
        views = generator.normal(0, 0.3, (size, 1, SIDE_PX, SIDE_PX)).astype(np.float32)
        masks = np.zeros_like(views)
        for mask in masks[:, 0]:
            top, left = generator.integers(0, SIDE_PX - 10, 2)
            mask[top : top + 8, left : left + 10] = 1
        return torch.from_numpy(views + masks), torch.from_numpy(masks)


def entropy(network: nn.Module, views: Tensor, masks: Tensor) -> Losses:
    return {"loss": binary_cross_entropy_with_logits(network(views).float(), masks)}


def overlap(network: nn.Module) -> Verdict:
    views, masks = RandomCrystals(seed=1).batch(0, HELD)
    found, true = network(views) > 0, masks > 0.5
    iou = float((found & true).sum() / (found | true).sum())
    return Verdict({"validation_iou": iou}, 1 - iou)


def opened(request: Request, machine: Machine) -> Task:
    return Task(
        record=recorded(
            request,
            task="tiny-masks",
            role="crystals",
            classes=("crystal",),
            normalisation="centred-1",
            working_width_px=SIDE_PX,
        ),
        title="tiny masks of crystals",
        build=lambda: network_for("tiny-masks", request.network).build(1, 1),
        source=RandomCrystals(request.seed),
        losses=entropy,
        judge=overlap,
        panels={"loss": ("loss",), "intersection over union": ("iou",)},
        usual_steps=60,
        peak_rate=3e-2,
    )


NETWORK = Architecture(
    name="two-layers", build=two_layers, tasks=("tiny-masks",), paper="none", weight_layers=2, padded=True
)


# What the loop makes of it


@pytest.fixture(autouse=True, scope="module")
def _registered() -> Iterator[None]:
    kind = TaskKind(purpose="train a network to mark tiny crystals", request=Request, module=__name__)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TASKS, "tiny-masks", kind)
        patch.setitem(NETWORKS, "crystals", {NETWORK.name: NETWORK})
        yield


def train(out: Path, *options: str, network: str = NETWORK.name) -> int:
    words = ["--network", network, "--data", "nowhere", "--out", str(out), "--device", "cpu", "--validate-every", "20"]
    return main(["train", "tiny-masks", *words, *options])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a training."""
    out = tmp_path_factory.mktemp("runs") / "run"
    assert train(out) == OK
    return out


def test_it_learns_and_leaves_what_every_training_leaves(run: Path) -> None:
    record = read_run(run)
    assert (record.task, record.role, record.architecture) == ("tiny-masks", "crystals", "two-layers")
    rows = curve_rows(run)
    assert [row["step"] for row in rows] == ["20", "40", "60"]
    assert float(rows[-1]["validation_iou"]) > 0.8
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    assert {path.name for path in run.iterdir()} >= {CHECKPOINT, BEST, PICTURE, "tensorboard"}


def test_it_is_read_back(run: Path) -> None:
    network = load_trained(run, "crystals").network
    assert not network.training
    assert overlap(network).falls == pytest.approx(
        1 - max(float(row["validation_iou"]) for row in curve_rows(run)), abs=1e-6
    )


def test_killed_and_resumed_it_ends_with_the_same_bits(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    killed = run.parent / "killed"
    monkeypatch.setattr(RandomCrystals, "fails_at", 33)
    with pytest.raises(StoppedError):
        train(killed)
    monkeypatch.setattr(RandomCrystals, "fails_at", -1)
    assert train(killed, "--resume") == OK
    assert f"60 steps are done; weights and learning-curve.png are in {killed}" in capsys.readouterr().out
    states: list[dict[str, Any]] = [torch.load(each / CHECKPOINT, weights_only=True) for each in (run, killed)]
    for part in ("step", "network", "optimiser"):
        torch.testing.assert_close(states[1][part], states[0][part], rtol=0, atol=0)
    assert [row["validation_iou"] for row in curve_rows(killed)] == [row["validation_iou"] for row in curve_rows(run)]


def test_a_network_that_does_not_claim_it_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path / "run", network="squeezenet") == USAGE
    assert "squeezenet cannot be trained on tiny-masks; choose from two-layers" in capsys.readouterr().err
