"""The drop page in a browser: fingers, inspections side by side and as a film, channels, measuring, marking."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, CDPSession, Locator, Page, expect

from crystal_search.geometry import Box, Point
from crystal_search.server.imaging.comments import Comment
from crystal_search.server.imaging.imaging_database import DropScores, ManualScore
from tests.acceptance.browser import needs_chromium
from tests.acceptance.viewer_pages import Site, as_person, order, shown, tile, wait_for_image
from tests.viewer_site import NOON, add_plate

pytestmark = needs_chromium

PHONE = {"width": 390, "height": 844}


@pytest.fixture
def phone(browser: Browser, site: Site) -> Iterator[Page]:
    """A page on a phone in which nothing may go wrong."""
    context = browser.new_context(base_url=site.address, viewport=PHONE, has_touch=True, is_mobile=True)  # type: ignore[arg-type]
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    as_person(page)
    yield page
    context.close()
    assert troubles == []


def inspections(site: Site, plate: str, *, count: int, folder: str = "") -> list[DropScores]:
    """Return the first drop of a plate at so many inspections."""
    place = site.folder / folder if folder else site.folder
    return [add_plate(site.imaging, place, plate=plate, rows=1, columns=2, inspection=at + 1)[0] for at in range(count)]


def centre(locator: Locator) -> tuple[float, float]:
    box = locator.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def fingers(session: CDPSession, *paths: tuple[tuple[float, float], tuple[float, float]]) -> None:
    """Put down a finger for each path, move them from its one end to its other, and lift them."""

    def touch(kind: str, points: list[tuple[float, float]]) -> None:
        told = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": told})

    touch("touchStart", [start for start, _ in paths])
    for step in range(1, 9):
        share = step / 8
        touch("touchMove", [(a + share * (c - a), b + share * (d - b)) for (a, b), (c, d) in paths])
    touch("touchEnd", [])


def scale(locator: Locator) -> float:
    return float(locator.get_attribute("data-scale") or 0)


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Wait until something holds; where the policy of a page forbids what `wait_for_function` does."""
    for _ in range(300):
        if holds():
            return
        page.wait_for_timeout(100)
    raise AssertionError("waited in vain")


def marks(site: Site, drop: DropScores) -> list[tuple[str, Point | Box | None]]:
    return [(mark.kind, mark.place) for mark in site.imaging.marks([drop.image.id])]


def test_fingers_go_through_drops_zoom_move_and_score(site: Site, phone: Page) -> None:
    first, second, third, *_ = site.plate("FINGERS", ["clear"] * 3)
    shown(phone, f"/drop/{first.image.id}")
    expect(phone.locator("#next")).to_be_enabled()
    session, stage = phone.context.new_cdp_session(phone), phone.locator("#stage")
    x, y = centre(stage)
    whole = scale(stage)
    fingers(session, ((x + 60, y), (x - 60, y + 6)))
    wait_for_image(phone, second.image.id)
    assert scale(stage) == whole
    fingers(session, ((x - 60, y), (x + 60, y)))
    wait_for_image(phone, first.image.id)
    expect(phone.locator(".navigator")).to_be_hidden()
    fingers(session, ((x - 30, y), (x - 90, y)), ((x + 30, y), (x + 90, y)))
    expect(phone.locator(".navigator")).to_be_visible()
    until(phone, lambda: scale(stage) > 2 * whole)
    before = phone.locator("#stage .sheet").bounding_box()
    fingers(session, ((x + 60, y), (x - 20, y)))
    after = phone.locator("#stage .sheet").bounding_box()
    assert before is not None
    assert after is not None
    assert (round(after["x"] - before["x"]), round(after["y"] - before["y"])) == (-80, 0)
    expect(stage).to_have_attribute("data-shown", str(first.image.id))
    button = phone.locator('#buttons [data-outcome="precipitate"]')
    room = button.bounding_box()
    assert room is not None
    assert min(room["width"], room["height"]) >= 40
    assert room["y"] + room["height"] <= PHONE["height"]
    button.click()  # a busy machine takes a slow tap for a long press
    wait_for_image(phone, second.image.id)
    assert [each.outcome for each in site.imaging.ledger(first.image.id) if isinstance(each, ManualScore)] == [
        "precipitate"
    ]
    assert phone.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert not site.imaging.comments(third.image.id)


