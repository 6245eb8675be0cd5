"""An expert's page in a real browser: keys, the mouse, a network that fails, and small screens."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from crystal_search.panel.experts import invite, read_experts, sheets_of
from crystal_search.panel.panel_set import read_set
from tests.acceptance.browser import chromium, needs_chromium
from tests.unit.test_panel_pages import panel_in

pytestmark = needs_chromium


@dataclass(frozen=True, slots=True)
class Site:
    """A panel that is served."""

    folder: Path
    address: str  #: of its first page

    def answers(self, name: str) -> dict[int, str]:
        """Return what is on the disk."""
        sheets = {each.expert.name: each for each in sheets_of(self.folder, read_set(self.folder))}
        return {place: each.answer for place, each in sheets[name].answers.items()}

    def link(self, name: str) -> str:
        """Return the address of an expert who is invited with it."""
        invite(self.folder, [name])
        token = next(each.token for each in read_experts(self.folder) if each.name == name)
        return f"{self.address}expert/{token}/"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("panel")
    panel_in(folder)
    command = [sys.executable, "-m", "crystal_search.main", "panel", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield Site(folder, line.removeprefix("panel: ").split()[0])
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh browser profile in which no script fails."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    yield page
    context.close()
    assert troubles == []


def opened(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    in_sight(page)


def in_sight(page: Page) -> None:
    page.wait_for_selector("body[data-state=ready]")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        in_sight(page)
        page.keyboard.press(key)
        page.wait_for_selector("body:not([data-state=sending])")


def test_keys_answer_and_the_next_picture_comes(site: Site, page: Page) -> None:
    opened(page, site.link("Keys"))
    press(page, "1", "2", "3", "4")
    assert site.answers("Keys") == {0: "crystal", 1: "precipitate", 2: "other", 3: "clear"}
    expect(page.locator("#count")).to_have_text("4 of 8 answered")
    expect(page.locator("#title")).to_have_text("Image 5 of 8")
    press(page, "ArrowLeft", "2")
    assert site.answers("Keys")[3] == "precipitate"


def test_the_same_link_goes_on_where_it_stopped(site: Site, page: Page) -> None:
    link = site.link("Later")
    opened(page, link)
    press(page, "1", "2", "ArrowRight", "4")
    opened(page, link)
    expect(page.locator("#title")).to_have_text("Image 3 of 8")
    press(page, "3", "n", "1", "1", "1", "1")
    expect(page.locator("#count")).to_have_text("all 8 answered, thank you")
    assert len(site.answers("Later")) == 8


def test_the_mouse_does_the_same(site: Site, page: Page) -> None:
    opened(page, site.link("Mouse"))
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#title")).to_have_text("Image 2 of 8")
    page.get_by_role("button", name="Back").click()
    expect(page.locator("#title")).to_have_text("Image 1 of 8: you said Clear")
    expect(page.get_by_role("button", name="Clear")).to_have_attribute("aria-pressed", "true")
    assert site.answers("Mouse") == {0: "clear"}


def test_an_answer_that_is_not_kept_is_said_and_the_picture_stays(site: Site, page: Page) -> None:
    opened(page, site.link("Cable"))
    page.route("**/answer", lambda route: route.abort())
    press(page, "1")
    expect(page.locator("#trouble")).to_contain_text("This answer is not kept")
    expect(page.locator("#title")).to_have_text("Image 1 of 8")
    assert site.answers("Cable") == {}
    page.unroute("**/answer")
    press(page, "1")
    expect(page.locator("#trouble")).to_be_hidden()
    assert site.answers("Cable") == {0: "crystal"}


def test_keys_typed_ahead_answer_no_picture_that_is_not_in_sight(site: Site, page: Page) -> None:
    page.route("**/picture/1", lambda route: None)  # it never comes, and the page is never loaded whole
    page.goto(site.link("Fast"), wait_until="commit")
    press(page, "1")
    expect(page.locator("#title")).to_have_text("Image 2 of 8")
    page.keyboard.press("2")
    page.keyboard.press("3")
    page.unroute_all(behavior="ignoreErrors")
    assert site.answers("Fast") == {0: "crystal"}


def test_a_typed_name_is_enough_on_this_machine(site: Site, page: Page) -> None:
    page.goto(site.address)
    page.get_by_label("Your name").fill("Typed")
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-ready]")
    press(page, "4")
    assert site.answers("Typed") == {0: "clear"}


@pytest.mark.parametrize("width", [390, 1400])
def test_everything_is_in_sight(site: Site, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    opened(page, site.link("Small"))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for name in ("Crystal", "Precipitate", "Other", "Clear"):
        expect(page.get_by_role("button", name=name)).to_be_in_viewport(ratio=1)
    expect(page.locator("#image")).to_be_in_viewport(ratio=1)


def test_full_size_and_back(site: Site, page: Page) -> None:
    page.set_viewport_size({"width": 500, "height": 400})
    opened(page, site.link("Zoom"))
    before = page.locator("#image").bounding_box()
    press(page, "z")
    after = page.locator("#image").bounding_box()
    assert before
    assert after
    assert after["width"] == 320 > before["width"]
    press(page, "z")
    assert page.locator("#image").bounding_box() == before
