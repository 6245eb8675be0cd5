"""Every network learns in every task that it claims, and is refused in one sentence in the others."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from crystal_search.exit_codes import OK, USAGE
from crystal_search.main import main
from crystal_search.networks.network_kinds import NETWORKS
from crystal_search.training import cells_task, loop
from crystal_search.training.task_kinds import TASKS
from tests.unit.crystal_dataset import write_crystals
from tests.unit.dataset_files import write_dataset, write_rendered
from tests.unit.networks_fakes import fake_well

ALL = {name: network for kind in NETWORKS.values() for name, network in kind.items()}
CLAIMED = [(task, name) for task, name in product(TASKS, ALL) if task in ALL[name].tasks]
NOT_CLAIMED = [(task, name) for task, name in product(TASKS, ALL) if task not in ALL[name].tasks]
MORE = {"images": ("--weights", "nothing", "--side", "64", "--phases", "none"), "crystals": ("--side", "64")}
TWO = {"clear": 2, "crystal_bad_form": 2}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return what each task learns from."""
    two = [[fake_well(number) for number in range(2)]]
    rendered = write_rendered(tmp_path_factory.mktemp("rendered"), train=two, validation=two)
    wells = {"train": {"clear": 2, "crystal_bad_form": 1}, "validation": {"clear": 1}}
    data = write_dataset(tmp_path_factory.mktemp("data"), {"train": TWO, "validation": TWO}, wells=wells)
    crystals = write_crystals(tmp_path_factory.mktemp("crystals"))
    return {"chops": data, "cells": rendered, "drops": data, "images": data, "crystals": crystals}


@pytest.fixture(autouse=True, scope="module")
def _small_and_without_pictures() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "draw_curve", lambda *_: None)
        patch.setattr(loop, "add_events", lambda *_: None)
        patch.setattr(cells_task, "HELD_CROPS", 2)
        yield


def words(task: str, network: str, data: Path, out: Path) -> list[str]:
    chosen = ["--network", network, "--data", str(data), "--out", str(out)]
    return ["train", task, *chosen, "--device", "cpu", "--batch-size", "2", "--steps", "1", *MORE.get(task, ())]


def test_every_network_claims_a_task() -> None:
    assert {name for _, name in CLAIMED} == set(ALL)
    assert all(name == network.name for name, network in ALL.items())


@pytest.mark.parametrize(("task", "network"), CLAIMED)
def test_a_network_learns_what_it_claims(task: str, network: str, folders: dict[str, Path], tmp_path: Path) -> None:
    if network.startswith("mask-rcnn"):
        pytest.importorskip("torchvision", reason="Mask R-CNN is tried by make mask-rcnn")
    assert main(words(task, network, folders[task], tmp_path / "run")) == OK
    assert (tmp_path / "run" / "best.pt").exists()


@pytest.mark.parametrize(("task", "network"), NOT_CLAIMED)
def test_a_network_is_refused_what_it_does_not_claim(
    task: str, network: str, folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(task, network, folders[task], tmp_path / "run")) == USAGE
    said = capsys.readouterr().err
    assert said.startswith(f"crystal-search train: no network {network!r} that can be trained on {task}; choose from ")
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()