def test_a_page_is_scrolled_by_a_picture_that_is_whole(site: Site, phone: Page) -> None:
    first, *_ = site.plate("SCROLLS", ["clear"])
    shown(phone, f"/drop/{first.image.id}")
    x, y = centre(phone.locator("#stage"))
    fingers(phone.context.new_cdp_session(phone), ((x, y), (x, y - 140)))
    until(phone, lambda: phone.evaluate("scrollY") > 50)
    expect(phone.locator("#stage")).to_have_attribute("data-shown", str(first.image.id))


#: Where what stands on the page of a drop begins and ends, from the window's upper edge, while it says that it is not
#: connected, and that something was done; the next answer of the viewer takes that away.
PLACES = """() => {
    const [trouble, done] = ["connection", "messages"].map((each) => document.getElementById(each));
    trouble.hidden = false;
    trouble.textContent = "Not connected: the viewer does not answer. What you see may be old.";
    done.textContent = "Scored.";
    return Object.fromEntries(["header", "#facts", "#connection", "#messages", ".by-hand", ".tray"].map((each) => {
      const { top, bottom } = document.querySelector(each).getBoundingClientRect();
      return [each, [top, bottom]];
    }));
}"""


@pytest.mark.parametrize("size", [PHONE, {"width": 320, "height": 640}])
def test_on_a_phone_nothing_lies_over_what_one_presses_or_reads(site: Site, phone: Page, size: dict[str, int]) -> None:
    first, *_ = site.plate(f"BARS-{size['width']}", ["crystal_harvestable"])
    phone.set_viewport_size(size)  # type: ignore[arg-type]
    shown(phone, f"/drop/{first.image.id}")
    room = phone.locator("#stage").bounding_box()
    assert room is not None
    assert room["height"] > 0.75 * size["width"]
    for ticked in (False, True):
        if ticked:
            phone.locator("#pick").click()
            expect(phone.locator(".tray")).to_be_visible()
        at_top = phone.evaluate(PLACES)
        assert at_top["#connection"][0] > at_top["header"][1]
        phone.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        at_end = phone.evaluate(PLACES)
        for at in (at_top, at_end):
            assert at["#messages"][1] < at["#connection"][0]
            assert at["#connection"][1] < at[".by-hand"][0]
            assert at[".by-hand"][1] == pytest.approx(at[".tray"][0] if ticked else size["height"], abs=1)
            if ticked:
                assert at[".tray"][1] == pytest.approx(size["height"], abs=1)
        assert at_end["#facts"][1] < at_end[".by-hand"][0]
        phone.evaluate("window.scrollTo(0, 0)")


