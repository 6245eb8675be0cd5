"""The comparison of networks: what it calls, in which order, and what it leaves as it is."""

import subprocess
from pathlib import Path

import pytest

from benchmarks import compare_networks
from benchmarks.compare_networks import main
from crystal_search.training.checkpoints import BEST, CHECKPOINT


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the calls of the program, which writes what it would write."""
    calls: list[list[str]] = []

    def program(*words: str) -> None:
        calls.append(list(words))
        out = Path(words[words.index("--out") + 1])
        out.mkdir(parents=True, exist_ok=True)
        for file in ("tables.md",) if words[0] == "evaluate" else (CHECKPOINT, BEST):
            (out / file).write_text("some tables")

    monkeypatch.setattr(compare_networks, "program", program)
    return calls


def test_networks_are_trained_then_evaluated_side_by_side(called: list[list[str]], tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    words = ["--data", "chops", "--out", out, "--networks", "vgg16", "squeezenet", "--hours-each", "1.5"]
    assert main([*words, "--train=--batch-size 8", "--evaluate=--wells 5 --chops 7"]) == 0
    hours = ["--hours", "1.5", "--batch-size", "8"]
    assert called[:-1] == [
        ["train", "chops", "--network", each, "--data", "chops", "--out", f"{out}/{each}", *hours]
        for each in ("vgg16", "squeezenet")
    ]
    runs, options = [f"{out}/vgg16", f"{out}/squeezenet"], ["--wells", "5", "--chops", "7"]
    assert called[-1] == ["evaluate", *runs, "--data", "chops", "--out", f"{out}/evaluation", "--replace", *options]
    assert (tmp_path / "out" / "comparison.md").read_text() == "some tables"


def test_a_training_that_stands_is_gone_on_with(called: list[list[str]], tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path), "--networks", "alexnet"]) == 0
    assert main(["--out", str(tmp_path), "--networks", "alexnet"]) == 0
    first, _, second, _ = called
    assert second == [*first, "--resume"]


def test_trainings_are_taken_as_they_are_when_told_so(called: list[list[str]], tmp_path: Path) -> None:
    (tmp_path / "alexnet").mkdir()
    (tmp_path / "alexnet" / BEST).write_bytes(b"")
    assert main(["--out", str(tmp_path), "--networks", "alexnet", "vgg16", "--as-they-are"]) == 0
    assert [words[0] for words in called] == ["train", "evaluate"]
    assert "vgg16" in called[0]


def test_a_command_that_fails_ends_it_with_its_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def program(*words: str) -> None:
        raise subprocess.CalledProcessError(2, words)

    monkeypatch.setattr(compare_networks, "program", program)
    assert main(["--out", str(tmp_path)]) == 2
    assert not (tmp_path / "comparison.md").exists()
