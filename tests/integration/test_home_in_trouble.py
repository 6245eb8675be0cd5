"""A home that is moved, deleted or replaced while it is in use, and one that cannot be written."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from crystal_search.errors import DatabaseError
from crystal_search.main import main
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import ManualScore
from crystal_search.server.installation import opened
from crystal_search.viewer.app import viewer_app
from tests.viewer_site import Client, add_plate, hand_score

SCORE = b'{"image_id": 1, "outcome": "clear", "person": "Ada"}'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home with one plate."""
    with opened(tmp_path / "home") as site:
        add_plate(site.imaging, tmp_path / "images", rows=1, columns=2)
        return site.home


def move(home: Home) -> None:
    home.path.rename(home.path.with_name("elsewhere"))


def delete(home: Home) -> None:
    shutil.rmtree(home.path)


def delete_database(home: Home) -> None:
    home.database.unlink()


def replace(home: Home) -> None:
    home.database.rename(home.database.with_name("old"))
    with opened(home.path) as site:
        assert site.imaging.plates() == []


@pytest.mark.parametrize("trouble", [move, delete, delete_database, replace])
def test_a_database_that_is_another_one_now_is_neither_read_nor_written(
    home: Home, trouble: Callable[[Home], None]
) -> None:
    with opened(home.path, create=False) as site:
        assert [plate.images for plate in site.imaging.plates()] == [2]
        trouble(home)
        was_there = home.database.exists()
        with pytest.raises(DatabaseError, match="moved, deleted or replaced"):
            site.imaging.plates()
        with pytest.raises(DatabaseError, match="moved, deleted or replaced"):
            site.imaging.add_manual_score(hand_score(1, "clear"))
        assert home.database.exists() is was_there


def test_the_viewer_says_so_makes_no_home_and_goes_on_when_it_is_back(home: Home) -> None:
    with opened(home.path, create=False) as site:
        client = Client(viewer_app(site.imaging, home.thumbnails))
        assert client.get("/thumbnail/1").status_code == 200
        move(home)
        told = client.get("/thumbnail/1")
        assert (told.status_code, str(home.path) in told.text) == (503, False)
        assert client.post("/api/score", SCORE).status_code == 503
        assert not home.path.exists()
        home.path.with_name("elsewhere").rename(home.path)
        assert client.post("/api/score", SCORE).status_code == 201


@contextmanager
def mounted_read_only(folder: Path) -> Iterator[None]:
    """Have a folder on a disk that nobody can write."""
    ways = [["--bind", str(folder), str(folder)], ["-o", "remount,ro,bind", str(folder)]]
    if os.geteuid() or any(subprocess.run(["mount", *words], check=False).returncode for words in ways):
        pytest.skip("file systems cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture(params=["by permission", "by disk"])
def read_only(home: Home, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """Give a home that this account, or nobody, may write."""
    if request.param == "by permission":
        look = os.access

        def may(path: Path, mode: int) -> bool:
            return look(path, mode) and not (mode == os.W_OK and str(path).startswith(str(home.path)))

        monkeypatch.setattr(os, "access", may)
        yield home
        return
    with mounted_read_only(home.path):
        yield home


def test_a_home_that_cannot_be_written_is_said_at_once(read_only: Home, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["create-work"], ["validate"], ["finalize"], ["set-autoscore"]):
        assert main([*command, "--home", str(read_only.path)]) == 2
        assert f"{read_only.path} cannot be written" in capsys.readouterr().err


def test_one_looks_at_a_snapshot_of_it(
    read_only: Home, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with opened(read_only.path, create=False) as site:
        assert "cannot be written: this is a snapshot of" in caplog.text
        assert [plate.images for plate in site.imaging.plates()] == [2]
        client = Client(viewer_app(site.imaging, read_only.thumbnails, is_snapshot=site.is_snapshot))
        assert "snapshot: no scores are taken" in client.get("/").text
        assert client.get("/thumbnail/1").status_code == 200
        assert client.post("/api/score", SCORE).status_code == 403
        assert site.imaging.ledger(1) == []
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_home_that_can_be_written_is_no_snapshot(home: Home) -> None:
    with opened(home.path, create=False) as site:
        assert not site.is_snapshot
        client = Client(viewer_app(site.imaging, home.thumbnails))
        assert "snapshot" not in client.get("/").text


def test_what_lies_in_the_log_of_a_copied_home_is_shown(home: Home, tmp_path: Path) -> None:
    """A disk's own snapshot of a home in use: the newest scores are in SQLite's log only."""
    copy = Home(tmp_path / "copy")
    with closing(sqlite3.connect(home.database)) as held:
        held.execute("SELECT count(*) FROM image").fetchone()
        with opened(home.path) as site:
            site.imaging.add_manual_score(hand_score(1, "clear"))
            shutil.copytree(home.path, copy.path, ignore=shutil.ignore_patterns("*-shm"))
    assert copy.database.with_name("imaging.sqlite-wal").stat().st_size > 0
    with mounted_read_only(copy.path), opened(copy.path, create=False) as site:
        (score,) = site.imaging.ledger(1)
        assert isinstance(score, ManualScore)
        assert score.outcome == "clear"
