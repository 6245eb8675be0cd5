"""A robot's folder goes in, coloured frames come out in a real browser; whatever is killed in between."""

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from crystal_search.outcomes import BY_NAME
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import AutoScore, DropScores
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.settings import Settings
from tests.acceptance.browser import chromium, needs_chromium

pytestmark = needs_chromium

DEMO = Path(__file__).parent.parent.parent / "crystal_search" / "demo" / "plate"
PATIENCE_MS = 90_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def put(robot: Path, wells: list[str]) -> None:
    """Do as the robot does: write the images of some wells into its folder, one after another."""
    folder = robot / "demo_2026-01-31_imager"
    folder.mkdir(parents=True, exist_ok=True)
    for well in wells:
        shutil.copyfile(DEMO / f"demo_{well}_1.jpg", folder / f"demo_{well}_1.jpg")


@contextmanager
def watching(robot: Path, home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the real-time service; yield its process and the viewer's address."""
    words = [sys.executable, "-m", "crystal_search.main", "watch", str(robot), "--home", str(home), "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = iter(process.stdout.readline, "") if process.stdout else iter(())
            yield process, next(line.split()[-1] for line in lines if line.startswith("viewer:"))
        finally:
            process.terminate()


def kill_all(process: subprocess.Popen[str]) -> None:
    """Kill a process and everything it started, as a power cut would."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for member in family:
        with suppress(ProcessLookupError):
            os.kill(member.pid, signal.SIGKILL)
    process.wait()


def drops(home: Path) -> list[DropScores]:
    imaging = open_imaging(Settings().url(Home(home)))
    try:
        return imaging.drops("demo", inspection=1)
    finally:
        imaging.close()


def frames(page: Page) -> dict[int, str]:
    """Return each tile's letter by image id."""
    script = "all => all.map(each => [+each.dataset.id, each.querySelector('.badge.auto')?.innerText ?? ''])"
    return dict(page.eval_on_selector_all("#board .tile", script))


def letter(score: AutoScore | None) -> str:
    """Return what a frame must say."""
    return BY_NAME[score.outcome].letter if score and score.outcome in BY_NAME else "–"


def test_a_robot_s_folder_becomes_coloured_frames_and_a_power_cut_loses_nothing(
    tmp_path: Path, browser: Browser
) -> None:
    robot, home = tmp_path / "robot", tmp_path / "home"
    put(robot, ["01A", "02A", "03A", "04A"])
    with watching(robot, home) as (process, address):
        page = browser.new_page(base_url=address)
        page.goto("/plate/demo")
        expect(page.locator("#progress")).to_contain_text("scored 4 of 4", timeout=PATIENCE_MS)
        assert frames(page) == {drop.image.id: letter(drop.auto) for drop in drops(home)}
        put(robot, ["01B", "02B", "03B", "04B", "05B", "06B"])
        deadline = time.monotonic() + 60
        while not any((home / "engine" / "running").iterdir()) and time.monotonic() < deadline:
            time.sleep(0.01)
        kill_all(process)
        page.close()
    put(robot, ["01C"])
    with watching(robot, home) as (process, address):
        page = browser.new_page(base_url=address)
        page.goto("/plate/demo")
        expect(page.locator("#progress")).to_contain_text("scored 11 of 11", timeout=PATIENCE_MS)
        found = drops(home)
        assert frames(page) == {drop.image.id: letter(drop.auto) for drop in found}
        page.close()
    imaging = open_imaging(Settings().url(Home(home)))
    assert [len(imaging.ledger(drop.image.id)) for drop in found] == [1] * 11
    imaging.close()


def test_every_step_as_a_command_of_its_own_gives_the_same_frames(tmp_path: Path, browser: Browser) -> None:
    robot, home = tmp_path / "robot", tmp_path / "home"
    put(robot, ["07D", "08D", "09D"])

    def command(*words: str) -> str:
        line = [sys.executable, "-m", "crystal_search.main", *words, "--home", str(home)]
        return subprocess.run(line, check=True, capture_output=True, text=True).stdout

    command("import", str(robot))
    for step in ("create-work", "work", "validate", "assimilate", "finalize"):
        command(step)
    assert [drop.auto for drop in drops(home)] == [None] * 3
    (sheet,) = (home / "finalized").glob("*.csv")
    with sheet.open(newline="") as file:
        told = {int(row["image_id"]): row["outcome"] for row in csv.DictReader(file)}
    command("set-autoscore")
    assert told == {drop.image.id: drop.auto.outcome for drop in drops(home) if drop.auto}
    viewer = [sys.executable, "-m", "crystal_search.main", "view", "--home", str(home), "--port", "0"]
    with subprocess.Popen(viewer, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().split()[-1] if process.stdout else ""
            page = browser.new_page(base_url=address)
            page.goto(f"/drop/{min(told)}")
            page.wait_for_selector(f'#stage[data-shown="{min(told)}"]')
            label = next(drop.auto.outcome for drop in drops(home) if drop.auto and drop.image.id == min(told))
            shown = BY_NAME[label].label if label in BY_NAME else "No drop"
            expect(page.locator("body")).to_contain_text(re.compile(re.escape(shown), re.IGNORECASE))
            page.close()
        finally:
            process.terminate()
