"""Images that somebody names twice: each is looked at once, and that is said."""

from pathlib import Path

import pytest

from crystal_search.demo.truth import plate_folder
from crystal_search.direct.scored_files import inputs, once
from crystal_search.exit_codes import OK
from crystal_search.main import main


def test_each_file_is_taken_once_by_whatever_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "w"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (folder / name).touch()
    (tmp_path / "link").symlink_to(folder)
    first = folder / "b.jpg"
    named = inputs([first, folder, tmp_path / "link", folder / ".." / "w" / "a.jpg", tmp_path / "gone.jpg"])
    assert once(named) == [first, folder / "a.jpg", tmp_path / "gone.jpg"]
    assert capsys.readouterr().err == f"warning: 4 images were named again, as {first}; each is looked at once\n"
    assert once(inputs([folder])) == [folder / "a.jpg", first]
    assert not capsys.readouterr().err


@pytest.mark.parametrize("command", ["score", "crystals"])
def test_commands_tell_an_image_that_is_named_twice_once(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, table = str(plate_folder() / "demo_10D_1.jpg"), tmp_path / "e.csv"
    assert main([command, picture, picture, "--csv", str(table)]) == OK
    told = capsys.readouterr()
    assert "1 image" in told.out
    assert "1 image was named again" in told.err
