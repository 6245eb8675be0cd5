"""The training loop: exact resuming, growing data, learning curve; and crops to train on."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from crystal_search.datasets.cell_labels import cell_labels
from crystal_search.datasets.rendered_shards import write_shard
from crystal_search.errors import ModelError, UnknownNameError, UserError
from crystal_search.images import normalised
from crystal_search.networks.cards import CLASSIFIER_NORMALISATION
from crystal_search.networks.squeezenet import SqueezeNet
from crystal_search.training.augmentation import recorded_differently, turned
from crystal_search.training.cell_training import CURVE, Plan, Training, Whereabouts
from crystal_search.training.crops import CropSource
from crystal_search.training.features import FeatureSource
from crystal_search.training.train_cells import train_cells
from tests.unit.networks_fakes import CRYSTAL, fake_well

PLAN = Plan(steps=6, batch_size=3, peak_rate=1e-2, steps_per_epoch=2, steps_per_checkpoint=2)


class StoppedError(Exception):
    """The power is off."""


@dataclass
class Numbers:
    """A source that grows by one shard an epoch and fails at a step when told to."""

    fails_at: int = -1
    shards: list[str] = field(default_factory=list)

    def names(self) -> list[str]:
        return list(self.shards)

    def refresh(self) -> None:
        self.shards.append(f"train-{len(self.shards):05d}")

    def use(self, names: list[str]) -> None:
        self.shards = list(names)

    def batch(self, step: int, size: int) -> tuple[Tensor, Tensor]:
        if step == self.fails_at:
            raise StoppedError
        generator = np.random.default_rng([step, len(self.shards)])
        inputs = torch.from_numpy(generator.normal(size=(size, 1, 4, 4)).astype(np.float32))
        return inputs, inputs.mean(dim=(1, 2, 3))


def tiny() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(16, 1))


def squared(network: nn.Module, inputs: Tensor, truth: Tensor) -> dict[str, Tensor]:
    return {"loss": (network(inputs)[:, 0] - truth).square().mean()}


def trained(where: Whereabouts, source: Numbers) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = Training(tiny(), source, squared, PLAN, where).run().state_dict()
    return weights


@pytest.mark.parametrize("fails_at", [2, 3, 5])
def test_a_training_that_was_stopped_ends_with_the_same_weights(tmp_path: Path, fails_at: int) -> None:
    whole = trained(Whereabouts(tmp_path / "whole"), Numbers())
    with pytest.raises(StoppedError):
        trained(Whereabouts(tmp_path / "stopped"), Numbers(fails_at))
    resumed = trained(Whereabouts(tmp_path / "stopped", resume=True), Numbers())
    for name, weights in whole.items():
        torch.testing.assert_close(resumed[name], weights, rtol=0, atol=0)


def test_the_learning_curve_has_every_epoch_once(tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        trained(Whereabouts(tmp_path), Numbers(5))
    trained(Whereabouts(tmp_path, resume=True), Numbers())
    lines = (tmp_path / CURVE).read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in lines] == ["step", "2", "4", "6"]
    assert [line.split(",")[2] for line in lines] == ["shards", "1", "2", "3"]


def test_a_folder_with_a_training_is_not_overwritten(tmp_path: Path) -> None:
    trained(Whereabouts(tmp_path), Numbers())
    with pytest.raises(UserError, match="holds a training; resume it"):
        trained(Whereabouts(tmp_path), Numbers())


def test_nothing_to_resume_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no weights: there is no checkpoint\.pt in it; train first"):
        trained(Whereabouts(tmp_path, resume=True), Numbers())


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "A01.jpg").write_bytes(b"somebody's image")
    with pytest.raises(UserError, match=r"holds something that is no training \(A01\.jpg\); name a new folder"):
        trained(Whereabouts(tmp_path), Numbers())
    assert [each.name for each in tmp_path.iterdir()] == ["A01.jpg"]


def test_a_damaged_checkpoint_is_said(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(ModelError, match=r"cannot go on from [^.]*checkpoint\.pt: [^.]*; train from the start"):
        trained(Whereabouts(tmp_path, resume=True), Numbers())


def test_a_training_may_begin_with_the_weights_of_another(tmp_path: Path) -> None:
    first = trained(Whereabouts(tmp_path / "first"), Numbers())
    network = tiny()
    none = Plan(steps=0, batch_size=1, peak_rate=1.0)
    Training(network, Numbers(), squared, none, Whereabouts(tmp_path / "next", start_from=tmp_path / "first")).run()
    torch.testing.assert_close(network.state_dict(), first)


def test_a_training_does_not_begin_with_the_weights_of_a_larger_network(tmp_path: Path) -> None:
    trained(Whereabouts(tmp_path / "first"), Numbers())
    start = Whereabouts(tmp_path / "next", start_from=tmp_path / "first")
    with pytest.raises(ModelError, match=r"has layers that the network has not: 1\.bias"):
        Training(nn.Sequential(nn.Conv2d(1, 4, 3)), Numbers(), squared, PLAN, start).run()


def test_there_is_nothing_to_begin_with(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot begin with"):
        trained(Whereabouts(tmp_path / "next", start_from=tmp_path / "nowhere"), Numbers())


def test_the_rate_rises_once_and_falls_to_almost_nothing() -> None:
    plan = Plan(steps=1000, batch_size=1, peak_rate=2.0)
    rates = [plan.rate(step) for step in range(1000)]
    assert max(rates) == pytest.approx(2.0, rel=1e-3)
    assert np.argmax(rates) == pytest.approx(100, abs=2)
    assert rates[-1] == pytest.approx(0.01)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    write_shard(folder, "train-00000", 0, [fake_well(number) for number in range(8)])
    return folder


def test_a_crop_holds_the_numbers_that_the_client_sees(shards: Path) -> None:
    source = CropSource(shards, "train", 256, seed=0, augmented=False)
    source.refresh()
    views, outcomes = source.batch(0, 6)
    assert (views.shape, outcomes.shape) == ((6, 1, 256, 256), (6, 64, 64))
    whole = [normalised(np.asarray(grey), CLASSIFIER_NORMALISATION) for grey in source.shards[0].grey]
    for view in views[:, 0].numpy():
        assert min(_least_difference(view, each) for each in whole) < 0.02


def _least_difference(view: np.ndarray, whole: np.ndarray) -> float:
    rows, columns = (range(0, side - 256 + 1, 4) for side in whole.shape)
    return min(float(np.abs(view[::64] - whole[r : r + 256 : 64, c : c + 256]).max()) for r in rows for c in columns)


def test_the_same_step_gives_the_same_crops_and_another_step_others(shards: Path) -> None:
    source = CropSource(shards, "train", 256, seed=0)
    source.refresh()
    one, same, other = source.batch(4, 2)[0], source.batch(4, 2)[0], source.batch(5, 2)[0]
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_rare_outcomes_are_aimed_at(shards: Path) -> None:
    source = CropSource(shards, "train", 256, seed=0)
    source.refresh()
    _, outcomes = source.batch(0, 40)
    assert (outcomes == CRYSTAL).flatten(1).any(dim=1).float().mean() > 0.3


def test_kept_features_are_those_that_the_whole_network_would_see(shards: Path) -> None:
    torch.manual_seed(0)
    network = SqueezeNet(13).eval()
    source = FeatureSource(shards, "train", 0, lambda views: network.pool(network.lower_half(views)))
    source.refresh()
    features, outcomes = source.batch(0, 3)
    assert (features.shape, outcomes.shape) == ((3, 256, 14, 14), (3, 72, 72))
    with torch.no_grad():
        assert network.upper_half(features).shape == (3, 13, 6, 6)
    assert cell_labels(outcomes).shape == (3, 6, 6)
    assert len(source._wells) == 7  # one fake well of eight has no drop


def test_the_eight_turns_differ_and_keep_every_value() -> None:
    field = np.arange(6).reshape(2, 3)
    turns = {(turned(field, turn).shape, turned(field, turn).tobytes()) for turn in range(8)}
    assert len(turns) == 8
    assert all(sorted(turned(field, turn).ravel()) == list(range(6)) for turn in range(8))


def test_a_different_recording_keeps_shape_and_type() -> None:
    grey = fake_well(0).image[:, :, 0]
    other = recorded_differently(grey, np.random.default_rng(0))
    assert other.shape == grey.shape
    assert other.dtype == np.uint8
    assert not np.array_equal(other, grey)


@pytest.mark.parametrize("stage", ["textures", "upper", "all"])
def test_the_classifier_learns_on_a_few_wells(shards: Path, tmp_path: Path, stage: str) -> None:
    plan = Plan(steps=4, batch_size=2, peak_rate=2e-3, steps_per_epoch=2)
    network = train_cells("squeezenet", stage, shards, plan, Whereabouts(tmp_path))
    assert not network.training
    losses = [float(line.split(",")[3]) for line in (tmp_path / CURVE).read_text().splitlines()[1:]]
    assert losses[1] < losses[0]


def test_an_unknown_stage_is_refused(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="no stage 'colours'; choose from textures, upper, all"):
        train_cells("squeezenet", "colours", shards, PLAN, Whereabouts(tmp_path))
