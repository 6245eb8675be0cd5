"""The pictures of the viewer that docs show, taken of the demo plate: ``make pictures``."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Browser

from crystal_search.main import main as crystal_search
from crystal_search.server.home import Home
from crystal_search.server.imaging.comments import Comment
from crystal_search.server.imaging.imaging_database import DropScores, ImagingDatabase, ManualScore
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.settings import Settings
from tests.acceptance.browser import chromium

IMAGES = Path(__file__).parents[1] / "docs" / "images"
PLATE, WELL = "demo", "D10"  #: of which the page of a drop is shown
SAID = (
    ("D10", "Ada", "crystal_harvestable"),
    ("D10", "Ben", "crystal_overnucleated"),
    ("B04", "Ben", "precipitate"),
    ("F07", "Ada", "clear"),
)
DESKTOP, PHONE = (1280, 800), (390, 844)
GAP_PX = 16
THERE = """() => [...document.images].every((each) => {
  const { top, left } = each.getBoundingClientRect();
  return !each.offsetWidth || each.naturalWidth > 0 || top > innerHeight || left > innerWidth;
})"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Score the demo plate, say something of it as people do, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="where the demo plate is scored; default: a folder that is removed")
    given = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="pictures-") as folder:
        home = given.home or Path(folder) / "home"
        crystal_search(["run", "--serve", "no", "--home", str(home)])
        with closing(open_imaging(Settings().url(Home(home)))) as imaging:
            drops = {drop.image.key.well: drop for drop in imaging.drops(PLATE, inspection=1)}
            if not any(drop.people for drop in drops.values()):
                speak(imaging, drops)
        take(home, drops[WELL].image.id)


def speak(imaging: ImagingDatabase, drops: dict[str, DropScores]) -> None:
    """Add what people say."""
    now = datetime.now(UTC)
    for well, person, outcome in SAID:
        score = ManualScore(image_id=drops[well].image.id, person=person, scored_at=now, outcome=outcome)
        imaging.add_manual_score(score)
    text = "octahedra, 50 to 100 µm; the one at the edge moves"
    imaging.add_comment(Comment(image_id=drops[WELL].image.id, person="Ada", written_at=now, text=text))


def take(home: Path, image_id: int) -> None:
    """Take every picture of the viewer of an installation."""
    command = [sys.executable, "-m", "crystal_search.main", "view", "--home", str(home), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        address = (process.stdout.readline() if process.stdout else "").removeprefix("viewer: ").strip()
        plate, drop = f"{address}plate/{PLATE}", f"{address}drop/{image_id}"
        try:
            with chromium() as browser:
                shot(browser, plate, IMAGES / "plate.png", DESKTOP)
                shot(browser, drop, IMAGES / "drop.png", DESKTOP)
                with TemporaryDirectory() as folder:
                    parts = [Path(folder) / name for name in ("plate.png", "drop.png")]
                    for part, page in zip(parts, (plate, drop), strict=True):
                        shot(browser, page, part, PHONE)
                    beside(parts, IMAGES / "phone.png")
                take_today(browser, address)
        finally:
            process.terminate()


def take_today(browser: Browser, address: str) -> None:
    """Take the pictures of the first page: a drop, and on a phone also what is asked after "no crystal"."""
    shot(browser, address, IMAGES / "today.png", DESKTOP)
    with TemporaryDirectory() as folder:
        parts = [Path(folder) / name for name in ("drop.png", "asked.png")]
        for part, key in zip(parts, ("Escape", "n"), strict=True):
            shot(browser, address, part, PHONE, key=key)
        beside(parts, IMAGES / "today-phone.png")


def shot(browser: Browser, address: str, path: Path, size: tuple[int, int], *, key: str = "Escape") -> None:
    """Take one picture once all of its images are there, after a key."""
    width, height = size
    phone = {"has_touch": True, "is_mobile": True} if size == PHONE else {}
    look = {"viewport": {"width": width, "height": height}, "color_scheme": "dark", "device_scale_factor": 1}
    page = browser.new_page(**look, **phone)  # type: ignore[arg-type]
    page.add_init_script("localStorage.setItem('crystal-search person', 'Ada')")
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    page.wait_for_function(THERE)
    page.keyboard.press(key)
    page.screenshot(path=path)
    page.close()
    smaller(path)


def beside(parts: Sequence[Path], path: Path) -> None:
    """Put pictures beside each other."""
    pictures = [Image.open(part).convert("RGB") for part in parts]
    width = sum(each.width for each in pictures) + GAP_PX * (len(pictures) - 1)
    sheet = Image.new("RGB", (width, max(each.height for each in pictures)), "white")
    left = 0
    for each in pictures:
        sheet.paste(each, (left, 0))
        left += each.width + GAP_PX
    sheet.save(path)
    smaller(path)


def smaller(path: Path) -> None:
    """Write a picture anew with 256 colours, which take a third; rare ones, as of marks, are kept."""
    Image.open(path).convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=4).save(path, optimize=True)


if __name__ == "__main__":
    main()
