import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from crystal_search.naming import utc_of
from crystal_search.outcomes import BY_NAME, OUTCOME_NAMES
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.wells import WellKey
from tests.acceptance.browser import needs_chromium
from tests.acceptance.viewer_pages import Site, as_person, css, order, rgb, shown, tile, wait_for_image
from tests.viewer_site import add_plate, auto_score, hand_score, score_plate

LONGEST_POLL_MS = 3000  # of all pages

pytestmark = needs_chromium


def test_every_outcome_has_its_frame_and_its_letter(site: Site, page: Page) -> None:
    drops = site.plate("FRAMES", [*OUTCOME_NAMES, "no_drop", "unreadable"], columns=8)
    shown(page, "/plate/FRAMES")
    for drop, name in zip(drops, OUTCOME_NAMES, strict=False):
        found, outcome = tile(page, drop), BY_NAME[name]
        assert css(found, "border-top-color") == rgb(outcome.frame)
        assert css(found, "border-top-style") == "solid"
        assert found.locator(".badge.auto").inner_text() == outcome.letter
        assert found.locator("img").get_attribute("alt") == f"{drop.image.key.well} drop 1: {outcome.label}, 97 %"
    no_drop, unreadable, unscored = (tile(page, drop) for drop in drops[13:16])
    assert (css(no_drop, "border-top-style"), no_drop.locator(".badge.auto").inner_text()) == ("dashed", "–")
    assert (css(unreadable, "border-top-style"), unreadable.locator(".badge.auto").inner_text()) == ("dotted", "!")
    assert unscored.locator(".badge").count() == 0
    expect(page.locator("#progress")).to_contain_text("scored 15 of 16, last at ")
    assert page.locator('#legend [data-names="rim"]').inner_text().split() == ["R", "Rim", "1"]
    whole = page.locator("#legend .whole").all_inner_texts()
    assert [text.split() for text in whole] == [["Crystal", "3"], ["Precipitate", "3"], ["Other", "4"], ["Clear", "3"]]


def test_neither_kind_of_score_hides_the_other(site: Site, page: Page) -> None:
    first, second, *_ = site.plate("BOTH", ["clear", "crystal_bad_form"])
    site.imaging.add_manual_score(hand_score(first.image.id, "crystal_harvestable"))
    site.imaging.add_manual_score(hand_score(second.image.id, "crystal_bad_form"))
    shown(page, "/plate/BOTH")
    found = tile(page, first)
    assert css(found, "border-top-color") == rgb(BY_NAME["clear"].frame)
    assert (found.locator(".auto").inner_text(), found.locator(".hand").inner_text()) == ("C", "H")
    assert css(found.locator(".hand"), "background-color") == rgb(BY_NAME["crystal_harvestable"].frame)
    expect(found).to_contain_class("disagrees")
    expect(tile(page, second)).not_to_contain_class("disagrees")
    page.keyboard.press("h")
    expect(found.locator(".auto")).to_be_hidden()
    expect(found.locator(".hand")).to_be_visible()
    assert "frames=off" in page.url


def test_a_score_appears_without_loading_anew(site: Site, page: Page) -> None:
    drops = site.plate("LIVE", ["clear"])
    shown(page, "/plate/LIVE")
    page.evaluate("window.sameDocument = true")
    expect(page.locator("#progress")).to_contain_text("scored 1 of 12")
    site.imaging.add_auto_scores([auto_score(drops[4].image.id, "crystal_harvestable", minute=3)])
    site.imaging.add_manual_score(hand_score(drops[5].image.id, "spherulites"))
    started = time.monotonic()
    expect(tile(page, drops[4]).locator(".auto")).to_have_text("H", timeout=10_000)
    sys.stdout.write(f"a new score was seen after {time.monotonic() - started:.2f} s" + "\n")
    assert css(tile(page, drops[4]), "border-top-color") == rgb(BY_NAME["crystal_harvestable"].frame)
    expect(tile(page, drops[5]).locator(".hand")).to_have_text("S")
    expect(page.locator("#progress")).to_contain_text("scored 2 of 12")
    assert page.evaluate("window.sameDocument") is True


