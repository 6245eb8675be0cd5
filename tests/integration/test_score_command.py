"""``crystal-search score`` on real files in real processes."""

import csv
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from crystal_search.direct import scored_files
from crystal_search.direct.as_installed import models_in
from crystal_search.direct.named_images import inputs
from crystal_search.direct.scored_files import COLUMNS, Job, Scored, scored
from crystal_search.errors import UserError
from crystal_search.exit_codes import USAGE
from crystal_search.main import main
from crystal_search.model import default_models_folder
from crystal_search.result import ImageScore
from crystal_search.server.home import Home
from crystal_search.work_unit import Parameters
from tests.integration.pictures import encoded, well


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with good and bad images of every kind."""
    path = tmp_path / "images"
    (path / "inner").mkdir(parents=True)
    (path / "a.jpg").write_bytes(encoded(well()))
    (path / "b.png").write_bytes(encoded(well(drop=False), "PNG"))
    (path / "c.tiff").write_bytes(encoded(well().astype("uint16") * 16, "TIFF"))
    (path / "d.bmp").write_bytes(encoded(well(height=250, width=300), "BMP"))
    (path / "e.jpg").write_bytes(encoded(well())[:3000])
    (path / "inner" / "f.JPG").write_bytes(encoded(well(height=1000, width=1200, seed=3)))
    (path / "notes.txt").write_text("no image")
    return path


def test_one_row_for_every_input_in_input_order(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, missing = tmp_path / "out.csv", tmp_path / "gone.jpg"
    words = ["score", str(missing), str(folder), "--csv", str(out), "--overlays", str(tmp_path / "frames")]
    assert main([*words, "--workers", "2"]) == 1
    rows = rows_of(out)
    assert [row["outcome"] for row in rows if row["error"]] == ["not_scored", "unreadable"]
    names = ["gone.jpg", "a.jpg", "b.png", "c.tiff", "d.bmp", "e.jpg", "f.JPG"]
    assert [Path(row["path"]).name for row in rows] == names
    assert [name for name, row in zip(names, rows, strict=True) if row["error"]] == ["gone.jpg", "e.jpg"]
    for row in rows:
        assert tuple(row) == COLUMNS
        if not row["error"]:
            assert all(0 <= float(row[f"p_{group}"]) <= 1 for group in ("crystal", "precipitate", "other", "clear"))
        if row["drop_found"] == "yes":
            assert int(row["drop_top"]) < int(row["drop_bottom"])
    said = capsys.readouterr()
    assert "7 images" in said.out
    assert "1 of 7 were not scored, since they could not be looked at" in said.err
    assert not list(tmp_path.glob("**/*.part"))
    for path in (tmp_path / "frames").iterdir():
        with Image.open(path) as picture:
            assert min(picture.size) > 50


def test_nothing_to_score_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no images"):
        inputs([tmp_path])
    assert main(["score", str(tmp_path), "--csv", str(tmp_path / "out.csv")]) == 2
    assert not (tmp_path / "out.csv").exists()


def test_a_place_that_cannot_be_written_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(folder / "a.jpg"), "--csv", "/nowhere/out.csv"]) == 2
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--threshold", "0"], ["--threshold", "x"], ["--workers", "0"]])
def test_settings_that_cannot_be_are_refused(folder: Path, words: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(["score", str(folder), "--csv", "out.csv", *words])


def test_it_scores_as_an_installation_does(folder: Path, tmp_path: Path) -> None:
    home, out = Home(tmp_path / "home").made(), tmp_path / "out.csv"
    home.settings.write_text("threshold = 0.01\n")
    words = ["score", str(folder / "a.jpg"), "--csv", str(out), "--workers", "1", "--home", str(home.path)]
    assert main(words) == 0
    (row,) = rows_of(out)
    assert (row["group"], row["above_threshold"]) == ("crystal", "yes")
    assert main([*words, "--threshold", "1"]) == 0
    assert rows_of(out)[0]["above_threshold"] == "no"


def test_no_installation_is_made_by_scoring(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["score", str(folder), "--csv", str(tmp_path / "out.csv"), "--home", str(tmp_path / "home")]
    assert main(words) == 2
    assert "there is no Crystal Search installation in" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()
    assert not (tmp_path / "out.csv").exists()


def _deadly(entry: tuple[int, Path]) -> Scored:
    number, path = entry
    if path.name.startswith("deadly"):
        os._exit(9)
    score = ImageScore(height_px=number, width_px=1)
    return Scored(path=path, score=score, peaks=(), model="", seconds=0)


def test_an_image_that_kills_its_process_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scored_files, "_score_in_worker", _deadly)
    job = Job(models=default_models_folder(), parameters=Parameters(), overlays=None)
    names = ["a", "b", "deadly1", "c", "d", "deadly2", "e", "f", "g", "h"]
    rows = list(scored([Path(name) for name in names], job, workers=2))
    assert [row.path.name for row in rows] == names
    assert [row.path.name for row in rows if row.score.error] == ["deadly1", "deadly2"]
    assert [row.score.height_px for row in rows if not row.score.error] == [0, 1, 3, 4, 6, 7, 8, 9]


@pytest.fixture
def closed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a sub-folder that may not be read, whoever runs the tests."""
    path, look = folder / "closed", os.scandir
    path.mkdir()

    def refuse(where: Any) -> Any:
        if Path(where) == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return look(where)

    monkeypatch.setattr(os, "scandir", refuse)
    return path


