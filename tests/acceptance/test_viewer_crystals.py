"""Crystals one by one on the drop page: drawn, listed, pointed at both ways, picked, hidden."""

import re
from dataclasses import replace

from playwright.sync_api import Page, expect

from crystal_search.geometry import Point
from crystal_search.model import ModelRef
from crystal_search.server.imaging.imaging_database import DropScores
from tests.acceptance.browser import needs_chromium
from tests.acceptance.viewer_pages import Site, as_person, shown, tile, wait_for_image
from tests.viewer_site import add_plate, auto_score, crystal_score

pytestmark = needs_chromium

IMAGER = "RI1000-0081"  #: whose pixels are 2.5 micrometres wide


def plate(site: Site, name: str, *, folder: str = "") -> list[DropScores]:
    """Return a drop with three crystals, one without any, one in which nobody looked for them."""
    place = site.folder / folder if folder else site.folder
    drops = add_plate(site.imaging, place, plate=name, rows=1)
    found, none, unsearched = (drop.image.id for drop in drops)
    site.imaging.add_auto_scores([crystal_score(found), crystal_score(none, ()), auto_score(unsearched, "clear")])
    return drops


def at(page: Page, row: float, column: float) -> tuple[float, float]:
    """Return where a pixel of the image is in the window."""
    box = page.locator("#stage .sheet").bounding_box()
    assert box is not None
    return box["x"] + column / 320 * box["width"], box["y"] + row / 240 * box["height"]


def test_crystals_are_drawn_and_listed_with_sizes(site: Site, page: Page) -> None:
    for name, folder, sizes in (
        ("CRYSTALS", IMAGER, ["200 × 50 µm", "30 × 20 µm", "60 × 40 µm"]),
        ("UNKNOWN", "", ["80 × 20 px", "12 × 8.0 px", "24 × 16 px"]),
    ):
        found, none, unsearched = plate(site, name, folder=folder)
        shown(page, f"/drop/{found.image.id}")
        expect(page.locator("#stage .crystal")).to_have_count(3)
        expect(page.locator("#stage .crystal text")).to_have_text(["1", "2", "3"])
        expect(page.locator("#crystals .size")).to_have_text(sizes)
        label = f"Crystal 3, 60 %, {sizes[2]}, cut off"
        expect(page.locator("#crystals").get_by_role("button", name=label)).to_be_visible()
        longest = sizes[0].replace(" × 50", "").replace(" × 20", "")
        expect(page.locator("#crystals-count")).to_have_text(f"3 crystals, longest {longest}")
        expect(page.locator("#facts")).to_contain_text(f"3 crystals, longest {longest}")
        shown(page, f"/drop/{none.image.id}")
        expect(page.locator("#crystals")).to_have_text("None found.")
        expect(page.locator("#crystals-count")).to_have_text("none found")
        expect(page.locator("#facts")).to_contain_text("none found")
        shown(page, f"/drop/{unsearched.image.id}")
        expect(page.locator("#crystals-found")).to_be_hidden()
        expect(page.locator("#show-crystals")).to_be_hidden()
        shown(page, f"/plate/{name}")
        expect(tile(page, found).locator("img")).to_have_attribute("alt", re.compile(f"3 crystals, longest {longest}"))


def test_what_is_pointed_at_stands_out_in_picture_and_list(site: Site, page: Page) -> None:
    found, *_ = plate(site, "POINTED")
    shown(page, f"/drop/{found.image.id}")
    out, rows = page.locator("#stage .crystal.here"), page.locator("#crystals li.here")
    expect(out).to_have_count(0)
    page.mouse.move(*at(page, 100, 160))  # the small one lies on the long one
    expect(out).to_have_attribute("data-number", "2")
    expect(rows).to_have_attribute("data-number", "2")
    page.mouse.move(*at(page, 100, 110))
    expect(rows).to_have_attribute("data-number", "1")
    page.mouse.move(*at(page, 220, 300))
    expect(rows).to_have_count(0)
    page.locator("#crystals li").nth(2).hover()
    expect(out).to_have_attribute("data-number", "3")
    page.mouse.move(*at(page, 220, 300))
    expect(out).to_have_count(0)
    page.locator("#crystals .find").nth(1).focus()
    expect(out).to_have_attribute("data-number", "2")
    page.keyboard.press("Enter")
    expect(page.locator("#crystals .find").nth(1)).to_have_attribute("aria-pressed", "true")
    page.mouse.move(*at(page, 100, 110))
    expect(rows).to_have_attribute("data-number", "1")
    page.mouse.move(*at(page, 220, 300))
    expect(rows).to_have_attribute("data-number", "2")