def test_sort_and_filter_act_on_the_whole_plate_and_live_in_the_address(site: Site, page: Page) -> None:
    names = ["clear", "precipitate", "crystal_bad_form", "no_drop", "crystal_harvestable", "", "spherulites"]
    drops = site.plate("SORT", names)
    ids = [drop.image.id for drop in drops]
    site.imaging.add_manual_score(hand_score(ids[0], "crystal_harvestable"))
    site.imaging.add_manual_score(hand_score(ids[1], "precipitate_bad"))
    shown(page, "/plate/SORT")
    page.select_option("#sort", "priority")
    assert order(page)[:6] == [ids[at] for at in (4, 2, 1, 6, 0, 3)]
    page.select_option("#sort", "crystal")
    assert set(order(page)[:2]) == {ids[2], ids[4]}
    page.select_option("#sort", "disagreement")
    assert order(page)[:2] == [ids[0], ids[1]]
    page.click('#legend [data-names="crystal_bad_form"]')
    page.click('#legend [data-names="spherulites"]')
    assert order(page) == [ids[2], ids[6]]
    expect(page.locator("#showing")).to_have_text("2 of 12")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert order(page) == [ids[2], ids[6]]
    page.keyboard.press("Escape")
    assert len(order(page)) == 12
    page.select_option("#scored", "manual")
    assert set(order(page)) == {ids[0], ids[1]}
    page.select_option("#scored", "all")
    page.fill("#pmin", "90")
    page.press("#pmin", "Enter")
    assert set(order(page)) == {ids[2], ids[4]}


def test_a_filter_dims_the_others_in_plate_order(site: Site, page: Page) -> None:
    drops = site.plate("DIM", ["clear", "precipitate"])
    shown(page, "/plate/DIM?classes=clear")
    assert order(page) == [drops[0].image.id]
    assert page.locator("#board .tile.out").count() == 11


def test_keys_go_over_the_plate_and_from_drop_to_drop(site: Site, page: Page) -> None:
    drops = site.plate("KEYS", ["clear"] * 12)
    shown(page, "/plate/KEYS")
    page.keyboard.press("ArrowRight")
    expect(tile(page, drops[0])).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(tile(page, drops[7])).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#place")).to_have_text("B02 · drop 1")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#place")).to_have_text("B03 · drop 1")
    expect(page.locator("#position")).to_have_text("9 of 12")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#place")).to_have_text("B01 · drop 1")
    assert page.url.endswith(f"/drop/{drops[6].image.id}")
    page.keyboard.press("ArrowUp")
    expect(page.locator("h1")).to_have_text("KEYS")


def test_the_drop_page_goes_on_in_the_order_of_the_plate(site: Site, page: Page) -> None:
    drops = site.plate("ORDER", ["clear", "crystal_bad_form", "clear", "crystal_harvestable", "precipitate"])
    shown(page, "/plate/ORDER?sort=priority")
    page.locator("#board .tile").first.click()
    for well in ("A04", "A02", "A05", "A01"):
        expect(page.locator("#place")).to_have_text(f"{well} · drop 1")
        page.keyboard.press("ArrowRight")
    shown(page, f"/drop/{drops[3].image.id}?sort=priority&classes=crystal_harvestable,crystal_bad_form")
    expect(page.locator("#position")).to_have_text("1 of 2")


def test_a_score_by_hand_is_kept_beside_the_machines(site: Site, page: Page) -> None:
    drops = site.plate("HAND", ["clear"] * 12)
    shown(page, f"/drop/{drops[0].image.id}")
    page.keyboard.press("2")
    page.get_by_label("Your name").fill("Ada Lovelace")
    page.keyboard.press("Enter")
    expect(page.locator("#place")).to_have_text("A02 · drop 1")
    wait_for_image(page, drops[1].image.id)
    page.keyboard.press("Shift+S")
    expect(page.locator("#place")).to_have_text("A03 · drop 1")
    wait_for_image(page, drops[2].image.id)
    page.keyboard.press("x")
    expect(page.locator("#place")).to_have_text("A04 · drop 1")
    given = [[(type(each).__name__, each.outcome) for each in site.imaging.ledger(drop.image.id)] for drop in drops[:3]]
    machine = ("AutoScore", "clear")
    assert given == [
        [machine, ("ManualScore", "crystal_bad_form")],
        [machine, ("ManualScore", "spherulites")],
        [machine, ("ManualScore", "no_drop")],
    ]
    page.keyboard.press("ArrowUp")
    first = tile(page, drops[0])
    expect(first.locator(".auto")).to_have_text("C")
    expect(first.locator(".hand")).to_have_text("B")


