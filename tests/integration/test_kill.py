"""Kill -9 of any process at random moments: nothing lost, nothing twice, the next run completes."""

import csv
import json
import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from crystal_search.server.folders import unit_files, unit_names
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.installation import Installation
from tests.service_site import PATIENCE_S, auto_scores, site_at

KILLS = 20
IMAGES = 24
SEED = 20_230_817


def running(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and all below it."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def start(folder: Path) -> subprocess.Popen[bytes]:
    plan = json.dumps({"seconds": 0.03})
    words = [sys.executable, "-m", "tests.kill_driver", str(folder), plan]
    return subprocess.Popen(words, cwd=Path(__file__).parents[2])


def victim_below(driver: psutil.Process, moments: random.Random) -> psutil.Process:
    """Return the supervisor or, as often, one of its clients; wait for one that runs."""
    if moments.random() < 0.5:
        return driver
    clients: list[psutil.Process] = []
    while not clients and driver.status() != psutil.STATUS_ZOMBIE:
        clients = running(driver)[1:]
    return moments.choice(clients or [driver])


def run_with_kills(folder: Path, moments: random.Random, most: int) -> Counter[str]:
    """Run until everything is scored, killing a random process at random moments; return what was killed."""
    killed: Counter[str] = Counter()
    driver = start(folder)
    while driver.returncode != 0:
        try:
            driver.wait(moments.uniform(0.05, 1.5) if sum(killed.values()) < most else PATIENCE_S)
        except subprocess.TimeoutExpired:
            process = psutil.Process(driver.pid)
            victim, tree = victim_below(process, moments), running(process)
            with suppress(psutil.NoSuchProcess):
                victim.kill()
                killed["supervisor" if victim == process else "client"] += 1
            if victim == process:
                assert driver.wait() in (0, -9)
                assert not psutil.wait_procs(tree, timeout=PATIENCE_S)[1], "a client outlived its supervisor"
        if driver.returncode == -9:
            driver = start(folder)
        assert driver.returncode in (None, 0)
    return killed


def check_all_there(site: Installation) -> None:
    """Every image scored exactly once, in one CSV row; nothing left anywhere on the way."""
    scores = auto_scores(site)
    assert len(scores) == IMAGES
    assert {image_id: len(found) for image_id, found in scores.items() if len(found) != 1} == {}
    assert [found[0].found.error for found in scores.values() if found[0].found.error] == []
    rows = [
        row["image_id"]
        for path in site.home.scored.glob("*.csv")
        for row in csv.DictReader(path.read_text().splitlines())
    ]
    assert sorted(map(int, rows)) == sorted(scores)
    assert not site.imaging.units("open")
    home = site.home
    for folder in (home.queue, home.running, home.returned, home.validated, home.spool, home.finalized, home.failures):
        assert list(folder.iterdir()) == []
    assert not unit_files(home.failed)
    assert {found[0].work_unit for found in scores.values()} == set(unit_names(home.archive))


@pytest.mark.slow
def test_kill_any_process_at_any_moment(tmp_path: Path) -> None:
    moments = random.Random(SEED)
    killed: Counter[str] = Counter()
    began, rounds = time.monotonic(), 0
    while sum(killed.values()) < KILLS:
        folder = tmp_path / str(rounds)
        (folder / "home").mkdir(parents=True)
        site = site_at(folder, images=IMAGES, imaging=open_imaging(f"sqlite:///{folder}/home/imaging.sqlite"))
        killed += run_with_kills(folder, moments, KILLS - sum(killed.values()))
        check_all_there(site)
        site.imaging.close()
        rounds += 1
    sys.stdout.write(f"killed {dict(killed)} in {rounds} runs, {time.monotonic() - began:.0f} s\n")
    assert killed["client"] > 0
    assert killed["supervisor"] > 0
