"""Every page for everybody: what axe-core finds, light and dark; narrow windows and pages enlarged to 200 %."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from crystal_search.geometry import Box, Point
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.server.imaging.marks import Mark
from crystal_search.server.imaging.plate_facts import Condition, Ingredient, PlateFacts, Source
from crystal_search.viewer.app import static_address
from tests.acceptance.browser import needs_chromium
from tests.acceptance.viewer_pages import Site, as_person, shown
from tests.viewer_site import NOON, add_plate, crystal_score, hand_score, score_plate

pytestmark = needs_chromium

Scheme = Literal["light", "dark"]
LONG = "CrystalQuick-X-2026-11-29-lysozyme-with-a-name-that-does-not-end"
HEIGHT_PX = 900
OPENED = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"

#: Text that lies outside of the window, but for what may scroll or be moved: boards, pictures, strips, tables of wells.
OUTSIDE = """() => {
  const found = [];
  const scrolls = (element) => element.closest("#board, .course, .coming, .scroller, .sheet, .unseen, [hidden]");
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || scrolls(element) || ["SCRIPT", "STYLE", "NOSCRIPT", "OPTION"].includes(element.tagName)) continue;
    const box = element.getBoundingClientRect();
    const text = `${element.tagName} ${element.textContent.slice(0, 40)}`;
    if (box.width && (box.right > innerWidth + 1 || box.left < -1)) found.push(text);
  }
  const wide = document.documentElement.scrollWidth - innerWidth;
  return wide > 0 ? [`the page is ${wide} px too wide`, ...found] : found;
}"""


@pytest.fixture(scope="module")
def paths(site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The pages, each with all that can stand on it."""
    drops = add_plate(site.imaging, site.folder, plate=LONG, rows=8, columns=12)
    add_plate(site.imaging, site.folder, plate=LONG, rows=2, columns=3, inspection=2, channel="uv")
    site.imaging.add_auto_scores([crystal_score(drops[0].image.id)])
    score_plate(site.imaging, drops, ["", *OUTCOME_NAMES[1:], "no_drop", "unreadable"])
    first = drops[0].image.id
    for person, outcome in (("Ada", "clear"), ("Ben", "crystal_harvestable"), ("Ada", "precipitate")):
        site.imaging.add_manual_score(hand_score(first, outcome, person=person, comment="needles at the rim " * 9))
    score = site.imaging.drops(LONG, inspection=1)[0].people[0]
    site.imaging.take_back(score.id, person="Ada", at=score.scored_at)
    add_plate(site.imaging, site.folder, plate=LONG, rows=1, columns=1, inspection=3)
    for kind, place in (("pick", Point(30, 40)), ("dispense", Box(50, 60, 90, 120)), ("favourite", None)):
        site.imaging.add_mark(Mark(image_id=first, person="Ada", marked_at=NOON, kind=kind, place=place))
    words = "a rather long name " * 9
    facts = PlateFacts(plate=LONG, project=words, protein=words, owner=words, people=(words,), plate_type=words)
    site.imaging.note_plates([facts], source=Source(name=words))
    part = Ingredient(name=words, concentration=0.1, unit="% w/v", ph=7.5, role="precipitant")
    well = Condition(plate=LONG, row=0, column=0, name=words, ingredients=(part, part))
    site.imaging.note_conditions([well], source=Source(name=words))
    plan(site, tmp_path_factory.mktemp("robot"))
    plate = f"/plate/{LONG}"
    return {
        "today": "/",
        "plates": "/plates",
        "plate": f"{plate}?inspection=1",
        "plate, dimmed": f"{plate}?inspection=1&classes=clear&size=m",
        "plate, one after the other": f"{plate}?inspection=1&sort=crystal",
        "plate by probability": f"{plate}?inspection=1&colour=probability&of=clear&threshold=60",
        "plate by another model": f"{plate}?inspection=1&recipe=0123456789ab",
        "plate by person": f"{plate}?inspection=1&colour=person&size=m",
        "plate without a hint": f"{plate}?inspection=1&frames=off",
        "plate without images": f"{plate}?inspection=2&channel=visible",
        "drop": f"/drop/{first}",
        "drop at inspections side by side": f"/drop/{first}?beside=2",
        "drop without a hint": f"/drop/{first}?frames=off",
        "drop without a score": f"/drop/{drops[40].image.id}",
        "picks": f"/picks?ids={first},{drops[40].image.id}",
        "report": f"{plate}/report",
        "messages": "/messages",
        "imagers": "/imagers",
        "import": "/import",
        "for programs": "/api",
        "queues": "/queues/teach",
        "queue of drops": "/queues/person",
        "error": "/plate/none",
    }