def test_keys_typed_ahead_score_no_drop_that_is_not_in_sight(site: Site, page: Page) -> None:
    drops = site.plate("AHEAD", ["clear"] * 12)
    as_person(page)
    shown(page, f"/drop/{drops[0].image.id}")
    page.route("**/image/*", lambda route: (time.sleep(0.3), route.continue_()))  # type: ignore[func-returns-value]
    page.keyboard.press("1")
    page.keyboard.press("1")
    expect(page.locator("#place")).to_have_text("A02 · drop 1")
    assert [len(site.imaging.ledger(drop.image.id)) for drop in drops[:2]] == [2, 1]
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#place")).to_have_text("B01 · drop 1")


def test_a_key_held_down_scores_once(site: Site, page: Page) -> None:
    drops = site.plate("HELD", [])

    def hold(key: str) -> None:
        for _ in range(6):
            page.keyboard.down(key)
            page.wait_for_timeout(200)
        page.keyboard.up(key)

    def given() -> list[int]:
        return [len(site.imaging.ledger(drop.image.id)) for drop in drops[:3]]

    as_person(page)
    shown(page, f"/drop/{drops[0].image.id}")
    hold("1")
    assert given() == [1, 0, 0]
    page.uncheck("#advance")
    page.locator('[data-outcome="clear"]').focus()
    hold("Enter")
    assert given() == [1, 1, 0]
    shown(page, "/plate/HELD?sort=priority")
    tile(page, drops[2]).focus()
    hold("1")
    assert given() == [1, 1, 1]
    page.keyboard.press("4")
    expect(tile(page, drops[2]).locator(".hand")).to_have_text("P")
    hold("u")
    expect(tile(page, drops[2]).locator(".hand")).to_have_text("H")
    assert given() == [1, 1, 2]


def test_keys_score_on_the_overview_too(site: Site, page: Page) -> None:
    drops = site.plate("QUICK", ["clear"])
    as_person(page)
    shown(page, "/plate/QUICK")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("1")
    expect(tile(page, drops[0]).locator(".hand")).to_have_text("H")
    expect(tile(page, drops[0])).to_be_focused()


def test_the_drop_page_shows_what_the_machine_saw(site: Site, page: Page) -> None:
    first, *_ = site.plate("SEEN", ["crystal_harvestable"])
    shown(page, f"/drop/{first.image.id}")
    chop = page.locator("#stage .chop")
    expect(chop).to_have_count(1)
    said = page.locator("#stage .chop-said")
    expect(said).to_have_text("H 97 %")
    assert css(chop.locator("rect").last, "stroke") == rgb(BY_NAME["crystal_harvestable"].frame)
    points = page.locator("#stage .outline").get_attribute("points")
    assert points == "80,60 240,60 240,180 80,180"
    for key, what in (("o", "#stage .outline"), ("f", "#stage .chop"), ("h", "#stage .of-machine-layer")):
        page.keyboard.press(key)
        expect(page.locator(what)).to_be_hidden()
        if key != "o":
            expect(said).to_be_hidden()
        page.keyboard.press(key)
        expect(page.locator(what)).to_be_visible()
        expect(said).to_be_visible()
    assert page.locator("#bars .family.wins .whole").inner_text().startswith("Crystal")
    expect(page.locator("#ledger")).to_contain_text("test-net · cccccccc · threshold 85 %")


def test_the_machine_can_be_hidden_to_score_without_a_hint(site: Site, page: Page) -> None:
    first, *_ = site.plate("BLIND", ["crystal_harvestable"])
    site.imaging.add_manual_score(hand_score(first.image.id, "clear"))
    shown(page, f"/drop/{first.image.id}")
    page.keyboard.press("m")
    for what in ("#verdicts .of-machine", "#bars", "#ledger .of-machine", "#stage .chop", "#course .badge.auto"):
        expect(page.locator(what).first).to_be_hidden()
    expect(page.locator("#verdicts")).to_contain_text("Clear")
    page.keyboard.press("ArrowUp")
    expect(tile(page, first).locator(".auto")).to_be_hidden()
    assert "frames=off" in page.url


def test_the_image_zooms_at_the_pointer_and_moves(site: Site, page: Page) -> None:
    first, *_ = site.plate("ZOOM", ["clear"])
    shown(page, f"/drop/{first.image.id}")
    page.wait_for_selector("#stage[data-scale]")
    before = float(page.get_attribute("#stage", "data-scale") or 0)
    page.mouse.move(300, 300)
    page.mouse.wheel(0, -400)
    page.wait_for_function("before => +document.querySelector('#stage').dataset.scale > before * 1.5", arg=before)
    moved = page.locator("#stage .sheet").bounding_box()
    page.mouse.down()
    page.mouse.move(340, 330)
    page.mouse.up()
    after = page.locator("#stage .sheet").bounding_box()
    assert moved is not None
    assert after is not None
    assert (round(after["x"] - moved["x"]), round(after["y"] - moved["y"])) == (40, 30)


