"""What is installed on a host: units, cron lines, log rotation, backup."""

import glob
import os
import pwd
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from crystal_search.commands import COMMANDS
from crystal_search.main import main
from crystal_search.server.feature_store.feature_store import store_of, stores_in
from crystal_search.server.home import Home
from crystal_search.server.locks import FileLock
from tests.unit.builders import MODELS
from tests.unit.test_feature_store import NUMBERS, held, rows_of

SCRIPTS = Path(__file__).parents[2] / "scripts"
UNITS = sorted((SCRIPTS / "systemd").iterdir())


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_understands_the_units(path: Path, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd here")
    for unit in UNITS:  # programs that are there, since it looks
        text = re.sub(r"(?m)^(Exec\w+=-?)\S+", r"\1/bin/true", unit.read_text())
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / path.name], capture_output=True, text=True, check=False
    )
    assert path.name not in done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("path", [*UNITS, SCRIPTS / "crontab"], ids=lambda path: path.name)
def test_every_command_that_is_called_exists_with_its_options(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = path.read_text()
    for command, words in re.findall(r"(?:bin/|\s)crystal-search ([a-z-]+)((?: [^&>\n]+)?)", text):
        assert command in COMMANDS
        with pytest.raises(SystemExit):
            main([command, "--help"])
        told = capsys.readouterr().out
        assert all(option in told for option in re.findall(r"--[a-z-]+", words))


def test_cron_lines_have_times_and_a_user() -> None:
    lines = [line for line in (SCRIPTS / "crontab").read_text().splitlines() if re.match(r"[*0-9]", line)]
    assert lines
    for line in lines:
        assert re.match(r"(\S+\s+){5}boincadm\s+\S", line)


def test_numbers_of_processes_from_before_a_reboot_are_forgotten_before_daemons_start(tmp_path: Path) -> None:
    pids, start = tmp_path / "pid_lab", tmp_path / "bin" / "start"
    for folder in (pids, start.parent):
        folder.mkdir()
    start.write_text('#!/bin/sh\necho "$USER $*: $(ls pid_lab)"\n')
    start.chmod(0o755)
    for name in ("feeder.pid", "transitioner.pid", "feeder.lock"):
        (pids / name).write_text("1\n")
    for name in ("feeder.pid", "feeder.lock"):
        os.utime(pids / name, (0, 0))
    done = subprocess.run(
        [SCRIPTS / "boinc-daemons", tmp_path], env={"PATH": os.defpath}, capture_output=True, text=True, check=True
    )
    user = pwd.getpwuid(os.getuid()).pw_name
    assert done.stdout == f"{user} --cron: feeder.lock\ntransitioner.pid\n"


def test_one_virtual_environment_one_home_and_one_project_are_named_everywhere() -> None:
    """In all that is installed on a host, and on the pages that tell how."""
    root = SCRIPTS.parent
    files = [path for path in SCRIPTS.rglob("*") if path.is_file()]
    files += [path for path in (root / "docker").iterdir() if path.name != ".env"]
    files += (root / "docs").glob("*.md")
    told = "\n".join(path.read_text(encoding="utf-8") for path in files)
    assert set(re.findall(r"(/[\w./-]*?)/bin/crystal-search\b", told)) == {"/opt/crystal-search"}
    assert set(re.findall(r"/var/lib/crystal-?\w*", told)) == {"/var/lib/crystal-search"}
    assert set(re.findall(r"/home/boincadm/projects/(\w+)", told)) == {"cs"}


def test_logrotate_understands_its_file(tmp_path: Path) -> None:
    program = shutil.which("logrotate") or "/usr/sbin/logrotate"
    if not Path(program).exists():
        pytest.skip("no logrotate here")
    text = (SCRIPTS / "logrotate").read_text().replace("su boincadm boincadm", "")
    text = text.replace("/home/boincadm/projects/cs", str(tmp_path))
    (tmp_path / "rules").write_text(text)
    (tmp_path / "rules").chmod(0o644)
    done = subprocess.run(
        [program, "--debug", "--state", tmp_path / "state", tmp_path / "rules"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "error:" not in done.stderr


def backup(home: Path, target: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"CRYSTAL_SEARCH_HOME": str(home)}
    return subprocess.run([SCRIPTS / "backup", target], env=environment, capture_output=True, text=True, check=False)


def test_a_backup_holds_everything_and_can_be_restored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home, target = tmp_path / "home", tmp_path / "backups"
    assert main(["create-work", "--home", str(home)]) == 0
    (home / "settings.toml").write_text("workers = 1\n")
    (home / "archive" / "demo-1").mkdir()
    (home / "archive" / "demo-1" / "result.json").write_text("{}")
    (home / "engine" / "queue" / "demo-2.zip").write_bytes(b"PK")
    in_use = sqlite3.connect(home / "imaging.sqlite")
    in_use.execute("BEGIN")
    assert backup(home, target).returncode == 0
    in_use.close()
    (copy,) = target.iterdir()
    shutil.rmtree(home)
    shutil.copytree(copy, home)
    capsys.readouterr()
    assert main(["status", "--home", str(home)]) == 0
    assert "0 of 0 images" in capsys.readouterr().out
    assert (home / "archive" / "demo-1" / "result.json").read_text() == "{}"
    assert (home / "engine" / "queue" / "demo-2.zip").exists()


def test_what_is_no_home_is_refused_and_ten_backups_are_kept(tmp_path: Path) -> None:
    done = backup(tmp_path / "nothing", tmp_path / "backups")
    assert (done.returncode, "no installation" in done.stderr) == (2, True)
    home, target = tmp_path / "home", tmp_path / "backups"
    assert main(["create-work", "--home", str(home)]) == 0
    for number in range(12):
        (target / f"2026010{number % 10}T0000{number:02d}Z").mkdir(parents=True)
    assert backup(home, target).returncode == 0
    assert len(list(target.iterdir())) == 10


def test_a_backup_waits_for_the_step_that_moves_work(tmp_path: Path) -> None:
    home, target = Home(tmp_path / "home").made(), tmp_path / "backups"
    for place in ("archive/old", "spool/here", "spool/moving", "validated/checked", "engine/returned/back"):
        (home.path / place).mkdir()
        (home.path / place / "result.json").write_text(place)
    (home.queue / "old.zip").write_bytes(b"PK")
    (home.finalized / ".a.csv.units").write_text("moving")
    environment = os.environ | {"CRYSTAL_SEARCH_HOME": str(home.path)}
    store = store_of(home.features, MODELS, NUMBERS)
    store.append(rows_of([(1, 1)]))
    step = FileLock(home.services_lock, "a step")
    with subprocess.Popen([SCRIPTS / "backup", target], env=environment) as running, step:
        copied_first = [target / "*.part" / place for place in ("archive/old/result.json", "engine/queue/old.zip")]
        wait_for(lambda: all(glob.glob(str(path), include_hidden=True) for path in copied_first))
        time.sleep(0.5)
        assert running.poll() is None
        (home.spool / "moving").rename(home.archive / "moving")
        (home.archive / "old").rename(home.refused / "old")
        (home.queue / "old.zip").unlink()
        (home.queue / "new.zip").write_bytes(b"PK")
        store.append(rows_of([(2, 1), (1, 2)]))
        home.settings.write_text("workers = 1\n")
        os.utime(home.settings, (0, 0))
    assert running.returncode == 0
    (copy,) = target.iterdir()
    units = sorted(str(path.parent.relative_to(copy)) for path in copy.rglob("result.json"))
    assert units == ["archive/moving", "engine/returned/back", "refused/old", "spool/here", "validated/checked"]
    assert [path.name for path in (copy / "engine/queue").iterdir()] == ["new.zip"]
    assert (copy / "finalized/.a.csv.units").read_text() == "moving"
    assert (copy / "settings.toml").stat().st_mtime == 0
    (copied,) = stores_in(copy / "features")
    assert held(copied) == held(store) == [(1, 1), (2, 1), (1, 2)]


def wait_for(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_backup_that_is_ended_leaves_nothing(tmp_path: Path) -> None:
    home, target = Home(tmp_path / "home").made(), tmp_path / "backups"
    environment = os.environ | {"CRYSTAL_SEARCH_HOME": str(home.path)}
    step = FileLock(home.services_lock, "a step")
    with subprocess.Popen([SCRIPTS / "backup", target], env=environment) as running, step:
        wait_for(lambda: bool(list(target.glob(".*.part/engine/queue"))))
        running.terminate()
        assert running.wait(60) == 1
    assert list(target.iterdir()) == []


def test_the_database_of_a_backup_is_that_of_the_moment_at_which_work_stood_still(tmp_path: Path) -> None:
    home, target = Home(tmp_path / "home"), tmp_path / "backups"
    assert main(["create-work", "--home", str(home.path)]) == 0
    with sqlite3.connect(home.database) as writer:  # what is in the write-ahead log only belongs to it
        writer.execute("CREATE TABLE note (text)")
        writer.execute("INSERT INTO note VALUES ('newest')")
    held = sqlite3.connect(home.database)
    held.execute("BEGIN")
    held.execute("SELECT * FROM note").fetchone()
    assert backup(home.path, target).returncode == 0
    (copy,) = target.iterdir()
    with sqlite3.connect(copy / "imaging.sqlite") as reader:
        assert reader.execute("SELECT text FROM note").fetchall() == [("newest",)]
    for each in (writer, held, reader):
        each.close()
