"""Files that one command at a time writes."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crystal_search.demo.truth import plate_folder
from crystal_search.errors import AnotherRunningError
from crystal_search.evaluation.adapt_command import card_named
from crystal_search.exit_codes import OK, USAGE
from crystal_search.kept_files import written_alone
from crystal_search.main import main
from tests.unit.test_named_models import parsers

PICTURE = str(plate_folder() / "demo_10D_1.jpg")


@contextmanager
def another_command(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run a program that keeps a file until it is told to end."""
    keeping = "import sys, pathlib; from crystal_search.kept_files import written_alone\n"
    keeping += "with written_alone([pathlib.Path(sys.argv[1])]): print('kept', flush=True); input()"
    words = [sys.executable, "-c", keeping, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "kept\n"
        yield process
        process.communicate("\n")


@pytest.mark.parametrize(
    "words",
    [
        ("score", PICTURE, "--csv", "TABLE"),
        ("crystals", PICTURE, "--csv", "other.csv", "--targets", "TABLE"),
        ("tables", "scores", "TABLE"),
        ("status", "--home", "nowhere", "--out", "TABLE"),
        ("annotations", "convert", "nowhere", "TABLE"),
        ("annotations", "agreement", "nowhere", "--csv", "other.csv", "--consensus", "TABLE"),
        ("annotations", "from-scores", "--home", "nowhere", "--out", "TABLE"),
    ],
)
def test_the_second_of_two_commands_is_refused_before_it_works(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "table.csv"
    table.write_text("before")
    (tmp_path / "link").symlink_to(tmp_path)
    named = [str(tmp_path / "link" / "table.csv") if word == "TABLE" else word for word in words]
    with another_command(table):
        assert main(named) == USAGE
        assert f"another command is about to write {table}; wait until it has ended" in capsys.readouterr().err
        assert table.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "table.csv"]


@pytest.mark.parametrize("named", ["ours", "ours.json", "ours.readout.json", "ours.card.json"])
def test_two_readouts_of_one_name_are_not_fitted_at_once(
    named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = tmp_path / "ours.card.json"
    with another_command(card):
        assert main(["adapt", "--home", "nowhere", "--out", str(tmp_path / named)]) == USAGE
    assert f"another command is about to write {card}" in capsys.readouterr().err


def test_a_command_that_has_ended_or_was_killed_keeps_nothing(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    with another_command(table) as process:
        process.kill()
        process.wait()
        with written_alone([table]):
            assert [path.name for path in tmp_path.iterdir()] == [".table.csv.lock"]
    assert not [*tmp_path.iterdir()]
    assert main(["score", PICTURE, "--csv", str(table), "--workers", "1"]) == OK
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_of_many_at_once_one_at_a_time_has_a_file(tmp_path: Path) -> None:
    inside, most, times = 0, 0, 0
    counting = threading.Lock()

    def ask() -> None:
        nonlocal inside, most, times
        for _ in range(300):
            try:
                with written_alone([tmp_path / "table.csv"]):
                    with counting:
                        inside, times = inside + 1, times + 1
                        most = max(most, inside)
                    with counting:
                        inside -= 1
            except AnotherRunningError:
                continue

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, inside) == (1, 0)
    assert times > 8
    assert not [*tmp_path.iterdir()]


def test_where_nothing_can_be_kept_the_command_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    with written_alone([tmp_path / "no folder" / "table.csv"]):
        pass
    monkeypatch.setattr("crystal_search.kept_files.fcntl.flock", no_locks)
    with written_alone([tmp_path / "table.csv"]), written_alone([tmp_path / "table.csv"]):
        pass
    assert not [*tmp_path.iterdir()]


def test_a_file_that_is_named_twice_is_no_other_commands(tmp_path: Path) -> None:
    with written_alone([tmp_path / "table.csv", tmp_path / "." / "table.csv"]):
        pass


#: What commands read at the paths that their arguments of these names take; or a folder that they fill.
READ = {"home", "models", "source", "sources", "images", "data", "dataset", "labels", "label_table", "corrections"}
READ |= {"archives", "splits_of", "start_from", "networks", "photographs", "cells", "crystals", "image_wells", "times"}
READ |= {"concentrations", "scores", "program", "old", "new", "files", "folder"}
FILLED = {"overlays"}
#: The same, of arguments whose names are of files that other commands write.
READ_BY = {
    ("evaluate", "coco"),
    ("export", "coco"),
    ("people password", "file"),
    ("owners", "file"),
    ("conditions", "file"),
}
FILLED_BY = {(f"train {task}", "out") for task in ("cells", "chops", "crystals", "drops", "images")}
FILLED_BY |= {("panel draw", "out"), ("panel report", "out"), ("dataset build", "out"), ("evaluate", "out")}
FILLED_BY |= {("render", "out"), ("import-weights", "out")}


def test_every_command_keeps_the_files_that_it_writes() -> None:
    asked = {
        (name, action.dest): action.dest in (parser.get_default("writes") or ())
        for name, parser in parsers()
        for action in parser._actions
        if action.type in (Path, card_named)
    }
    others = {each for each, kept in asked.items() if not kept and each[1] not in READ | FILLED}
    assert others == READ_BY | FILLED_BY
    assert not {each for each, kept in asked.items() if kept and each[1] in READ}


def test_a_command_says_only_of_arguments_that_it_writes_them() -> None:
    for name, parser in parsers():
        known = {action.dest for action in parser._actions}
        assert (name, set(parser.get_default("writes") or ()) - known) == (name, set())
