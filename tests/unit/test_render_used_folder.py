"""What ``render`` does with a folder in which there are pictures."""

from pathlib import Path

import pytest

from crystal_search.exit_codes import OK, USAGE
from crystal_search.main import main

SMALL = ("--width", "160", "--height", "130")
CELLS = ("--count", "1", "--side", "128", "--target", "none")
#: What is rendered first, what then would leave pictures of it, how many, and the first of them.
SETS = {
    "suspension": (("--count", "2"), ("--count", "2", "--seed-start", "1"), "1 picture", "images/000000.png"),
    "growth": (("--hours", "1", "2"), ("--hours", "1", "3"), "2 pictures", "images/2h_000.png"),
    "wells": (("--count", "2", *SMALL, "--maps"), ("--count", "1", *SMALL), "1 picture", "00001.jpg"),
    "cells": ((*CELLS, "--sections", "2"), (*CELLS, "--sections", "1"), "1 picture", "sections/000000/01.png"),
}
ALSO = {"suspension": ("--most-crystals", "3"), "growth": ("--frames", "2", "--mean-crystals", "2")}


def render(what: str, folder: Path, words: tuple[str, ...]) -> int:
    return main(["render", what, "--out", str(folder), *words, *ALSO.get(what, ())])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("what", SETS)
def test_pictures_that_no_new_table_would_list_are_refused(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, others, many, first = SETS[what]
    assert render(what, tmp_path, words) == OK
    before = contents(tmp_path)
    capsys.readouterr()
    assert render(what, tmp_path, others) == USAGE
    said = capsys.readouterr().err
    assert f"{tmp_path} holds {many} already that would not be among those rendered now, as {first};" in said
    assert "choose another --out, or delete" in said
    assert contents(tmp_path) == before
    assert render(what, tmp_path, words) == OK
    assert contents(tmp_path) == before


def test_what_was_broken_off_can_be_rendered_again_and_gone_on_with(tmp_path: Path) -> None:
    assert render("suspension", tmp_path, ("--count", "2")) == OK
    for name in ("annotations.json", "checksums.sha256", "images/000001.png"):
        (tmp_path / name).unlink()
    assert render("suspension", tmp_path, ("--count", "3")) == OK
    assert {path.name for path in (tmp_path / "images").iterdir()} == {f"00000{number}.png" for number in range(3)}


def test_pictures_of_people_below_are_others_and_hidden_ones_are_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (".thumbnail.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"mine")
    assert render("suspension", tmp_path, ("--count", "1")) == OK
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo.JPG").write_bytes(b"mine")
    assert render("suspension", tmp_path, ("--count", "1")) == USAGE
    assert "as mine/photo.JPG; choose another --out" in capsys.readouterr().err
