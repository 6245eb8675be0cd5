"""The daemon that answers BOINC's validator, asked by the real scripts."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

import crystal_search
from crystal_search.server.engines.boinc import answering, asking, scripts
from crystal_search.server.engines.boinc.asking import is_mute
from crystal_search.server.engines.boinc.boinc_report import of_answers
from crystal_search.server.engines.boinc.install import install
from crystal_search.server.engines.boinc.project import read_project
from crystal_search.server.engines.boinc.scripts import ALONE, ANSWER, CHECK, COMPARE
from crystal_search.server.home import Home
from tests.boinc_place import PATIENCE_S
from tests.boinc_site import HOSTILE, JOB, BoincSite, boinc_site, call, good, install_into, uploaded
from tests.unit.builders import packed

LONG = "a-home-whose-path-is-longer-than-the-name-of-a-socket-may-be-" * 2  # 107 bytes at most


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BoincSite:
    monkeypatch.setattr(scripts, "PAUSES_S", "0 0")
    found = boinc_site(tmp_path / LONG)
    install_into(found)
    return found


@contextmanager
def daemon(
    place: BoincSite, program: Path | None = None, *, under: tuple[str, ...] = ()
) -> Iterator["subprocess.Popen[str]"]:
    """Start the daemon as ``bin/start`` does; of another copy of the program, if one is given."""
    root = place.server.project.root
    with (root / "log_lab" / "answer.log").open("a") as log:
        process = subprocess.Popen(
            [*under, root / "bin" / ANSWER],
            cwd=root / "log_lab",
            env={"PATH": os.defpath} | ({"PYTHONPATH": str(program)} if program else {}),
            stderr=log,
            text=True,
        )
    try:
        wait_for(lambda: is_asked(place) or process.poll() is not None)
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE_S)


def log_of(place: BoincSite) -> str:
    return (place.server.project.root / "log_lab" / "answer.log").read_text()


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def connected(place: BoincSite) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as connection:
        with chdir(place.site.home.answers.parent):
            connection.connect(place.site.home.answers.name)
        yield connection


def is_asked(place: BoincSite) -> bool:
    try:
        with connected(place):
            return True
    except (ConnectionRefusedError, FileNotFoundError):
        return False


def said(place: BoincSite, question: bytes) -> bytes:
    """Ask the daemon in its own words."""
    with connected(place) as connection:
        connection.sendall(question)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            return answer.read()


def without_python(place: BoincSite) -> None:
    """Have the scripts answer nothing but what the daemon says."""
    for script in (CHECK, COMPARE):
        path = place.server.project.root / "bin" / f"{script}{ALONE}"
        path.write_text(path.read_text().replace("/bin/python", "/bin/gone-python"))


def test_the_daemon_answers_both_questions_without_starting_python(place: BoincSite) -> None:
    data = good(place)
    one, other = uploaded(place, data), uploaded(place, data, f"{JOB}_1_r2_0")
    without_python(place)
    assert call(place, CHECK, one).returncode == 3
    with daemon(place):
        done = call(place, CHECK, one)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert call(place, COMPARE, one, other).returncode == 0


def test_a_work_unit_that_was_written_anew_is_read_anew(place: BoincSite) -> None:
    path = uploaded(place, good(place))
    without_python(place)
    with daemon(place):
        assert call(place, CHECK, path).returncode == 0
        packed(place.site.home.queue / "demo-1.zip", images=1)
        assert "not those of the work unit" in call(place, CHECK, path).stderr
        good(place)
        assert call(place, CHECK, path).returncode == 0


def test_one_that_is_stuck_is_told_from_one_that_works_and_from_none(
    place: BoincSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = place.site.home
    assert not is_mute(home)
    with daemon(place) as process:
        assert not is_mute(home)
        monkeypatch.setattr(asking, "PATIENCE_S", 0.1)
        process.send_signal(signal.SIGSTOP)
        assert is_mute(home)
        (said_of_it,) = of_answers(read_project(place.server.project.root), [])
        assert said_of_it.startswith(f"{ANSWER} of the BOINC project is stuck")
        assert list(of_answers(read_project(place.server.project.root), [ANSWER])) == []
        monkeypatch.setattr(asking, "PATIENCE_S", PATIENCE_S)
        process.send_signal(signal.SIGCONT)
        assert not is_mute(home)
        assert "alive" not in log_of(place)


def test_it_refuses_what_is_hostile_with_a_reason_and_lives(place: BoincSite) -> None:
    path = uploaded(place, good(place))
    without_python(place)
    with daemon(place) as process:
        for what, data in HOSTILE.items():
            done = call(place, CHECK, uploaded(place, data, f"{JOB}_1_r2_0"))
            assert (done.returncode, done.stderr[:8]) == (1, "refused "), what
        for name in ("'a;b'", "'two words'", "'$(exit 0)'", "'a\nvalid'", "valid", "$'\\xff'", "''"):
            assert call(place, CHECK, f"/nowhere/{name}").returncode == 1, name
        assert call(place, CHECK).returncode == 1
        assert call(place, CHECK, path).returncode == 0
        assert process.poll() is None


def test_where_there_is_no_perl_python_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    place = boinc_site(tmp_path)
    install_into(place)
    path, bad = uploaded(place, good(place)), uploaded(place, b"{}", f"{JOB}_1_r2_0")
    assert (call(place, CHECK, path).returncode, call(place, COMPARE, path, bad).returncode) == (0, 1)


def test_a_script_that_is_lost_is_our_fault(place: BoincSite) -> None:
    path = uploaded(place, good(place))
    (place.server.project.root / "bin" / f"{CHECK}{ALONE}").unlink()
    assert call(place, CHECK, path).returncode == 3


def test_paths_from_where_the_validator_runs_are_found(place: BoincSite) -> None:
    path = os.path.relpath(uploaded(place, good(place)), place.server.project.root / "log_lab")
    with daemon(place):
        assert call(place, CHECK, path).returncode == 0


def test_a_home_may_be_called_anything(place: BoincSite, tmp_path: Path) -> None:
    odd = Home(tmp_path / "it's \\ a $home")
    place.site.home.path.rename(odd.path)
    install(odd, place.site.settings, take_over=True)
    moved = BoincSite(replace(place.site, home=odd), place.server)
    path = uploaded(moved, good(moved))
    assert call(moved, CHECK, path).returncode == 0
    without_python(moved)
    with daemon(moved):
        assert call(moved, CHECK, path).returncode == 0


def test_only_this_account_may_ask(place: BoincSite) -> None:
    with daemon(place):
        assert place.site.home.answers.stat().st_mode & 0o777 == 0o600


def test_without_it_and_after_its_death_python_answers(place: BoincSite) -> None:
    path, bad = uploaded(place, good(place)), uploaded(place, b"{}", f"{JOB}_1_r2_0")
    assert (call(place, CHECK, path).returncode, call(place, CHECK, bad).returncode) == (0, 1)
    with daemon(place) as process:
        process.kill()
        process.wait(PATIENCE_S)
        assert place.site.home.answers.is_socket()
        assert (call(place, CHECK, path).returncode, call(place, CHECK, bad).returncode) == (0, 1)


def test_what_a_dead_daemon_left_is_replaced(place: BoincSite) -> None:
    path = uploaded(place, good(place))
    with daemon(place) as process:
        process.kill()
    without_python(place)
    with daemon(place):
        assert call(place, CHECK, path).returncode == 0


def test_a_daemon_that_hangs_is_waited_for_no_longer_than_patience(place: BoincSite) -> None:
    path, bad = uploaded(place, good(place)), uploaded(place, b"{}", f"{JOB}_1_r2_0")
    with daemon(place) as process:
        process.send_signal(signal.SIGSTOP)
        assert (call(place, CHECK, path).returncode, call(place, COMPARE, path, bad).returncode) == (0, 1)


def test_bin_stop_ends_it_however_it_was_begun(place: BoincSite) -> None:
    with daemon(place, under=("nohup",)) as process:
        process.send_signal(signal.SIGHUP)  # as bin/stop does
        assert process.wait(PATIENCE_S) == -signal.SIGHUP


def test_a_second_daemon_is_refused(place: BoincSite) -> None:
    path = uploaded(place, good(place))
    without_python(place)
    with daemon(place), daemon(place) as second:
        assert second.wait(PATIENCE_S) != 0
        assert "runs already" in log_of(place)
        assert call(place, CHECK, path).returncode == 0


def test_many_may_ask_at_once(place: BoincSite) -> None:
    path, bad = uploaded(place, good(place)), uploaded(place, b"{}", f"{JOB}_1_r2_0")
    with daemon(place), ThreadPoolExecutor(8) as pool:
        codes = pool.map(lambda number: call(place, CHECK, (path, bad)[number % 2]).returncode, range(40))
        assert list(codes) == [0, 1] * 20


def test_who_says_nothing_keeps_nobody_from_an_answer(place: BoincSite) -> None:
    path = uploaded(place, good(place))
    without_python(place)
    with daemon(place), connected(place):
        assert call(place, CHECK, path).returncode == 0


def test_what_is_no_question_has_no_answer(place: BoincSite) -> None:
    path, home = uploaded(place, good(place)).encode(), bytes(place.site.home.path)
    with daemon(place) as process:
        for question in (b"", b"\0", b"check", b"mend\0" + home + b"\0" + path, b"\xff" * 200_000):
            assert said(place, question).startswith(b"later ")
        assert said(place, b"check\0" + home + b"\0" + os.path.relpath(path)).startswith(b"later ")
        assert said(place, b"check\0" + home + b"\0" + path) == b"valid\n"
        assert process.poll() is None


def test_whatever_goes_wrong_in_it_is_nobody_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (MemoryError(), RecursionError(), OSError(28, "full"), ValueError("\ud800")):
        monkeypatch.setattr(answering, "answer", Mock(side_effect=error))
        assert answering.said_of(["check", "/home", "/upload"]) == f"later {type(error).__name__}"


def test_settings_may_be_wrong_for_a_while(place: BoincSite) -> None:
    data = good(place)
    one, other = uploaded(place, data), uploaded(place, data, f"{JOB}_1_r2_0")
    place.site.home.settings.write_text("engine = 3\n")
    with daemon(place) as process:
        assert call(place, COMPARE, one, other).returncode == 0
        assert process.poll() is None


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a folder with a copy of the program, which begins anew without waiting."""
    package = tmp_path / "program" / "crystal_search"
    shutil.copytree(
        Path(crystal_search.__file__).parent, package, ignore=shutil.ignore_patterns("models", "plate", "__pycache__")
    )
    module = package / Path(answering.__file__).relative_to(Path(crystal_search.__file__).parent)
    module.write_text(module.read_text().replace("SETTLE_S = 5.0", "SETTLE_S = 0.0"))
    return package


def test_it_begins_anew_with_an_upgraded_program(place: BoincSite, copy: Path) -> None:
    path = uploaded(place, good(place))
    without_python(place)
    with daemon(place, copy.parent) as process:
        assert call(place, CHECK, path).returncode == 0
        reader = copy / "result_reader.py"
        reader.write_text(reader.read_text().replace('"an object names', '"an object names ') + "# upgraded\n")
        wait_for(lambda: "begins anew" in log_of(place) and is_asked(place))
        assert call(place, CHECK, path).returncode == 0
        assert process.poll() is None


def test_it_ends_when_its_home_is_moved(place: BoincSite, copy: Path) -> None:
    path = uploaded(place, good(place))
    with daemon(place, copy.parent) as process:
        place.site.home.path.rename(place.site.home.path.with_name("moved"))
        assert process.wait(PATIENCE_S) != 0
    assert "no Crystal Search installation" in log_of(place)
    assert call(place, CHECK, path).returncode == 3
