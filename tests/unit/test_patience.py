"""Shares that do not answer, and files that are no files."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from crystal_search.server.installation import Installation
from crystal_search.server.patience import Patience, UnansweredError, mount_of, mount_points
from crystal_search.server.services.create_work import create_work
from crystal_search.server.services.image_files import NotNowError, read_image
from tests.service_site import PICTURE, RECIPE, add_images, pass_time, site_at
from tests.short_of_patience import ShortOfPatience


@pytest.fixture
def hang() -> Iterator[threading.Event]:
    """An event that ends every hang of a test at last."""
    event = threading.Event()
    yield event
    event.set()


def points() -> tuple[str, ...]:
    return ("/", "/a", "/a/b", "/ab")


@pytest.mark.parametrize(
    ("path", "mount"),
    [("/a/x.jpg", "/a"), ("/a/b/x.jpg", "/a/b"), ("/ab/x.jpg", "/ab"), ("/abc", "/"), ("/a/b", "/a/b"), ("rel", "/")],
)
def test_a_path_is_on_the_innermost_mount(path: str, mount: str) -> None:
    assert mount_of(path, points()) == mount


def test_the_mounts_of_this_machine_are_known() -> None:
    assert "/" in mount_points()
    assert "/proc" in mount_points() or os.name != "posix"


def test_what_is_asked_is_answered_or_raised() -> None:
    patience = Patience(points)
    assert patience.ask("/a/x", lambda: 7) == 7
    with pytest.raises(KeyError):
        patience.ask("/a/x", lambda: dict[str, int]()["x"])
    with pytest.raises(TimeoutError, match="the question itself"):
        patience.ask("/a/x", lambda: (_ for _ in ()).throw(TimeoutError("the question itself")))


def test_a_mount_that_hangs_is_asked_once_until_it_is_back(hang: threading.Event) -> None:
    patience, asked = Patience(points, seconds=0.05), []

    def hangs() -> None:
        asked.append(1)
        hang.wait()

    with pytest.raises(UnansweredError, match=r"/a has not answered for 0\.05 s"):
        patience.ask("/a/x", hangs)
    for _ in range(3):
        with pytest.raises(UnansweredError, match="/a does not answer"):
            patience.ask("/a/y", hangs)
    assert len(asked) == 1
    hang.set()
    while True:
        try:
            assert patience.ask("/a/x", lambda: "back") == "back"
            break
        except UnansweredError:
            continue


def test_another_mount_goes_on_meanwhile(hang: threading.Event) -> None:
    patience = ShortOfPatience("/a/b")
    with pytest.raises(UnansweredError):
        patience.ask("/a/b/x", hang.wait)
    assert patience.ask("/a/x", lambda: "answered") == "answered"


def hanging_site(folder: Path, hang: threading.Event, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Return an installation with images on two shares, of which the one called away hangs."""
    site = site_at(folder)
    for name in ("away", "here"):
        add_images(site, folder / name, 3, plate=name)
    object.__setattr__(site, "files", ShortOfPatience(str(folder / "away")))
    real = read_image

    def read(path: str) -> object:
        if "/away/" in path:
            hang.wait()
        return real(path)

    monkeypatch.setattr("crystal_search.server.services.packing.read_image", read)
    return site


def test_a_share_that_hangs_holds_up_no_other_and_is_named(
    tmp_path: Path, hang: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = hanging_site(tmp_path, hang, monkeypatch)
    assert create_work(site, RECIPE).images == 3
    reasons = {each.reason: each.images for each in site.imaging.postponed()}
    assert sum(reasons.values()) == 3
    assert all(str(tmp_path / "away") in reason for reason in reasons)
    hang.set()
    for _ in range(100):
        pass_time(site, seconds=61)
        create_work(site, RECIPE)
        if len(site.imaging.units("open")) >= 2:  # a busy machine may keep even a sound share waiting for a while
            break
    assert len(site.imaging.units("open")) >= 2


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("a.jpg", os.mkfifo, "no regular file"),
        ("a.jpg", lambda path: Path(path).mkdir(), "Is a directory"),
        ("a.jpg", lambda path: Path(path).write_bytes(b""), "is empty"),
        ("a.db", lambda path: Path(path).write_bytes(b"x"), "suffix '.db' is none of .jpg"),
    ],
    ids=["pipe", "folder", "empty", "suffix"],
)
def test_what_cannot_be_an_image_is_said_at_once(tmp_path: Path, name: str, make: object, reason: str) -> None:
    path = str(tmp_path / name)
    assert callable(make)
    make(path)
    with pytest.raises(OSError, match=reason):
        read_image(path)


def test_a_file_that_grows_while_it_is_read_is_left_for_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(PICTURE)
    real = os.fstat

    def grown(descriptor: int) -> os.stat_result:
        found = real(descriptor)
        with path.open("ab") as file:
            file.write(b"more")
        return found

    monkeypatch.setattr(os, "fstat", grown)
    with pytest.raises(NotNowError, match="being written"):
        read_image(str(path))
