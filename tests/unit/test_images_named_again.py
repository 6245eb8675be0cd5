"""Images that somebody names twice: each is looked at once, and that is said."""

from pathlib import Path

import pytest

import crystal_search as cs
from crystal_search.demo.truth import plate_folder
from crystal_search.direct.named_images import inputs, once
from crystal_search.direct.scored_files import Job
from crystal_search.errors import UserError
from crystal_search.evaluation import label_material, teach_command
from crystal_search.evaluation.known_images import photographs
from crystal_search.evaluation.label_material import as_listed, material_of
from crystal_search.evaluation.label_table import LabelledFile, read_labels
from crystal_search.exit_codes import OK, USAGE
from crystal_search.main import main
from crystal_search.result import ImageScore
from crystal_search.work_unit import Parameters


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


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """Return a folder with two images, and a link to the second."""
    folder = tmp_path / "linked"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (folder / name).touch()
    (folder / "c.jpg").symlink_to("b.jpg")
    return folder


def test_score_many_scores_an_image_once_and_warns() -> None:
    picture = plate_folder() / "demo_10D_1.jpg"
    with pytest.warns(UserWarning, match="1 image was named again, as .*demo_10D_1.jpg; each is looked at once"):
        (row,) = cs.score_many([picture, picture.parent / "." / picture.name])
    assert row["path"] == str(picture)


def test_labels_of_an_image_by_two_paths_are_of_one_image(linked: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,outcome\nb.jpg,clear\nc.jpg,crystal\n")
    (label,) = read_labels([tmp_path / "labels.csv"], linked)
    assert label.label == "crystal"
    (listed,) = as_listed([label], once(inputs([linked])))
    assert listed.path == linked / "b.jpg"


def test_teach_looks_at_an_image_once(
    linked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looked_at: list[Path] = []

    def answers(paths: list[Path], *_: object) -> dict[Path, ImageScore]:
        looked_at.extend(paths)
        return {}

    monkeypatch.setattr(teach_command, "answers_to", answers)
    assert main(["teach", "--folder", str(linked), "--csv", str(tmp_path / "next.csv")]) == USAGE
    assert looked_at == [linked / "a.jpg", linked / "b.jpg"]
    assert "1 image was named again" in capsys.readouterr().err


def test_adapt_takes_no_labelled_image_for_another(linked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[Path] = []

    def answers(paths: list[Path], *_: object) -> dict[Path, ImageScore]:
        looked_at.extend(paths)
        return {}

    monkeypatch.setattr(label_material, "answers_to", answers)
    job = Job(models=linked, parameters=Parameters(), overlays=None)
    label = LabelledFile(path=linked / "c.jpg", label="clear", plate="", drop="")
    with pytest.raises(UserError, match="not one of 1 labelled images"):
        material_of([label], linked, job, 1)
    assert looked_at == [linked / "b.jpg", linked / "a.jpg"]


def test_photographs_without_labels_are_judged_once(linked: Path) -> None:
    assert [each.name for each in photographs(linked)] == ["a.jpg", "b.jpg"]
