"""Folders that are there whole or not at all."""

from errno import ENOSPC
from pathlib import Path

import pytest

from crystal_search.errors import UserError
from crystal_search.files import whole_folder


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
