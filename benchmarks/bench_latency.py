"""How long it takes from the end of a copy to the coloured frame in an open browser, and where the time goes.

``python -m benchmarks.bench_latency [--images N]``: runs ``watch`` on a scratch folder with two images, opens their
plate in Chromium, copies more images one by one, and notes when each first stands in the database, the queue, a
client's folder, the ledger and the page. Each is looked at every 20 ms, so each step is that much late at most.
"""

import argparse
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median

from playwright.sync_api import Page, sync_playwright

from crystal_search.server.home import Home

DEMO = Path(__file__).parent.parent / "crystal_search" / "demo" / "plate"
CHROMIUM = "chromium"
LOOK_S = 0.02
PATIENCE_S = 120.0
WELLS = [f"demo_{column:02d}{row}_1.jpg" for row in "BCDEFG" for column in range(1, 13)]
STEPS = ("imported", "packed", "a client began", "the client ended", "in the ledger", "in the page")


@contextmanager
def watching(robot: Path, home: Path) -> Iterator[str]:
    """Run the real-time service and give the viewer's address."""
    words = [sys.executable, "-m", "crystal_search.main", "watch", str(robot), "--home", str(home), "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = iter(process.stdout.readline, "") if process.stdout else iter(())
            yield next(line.split()[-1] for line in lines if line.startswith("viewer:"))
        finally:
            process.terminate()


def put(robot: Path, name: str) -> None:
    """Copy an image as a robot does."""
    folder = robot / "demo_2026-01-31_imager"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(DEMO / name, folder / name)


def until(happened: Callable[[], bool]) -> float:
    """Return when something was first seen to have happened, on the monotonic clock."""
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing happened for {PATIENCE_S:g} s")
        time.sleep(LOOK_S)
    return time.monotonic()


def scored(page: Page) -> int:
    """Return how many tiles of the page have a machine's frame."""
    return int(page.eval_on_selector_all("#board .tile:not(.is-unscored)", "all => all.length"))


def count(home: Home, table: str) -> int:
    """Return how many rows a table has."""
    with sqlite3.connect(f"file:{home.database}?mode=ro", uri=True) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def one_image(page: Page, robot: Path, home: Home, name: str) -> list[float]:
    """Return how long each of STEPS took for one new image, in s."""
    images, scores, shown, units = count(home, "image"), count(home, "score"), scored(page), count(home, "work_unit")
    put(robot, name)
    times = [time.monotonic()]
    times.append(until(lambda: count(home, "image") > images))
    times.append(until(lambda: count(home, "work_unit") > units))
    times.append(until(lambda: any(home.running.iterdir()) or count(home, "score") > scores))
    times.append(until(lambda: not any(home.running.iterdir())))
    times.append(until(lambda: count(home, "score") > scores))
    times.append(until(lambda: scored(page) > shown))
    return [after - before for before, after in pairwise(times)]


def measure(images: int) -> list[list[float]]:
    """Return the steps of so many images, one after another on an otherwise idle plate."""
    with tempfile.TemporaryDirectory() as scratch:
        robot, home = Path(scratch) / "robot", Home(Path(scratch) / "home")
        for name in ("demo_01A_1.jpg", "demo_02A_1.jpg"):
            put(robot, name)
        with watching(robot, home.path) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which(CHROMIUM), args=["--no-sandbox"])
            until(lambda: count(home, "score") == 2)
            page = browser.new_page()
            page.goto(f"{address.rstrip('/')}/plate/demo")
            until(lambda: scored(page) == 2)
            found = []
            for number in range(images):
                found.append(one_image(page, robot, home, WELLS[number]))
                time.sleep(0.37 * (number % 5))  # robots keep no step with anybody
            browser.close()
    return found


def main() -> None:
    """Measure and print medians and the longest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10)
    found = measure(parser.parse_args().images)
    for step, times in zip(STEPS, zip(*found, strict=True), strict=True):
        sys.stdout.write(f"{step:20} {median(times):6.2f} s  (longest {max(times):.2f})\n")
    whole = [sum(times) for times in found]
    sys.stdout.write(f"{'copy to frame':20} {median(whole):6.2f} s  (longest {max(whole):.2f}, {len(whole)} images)\n")


if __name__ == "__main__":
    main()