def test_a_closed_folder_is_named(
    folder: Path, closed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"
    assert closed in inputs([folder])
    assert main(["score", str(folder / "a.jpg"), str(closed), "--csv", str(out), "--workers", "1"]) == 1
    good, bad = rows_of(out)
    assert (good["group"], bad["path"], bad["outcome"]) == ("clear", str(closed), "not_scored")
    assert bad["error"].startswith("cannot read the folder")
    assert f"could not be scored: {closed}: cannot read the folder" in capsys.readouterr().err


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert inputs([tmp_path]) == [tmp_path / "gone.jpg", tmp_path / "pipe.jpg"]
    models = models_in(default_models_folder())
    gone, pipe = (scored_files.score_file(path, models, Parameters()) for path in inputs([tmp_path]))
    assert (gone.outcome, pipe.outcome) == ("not_scored", "not_scored")
    assert pipe.score.error == "it is no regular file, but a pipe, a socket or a device; name a file that is an image"


@pytest.mark.parametrize(
    ("trouble", "outcome"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "not_scored"),
        (MemoryError(), "not_scored"),
        (None, "unreadable"),
    ],
)
def test_only_bytes_that_were_read_are_called_unreadable(
    folder: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception | None, outcome: str
) -> None:
    def read(path: Path) -> bytes:
        if trouble:
            raise trouble
        return b"no picture"

    monkeypatch.setattr(scored_files, "content_in", read)
    models = models_in(default_models_folder())
    found = scored_files.score_file(folder / "a.jpg", models, Parameters())
    assert found.outcome == outcome
    assert scored_files.csv_row(found)["outcome"] == outcome


def test_a_picture_that_cannot_be_written_takes_no_score_away(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    models, frames = models_in(default_models_folder()), tmp_path / "frames.jpg"
    alone = scored_files.score_file(folder / "a.jpg", models, Parameters())
    monkeypatch.setattr(scored_files, "write_whole", full)
    found = scored_files.score_file(folder / "a.jpg", models, Parameters(), overlay=frames)
    assert found.overlay_error == f"{frames}: No space left on device"
    assert found.score.error is None
    assert (found.score.score, found.score.drop) == (alone.score.score, alone.score.drop)
    assert found.score.score


def test_pictures_that_could_not_be_written_are_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unwritten(paths: list[Path], job: Job, *, workers: int) -> Iterator[Scored]:
        for number, path in enumerate(paths):
            score = ImageScore(height_px=1, width_px=1)
            trouble = f"{job.overlays}/{number}.jpg: No space left on device"
            yield Scored(path=path, score=score, peaks=(), model="m", seconds=0, overlay_error=trouble)

    monkeypatch.setattr("crystal_search.direct.score_command.scored", unwritten)
    out, frames = tmp_path / "out.csv", tmp_path / "frames"
    paths = [str(folder / f"{number}.jpg") for number in range(7)]
    for path in paths:
        Path(path).touch()
    assert main(["score", *paths, "--csv", str(out), "--overlays", str(frames)]) == 0
    assert [row["error"] for row in rows_of(out)] == [""] * 7
    told = capsys.readouterr().err.splitlines()
    assert told[0] == f"could not be written: {frames}/0.jpg: No space left on device"
    assert told[5:] == ["could not be written: 2 more"]


@pytest.mark.parametrize("stem", ["y" * 235, "ü" * 110])
def test_a_picture_has_a_name_that_file_systems_take(folder: Path, tmp_path: Path, stem: str) -> None:
    (folder / f"{stem}.jpg").write_bytes(encoded(well()))
    words = ["score", str(folder / f"{stem}.jpg"), "--workers", "1"]
    assert main([*words, "--csv", str(tmp_path / "out.csv"), "--overlays", str(tmp_path / "frames")]) == 0
    (picture,) = (tmp_path / "frames").iterdir()
    assert picture.name == f"00000_{stem.encode()[:200].decode()}.jpg"


def test_a_single_image_is_told_at_the_keyboard(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(folder / "a.jpg")]) == 0
    told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (told["path"], told["group"], told["drop_found"]) == (str(folder / "a.jpg"), "clear", "yes")
    assert "error" not in told
    assert main(["score", str(folder)]) == 2
    assert "6 images need --csv FILE" in capsys.readouterr().err


