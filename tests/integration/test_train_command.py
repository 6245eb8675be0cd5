"""``train`` as people run it: killed and resumed, on several processes, on a disk that is full."""

import csv
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from crystal_search.main import main
from crystal_search.networks.network_kinds import CLASSIFIERS, DROP_LOCATORS, IMAGE_CLASSIFIERS
from crystal_search.training.checkpoints import BEST, CHECKPOINT
from crystal_search.training.learning_curve import CURVE, PICTURE
from tests.tiny_training import TINY, TINY_IMAGE, TINY_LOCATOR
from tests.unit.dataset_files import write_dataset, write_rendered
from tests.unit.networks_fakes import fake_well

MANY = {"train": {"clear": 10, "crystal_bad_form": 10}, "validation": {"clear": 3, "crystal_bad_form": 3}}
WELLS = {
    "train": {"clear": 3, "crystal_bad_form": 9, "no_drop": 1},
    "validation": {"clear": 1, "crystal_bad_form": 1, "no_drop": 1},
}
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), MANY)


@pytest.fixture(scope="module")
def folders(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return what each task learns from."""
    wells = [fake_well(number) for number in range(4)]
    rendered = write_rendered(tmp_path_factory.mktemp("rendered"), train=[wells], validation=[wells])
    photographs = write_dataset(tmp_path_factory.mktemp("photographs"), {}, wells=WELLS)
    return {"chops": data, "cells": rendered, "drops": photographs, "images": photographs}


def typed(task: str, network: str, data: Path, out: Path, *options: str) -> list[str]:
    folders = ["--network", network, "--data", str(data), "--out", str(out)]
    return ["train", task, *folders, "--device", "cpu", "--batch-size", "4", *options]


def words(network: str, data: Path, out: Path, *options: str) -> list[str]:
    return ["-m", "tests.tiny_training", *typed("chops", network, data, out, *options)]


def start(python: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, *python], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)


def finish(process: "subprocess.Popen[str]") -> str:
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return said


def curve(folder: Path) -> list[dict[str, str]]:
    with (folder / CURVE).open(encoding="utf-8", newline="") as file:
        return [
            {name: number for name, number in row.items() if name not in ("seconds", "samples_per_second")}
            for row in csv.DictReader(file)
        ]


def kill_after_rows(process: "subprocess.Popen[str]", folder: Path, count: int) -> None:
    deadline = time.monotonic() + 120
    while not (folder / CURVE).exists() or len(curve(folder)) < count:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(0.05)  # in the middle of an epoch
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.fixture(autouse=True)
def _tiny_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the tiny networks into the registry of this process, as `tests.tiny_training` does in others."""
    for name, architecture in TINY.items():
        monkeypatch.setitem(CLASSIFIERS, name, architecture)
    monkeypatch.setitem(DROP_LOCATORS, TINY_LOCATOR.name, TINY_LOCATOR)
    monkeypatch.setitem(IMAGE_CLASSIFIERS, TINY_IMAGE.name, TINY_IMAGE)


#: By task, a tiny network and how long it learns.
KILLED = {
    "chops": ("random", "--epochs", "6"),
    "cells": ("random", "--steps", "12", "--validate-every", "4"),
    "drops": (TINY_LOCATOR.name, "--steps", "12", "--validate-every", "4", "--start-from", "nothing"),
    "images": (
        *(TINY_IMAGE.name, "--steps", "12", "--validate-every", "4", "--weights", "nothing"),
        *("--side", "128", "--phases", "64x1", "--classes", "13"),
    ),
}


@pytest.mark.parametrize("task", KILLED)
def test_a_training_that_is_killed_and_resumed_ends_as_one_that_was_not(
    task: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    network, *options = KILLED[task]
    whole, out = (
        typed(task, network, folders[task], tmp_path / name, *options, "--checkpoint-minutes", "0")
        for name in ("whole", "killed")
    )
    killed = start(["-m", "tests.tiny_training", *out])
    kill_after_rows(killed, tmp_path / "killed", 1)
    step = torch.load(tmp_path / "killed" / CHECKPOINT, weights_only=True)["step"]
    assert main([*out, "--resume"]) == 0
    assert main(whole) == 0
    states = [torch.load(tmp_path / name / CHECKPOINT, weights_only=True) for name in ("whole", "killed")]
    assert 0 < step < states[0]["step"]
    for part in ("step", "network", "optimiser"):
        torch.testing.assert_close(states[1][part], states[0][part], rtol=0, atol=0)
    assert curve(tmp_path / "killed") == curve(tmp_path / "whole")
    assert {path.name for path in (tmp_path / "killed").iterdir()} >= {"run.json", CHECKPOINT, BEST, CURVE, PICTURE}
    assert list((tmp_path / "killed" / "tensorboard").iterdir())


def test_two_processes_train_as_one_with_the_same_batches(data: Path, tmp_path: Path) -> None:
    options = ("--steps", "6", "--schedule", "steps", "--label-smoothing", "0", "--precision", "float32")
    finish(start([*TORCHRUN, *words("plain", data, tmp_path / "two", *options)]))
    assert main(typed("chops", "plain", data, tmp_path / "one", *options)) == 0
    one, two = (torch.load(tmp_path / name / CHECKPOINT, weights_only=True)["network"] for name in ("one", "two"))
    torch.testing.assert_close(two, one, rtol=1e-4, atol=1e-6)
    for row, other in zip(curve(tmp_path / "two"), curve(tmp_path / "one"), strict=True):
        assert {name: float(number) for name, number in row.items()} == pytest.approx(
            {name: float(number) for name, number in other.items()}, rel=1e-3
        )


@pytest.mark.parametrize("task", ["cells", "drops", "images"])
def test_two_processes_train_every_task(task: str, folders: dict[str, Path], tmp_path: Path) -> None:
    network, *options = KILLED[task]
    finish(start([*TORCHRUN, "-m", "tests.tiny_training", *typed(task, network, folders[task], tmp_path, *options)]))
    assert [row["step"] for row in curve(tmp_path)] == ["4", "8", "12"]  # one of them writes
    assert all(math.isfinite(float(row["train_loss"])) for row in curve(tmp_path))
    assert (tmp_path / BEST).exists()


def test_of_two_processes_as_well_the_head_may_learn_alone_at_first(folders: dict[str, Path], tmp_path: Path) -> None:
    network, *options = KILLED["images"]
    learnt, alone = tmp_path / "learnt", tmp_path / "alone"
    assert main(typed("images", network, folders["images"], learnt, *options[4:], "--steps", "1")) == 0
    more = ("--start-from", str(learnt), "--steps", "3", "--head-epochs", "1", *options[6:])
    finish(start([*TORCHRUN, "-m", "tests.tiny_training", *typed("images", network, folders["images"], alone, *more)]))
    begun, ended = (
        torch.load(folder / name, weights_only=True)["network"]
        for folder, name in ((learnt, BEST), (alone, CHECKPOINT))
    )
    assert all(torch.equal(ended[name], begun[name]) for name in begun if name.startswith("features."))
    assert not torch.equal(ended["head.weight"], begun["head.weight"])


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of file sizes")
def test_a_disk_that_is_full_is_said_and_nothing_half_written_is_left(data: Path, tmp_path: Path) -> None:
    program = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000)); "
        "from tests.tiny_training import CLASSIFIERS, TINY, main; CLASSIFIERS.update(TINY); sys.exit(main())"
    )
    python = ["-c", program, *words("plain", data, tmp_path / "run")[2:]]
    process = start(python)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 2
    assert f"cannot write {tmp_path / 'run' / CHECKPOINT}: " in said
    assert "make room on the disk" in said
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [CURVE, "run.json"]


def test_a_refusal_is_one_line(data: Path, tmp_path: Path) -> None:
    process = start(words("plain", tmp_path, tmp_path / "run"))
    _, said = process.communicate(timeout=120)
    assert process.returncode == 2
    assert said.startswith("crystal-search train: no dataset in")
    assert said.count("\n") == 1