def plan(site: Site, folder: Path) -> None:
    """Have a plan of an import to show, with files that fit nothing."""
    for name in ("Planned_01A_1.jpg", "Planned_12H_1.jpg", "strange.jpg"):
        path = folder / "Planned_2018-04-11_RI" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"image")
    words = ["import", str(folder), "--dry-run", "--home", str(site.folder.parent / "home")]
    subprocess.run([sys.executable, "-m", "crystal_search.main", *words], check=True, capture_output=True)


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> Scheme:
    found: Scheme = request.param
    return found


def opened(browser: Browser, site: Site, *, scheme: Scheme = "dark", width: int = 1280) -> Page:
    """Return a page of a browser that wants this scheme, in which a person is known."""
    size = {"width": width, "height": HEIGHT_PX}
    page = browser.new_page(base_url=site.address, viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    as_person(page)
    return page


@pytest.fixture
def look(browser: Browser, site: Site) -> Iterator[Page]:
    page = opened(browser, site)
    yield page
    page.close()


def go(page: Page, path: str) -> None:
    reads_only = path.endswith("/report")
    if (path.startswith(("/plate/C", "/drop/")) and not reads_only) or path in ("/", "/plates"):
        shown(page, path)
    else:
        page.goto(path)


def faults(page: Page) -> list[str]:
    """Return what axe-core finds on a page, a line each."""
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {node['html'][:90]} {node['target']}" for each in found for node in each["nodes"][:3]]


def test_axe_finds_nothing_on_any_page(browser: Browser, site: Site, paths: dict[str, str], scheme: Scheme) -> None:
    page = opened(browser, site, scheme=scheme)
    found = {}
    for name, path in paths.items():
        go(page, path)
        found[name] = [*faults(page), *page.evaluate(OUTSIDE)]
    shown(page, paths["plate"])
    page.locator("#board .tile").first.hover()
    page.wait_for_selector("#preview:not([hidden])")
    found["preview"] = faults(page)
    page.keyboard.press("?")
    found["help"] = faults(page)
    page.keyboard.press("Escape")
    page.click("#person")
    found["who scores"] = faults(page)
    page.close()
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("width", [320, 390, 640, 1000])
def test_no_text_needs_scrolling_sideways(browser: Browser, site: Site, paths: dict[str, str], width: int) -> None:
    """320 px are a window of 1280 px at 400 % (WCAG 1.4.10), 640 px the same at 200 %."""
    page = opened(browser, site, width=width)
    found: dict[str, list[str]] = {}
    for name, path in paths.items():
        go(page, path)
        page.evaluate(OPENED)
        found[name] = page.evaluate(OUTSIDE)
    shown(page, paths["drop"])
    page.keyboard.press("?")
    found["help"] = page.evaluate(OUTSIDE)
    page.close()
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_a_drop_can_be_scored_in_a_narrow_window(browser: Browser, site: Site) -> None:
    first, *_ = site.plate("NARROW", ["clear"])
    page = opened(browser, site, width=390)
    shown(page, f"/drop/{first.image.id}")
    page.uncheck("#advance")
    stage = page.locator("#stage").bounding_box()
    assert stage is not None
    assert stage["height"] > 200
    page.locator('[data-outcome="clear"]').click()
    page.wait_for_selector("#ledger .badge.hand")
    shown(page, "/plate/NARROW")
    box = page.locator("#board .tile").first.bounding_box()
    page.close()
    assert box is not None
    assert box["width"] >= 24  # WCAG 2.5.8
    assert [each.outcome for each in site.imaging.ledger(first.image.id)] == ["clear", "clear"]


def test_a_list_that_is_being_made_comes_by_itself(browser: Browser, site: Site, paths: dict[str, str]) -> None:
    page = opened(browser, site)
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        begins = '<main data-waits="yes"><p id="old">An older list</p>' if len(asked) < 3 else "<main>"
        script = f'<script type="module" src="{static_address()}/queues.js"></script></body>'
        text = re.sub("<main[^>]*>", begins, route.fetch().text()).replace("</body>", script)
        route.fulfill(body=text, content_type="text/html")

    page.route("**/queues/person", answer)
    page.clock.install()
    page.goto(paths["queue of drops"])
    assert faults(page) == []
    for left in (1, 0):
        with page.expect_response("**/queues/person"):
            page.clock.run_for(5000)
        expect(page.locator("#old")).to_have_count(left)
    page.close()
    assert len(asked) == 3


def test_colours_follow_what_the_browser_wants(browser: Browser, site: Site, paths: dict[str, str]) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        page = opened(browser, site, scheme=scheme)
        shown(page, paths["drop"])
        seen[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.close()
    assert json.dumps(seen) == json.dumps({"light": "rgb(243, 245, 247)", "dark": "rgb(15, 17, 19)"})