def test_inspections_are_a_key_apart_and_scores_by_hand_stay_in_sight(site: Site, page: Page) -> None:
    first, *_ = add_plate(site.imaging, site.folder, plate="TIMES")
    site.imaging.add_manual_score(hand_score(first.image.id, "precipitate"))
    second, *_ = add_plate(site.imaging, site.folder, plate="TIMES", inspection=2)
    shown(page, "/plate/TIMES")
    expect(tile(page, second).locator(".hand.earlier")).to_have_text("P")
    page.keyboard.press(",")
    expect(tile(page, first).locator(".hand:not(.earlier)")).to_have_text("P")
    assert "inspection=1" in page.url
    shown(page, f"/drop/{second.image.id}")
    expect(page.locator("#course .tile")).to_have_count(2)
    page.keyboard.press(",")
    expect(page.locator("#plate")).to_have_text("TIMES, inspection 1")


def test_an_inspection_without_images_says_so_and_leads_to_some(site: Site, page: Page) -> None:
    first, *_ = add_plate(site.imaging, site.folder, plate="LIGHTS")
    add_plate(site.imaging, site.folder, plate="LIGHTS", inspection=2, channel="uv")
    shown(page, "/plate/LIGHTS")
    expect(tile(page, first)).to_be_visible()
    expect(page.locator('#inspections [aria-current="true"]')).to_have_text("1 2025-11-21")
    page.keyboard.press(".")
    expect(page.locator('#channels [aria-current="true"]')).to_have_text("uv")
    page.locator("#channels").get_by_text("visible").click()
    expect(page.locator("#board")).to_contain_text("Inspection 2 has no images in the channel visible.")
    assert "Infinity" not in (page.get_attribute("#board", "style") or "")
    page.keyboard.press("z")
    page.reload()
    page.select_option("#sort", "priority")
    page.locator("#board a").click()
    expect(tile(page, first)).to_be_visible()


def test_288_drops_load_smoothly(site: Site, page: Page) -> None:
    drops = add_plate(site.imaging, site.folder, plate="P288", rows=8, columns=12, drops=(1, 3, 4))
    score_plate(site.imaging, drops, [OUTCOME_NAMES[at % 13] for at in range(288)])
    loaded = "() => [...document.querySelectorAll('#board img')].filter(each => each.naturalWidth > 0).length === 288"
    for visit in ("first", "second"):
        started = time.monotonic()
        shown(page, "/plate/P288")
        ready = time.monotonic() - started
        page.wait_for_function(loaded, timeout=30_000)
        everything = time.monotonic() - started
        sys.stdout.write(
            f"{visit} visit: interactive after {ready:.2f} s, all thumbnails after {everything:.2f} s" + "\n"
        )
    assert page.locator("#board .tile").count() == 288
    fits = "() => { const board = document.querySelector('#board'); return board.scrollHeight <= board.clientHeight; }"
    assert page.evaluate(fits)
    tiles = page.locator("#board .well").first.locator(".tile")
    assert tiles.count() == 3


