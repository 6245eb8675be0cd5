"""``train`` as people run it: killed and resumed, on several processes, on a disk that is full."""

import csv
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from crystal_search.main import main
from crystal_search.networks.network_kinds import CLASSIFIERS, DROP_LOCATORS, IMAGE_CLASSIFIERS
from crystal_search.training.checkpoints import BEST, CHECKPOINT
from crystal_search.training.learning_curve import CURVE, PICTURE
from tests.tiny_training import TINY, TINY_IMAGE, TINY_LOCATOR, in_turn
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


def program(*commands: list[str], python: Sequence[str] = ()) -> "subprocess.Popen[str]":
    """Start a process, or several by `python`, that run commands one after the other."""
    return start([*python, "-m", "tests.tiny_training", *in_turn(*commands)])


def start(python: Sequence[str]) -> "subprocess.Popen[str]":
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
    "chops": ("random", "--epochs", "4"),
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
    killed = program(out)
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


#: How a network learns that is to be the same whether two processes train it or one.
SAME = ("--steps", "6", "--schedule", "steps", "--label-smoothing", "0", "--precision", "float32")


@dataclass(frozen=True, slots=True)
class InTwo:
    """What two processes trained, one network after the other, for starting them takes longest."""

    learnt: Path  #: of images, by one process
    folder: Path


@pytest.fixture(scope="module")
def in_two(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> InTwo:
    learnt, out = tmp_path_factory.mktemp("learnt"), tmp_path_factory.mktemp("two")
    image, *options = KILLED["images"]
    finish(program(typed("images", image, folders["images"], learnt, *options[4:], "--steps", "1")))
    commands = [typed("chops", "plain", folders["chops"], out / "chops", *SAME)]
    for task in ("cells", "drops", "images"):
        network, *long = KILLED[task]
        commands.append(typed(task, network, folders[task], out / task, *long, "--steps", "4", "--validate-every", "2"))
    alone = ("--start-from", str(learnt), "--steps", "3", "--head-epochs", "1", *options[6:])
    commands.append(typed("images", image, folders["images"], out / "alone", *alone))
    finish(program(*commands, python=TORCHRUN))
    return InTwo(learnt, out)


def test_two_processes_train_as_one_with_the_same_batches(data: Path, in_two: InTwo, tmp_path: Path) -> None:
    assert main(typed("chops", "plain", data, tmp_path, *SAME)) == 0
    one, two = (
        torch.load(folder / CHECKPOINT, weights_only=True)["network"] for folder in (tmp_path, in_two.folder / "chops")
    )
    torch.testing.assert_close(two, one, rtol=1e-4, atol=1e-6)
    for row, other in zip(curve(in_two.folder / "chops"), curve(tmp_path), strict=True):
        assert {name: float(number) for name, number in row.items()} == pytest.approx(
            {name: float(number) for name, number in other.items()}, rel=1e-3
        )


@pytest.mark.parametrize("task", ["cells", "drops", "images"])
def test_two_processes_train_every_task(task: str, in_two: InTwo) -> None:
    rows = curve(in_two.folder / task)
    assert [row["step"] for row in rows] == ["2", "4"]  # one of them writes
    assert all(math.isfinite(float(row["train_loss"])) for row in rows)
    assert (in_two.folder / task / BEST).exists()


def test_of_two_processes_as_well_the_head_may_learn_alone_at_first(in_two: InTwo) -> None:
    begun, ended = (
        torch.load(folder / name, weights_only=True)["network"]
        for folder, name in ((in_two.learnt, BEST), (in_two.folder / "alone", CHECKPOINT))
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
    python = ["-c", program, *typed("chops", "plain", data, tmp_path / "run")]
    process = start(python)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 2
    assert f"cannot write {tmp_path / 'run' / CHECKPOINT}: " in said
    assert "make room on the disk" in said
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [CURVE, "run.json"]


def test_a_refusal_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(typed("chops", "plain", tmp_path, tmp_path / "run")) == 2
    said = capsys.readouterr().err
    assert said.startswith("crystal-search train: no dataset in")
    assert said.count("\n") == 1
