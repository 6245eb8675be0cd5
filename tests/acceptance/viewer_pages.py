"""A viewer that runs, and its pages in a browser."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page

from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import DropScores, ImagingDatabase
from tests.viewer_site import add_plate, score_plate

SIZE = {"width": 1280, "height": 800}


@dataclass(frozen=True, slots=True)
class Site:
    """A viewer that runs, and the database that it shows."""

    imaging: ImagingDatabase
    folder: Path
    address: str

    def plate(self, name: str, outcomes: list[str], *, columns: int = 6, rows: int = 2) -> list[DropScores]:
        drops = add_plate(self.imaging, self.folder, plate=name, rows=rows, columns=columns)
        score_plate(self.imaging, drops, outcomes)
        return drops


@contextmanager
def started_viewer(home: Home, port: int = 0) -> Iterator[str]:
    """Run the viewer of an installation, and give its address."""
    command = [sys.executable, "-m", "crystal_search.main", "view", "--home", str(home.path), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield line.removeprefix("viewer: ").strip().rstrip("/")
        finally:
            process.terminate()


def as_person(page: Page, name: str = "Ada") -> None:
    page.add_init_script(f"localStorage.setItem('crystal-search person', {json.dumps(name)})")


def shown(page: Page, path: str) -> None:
    page.goto(path)
    page.wait_for_selector("body[data-ready]")
    if path.startswith("/drop/"):
        wait_for_image(page, path[len("/drop/") :].partition("?")[0])


def wait_for_image(page: Page, image_id: object) -> None:
    page.wait_for_selector(f'#stage[data-shown="{image_id}"]')


def tile(page: Page, drop: DropScores) -> Locator:
    return page.locator(f'#board .tile[data-id="{drop.image.id}"]')


def order(page: Page) -> list[int]:
    """Return the drops in reading order, without those that are dimmed."""
    ids: list[int] = page.eval_on_selector_all("#board .tile:not(.out)", "all => all.map(each => +each.dataset.id)")
    return ids


def css(locator: Locator, name: str) -> str:
    value: str = locator.evaluate("(element, name) => getComputedStyle(element).getPropertyValue(name)", name)
    return value


def rgb(colour: str) -> str:
    return f"rgb({int(colour[1:3], 16)}, {int(colour[3:5], 16)}, {int(colour[5:7], 16)})"