def test_a_crystal_is_picked_and_taken_back_and_goes_into_the_list(site: Site, page: Page) -> None:
    found, *_ = plate(site, "PICKED", folder=IMAGER)
    as_person(page)
    shown(page, f"/drop/{found.image.id}")
    page.get_by_role("button", name="Pick crystal 1").click()
    expect(page.locator("#stage .mark.pick")).to_have_count(1)
    expect(page.get_by_role("button", name="Pick crystal 1")).to_have_text("Picked")
    expect(page.get_by_role("button", name="Pick crystal 1")).to_be_focused()
    (mark,) = site.imaging.marks([found.image.id])
    assert (mark.kind, mark.person, mark.place) == ("pick", "Ada", Point(100, 140))
    table = page.request.get(f"/picks/harvest.csv?ids={found.image.id}").text().splitlines()
    row = dict(zip(table[0].split(","), table[1].split(","), strict=True))
    assert (row["position_from"], row["crystal"], row["long_um"]) == ("pick mark", "1", "200.0")
    page.goto(f"/picks?ids={found.image.id}")
    expect(page.locator(".picked")).to_contain_text("pick mark by Ada, 200 × 50 µm")
    shown(page, f"/drop/{found.image.id}")
    page.get_by_role("button", name="Pick crystal 1").click()
    expect(page.locator("#stage .mark.pick")).to_have_count(0)
    assert site.imaging.marks([found.image.id]) == []


def test_of_crystals_on_each_other_each_is_picked_by_itself(site: Site, page: Page) -> None:
    found, *_ = plate(site, "NESTED")
    as_person(page)
    shown(page, f"/drop/{found.image.id}")
    large, small = (page.get_by_role("button", name=f"Pick crystal {number}") for number in (1, 2))
    small.click()
    expect(small).to_have_text("Picked")
    expect(large).to_have_text("Pick")
    large.click()
    expect(large).to_have_text("Picked")
    expect(page.locator("#stage .mark.pick")).to_have_count(2)
    small.click()
    expect(small).to_have_text("Pick")
    expect(large).to_have_text("Picked")


def test_crystals_are_hidden_by_key_and_stay_so_and_with_all_that_the_machine_says(site: Site, page: Page) -> None:
    found, *_ = plate(site, "HIDDEN")
    shown(page, f"/drop/{found.image.id}")
    first = page.locator("#stage .crystal").first
    expect(first).to_be_visible()
    page.keyboard.press("i")
    expect(first).to_be_hidden()
    expect(page.locator("#show-crystals")).to_have_attribute("aria-pressed", "false")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    expect(first).to_be_hidden()
    page.locator("#show-crystals").click()
    expect(first).to_be_visible()
    page.keyboard.press("m")
    for hidden in (first, page.locator("#crystals-found"), page.locator("#facts dt", has_text="Crystals")):
        expect(hidden).to_be_hidden()
    label = page.locator("#stage .sheet").get_attribute("aria-label")
    assert label is not None
    assert "crystal" not in label
    shown(page, "/plate/HIDDEN?frames=off")
    expect(tile(page, found).locator("img")).not_to_have_attribute("alt", re.compile("crystals"))


def test_a_crystal_out_of_sight_comes_into_sight(site: Site, page: Page) -> None:
    found, *_ = plate(site, "FAR")
    shown(page, f"/drop/{found.image.id}")
    for _ in range(8):
        page.keyboard.press("+")
    page.locator("#crystals .find").nth(2).click()
    stage, crystal = (page.locator(each).bounding_box() for each in ("#stage", '#stage .crystal[data-number="3"] text'))
    assert stage is not None
    assert crystal is not None
    assert stage["x"] <= crystal["x"] <= stage["x"] + stage["width"]


