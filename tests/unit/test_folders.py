"""Moving, locking, leashing: what every service relies on."""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crystal_search.errors import AnotherRunningError
from crystal_search.files import write_whole, written_whole
from crystal_search.server import locks
from crystal_search.server.engines.leash import leashed
from crystal_search.server.engines.local_engine import CLIENT
from crystal_search.server.folders import advance, discard, empty_trash, unit_files, unit_names
from crystal_search.server.home import Home
from crystal_search.server.interrupts import terminated_as_interrupt
from crystal_search.server.locks import FileLock, only_service
from crystal_search.server.services.watch import kept_viewer
from tests.service_site import PATIENCE_S, site_at


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path).made()


def test_only_work_units_are_listed_the_oldest_first(home: Home) -> None:
    for age, name in enumerate(["b", "a", ".hidden", "c.part", "-x"]):
        (home.spool / name).mkdir()
        os.utime(home.spool / name, (age, age))
        (home.queue / f"{name}.zip").touch()
        os.utime(home.queue / f"{name}.zip", (age, age))
    (home.spool / "link").symlink_to(home.spool / "a")
    assert unit_names(home.spool) == ["b", "a"]
    assert [path.name for path in unit_files(home.queue)] == ["b.zip", "a.zip"]


def test_what_is_there_already_stays(home: Home) -> None:
    for folder, text in ((home.spool, "new"), (home.archive, "old")):
        (folder / "u").mkdir()
        (folder / "u" / "text").write_text(text)
    assert not advance(home, home.spool / "u", home.archive / "u")
    assert (home.archive / "u" / "text").read_text() == "old"
    assert not (home.spool / "u").exists()


def test_discarding_leaves_nothing_and_follows_no_link(home: Home, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    (kept / "inside").mkdir(parents=True)
    (home.spool / "u").symlink_to(kept)
    discard(home, home.spool / "u")
    discard(home, home.spool / "never")
    (home.trash / "left").mkdir()
    empty_trash(home)
    assert not list(home.trash.iterdir())
    assert (kept / "inside").exists()


def test_what_cannot_be_deleted_stays_as_it_is(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object, **__: object) -> None:
        raise OSError(errno.EBUSY, "busy")

    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    monkeypatch.setattr(Path, "unlink", busy)
    (home.trash / "folder").mkdir()
    (home.trash / "file").touch()
    for _ in range(30):
        empty_trash(home)
    assert sorted(path.name for path in home.trash.iterdir()) == ["file", "folder"]
    (home.spool / "u").touch()
    discard(home, home.spool / "u")
    assert not list(home.spool.iterdir())


def test_a_file_is_written_whole(home: Home) -> None:
    write_whole(home.failed / "u.txt", "ä\r\n")
    assert (home.failed / "u.txt").read_bytes() == "ä\r\n".encode()
    assert [path.name for path in home.failed.iterdir()] == ["u.txt"]


def test_a_file_is_on_the_disk_before_it_has_its_name(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    target, seen = home.failed / "u.txt", []

    def fsync(descriptor: int) -> None:
        seen.append((os.fstat(descriptor).st_size if not target.exists() else "folder", target.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_whole(target, "text")
    assert seen == [(4, False), ("folder", True)]


def test_a_full_disk_keeps_the_file_before_and_nothing_else(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    target = home.failed / "u.txt"
    write_whole(target, "before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(target, "after")
    assert target.read_text() == "before"
    assert list(home.failed.iterdir()) == [target]


def test_many_files_come_in_order_each_once_it_is_whole(home: Home) -> None:
    contents = {home.failed / f"{number}.txt": f"{number}ä" for number in reversed(range(200))}
    for path, (expected, text) in zip(written_whole(contents), contents.items(), strict=True):
        assert (path, path.read_text(encoding="utf-8")) == (expected, text)
    assert {path.name for path in home.failed.iterdir()} == {path.name for path in contents}


def test_of_many_files_those_before_one_that_fails_come(home: Home) -> None:
    names = [f"{number}.txt" for number in range(5)]
    contents = {home.failed / name: name for name in (*names, "gone/x.txt", "y.txt")}
    came = written_whole(contents)
    assert [next(came).name for _ in names] == names
    with pytest.raises(FileNotFoundError):
        next(came)


def hold(path: Path, held: "multiprocessing.synchronize.Event") -> None:
    lock = FileLock(path, "a test")
    held.set()
    signal.pause()
    lock.release()


def test_a_lock_goes_with_its_holder(home: Home) -> None:
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=hold, args=(home.engine_lock, held))
    process.start()
    held.wait(PATIENCE_S)
    with pytest.raises(AnotherRunningError, match="a test runs already in"):
        FileLock(home.engine_lock, "a test")
    process.kill()
    process.join()
    process.close()
    with FileLock(home.engine_lock, "a test") as lock:
        lock.release()


@pytest.mark.parametrize(("umask", "mode"), [(0o002, 0o664), (0o022, 0o644), (0o077, 0o600)])
def test_whoever_the_umask_lets_may_take_a_lock(home: Home, umask: int, mode: int) -> None:
    former = os.umask(umask)
    try:
        FileLock(home.engine_lock, "a test").release()
    finally:
        os.umask(former)
    assert home.engine_lock.stat().st_mode & 0o777 == mode


def test_services_wait_their_turn_but_not_for_ever(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "PATIENCE_S", 0.1)
    with only_service(home), pytest.raises(AnotherRunningError), only_service(home):
        pass
    with only_service(home):
        pass


def test_a_leashed_command_keeps_its_exit_code() -> None:
    assert subprocess.run(leashed([sys.executable, "-c", "raise SystemExit(7)"]), check=False).returncode == 7


def test_no_code_runs_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("argparse", "ctypes", "numpy", "crystal_search"):
        (tmp_path / f"{name}.py").write_text("import pathlib; pathlib.Path('owned').touch()")
    monkeypatch.chdir(tmp_path)
    viewer = kept_viewer(site_at(tmp_path / "site"), 0)._command
    for command in (CLIENT, viewer):
        subprocess.run(leashed([*command, "--help"]), check=True, capture_output=True)
    assert not (tmp_path / "owned").exists()


def test_a_leashed_command_does_not_start_without_its_parent() -> None:
    words = leashed(["true"])
    words[words.index(str(os.getpid()))] = "1"
    assert subprocess.run(words, check=False, capture_output=True).returncode == 1


def test_sigterm_ends_as_ctrl_c_does() -> None:
    with pytest.raises(KeyboardInterrupt), terminated_as_interrupt():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
