"""The viewer, a browser and a real BOINC server for the tests that ask for them."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from crystal_search.server.home import Home
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.settings import Settings
from tests.acceptance.browser import chromium
from tests.acceptance.viewer_pages import SIZE, Site, started_viewer
from tests.boinc_place import FROZEN, ROOT, Place, made_place

MESSAGES = '[messages]\naddress = "https://plates.example.org"\nwebhook = "https://hooks.example.org"\n'
CALIBRATION = "[micrometres_per_pixel]\nRI1000-0081 = 2.5\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("viewer")
    home = Home(folder / "home").made()
    home.settings.write_text(f"{MESSAGES}{CALIBRATION}", encoding="utf-8")
    imaging = open_imaging(Settings().url(home))
    with started_viewer(home) as address:
        yield Site(imaging, folder / "images", address)
    imaging.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A fresh browser profile in which nothing may go wrong."""
    context = browser.new_context(base_url=site.address, viewport=SIZE)  # type: ignore[arg-type]
    page = context.new_page()
    troubles: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            troubles.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    yield page
    context.close()
    assert troubles == []


@pytest.fixture
def rough(browser: Browser, site: Site) -> Iterator[Page]:
    """A page whose console may note what is missing."""
    page = browser.new_page(base_url=site.address, viewport=SIZE)  # type: ignore[arg-type]
    yield page
    page.close()


@pytest.fixture(scope="session")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One installation for all tests; at the end, each image that they added has one score, of what it shows."""
    if not ROOT:
        pytest.skip("no BOINC server: name its folder in CRYSTAL_SEARCH_BOINC_PROJECT")
    if not FROZEN:
        pytest.skip("no program for volunteers: make freeze")
    folder = tmp_path_factory.mktemp("boinc")
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o755)
    place = made_place(folder)
    yield place
    if request.session.testsfailed:
        return
    unscored = [image for image in place.added if not place.scores(image)]
    place.until_scored(unscored)
    outcomes = place.outcomes()
    place.site.imaging.close()
    assert {count for count, _ in outcomes} <= {1}, outcomes
    assert "unreadable" not in {outcome for _, outcome in outcomes}, outcomes