def test_inspections_side_by_side_move_together_and_each_can_be_scored(site: Site, page: Page) -> None:
    drops = inspections(site, "BESIDE", count=6)
    as_person(page)
    shown(page, f"/drop/{drops[5].image.id}")
    expect(page.locator("#beside")).to_be_enabled()
    page.keyboard.press("g")
    panes = page.locator(".pane .stage[data-shown]")
    expect(panes).to_have_count(4)
    assert panes.evaluate_all("all => all.map(each => +each.dataset.shown)") == [
        drops[at].image.id for at in (0, 2, 3, 5)
    ]
    page.select_option("#beside-count", "6")
    expect(panes).to_have_count(6)
    page.mouse.move(*centre(panes.nth(1)))
    page.mouse.wheel(0, -600)
    until(page, lambda: scale(page.locator("#stage")) > 1.5)
    page.mouse.down()
    page.mouse.move(*[value + 30 for value in centre(panes.nth(1))])
    page.mouse.up()
    where = page.locator(".pane .sheet").evaluate_all("all => all.map(each => each.style.transform)")
    assert len(set(where)) == 1
    page.keyboard.press("z")
    assert "beside=6" in page.url
    page.reload()
    expect(panes).to_have_count(6)
    page.locator(".pane .caption").nth(2).click()
    wait_for_image(page, drops[2].image.id)
    expect(panes).to_have_count(6)
    expect(page.locator(".pane.here .caption")).to_contain_text("Inspection 3")
    page.keyboard.press("a")
    page.keyboard.press("1")
    expect(page.locator("#verdicts")).to_contain_text("Ada")
    assert [len(site.imaging.ledger(drop.image.id)) for drop in drops] == [0, 0, 1, 0, 0, 0]
    page.keyboard.press("g")
    expect(panes).to_have_count(1)
    assert "beside" not in page.url


def test_a_film_shows_all_inspections_and_stops_at_the_one_in_sight(site: Site, page: Page) -> None:
    drops = inspections(site, "FILM", count=3)
    as_person(page)
    shown(page, f"/drop/{drops[2].image.id}")
    expect(page.locator("#film")).to_be_enabled()
    for key in (">", ">", ">", "<"):
        page.keyboard.press(key)
    expect(page.locator("#speed")).to_have_value("4")
    page.keyboard.press("k")
    for number in (1, 2, 3):
        expect(page.locator("#frame")).to_contain_text(f"inspection {number}")
    page.keyboard.press("1")
    expect(page.locator("#messages")).to_contain_text("stop the film first")
    expect(page.locator("#frame")).to_contain_text("inspection 2")
    page.keyboard.press("k")
    expect(page.locator("#frame")).to_be_empty()
    seen = page.locator("#stage").get_attribute("data-shown")
    page.wait_for_url(f"**/drop/{seen}")
    assert [site.imaging.ledger(drop.image.id) for drop in drops] == [[], [], []]


def test_who_wants_less_motion_sees_a_film_once(site: Site, page: Page) -> None:
    drops = inspections(site, "CALM", count=2)
    page.emulate_media(reduced_motion="reduce")
    shown(page, f"/drop/{drops[0].image.id}")
    page.locator("#film").click()
    expect(page.locator("#frame")).to_contain_text("inspection 2")
    expect(page.locator("#film")).to_have_attribute("aria-pressed", "false")
    wait_for_image(page, drops[1].image.id)


def test_one_key_goes_through_the_channels_of_an_inspection(site: Site, page: Page) -> None:
    (first, *_) = add_plate(site.imaging, site.folder, plate="LIGHT")
    others = [
        add_plate(site.imaging, site.folder, plate="LIGHT", channel=each)[0] for each in ("uv", "cross-polarised")
    ]
    as_person(page)
    shown(page, f"/drop/{first.image.id}")
    expect(page.locator("#light")).to_have_text("Light: visible")
    for drop in (*others, first):
        page.keyboard.press("l")
        wait_for_image(page, drop.image.id)
    page.locator("#light").click()
    wait_for_image(page, others[0].image.id)
    page.evaluate("addEventListener('keydown', (event) => { window.prevented = event.defaultPrevented; })")
    for key, ours in (("PageDown", False), ("s", True)):
        page.keyboard.down(key)
        page.keyboard.down(key)  # held: the browser scrolls on, and nothing is written twice
        assert page.evaluate("window.prevented") is ours
    expect(page.locator("#marks li")).to_have_text(re.compile("^Favourite"))