def test_what_reaches_no_threshold_is_unsure_in_the_summary(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for threshold, name in (("1", "unsure"), ("0.01", "crystal")):
        words = ["score", str(folder / "a.jpg"), "--csv", str(tmp_path / "out.csv"), "--threshold", threshold]
        assert main(words) == 0
        assert f"1 image: 1 {name}" in capsys.readouterr().out


def test_where_nothing_could_be_scored_the_exit_code_says_so(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, missing = tmp_path / "out.csv", str(tmp_path / "gone.jpg")
    assert main(["score", missing, str(folder / "e.jpg"), "--csv", str(out), "--workers", "1"]) == 1
    assert [row["outcome"] for row in rows_of(out)] == ["not_scored", "unreadable"]
    assert "not one image could be scored" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["score", "crystals"])
def test_a_place_that_is_mistyped_costs_no_earlier_table(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"
    out.write_text("of yesterday\n")
    assert main([command, str(tmp_path / "gone"), str(tmp_path / "b.png"), "--csv", str(out)]) == USAGE
    assert "gone is not there, nor is what else is named" in capsys.readouterr().err
    assert out.read_text() == "of yesterday\n"


def test_names_that_a_spreadsheet_takes_for_formulas_are_guarded(tmp_path: Path) -> None:
    out, names = tmp_path / "out.csv", ["=HYPERLINK(1).jpg", "@SUM(1+1).jpg", "+1.jpg", "-1.jpg"]
    for name in names:
        (tmp_path / name).write_bytes(encoded(well()))
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        assert main(["score", "--csv", "out.csv", "--workers", "1", "--", *names]) == 0
    finally:
        os.chdir(before)
    assert [row["path"] for row in rows_of(out)] == [f"'{name}" for name in names]


def test_what_was_chosen_or_overlooked_while_reading_is_told(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    sharp, soft = (Image.fromarray(well()).resize(size).resize((600, 500)) for size in ((600, 500), (30, 25)))
    soft.save(images / "stack.tif", save_all=True, append_images=[sharp, soft])
    sharp.save(images / "single.tif")
    out = tmp_path / "out.csv"
    assert main(["score", str(images), "--csv", str(out), "--workers", "1"]) == 0
    single, stack = rows_of(out)
    assert (single["remarks"], stack["remarks"]) == ("", "page 2 of 3 was taken, of 3 as large the one in best focus")
    same = [column for column in COLUMNS if column not in ("path", "seconds", "remarks")]
    assert [single[column] for column in same] == [stack[column] for column in same]


def test_what_file_servers_keep_is_not_scored(tmp_path: Path) -> None:
    kept = ("P1/A01.jpg", "P1/.hidden/A01.jpg", "P1/@eaDir/A01.jpg/THUMB_XL.jpg", "#recycle/A01.jpg", "P1/._A01.jpg")
    for name in (*kept, "$RECYCLE.BIN/S-1-5-21/R.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"any")
    assert inputs([tmp_path]) == [tmp_path / "P1" / "A01.jpg"]
    assert inputs([tmp_path / "#recycle"]) == [tmp_path / "#recycle" / "A01.jpg"]


def test_what_render_writes_beside_its_images_is_not_scored(tmp_path: Path) -> None:
    for name in ("A01.JPG", "A01.mask.png", "A01.outcomes.png", "contact-sheet.png", "checksums.sha256"):
        (tmp_path / name).touch()
    assert inputs([tmp_path]) == [tmp_path / "A01.JPG"]
    (tmp_path / "A01.JPG").unlink()
    (tmp_path / "checksums.sha256").unlink()
    assert len(inputs([tmp_path])) == 3  # names alone do not make them masks, or a sheet of other images
