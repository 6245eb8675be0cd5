"""Folders that are there whole or not at all."""

import subprocess
import sys
from errno import ENOSPC
from pathlib import Path

import pytest

from crystal_search.errors import UserError
from crystal_search.whole_folders import whole_folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_comes_when_it_is_whole(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "new") as part:
        (part / "a").write_text("1")
        assert not (tmp_path / "new").exists()
    assert names(tmp_path) == ["new"]
    assert names(tmp_path / "new") == ["a"]


def test_what_is_there_stays_unless_it_may_be_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").touch()
    with pytest.raises(UserError, match=r"out is there already"), whole_folder(out):
        raise AssertionError
    with whole_folder(out, replace=True) as part:
        (part / "new").touch()
        assert names(out) == ["old"]
    assert names(out) == ["new"]


def fill_and_fail(out: Path, error: Exception) -> None:
    with whole_folder(out, replace=True) as part:
        (part / "half").touch()
        raise error


@pytest.mark.parametrize(
    ("error", "seen"), [(OSError(ENOSPC, "full"), UserError), (OSError(5, "broken"), OSError), (KeyError(), KeyError)]
)
def test_nothing_is_left_of_a_folder_that_failed(tmp_path: Path, error: Exception, seen: type[Exception]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").touch()
    with pytest.raises(seen):
        fill_and_fail(out, error)
    assert names(tmp_path) == ["out"]
    assert names(out) == ["old"]


def test_what_a_killed_program_left_goes_and_what_another_fills_stays(tmp_path: Path) -> None:
    """Three programs make one folder: one is killed, one is busy, one begins."""
    filling = "import sys, pathlib; from crystal_search.whole_folders import whole_folder\n"
    filling += "with whole_folder(pathlib.Path(sys.argv[1])) as part: print(part.name, flush=True); input()"
    words = [sys.executable, "-c", filling, str(tmp_path / "out")]
    killed, busy = (subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in "12")
    assert killed.stdout
    assert busy.stdout
    left, filled = killed.stdout.readline().strip(), busy.stdout.readline().strip()
    others = {".out.part", ".output.01234567.part", ".out.notes"}
    for name in others:
        (tmp_path / name).mkdir()
    assert {left, filled} | others == set(names(tmp_path))
    killed.kill()
    killed.communicate()
    with whole_folder(tmp_path / "out") as part:
        assert {part.name, filled} | others == set(names(tmp_path))
    assert {"out", filled} | others == set(names(tmp_path))
    busy.communicate("\n")
    assert busy.returncode == 0
    assert {"out"} | others == set(names(tmp_path))