def test_lengths_are_in_micrometres_where_the_imager_is_calibrated_else_in_pixels(site: Site, page: Page) -> None:
    (plain,) = inspections(site, "PLAIN", count=1)
    (known,) = inspections(site, "KNOWN", count=1, folder="RI1000-0081")
    for drop, unit, factor in ((plain, "px", 1.0), (known, "µm", 2.5)):
        shown(page, f"/drop/{drop.image.id}")
        x, y = centre(page.locator("#stage"))
        page.keyboard.press("d")
        page.mouse.move(x - 60, y)
        page.mouse.down()
        page.mouse.move(x + 60, y, steps=4)
        page.mouse.up()
        expected = round(factor * 120 / scale(page.locator("#stage")))
        expect(page.locator(".ruler text")).to_have_text(re.compile(rf"^{expected} {unit}$"))
        page.keyboard.press("Shift+Enter")
        page.keyboard.press("Shift+ArrowLeft")
        page.keyboard.press("Enter")
        expected = round(factor * 80 / scale(page.locator("#stage")))
        expect(page.locator(".ruler text")).to_have_text(re.compile(rf"^{expected} {unit}$"))
        page.keyboard.press("Escape")
        expect(page.locator(".ruler")).to_have_count(0)
    assert site.imaging.marks([plain.image.id, known.image.id]) == []


def test_points_and_boxes_are_marked_shown_everywhere_and_taken_back(site: Site, page: Page) -> None:
    first, second, *_ = site.plate("MARKED", ["clear"])
    site.imaging.add_comment(Comment(image_id=second.image.id, person="Bob", written_at=NOON, text="his"))
    as_person(page)
    shown(page, f"/drop/{first.image.id}")
    x, y = centre(page.locator("#stage"))
    factor = scale(page.locator("#stage"))
    page.keyboard.press("p")
    page.mouse.click(x, y)
    expect(page.locator("#stage .mark.pick")).to_have_count(1)
    page.keyboard.press("e")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 20 * factor, y + 10 * factor, steps=4)
    page.mouse.up()
    expect(page.locator("#stage .mark.dispense rect")).to_have_count(2)
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    expect(page.locator("#marks li")).to_have_count(3)
    point, box, favourite = marks(site, first)
    assert point == ("pick", Point(120, 160))
    assert isinstance(box[1], Box)
    assert (box[0], box[1].top, box[1].left) == ("dispense", 120, 160)
    assert (abs(box[1].height - 11) <= 1, abs(box[1].width - 21) <= 1) == (True, True)
    assert favourite == ("favourite", None)
    page.keyboard.press("ArrowUp")
    expect(tile(page, first).locator(".star")).to_have_attribute("title", "favourite of Ada")
    expect(tile(page, first).locator(".places")).to_have_attribute("title", "1 crystal to pick, 1 place to dispense")
    tile(page, second).focus()
    page.keyboard.press("s")
    expect(tile(page, second).locator(".star")).to_have_count(1)
    page.select_option("#scored", "favourites")
    until(page, lambda: order(page) == [first.image.id, second.image.id])
    page.select_option("#scored", "marks")
    until(page, lambda: order(page) == [first.image.id])
    tile(page, first).click()
    wait_for_image(page, first.image.id)
    page.locator("#marks li", has_text="Place to dispense").get_by_role("button").click()
    expect(page.locator("#marks li")).to_have_count(2)
    page.keyboard.press("s")
    expect(page.locator("#marks li")).to_have_count(1)
    assert marks(site, first) == [("pick", Point(120, 160))]
    shown(page, f"/drop/{second.image.id}")
    expect(page.locator("#comments .take-back")).to_have_count(0)


def test_one_takes_back_ones_own_comment(site: Site, page: Page) -> None:
    first, *_ = site.plate("REGRET", ["clear"])
    as_person(page)
    shown(page, f"/drop/{first.image.id}")
    page.fill("#comment", "wrong drop")
    page.keyboard.press("Enter")
    page.locator("#comments .take-back").click()
    expect(page.locator("#comments .taken-back")).to_contain_text("wrong drop")
    expect(page.locator("#course .tile .comments")).to_have_count(0)
    (comment,) = site.imaging.comments(first.image.id)
    assert not comment.stands
