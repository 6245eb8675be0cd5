"""Today in a browser: by keys and by touch, and what is written and noted by it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, CDPSession, Locator, Page, expect

from crystal_search.server.imaging.best_drops import KEPT
from crystal_search.server.imaging.imaging_database import DropScores, ManualScore
from tests.acceptance.browser import needs_chromium
from tests.acceptance.viewer_pages import Site, as_person, shown
from tests.viewer_site import add_plate, auto_score, hand_score

pytestmark = needs_chromium

PHONE = {"width": 390, "height": 844}


def best(site: Site, plate: str, *probabilities: float, inspection: int = 1) -> list[DropScores]:
    """Add a plate of likely crystals."""
    drops = add_plate(site.imaging, site.folder, plate=plate, rows=1, columns=len(probabilities), inspection=inspection)
    pairs = zip(drops, probabilities, strict=True)
    site.imaging.add_auto_scores([auto_score(drop.image.id, "crystal_bad_form", value) for drop, value in pairs])
    return drops


def said(site: Site, drop: DropScores) -> list[tuple[str, str, bool]]:
    scores = [each for each in site.imaging.ledger(drop.image.id) if isinstance(each, ManualScore)]
    return [(each.person, each.outcome, each.counts) for each in scores]


def at(page: Page, drop: DropScores) -> None:
    """Wait until the picture of a drop is there."""
    page.wait_for_selector(f'#image[data-shown="{drop.image.id}"]')


def looked(site: Site, person: str) -> None:
    """Have a person be through with what is there so far."""
    site.imaging.note_looked(person, at=datetime.now(UTC))


@pytest.fixture
def phone(browser: Browser, site: Site) -> Iterator[Page]:
    context = browser.new_context(base_url=site.address, viewport=PHONE, has_touch=True, is_mobile=True)  # type: ignore[arg-type]
    page = context.new_page()
    yield page
    context.close()


def swipe(page: Page, element: Locator, dx: int, dy: int) -> None:
    box = element.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session: CDPSession = page.context.new_cdp_session(page)
    points = [(x + dx * part / 5, y + dy * part / 5) for part in range(6)]
    for number, (left, top) in enumerate(points):
        kind = "touchStart" if not number else "touchMove"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": left, "y": top}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_an_empty_installation_says_what_to_do(site: Site, page: Page) -> None:
    shown(page, "/")
    expect(page.locator("#end-says")).to_have_text("No plates yet")
    expect(page.locator("#end-why")).to_contain_text("crystal-search import FOLDER")


def test_keys_score_one_drop_after_the_other_and_take_back(site: Site, page: Page) -> None:
    looked(site, "Ada")
    first, second, third = best(site, "KEYS", 0.97, 0.9, 0.6)
    best(site, "KEYS", 0.5, 0.5, 0.5, inspection=2)
    site.imaging.add_manual_score(hand_score(second.image.id, "clear", person="Ben"))
    as_person(page)
    shown(page, "/")
    expect(page.locator("#told")).to_contain_text("3 drops, new since you looked last")
    at(page, first)
    expect(page.locator("#about")).to_contain_text("97 % crystal")
    expect(page.locator("#course .tile")).to_have_count(2)
    page.keyboard.press("y")
    assert said(site, first) == []
    expect(page.locator("#answers button:focus")).to_contain_text("Harvestable")
    page.keyboard.press("y")
    at(page, second)
    assert said(site, first) == [("Ada", "crystal_harvestable", True)]
    expect(page.locator("#about")).to_contain_text("Ben")
    page.keyboard.press("n")
    page.keyboard.press("n")
    expect(page.locator("#asked")).to_have_text("What is it?")
    page.keyboard.press("Enter")
    expect(page.locator("#ask")).to_be_hidden()
    page.keyboard.press("n")
    page.keyboard.press("4")
    at(page, third)
    assert said(site, second)[1:] == [("Ada", "precipitate", True)]
    for drop in (second, first):
        page.keyboard.press("u")
        at(page, drop)
        expect(page.locator("#messages")).to_contain_text(f"{drop.image.key.well} drop 1")
        expect(page.locator("#messages")).to_contain_text("is taken back")
    assert said(site, first) == [("Ada", "crystal_harvestable", False)]
    page.keyboard.press("1")
    at(page, second)
    assert said(site, first)[1:] == [("Ada", "crystal_harvestable", True)]


def test_unsure_writes_nothing_and_comes_again_and_the_end_begins_anew(site: Site, page: Page) -> None:
    looked(site, "Cleo")
    first, second = best(site, "UNSURE", 0.97, 0.9)
    as_person(page, "Cleo")
    shown(page, "/")
    at(page, first)
    page.keyboard.press("l")
    at(page, second)
    page.keyboard.press("ArrowRight")
    at(page, first)
    expect(page.locator("#about")).to_contain_text("unsure before")
    assert said(site, first) == said(site, second) == []
    before = site.imaging.last_looked("Cleo")
    with page.expect_response("**/api/seen"):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#end-says")).to_have_text("You have seen them all")
    after = site.imaging.last_looked("Cleo")
    assert before is not None
    assert after is not None
    assert after > before
    page.reload()
    expect(page.locator("#end-says")).to_have_text("Nothing new")
    page.keyboard.press("7")
    expect(page).to_have_url(f"{site.address}/?days=7")
    expect(page.locator("#deck")).to_be_visible()
    expect(page.locator("#coming .seen").last).to_be_attached()


def test_whoever_says_no_name_leaves_no_mark(site: Site, page: Page) -> None:
    (first,) = best(site, "NOBODY", 0.999)
    shown(page, "/?days=1")
    at(page, first)
    page.locator("#coming button").last.click()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#end-why")).to_contain_text("not noted who has seen them")


def test_the_next_ones_go_on_whoever_looks(site: Site, page: Page) -> None:
    firsts = [best(site, f"NEXT-{number}", *[0.99999 - 1e-5 * number] * KEPT)[0] for number in range(3)]
    (other,) = best(site, "NEXT", 0.9998)
    for person in ("", "Hal"):
        if person:
            as_person(page, person)
        shown(page, "/?days=1")
        at(page, firsts[0])
        expect(page.locator("#told")).to_contain_text(f"the first {3 * KEPT} drops")
        page.locator("#coming button").last.click()
        page.keyboard.press("ArrowRight")
        page.get_by_text("The next ones").click()
        at(page, other)


def test_a_plate_that_is_opened_is_seen(site: Site, page: Page) -> None:
    looked(site, "Dora")
    best(site, "OPENED", 0.99)
    (other,) = best(site, "CLOSED", 0.5)
    as_person(page, "Dora")
    with page.expect_response("**/api/seen"):
        shown(page, "/plate/OPENED")
    shown(page, "/")
    at(page, other)
    expect(page.locator("#coming .place")).to_have_text(["50 % CLOSED A01", "99 % OPENED A01"])


def test_without_a_hint_nothing_tells_what_the_machine_says(site: Site, page: Page) -> None:
    looked(site, "Eve")
    (first,) = best(site, "BLIND", 0.97)
    as_person(page, "Eve")
    shown(page, "/?frames=off")
    at(page, first)
    for hidden in ("#about .of-machine", "#coming .of-machine", "#coming .badge.auto", "#course .badge.auto"):
        expect(page.locator(hidden).first).to_be_hidden()
    for link in ("#about h2 a", "#about p a", "#course a"):
        assert "frames=off" in (page.locator(link).first.get_attribute("href") or "")
    assert "97" not in (page.locator("#image").get_attribute("alt") or "")
    page.keyboard.press("m")
    expect(page.locator("#about .of-machine")).to_be_visible()
    expect(page).to_have_url(f"{site.address}/")


def test_swipes_ask_and_a_tap_answers(site: Site, phone: Page) -> None:
    looked(site, "Fay")
    first, second, third = best(site, "TOUCH", 0.97, 0.9, 0.6)
    as_person(phone, "Fay")
    shown(phone, "/")
    at(phone, first)
    for name in ("no", "unsure", "yes", "next"):
        box = phone.locator(f"#{name}").bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert box["y"] + box["height"] <= PHONE["height"]
    expect(phone.locator(".swipe.left")).to_be_visible()
    picture = phone.locator("#picture")
    swipe(phone, picture, 30, 0)
    expect(phone.locator("#ask")).to_be_hidden()
    swipe(phone, picture, 140, 0)
    expect(phone.locator("#asked")).to_have_text("Which crystals?")
    assert said(site, first) == []
    phone.wait_for_timeout(400)  # a second tap of a double tap answers nothing
    phone.locator('#answers [data-outcome="crystal_bad_form"]').tap()
    at(phone, second)
    assert said(site, first) == [("Fay", "crystal_bad_form", True)]
    swipe(phone, picture, 0, -140)
    at(phone, third)
    swipe(phone, picture, -140, 0)
    expect(phone.locator("#asked")).to_have_text("What is it?")
    phone.wait_for_timeout(400)
    phone.get_by_text("Not now").tap()
    expect(phone.locator("#acts")).to_be_visible()
    assert said(site, second) == said(site, third) == []


def test_nobody_scores_a_drop_whose_picture_is_not_there(site: Site, rough: Page) -> None:
    looked(site, "Gil")
    (first,) = best(site, "LATE", 0.97)
    rough.route("**/thumbnail/**", lambda route: route.abort())
    as_person(rough, "Gil")
    shown(rough, "/")
    rough.keyboard.press("1")
    expect(rough.locator("#messages")).to_contain_text("Not scored")
    assert said(site, first) == []