def test_the_list_leads_to_the_plates(site: Site, page: Page) -> None:
    site.plate("LISTED", ["crystal_bad_form", "clear"])
    shown(page, "/plates")
    page.fill("#find", "listed")
    row = page.locator("#plates tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("2 of 12")
    expect(row.locator(".stack")).to_have_attribute("aria-label", "1 crystal, 1 clear, 10 not scored")
    row.locator(".barcode").click()
    expect(page.locator("h1")).to_have_text("LISTED")


def test_help_names_every_key_for_scoring(site: Site, page: Page) -> None:
    first, *_ = site.plate("HELP", [])
    shown(page, f"/drop/{first.image.id}")
    page.keyboard.press("?")
    expect(page.locator("dialog.help")).to_contain_text("Crystals, overnucleated")
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    assert site.imaging.ledger(first.image.id) == []


@pytest.mark.parametrize(
    ("kind", "trouble"), [("plate", "503"), ("plate", "500"), ("plate", "gone"), ("drop", "503"), ("plates", "503")]
)
def test_a_page_says_that_it_is_not_connected_until_a_good_answer_comes(
    site: Site, rough: Page, kind: str, trouble: str
) -> None:
    first, *_ = site.plate(f"LOST-{kind}-{trouble}", ["clear"])

    def fail(route: Route) -> None:
        if trouble == "gone":
            route.abort()
        else:
            route.fulfill(status=int(trouble), json={"status": int(trouble), "error": "the database is down"})

    path = {"plate": f"/plate/{first.image.key.plate}", "drop": f"/drop/{first.image.id}", "plates": "/plates"}[kind]
    rough.clock.install()
    shown(rough, path)
    notice = rough.locator("#connection")
    expect(notice).to_be_hidden()
    rough.route(re.compile("/api/"), fail)
    rough.clock.run_for(LONGEST_POLL_MS)
    reason = "the viewer does not answer" if trouble == "gone" else "the database is down"
    expect(notice).to_have_text(f"Not connected: {reason}. What you see may be old.")
    rough.clock.run_for(LONGEST_POLL_MS)
    expect(notice).to_be_visible()
    rough.unroute(re.compile("/api/"))
    rough.clock.run_for(LONGEST_POLL_MS)
    expect(notice).to_be_hidden()


def test_arrow_keys_work_again_after_the_order_could_not_be_read(site: Site, rough: Page) -> None:
    add_plate(site.imaging, site.folder, plate="ROUGH")
    first, *_ = add_plate(site.imaging, site.folder, plate="ROUGH", inspection=2)
    shown(rough, f"/drop/{first.image.id}")
    expect(rough.locator("#position")).to_have_text("1 of 6")
    expect(rough.locator("#course .tile")).to_have_count(2)
    rough.route("**/api/plate/**", lambda route: route.abort())
    rough.keyboard.press(",")
    expect(rough.locator("#plate")).to_have_text("ROUGH, inspection 1")
    expect(rough.locator("#messages .error")).to_be_visible()
    rough.unroute("**/api/plate/**")
    rough.keyboard.press("ArrowRight")
    expect(rough.locator("#place")).to_have_text("A02 · drop 1")
    expect(rough.locator("#position")).to_have_text("2 of 6")


def test_a_missing_image_file_is_told(site: Site, rough: Page) -> None:
    first, *_ = site.plate("GONE", ["clear"])
    Path(first.image.path).unlink()
    shown(rough, f"/drop/{first.image.id}")
    expect(rough.locator("#stage .failed")).to_be_visible()
    expect(rough.locator("#verdicts")).to_contain_text("Clear")


def test_a_day_stays_a_day_and_a_time_the_robots_wherever_the_browser_is(site: Site, browser: Browser) -> None:
    taken = {
        "day": (datetime(2012, 11, 21, tzinfo=UTC), True),
        "time": (utc_of(datetime(2020, 4, 1, 11, 36), ""), False),
    }
    for name, (at, day_only) in taken.items():
        key = WellKey(plate=f"Taken-{name}", row=0, column=0)
        site.imaging.add_images([NewImage(key=key, path=f"/nowhere/{name}.jpg", imaged_at=at, day_only=day_only)])
    for zone in ("America/New_York", "Pacific/Kiritimati"):
        with browser.new_context(timezone_id=zone) as context:
            page = context.new_page()
            for name, expected in (("day", "1, 2012-11-21"), ("time", "1, 2020-04-01 11:36")):
                (image,) = site.imaging.plate_images(f"Taken-{name}")
                page.goto(f"{site.address}/drop/{image.id}")
                expect(page.locator("#facts")).to_contain_text(re.compile(rf"Inspection{expected}(?! )"))
                expect(page.locator("#course figcaption")).to_have_text(f"1 · {expected[3:13]}")


def test_a_plan_is_drawn_and_imported_by_its_button(site: Site, page: Page, tmp_path: Path) -> None:
    robot = tmp_path / "robot"
    for name in ("90j8_01A_1", "90j8_01A_2", "90j8_12H_1"):
        path = robot / "Planned_2018-04-11_RI" / f"{name.replace('90j8', 'Planned')}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"image")
    words = ["import", str(robot), "--dry-run", "--home", str(site.folder.parent / "home")]
    subprocess.run([sys.executable, "-m", "crystal_search.main", *words], check=True, capture_output=True)
    assert site.imaging.plate_images("Planned") == []
    page.goto("/plates")
    page.get_by_role("link", name="Import").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("3 images would come in")
    expect(page.locator(".plan-board td.there")).to_have_count(2)
    expect(page.get_by_title("A01, drops 1, 2")).to_have_text("2")
    page.get_by_role("button", name="Import these").click()
    expect(page.locator("#done")).to_contain_text("3 images added", timeout=20_000)
    assert len(site.imaging.plate_images("Planned")) == 3