def test_touching_a_crystal_on_a_phone_finds_it_in_the_list(site: Site, page: Page) -> None:
    found, *_ = plate(site, "TOUCHED")
    page.set_viewport_size({"width": 390, "height": 844})
    shown(page, f"/drop/{found.image.id}")
    page.mouse.click(*at(page, 100, 110))
    expect(page.locator("#crystals li.here")).to_have_attribute("data-number", "1")
    expect(page.locator("#crystals .find").first).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#crystals li.here")).to_be_in_viewport()


def test_all_scores_say_which_had_a_detector_and_what_that_found(site: Site, page: Page) -> None:
    found, none, unsearched = plate(site, "DETECTED")
    only_without = add_plate(site.imaging, site.folder, plate="PLAIN", rows=1)[0]
    site.imaging.add_auto_scores([auto_score(only_without.image.id, "clear")])
    detector = ModelRef(role="crystals", name="tiny-crystals", sha256="d" * 64)
    for drop, score in (
        (found, crystal_score(found.image.id, minute=5)),
        (none, crystal_score(none.image.id, (), minute=5)),
        (unsearched, auto_score(unsearched.image.id, "clear", minute=5)),
    ):
        recipe = replace(score.recipe, models=(*score.recipe.models, detector))
        site.imaging.add_auto_scores([replace(score, recipe=recipe)])
        shown(page, f"/drop/{drop.image.id}")
        newer, older = page.locator("#ledger .who").nth(0), page.locator("#ledger .who").nth(1)
        said = {
            found: "found 3 crystals",
            none: "found none",
            unsearched: "did not look: crystals were too improbable",
        }[drop]
        expect(newer).to_contain_text(f"crystal detector tiny-crystals {said}")
        expect(older).to_contain_text("without a crystal detector")
    shown(page, f"/drop/{only_without.image.id}")
    expect(page.locator("#ledger .who")).not_to_contain_text("detector")


def test_all_scores_say_why_a_detector_did_not_look(site: Site, page: Page) -> None:
    drops = add_plate(site.imaging, site.folder, plate="UNSEEN", rows=1)
    detector = ModelRef(role="crystals", name="tiny-crystals", sha256="d" * 64)
    for outcome, drop, why in (
        ("unreadable", drops[0], "the image could not be read"),
        ("no_drop", drops[1], "there was no drop"),
    ):
        score = auto_score(drop.image.id, outcome)
        recipe = replace(score.recipe, models=(*score.recipe.models, detector))
        site.imaging.add_auto_scores([replace(score, recipe=recipe)])
        shown(page, f"/drop/{drop.image.id}")
        said = f"crystal detector tiny-crystals did not look: {why}"
        expect(page.locator("#ledger .who")).to_contain_text(said)


#: Holds the news back that the picture of a drop has come, as a busy browser does, until `window.tell()`.
HELD_BACK = """
    document.addEventListener("load", (event) => {
      if (!event.isTrusted || !event.target.closest?.(".sheet")) return;
      const picture = event.target;
      event.stopImmediatePropagation();
      window.tell = () => picture.dispatchEvent(new Event("load"));
    }, true);
"""


def test_nothing_is_drawn_on_a_picture_that_has_no_place_yet(site: Site, page: Page) -> None:
    found, *_ = plate(site, "EARLY")
    page.add_init_script(HELD_BACK)
    page.goto(f"/drop/{found.image.id}")
    page.wait_for_function("window.tell && document.querySelector('#course figure')")
    drawn = page.locator("#stage .of-machine-layer > *")
    expect(drawn).to_have_count(0)
    expect(page.locator(".messages")).not_to_contain_text("undefined")
    page.evaluate("window.tell()")
    wait_for_image(page, found.image.id)
    expect(page.locator("#stage .crystal")).to_have_count(3)
