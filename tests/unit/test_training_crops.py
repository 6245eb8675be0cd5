"""Crops of wells known place by place, whole images with their drops, and what is kept of them."""

import itertools
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from crystal_search.datasets.outcome_maps import OUTSIDE, highest_priority
from crystal_search.datasets.packed import WellRow, open_dataset
from crystal_search.errors import UserError
from crystal_search.training import cells_task, loop, mask_source, view_augmentation
from crystal_search.training import crops as crops_module
from crystal_search.training.crops import CropSource
from crystal_search.training.device_views import KeptImages, stacked
from crystal_search.training.distributed import Group
from crystal_search.training.held_losses import HeldLosses
from crystal_search.training.machine import Machine, workers_for
from crystal_search.training.mask_source import MaskSource
from crystal_search.training.requests import CellRequest
from crystal_search.training.train import train
from tests.unit.dataset_files import write_rendered
from tests.unit.networks_fakes import CRYSTAL, fake_well

CPU = torch.device("cpu")


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    wells = [fake_well(number) for number in range(8)]
    return write_rendered(tmp_path / "data", train=[wells[:4], wells[4:]])


def crops(shards: Path, *, width_px: int = 1224, seed: int = 1) -> CropSource:
    source = CropSource(open_dataset(shards), seed, 96, width_px)
    source.refresh()
    return source


def test_the_same_step_gives_the_same_batch(shards: Path) -> None:
    views, labels = crops(shards).batch(3, 16)
    again, _ = crops(shards).batch(3, 16)
    other, _ = crops(shards).batch(4, 16)
    assert views.shape == (16, 1, 96, 96)
    assert views.dtype == torch.float32
    assert labels.shape == (16, 24, 24)
    assert labels.dtype == torch.uint8
    assert torch.equal(views, again)
    assert not torch.equal(views, other)


@pytest.mark.parametrize("width_px", [1224, 612])
def test_labels_lie_where_things_are_seen(shards: Path, width_px: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crops_module, "recorded_differently", lambda views, *_, **__: views)
    monkeypatch.setattr(crops_module, "local_contrast", lambda views: views)
    fields = CropSource._fields

    def shining(self: CropSource, row: WellRow) -> tuple[torch.Tensor, torch.Tensor]:
        """What is a crystal shines, everything else is black."""
        grey, outcomes = fields(self, row)
        bright = 255 * (outcomes == CRYSTAL).repeat_interleave(4, dim=0).repeat_interleave(4, dim=1)
        return bright[: grey.shape[0], : grey.shape[1]].to(torch.uint8), outcomes

    monkeypatch.setattr(CropSource, "_fields", shining)
    views, labels = crops(shards, width_px=width_px).batch(0, 64)
    shown = torch.nn.functional.avg_pool2d(views, 4)[:, 0] > 0.5
    assert float((shown == (labels == CRYSTAL)).float().mean()) > 0.97
    assert bool((labels == CRYSTAL).any())


