"""The drop locator's network and training."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from crystal_search.datasets.rendered_shards import write_shard
from crystal_search.training.cell_training import CURVE, Plan, Whereabouts
from crystal_search.training.train_drops import ImageSource, drop_losses, train_drop_locator
from crystal_search.unet_drop.network import SIDE_MULTIPLE_PX, UNet
from tests.unit.networks_fakes import fake_well


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    write_shard(folder, "train-00000", 0, [fake_well(number, rows=1024) for number in range(8)])
    return folder


def test_the_answer_has_the_size_of_the_image() -> None:
    assert UNet()(torch.zeros(2, 1, 3 * SIDE_MULTIPLE_PX, 5 * SIDE_MULTIPLE_PX)).shape == (2, 1, 48, 80)


def test_it_is_small() -> None:
    assert sum(weights.numel() for weights in UNet().parameters()) == 781_833


def test_batches_show_wells_with_and_without_a_drop(shards: Path) -> None:
    source = ImageSource(shards, "train", seed=0)
    source.refresh()
    views, drops = source.batch(0, 24)
    assert views.shape == drops.shape == (24, 1, 224, 256)
    assert 0 <= float(drops.min()) <= float(drops.max()) == 1
    filled = drops.flatten(1).any(dim=1)
    assert 0 < int(filled.sum()) < 24
    for view, drop in zip(views[filled], drops[filled] > 0.5, strict=True):
        assert view[drop].mean() > view[~drop].mean()  # the fake drops are light: the mask lies where they are


class Answer(nn.Module):
    """Always answers the same."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, _: Tensor) -> Tensor:
        """Return the answer."""
        return self.logits


def test_nothing_found_where_nothing_is_costs_nothing() -> None:
    empty = torch.zeros(1, 1, 32, 32)
    assert drop_losses(Answer(torch.full_like(empty, -20)), empty, empty)["loss"] < 1e-3
    assert drop_losses(Answer(torch.full_like(empty, 20)), empty, empty)["loss"] > 1


def test_losses_fall(shards: Path, tmp_path: Path) -> None:
    plan = Plan(steps=6, batch_size=2, peak_rate=4e-3, steps_per_epoch=3)
    assert not train_drop_locator(shards, plan, Whereabouts(tmp_path)).training
    losses = [float(line.split(",")[3]) for line in (tmp_path / CURVE).read_text().splitlines()[1:]]
    assert losses[1] < losses[0]
    assert np.isfinite(losses).all()
