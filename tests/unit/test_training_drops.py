"""The drop locator's network and training."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from crystal_search.datasets.packed import open_dataset
from crystal_search.training import loop
from crystal_search.training.drops_task import RATE, drop_losses
from crystal_search.training.learning_curve import curve_rows
from crystal_search.training.mask_source import HEIGHTS_PX, MaskSource
from crystal_search.training.requests import DropRequest
from crystal_search.training.train import train
from crystal_search.unet_drop.network import SIDE_MULTIPLE_PX, UNet
from tests.unit.dataset_files import write_rendered
from tests.unit.networks_fakes import fake_well


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wells = [fake_well(number, rows=1024) for number in range(8)]
    return write_rendered(tmp_path_factory.mktemp("shards"), train=[wells])


def test_the_answer_has_the_size_of_the_image() -> None:
    assert UNet()(torch.zeros(2, 1, 3 * SIDE_MULTIPLE_PX, 5 * SIDE_MULTIPLE_PX)).shape == (2, 1, 48, 80)


def test_it_is_small() -> None:
    assert sum(weights.numel() for weights in UNet().parameters()) == 781_833


def test_batches_show_wells_with_and_without_a_drop(shards: Path) -> None:
    source = MaskSource(open_dataset(shards), 0)
    source.refresh()
    views, drops = source.batch(0, 24)
    assert views.shape == drops.shape
    assert views.shape[2] in HEIGHTS_PX
    assert (len(views), views.shape[3]) == (24, 256)
    assert 0 <= float(drops.min()) <= float(drops.max()) == 1
    filled = drops.flatten(1).any(dim=1)
    assert 0 < int(filled.sum()) < 24
    with_both = [(view, drop) for view, drop in zip(views, drops > 0.5, strict=True) if 0 < drop.float().mean() < 1]
    assert len(with_both) > 6  # a near view may show nothing but drop
    for view, drop in with_both:
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


def test_the_losses_are_entropy_and_dice() -> None:
    logits, drops = torch.zeros(1, 1, 20, 20), torch.zeros(1, 1, 20, 20)
    drops[..., :10] = 1
    losses = drop_losses(Answer(logits), drops, drops)  # each pixel is half a drop's, half of them are
    dice = 1 - (2 * 100 + 50) / (200 + 200 + 50)
    assert float(losses["entropy"]) == pytest.approx(math.log(2))
    assert float(losses["dice"]) == pytest.approx(dice)
    assert float(losses["loss"]) == pytest.approx(math.log(2) + dice)


def test_losses_fall_on_rendered_wells(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "add_events", lambda *_: None)
    asked: dict[str, Any] = {"steps": 6, "batch_size": 2, "validate_every": 3, "device": "cpu", "quiet": True}
    train("drops", DropRequest(data=shards, out=tmp_path / "run", **asked))
    losses = [float(row["train_loss"]) for row in curve_rows(tmp_path / "run")]
    assert losses[1] < losses[0]
    assert np.isfinite(losses).all()
    assert float(curve_rows(tmp_path / "run")[-1]["rate"]) == pytest.approx(RATE * 0.005)  # nothing to begin with