@pytest.mark.parametrize("source_module", [crops_module, mask_source])
def test_what_is_trained_on_is_recorded_differently(
    shards: Path, source_module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn() -> torch.Tensor:
        source = crops(shards) if source_module is crops_module else MaskSource(open_dataset(shards), 0)
        source.refresh()
        return source.batch(0, 8)[0]

    trained_on, change = drawn(), view_augmentation.recorded_differently
    # The same random numbers are drawn, so that nothing but the change itself is missing.
    monkeypatch.setattr(
        source_module, "recorded_differently", lambda views, draws, **how: (change(views, draws, **how), views)[1]
    )
    assert float((trained_on - drawn()).abs().mean()) > 0.1


def test_a_width_that_is_no_part_is_refused(shards: Path) -> None:
    with pytest.raises(UserError, match="images 1224 px wide are reduced to whole parts, not to 1000 px"):
        crops(shards, width_px=1000)


def test_images_of_several_sizes_make_one_batch(tmp_path: Path) -> None:
    wells = [fake_well(number, rows=rows) for number, rows in ((0, 512), (3, 640))]
    source = crops(write_rendered(tmp_path / "data", train=[wells]))
    views, labels = source.batch(0, 12)
    assert views.shape == (12, 1, 96, 96)
    assert bool((labels == CRYSTAL).flatten(1).any(dim=1).any())


def test_a_training_goes_on_with_exactly_the_shards_that_it_had(shards: Path) -> None:
    first, again = crops(shards), CropSource(open_dataset(shards), 1, 96)
    names = first.names()
    assert names == [shard.sha256 for shard in open_dataset(shards).about.shards]
    again.use(names[:1])
    assert again.names() == names[:1]
    some = again.batch(2, 4)[0]
    again.use(names)
    assert torch.equal(again.batch(2, 4)[0], first.batch(2, 4)[0])
    assert not torch.equal(some, first.batch(2, 4)[0])
    with pytest.raises(UserError, match="is not the dataset that the training began with"):
        first.use([*names[:1], "0" * 64])


def test_images_are_kept_as_long_as_there_is_room(shards: Path) -> None:
    dataset, read = open_dataset(shards), []
    rows = dataset.wells("train")

    def fields(row: WellRow) -> tuple[torch.Tensor, ...]:
        read.append(row)
        return (torch.full((2, 3), len(read), dtype=torch.uint8), torch.zeros(1, 1, dtype=torch.uint8))

    kept = KeptImages(fields, CPU, room_bytes=2 * 7)
    for row in (rows[0], rows[1], rows[2], rows[0], rows[2]):
        kept.of(row)
    assert (len(kept), read) == (2, [rows[0], rows[1], rows[2], rows[2]])


def test_smaller_fields_are_filled_up() -> None:
    images = [(torch.ones(1, 2, dtype=torch.uint8),), (torch.ones(2, 1, dtype=torch.uint8),)]
    assert stacked(images)[0].tolist() == [[[1, 1], [0, 0]], [[1, 0], [1, 0]]]


def test_half_the_width_keeps_the_outcome_of_highest_priority() -> None:
    outcomes = np.full((2, 4), OUTSIDE, np.uint8)
    outcomes[1, 0], outcomes[0, 1] = CRYSTAL, 10
    assert highest_priority(outcomes, 2).tolist() == [[CRYSTAL, OUTSIDE]]


def test_views_and_drops_agree(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_source, "recorded_differently", lambda views, _: views)
    monkeypatch.setattr(mask_source, "centred", lambda views: views)
    fields = MaskSource._fields

    def shining(self: MaskSource, row: WellRow) -> tuple[torch.Tensor, torch.Tensor]:
        """What is drop shines, everything else is black."""
        grey, share = fields(self, row)
        bright = share.repeat_interleave(2, dim=0).repeat_interleave(2, dim=1)
        return bright[: grey.shape[0], : grey.shape[1]].contiguous(), share

    monkeypatch.setattr(MaskSource, "_fields", shining)
    source = MaskSource(open_dataset(shards), 0)
    source.refresh()
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


@pytest.mark.parametrize(("device", "workers"), [("cuda", 0), ("cpu", 3)])
def test_wells_in_the_memory_of_a_device_are_not_handed_to_other_processes(
    tmp_path: Path, device: str, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (2**30, 2**31))
    wells = [fake_well(number) for number in range(12)]
    data = write_rendered(tmp_path / "data", train=[wells[:8]], validation=[wells[8:]])
    machine = Machine(group=Group(torch.device(device)), batch_size=2, workers=3)
    task = cells_task.opened(CellRequest(data=data, out=tmp_path / "run"), machine)
    assert isinstance(task.judge, HeldLosses)
    assert task.workers == task.judge.machine.workers == workers


def test_workers_are_refused_where_batches_are_made_on_the_device() -> None:
    machine = Machine(group=Group(CPU), batch_size=2, workers=3)
    assert workers_for(None, machine, on_device=True) == 0
    assert workers_for(None, machine, on_device=False) == workers_for(3, machine, on_device=False) == 3
    with pytest.raises(UserError, match="made in the memory of the device itself; leave out --workers"):
        workers_for(3, machine, on_device=True)
