"""What is said of a BOINC project: dead and stuck daemons, and tasks that nobody computes."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crystal_search.server.engines.boinc.boinc_daemons import dead_daemons, is_locked
from crystal_search.server.engines.boinc.boinc_load import MEASURED
from crystal_search.server.engines.boinc.boinc_report import of_daemons, of_disk, of_volunteers
from crystal_search.server.engines.boinc.project import Project
from crystal_search.server.settings import Settings
from tests.boinc_site import made_project
from tests.unit.test_slot import dead_process

#: A project with nothing to do and two volunteers of an account each.
CALM = dict.fromkeys(MEASURED, 0) | {
    "hosts_last_hour": 2,
    "hosts_last_day": 2,
    "accounts_last_day": 2,
    "hosts": 2,
    "users": 2,
}
LOCKER = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with a feeder and a transitioner on this host."""
    monkeypatch.setattr("socket.gethostname", lambda: "lab.example.org")
    found = made_project(tmp_path / "project")
    (found.root / "pid_lab").mkdir()
    return found


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Have a process hold a lock as ``bin/start`` takes it; yield its number."""
    process = subprocess.Popen([sys.executable, "-c", LOCKER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout
        process.stdout.readline()
        yield process.pid
    finally:
        process.communicate()


def test_a_daemon_runs_as_long_as_its_lock_is_held(project: Project) -> None:
    folder = project.root / "pid_lab"
    for program in ("feeder", "transitioner"):
        (folder / f"{program}.pid").write_text(f"{os.getpid()}\n")  # a process that lives, and is another program
        (folder / f"{program}.lock").touch()
    assert dead_daemons(project) == ["feeder", "transitioner"]
    with locked(folder / "feeder.lock"):
        assert dead_daemons(project) == ["transitioner"]
    assert dead_daemons(project) == ["feeder", "transitioner"]


def test_asking_for_a_lock_neither_takes_nor_loses_it(tmp_path: Path) -> None:
    path = tmp_path / "feeder.lock"
    assert is_locked(path) is None
    with locked(path):
        assert is_locked(path)
        with path.open("w") as file, pytest.raises(BlockingIOError):
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert is_locked(path) is False


def test_without_a_lock_file_a_living_process_of_another_program_is_no_daemon(project: Project) -> None:
    folder = project.root / "pid_lab"
    assert dead_daemons(project) == ["feeder", "transitioner"]
    said = "print(flush=True); input()"
    sleeper = subprocess.Popen(
        [sys.executable, "-c", said, "bin/feeder"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert sleeper.stdout
        sleeper.stdout.readline()  # its command line is not to be read before it runs
        (folder / "feeder.pid").write_text(f"{sleeper.pid}\n")
        (folder / "transitioner.pid").write_text(f"{sleeper.pid}\n")
        assert dead_daemons(project) == ["transitioner"]
    finally:
        sleeper.communicate()
    (folder / "feeder.pid").write_text(f"{dead_process()}\n")
    (folder / "transitioner.pid").write_text("no number\n")
    assert dead_daemons(project) == ["feeder", "transitioner"]


def test_daemons_in_a_container_of_another_name_are_found(project: Project) -> None:
    (project.root / "pid_lab").rename(project.root / "pid_apache")
    with locked(project.root / "pid_apache" / "feeder.lock"):
        assert dead_daemons(project) == ["transitioner"]


def test_nothing_is_said_of_a_project_that_works(project: Project) -> None:
    assert list(of_daemons(project, [], CALM)) == []
    for busy in (CALM, CALM | {"unsent": 5000, "unsent_seconds": 10**6, "nothing_sent_seconds": 20}):
        assert list(of_volunteers(project, Settings(), busy)) == []
    assert list(of_disk(project, 10**12)) == []


def test_dead_daemons_are_named_and_stuck_ones(project: Project) -> None:
    assert "do not run: feeder; bin/start" in "; ".join(of_daemons(project, ["feeder"], CALM))
    late = CALM | {"overdue_transitions": 3}
    (said,) = of_daemons(project, [], late)
    assert said.startswith("BOINC's transitioner is stuck: 3 work units wait for it; see log_*/transitioner.log")
    assert len(list(of_daemons(project, ["transitioner"], late))) == 1  # it is dead; that is all


WAITING = CALM | {"unsent": 3, "unsent_seconds": 4000, "nothing_sent_seconds": 4000}
ONE_ACCOUNT = WAITING | {"accounts_last_day": 1, "nothing_sent_seconds": 30}
VOLUNTEERS = {
    "nobody": (WAITING | {"hosts_last_hour": 0, "hosts_last_day": 0}, Settings(), "no volunteer has asked for work"),
    "away": (WAITING | {"hosts_last_hour": 0}, Settings(), "boinccmd --project http://lab.example/cs/ update"),
    "one host": (WAITING | {"hosts_last_day": 1, "accounts_last_day": 1}, Settings(), "only one has asked"),
    "one account": (ONE_ACCOUNT, Settings(), "boinc_shared_account = true"),
    "one account, adaptive": (ONE_ACCOUNT, Settings(boinc_replication="adaptive"), "boinc_shared_account = true"),
    "one account that is shared": (ONE_ACCOUNT, Settings(boinc_shared_account=True), ""),
    "one account, one result will do": (ONE_ACCOUNT, Settings(boinc_replication="none"), ""),
    "not sent": (WAITING, Settings(), "volunteers ask, and nothing was sent for 66 minutes: the feeder is stuck, or"),
    "just came": (WAITING | {"unsent_seconds": 60}, Settings(), ""),
}


@pytest.mark.parametrize("case", VOLUNTEERS)
def test_why_tasks_wait_is_said_and_what_to_do(project: Project, case: str) -> None:
    load, settings, expected = VOLUNTEERS[case]
    said = list(of_volunteers(project, settings, load))
    assert len(said) == bool(expected)
    assert expected in "".join(said)


def test_a_disk_that_uploads_fill_is_said(project: Project) -> None:
    assert "has 1.0 GB left: make room" in next(of_disk(project, 10**9))
