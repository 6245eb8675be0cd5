"""Rendered wells kept in a device's memory, and batches of them."""

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from crystal_search.datasets.outcome_maps import OUTSIDE, highest_priority
from crystal_search.datasets.rendered_shards import write_shard
from crystal_search.errors import UserError
from crystal_search.training import cells_task, loop
from crystal_search.training import resident_crops as resident
from crystal_search.training.distributed import Group
from crystal_search.training.held_losses import HeldLosses
from crystal_search.training.machine import Machine, workers_for
from crystal_search.training.requests import CellRequest
from crystal_search.training.resident_crops import ResidentCrops
from crystal_search.training.resident_images import ResidentImages
from crystal_search.training.train import train
from tests.unit.networks_fakes import CRYSTAL, fake_well

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("training.resident_crops", "training.resident_images"):
        monkeypatch.setattr(f"crystal_search.{module}.WELLS_PER_SHARD", 4)


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    for number in range(2):
        write_shard(tmp_path, f"train-{number:05d}", 4 * number, [fake_well(4 * number + each) for each in range(4)])
    return tmp_path


def _crops(shards: Path, *, width_px: int = 1224, most_wells: int = 8) -> ResidentCrops:
    source = ResidentCrops(shards, "train", 96, 1, CPU, width_px, most_wells)
    source.refresh()
    return source


def test_the_same_step_gives_the_same_batch(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident, "recorded_differently", lambda views, _: views)
    views, labels = _crops(shards).batch(3, 16)
    again, _ = _crops(shards).batch(3, 16)
    other, _ = _crops(shards).batch(4, 16)
    assert views.shape == (16, 1, 96, 96)
    assert views.dtype == torch.float32
    assert labels.shape == (16, 24, 24)
    assert labels.dtype == torch.uint8
    assert torch.equal(views, again)
    assert not torch.equal(views, other)


@pytest.mark.parametrize("width_px", [1224, 612])
def test_labels_lie_where_things_are_seen(shards: Path, width_px: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident, "recorded_differently", lambda views, _: views)
    monkeypatch.setattr(resident, "local_contrast", lambda views: views)
    source = _crops(shards, width_px=width_px)
    for number, shard in enumerate(source.shards):  # what is a crystal shines, everything else is black
        outcomes = np.stack([highest_priority(each, 1224 // width_px) for each in shard.outcomes])
        bright = 255 * (outcomes == CRYSTAL).repeat(4, axis=1).repeat(4, axis=2)[:, :, :width_px]
        source._grey[4 * number : 4 * number + 4] = torch.from_numpy(bright.astype(np.uint8))
    views, labels = source.batch(0, 64)
    shown = torch.nn.functional.avg_pool2d(views, 4)[:, 0] > 0.5
    assert float((shown == (labels == CRYSTAL)).float().mean()) > 0.97
    assert bool((labels == CRYSTAL).any())


def test_later_shards_take_the_place_of_the_first(shards: Path) -> None:
    source = _crops(shards, most_wells=4)
    np.testing.assert_array_equal(source._grey.numpy(), source.shards[1].grey)
    wells = [places.wells for slots in source._places.values() for places in slots.values()]
    assert max(each.max() for each in wells if len(each)) < 4
    assert source.names() == ["train-00000", "train-00001"]


def test_half_the_width_keeps_the_outcome_of_highest_priority() -> None:
    outcomes = np.full((2, 4), OUTSIDE, np.uint8)
    outcomes[1, 0], outcomes[0, 1] = CRYSTAL, 10
    assert highest_priority(outcomes, 2).tolist() == [[CRYSTAL, OUTSIDE]]


def test_views_and_drops_agree(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crystal_search.training.resident_images.recorded_differently", lambda views, _: views)
    monkeypatch.setattr("crystal_search.training.resident_images.centred", lambda views: views)
    source = ResidentImages(shards, "train", 0, CPU, most_wells=8)
    source.refresh()
    drops = source._drops.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    source._grey = drops[:, : source._grey.shape[1], : source._grey.shape[2]].contiguous()
    for step in range(6):
        views, found = source.batch(step, 8)
        assert views.shape == found.shape
        assert views.shape[3] == 256
        assert views.shape[2] in {160, 192, 208, 224, 256}
        assert float((views - found).abs().mean()) < 0.02
    assert bool((found > 0.5).any())


def test_a_training_runs_where_the_wells_are_and_ends_when_its_time_is_over(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = itertools.count()
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    asked: dict[str, Any] = {
        "steps": None,
        "hours": 2 / 3600,
        "batch_size": 8,
        "device": "cpu",
        "quiet": True,
        "width_px": 612,
    }
    assert train("cells", CellRequest(data=shards, out=tmp_path / "cells", **asked)) == 1
    state = torch.load(tmp_path / "cells" / "checkpoint.pt", weights_only=True)
    assert state["step"] == 1
    assert state["settings"]["seconds"] > 0


def test_wells_in_the_memory_of_a_device_are_not_handed_to_other_processes(shards: Path, tmp_path: Path) -> None:
    write_shard(shards, "validation-00000", 8, [fake_well(each) for each in range(8, 12)])
    machine = Machine(group=Group(CPU), batch_size=2, workers=3)
    for width_px, workers in ((612, 0), (1224, 3)):
        task = cells_task.opened(CellRequest(data=shards, out=tmp_path / "run", width_px=width_px), machine)
        assert isinstance(task.judge, HeldLosses)
        assert task.workers == task.judge.machine.workers == workers


def test_workers_are_refused_where_batches_are_made_on_the_device() -> None:
    machine = Machine(group=Group(CPU), batch_size=2, workers=3)
    assert workers_for(None, machine, on_device=True) == 0
    assert workers_for(None, machine, on_device=False) == workers_for(3, machine, on_device=False) == 3
    with pytest.raises(UserError, match="made in the memory of the device itself; leave out --workers"):
        workers_for(3, machine, on_device=True)
