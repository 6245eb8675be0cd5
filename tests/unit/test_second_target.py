"""Learning one target after another: which commands are run, in which order, and the table that comes of it."""

import csv
import subprocess
from pathlib import Path

import pytest

from benchmarks import second_target
from benchmarks.second_target import FIGURES, main
from crystal_search.evaluation.paper import KARDOOST_TABLE_1
from crystal_search.training.checkpoints import CHECKPOINT

COLUMNS = ["network", *(f"{name}{end}" for name in FIGURES for end in ("", "_low", "_high")), "images"]


def write_figures(folder: Path, runs: list[str]) -> None:
    """Write what `evaluate` says of trainings: the first has 50, the next 51 and so on; an empty cell at the end."""
    with (folder / "kardoost-table-1.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number, run in enumerate(runs):
            value = 50 + number
            figures = [value, value - 2, value + 2, value - 20, value - 22, value - 18, "", "", ""]
            writer.writerow([Path(run).name, *figures, 6])


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the calls of the program, which writes what it would write."""
    calls: list[list[str]] = []

    def program(*words: str) -> None:
        calls.append(list(words))
        out = Path(words[words.index("--out") + 1])
        out.mkdir(parents=True, exist_ok=True)
        made = {"render": "annotations.json", "dataset": "dataset.json", "train": CHECKPOINT}.get(words[0])
        if made is None:
            write_figures(out, list(words[1 : words.index("--coco")]))
        else:
            (out / made).touch()

    monkeypatch.setattr(second_target, "program", program)
    return calls


def option(words: list[str], name: str) -> str | None:
    return words[words.index(name) + 1] if name in words else None


def test_all_rows_of_the_papers_table_are_filled(
    called: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path), "--steps", "40", "--train", "--batch-size 2"]) == 0
    trainings = [words for words in called if words[0] == "train"]
    assert len(trainings) == 19
    assert all(words[-2:] == ["--batch-size", "2"] for words in trainings)
    second = [words for words in trainings if "--start-from" in words]
    assert {(option(words, "--steps"), option(words, "--rate")) for words in second} == {
        ("10", "0.003"),
        ("10", "0.0003"),
    }
    assert {Path(option(words, "--start-from") or "").name for words in second} == {"G50", "H50"}
    assert {option(words, "--steps") for words in trainings if words not in second} == {"40"}
    printed = capsys.readouterr().out
    lines = [line.strip("| \n").split(" | ") for line in printed.splitlines() if line.startswith("| ")][2:]
    assert [line[1].split(", rate")[0] for line in lines] == [row[1] for row in KARDOOST_TABLE_1]
    assert lines[0] == [
        *("1", "G10", "50.0 (48.0–52.0) / 50.0 (48.0–52.0)", "30.0 (28.0–32.0) / 30.0 (28.0–32.0)", "– / –"),
        *("47.1 / 75.7", "31.4 / 60.9", "67.5 / 17.8"),
    ]
    assert lines[4][1] == "G50 > H10, rate 0.0003"
    assert lines[4][5] == "78.8 / 77.2"
    assert "never to be compared" in printed
    assert (tmp_path / "table-1.md").read_text() == printed


def test_every_training_learns_from_the_images_it_is_named_after(called: list[list[str]], tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path), "--images", "6", "--rates", "0.01", "--test", "4"]) == 0
    built = {
        Path(words[words.index("--out") + 1]).name: words[2 : words.index("--shares")]
        for words in called[:-2]
        if words[0] == "dataset"
    }
    images = tmp_path / "images"
    assert built == {
        "G6": [f"{images}/G6-train"],
        "H6": [f"{images}/H6-train"],
        "H6-and-G6": [f"{images}/H6-train", f"{images}/G6-train"],
    }
    rendered = [words for words in called if words[0] == "render"]
    assert [(option(words, "--target"), option(words, "--count"), option(words, "--split")) for words in rendered] == [
        ("long", "6", "train"),
        ("clustered", "6", "train"),
        ("long", "4", "test"),
        ("clustered", "4", "test"),
    ]


def test_what_was_done_is_not_done_again(called: list[list[str]], tmp_path: Path) -> None:
    words = ["--out", str(tmp_path), "--images", "6", "--rates", "0.01"]
    assert main(words) == 0
    first = len(called)
    (tmp_path / "trainings" / "H6" / "done").unlink()
    assert main(words) == 0
    again = called[first:]
    assert [each[0] for each in again] == ["train", "evaluate", "evaluate"]
    assert again[0][-1] == "--resume"


def test_first_trainings_begin_with_another_where_that_is_asked(called: list[list[str]], tmp_path: Path) -> None:
    words = ["--out", str(tmp_path / "out"), "--images", "6", "--rates", "0.01", "--start-from", str(tmp_path / "run")]
    assert main(words) == 0
    trainings = [each for each in called if each[0] == "train"]
    assert option(trainings[0], "--start-from") == str(tmp_path / "run")
    assert option(trainings[1], "--start-from") == str(tmp_path / "out" / "trainings" / "G6")


def test_a_command_that_fails_ends_it_with_its_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def program(*words: str) -> None:
        raise subprocess.CalledProcessError(2, words)

    monkeypatch.setattr(second_target, "program", program)
    assert main(["--out", str(tmp_path)]) == 2
    assert not (tmp_path / "table-1.md").exists()
