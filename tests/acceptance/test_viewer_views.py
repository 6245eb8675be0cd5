"""What stays as it was while people move through plates, and what is hidden from who scores without a hint."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from crystal_search.naming import utc_of
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.wells import WellKey
from tests.acceptance.browser import needs_chromium
from tests.acceptance.viewer_pages import Site, as_person, shown, tile, wait_for_image
from tests.viewer_site import add_plate, auto_score, hand_score, picture, score_plate

pytestmark = needs_chromium


def test_the_focus_is_on_the_drop_from_which_somebody_goes_up(site: Site, page: Page) -> None:
    drops = site.plate("FOCUS", ["clear"] * 12)
    shown(page, "/plate/FOCUS")
    tile(page, drops[2]).focus()
    page.keyboard.press("Enter")
    wait_for_image(page, drops[2].image.id)
    page.keyboard.press("ArrowRight")
    wait_for_image(page, drops[3].image.id)
    page.keyboard.press("ArrowUp")
    expect(tile(page, drops[3])).to_be_focused()
    assert "#" not in page.url
    page.keyboard.press("ArrowRight")
    expect(tile(page, drops[4])).to_be_focused()
    page.keyboard.press("Enter")
    wait_for_image(page, drops[4].image.id)
    page.keyboard.press("ArrowLeft")
    wait_for_image(page, drops[3].image.id)
    page.go_back()
    expect(tile(page, drops[3])).to_be_focused()


def test_the_picture_under_the_pointer_learns_new_scores(site: Site, page: Page) -> None:
    drops = site.plate("LEARNS", ["clear"])
    as_person(page)
    shown(page, "/plate/LEARNS")
    tile(page, drops[1]).hover()
    expect(page.locator("#preview")).to_be_visible()
    site.imaging.add_auto_scores([auto_score(drops[1].image.id, "spherulites", 0.91)])
    expect(page.locator("#preview")).to_contain_text("Spherulites")
    expect(page.locator("#preview")).to_contain_text("91 %")
    tile(page, drops[1]).focus()
    page.keyboard.press("1")
    expect(page.locator("#preview .badge.hand")).to_have_text("H")


def test_the_picture_under_the_pointer_says_when_only_a_first_look_was_taken(site: Site, page: Page) -> None:
    drops = site.plate("FIRST", ["clear"])
    for drop, looks in zip(drops[1:3], (1, 2), strict=True):
        score = auto_score(drop.image.id, "clear", 0.91)
        site.imaging.add_auto_scores([replace(score, found=replace(score.found, looks=looks))])
    shown(page, "/plate/FIRST")
    for drop, note in zip(drops[:3], ("97 %", "91 % by a first look", "91 %"), strict=True):
        tile(page, drop).hover()
        expect(page.locator("#preview .line.machine .dim")).to_have_text(note)


def test_the_likeliest_crystals_show_the_number_that_they_are_sorted_by(site: Site, page: Page) -> None:
    drops = add_plate(site.imaging, site.folder, plate="LIKELY")
    scores = [("clear", 0.99), ("crystal_bad_form", 0.9), ("crystal_harvestable", 0.96)]
    for drop, (outcome, probability) in zip(drops, scores, strict=False):
        site.imaging.add_auto_scores([auto_score(drop.image.id, outcome, probability)])
    shown(page, "/plate/LIKELY?sort=crystal")
    captions = page.locator("#board figcaption")
    expected = ["A03 · 1 · 96 %", "A02 · 1 · 90 %", "A01 · 1 · 10 %"]
    assert captions.all_inner_texts() == [*expected, "B01 · 1", "B02 · 1", "B03 · 1"]
    expect(page.locator("#board .percent").first).to_be_hidden()
    site.imaging.add_auto_scores([auto_score(drops[2].image.id, "crystal_harvestable", 0.98, minute=1)])
    expect(captions.first).to_have_text("A03 · 1 · 98 %")
    page.keyboard.press("m")
    expect(captions.first).to_have_text("A03 · 1")


def test_zoom_survives_a_change_of_channel(site: Site, page: Page) -> None:
    first, *_ = add_plate(site.imaging, site.folder, plate="CHANNELS")
    uv, *_ = add_plate(site.imaging, site.folder, plate="CHANNELS", channel="uv")
    picture(Path(uv.image.path), size=(640, 480))
    shown(page, f"/drop/{first.image.id}")
    page.evaluate("window.sameDocument = true")
    page.mouse.move(300, 300)
    page.mouse.wheel(0, -700)

    def seen() -> list[float]:
        """Return left, top and width of the image on the page."""
        box = page.locator("#stage .sheet").bounding_box()
        assert box is not None
        return [box["x"], box["y"], box["width"]]

    page.wait_for_function("+document.querySelector('#stage').dataset.scale > 3")
    before = seen()
    for image in (uv.image, first.image):
        page.locator(f'#course .tile[data-id="{image.id}"]').click()
        wait_for_image(page, image.id)
        assert all(abs(one - other) < 1 for one, other in zip(seen(), before, strict=True))
        expect(page.locator("#course .here")).to_be_focused()
    assert page.evaluate("window.sameDocument") is True
    page.keyboard.press("r")
    page.locator(f'#course .tile[data-id="{uv.image.id}"]').click()
    wait_for_image(page, uv.image.id)
    stage = page.locator("#stage").bounding_box()
    assert stage is not None
    assert abs(seen()[2] - min(stage["width"], stage["height"] * 4 / 3)) < 1


def test_nothing_tells_what_the_machine_says_while_that_is_hidden(site: Site, page: Page) -> None:
    first, second, *_ = site.plate("HIDDEN", ["crystal_harvestable", "precipitate"])
    site.imaging.add_manual_score(hand_score(first.image.id, "clear"))
    shown(page, "/plate/HIDDEN?frames=off")
    alt = "A01 drop 1; by hand: Clear (Ada)"
    expect(tile(page, first).locator("img")).to_have_attribute("alt", alt)
    expect(tile(page, second).locator("img")).to_have_attribute("alt", "A02 drop 1")
    expect(page.locator('#legend [data-names="clear"]')).to_contain_text("1")
    assert page.locator('#legend [data-names="crystal_harvestable"]').count() == 0
    assert [text.split()[1] for text in page.locator("#legend .whole").all_inner_texts()] == ["0", "0", "0", "1"]
    expect(page.locator("#by")).to_be_disabled()
    page.keyboard.press("m")
    expect(tile(page, second).locator("img")).to_have_attribute("alt", "A02 drop 1: Precipitate, 97 %")
    expect(page.locator('#legend [data-names="crystal_harvestable"]')).to_contain_text("1")
    shown(page, f"/drop/{second.image.id}?frames=off")
    expect(page.locator("#course .tile img")).to_have_attribute("alt", "A02 drop 1")
    expect(page.locator("#stage .sheet")).to_have_attribute("aria-label", "A02 drop 1")
    heard = page.locator("body").aria_snapshot()
    assert "97 %" not in heard
    assert "Precipitate, bad" in heard  # the buttons
    page.keyboard.press("m")
    expect(page.locator("#stage .sheet")).to_have_attribute("aria-label", "A02 drop 1: Precipitate, 97 %")
    expect(page.locator("#course .tile img")).to_have_attribute("alt", "A02 drop 1: Precipitate, 97 %")


def test_inspections_say_their_day_wherever_the_browser_is(site: Site, browser: Browser) -> None:
    taken = [
        (1, datetime(2012, 11, 21, tzinfo=UTC), True),
        (2, utc_of(datetime(2012, 12, 1, 23, 50), ""), False),
        (3, None, False),
    ]
    for number, at, day_only in taken:
        key = WellKey(plate="Days", row=0, column=0, inspection=number)
        path = picture(site.folder / f"day-{number}.jpg")
        site.imaging.add_images([NewImage(key=key, path=str(path), imaged_at=at, day_only=day_only)])
    score_plate(site.imaging, site.imaging.drops("Days", inspection=1), ["clear"])
    for zone in ("America/Los_Angeles", "Pacific/Kiritimati"):
        with browser.new_context(timezone_id=zone) as context:
            page = context.new_page()
            page.goto(f"{site.address}/plate/Days")
            links = page.locator("#inspections a")
            expect(links).to_have_count(3)
            assert [text.split() for text in links.all_inner_texts()] == [
                ["1", "2012-11-21"],
                ["2", "2012-12-01"],
                ["3"],
            ]
