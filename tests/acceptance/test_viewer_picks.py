"""Ticking drops in a browser, and the files of their list."""

import csv
import re
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from tests.acceptance.browser import needs_chromium
from tests.acceptance.viewer_pages import Site, as_person, shown, tile
from tests.viewer_site import crystal_score

pytestmark = needs_chromium

CRYSTALS = ["crystal_harvestable"] * 6


def test_drops_of_two_plates_become_one_list(page: Page, site: Site) -> None:
    first, second = site.plate("Ticks1", CRYSTALS, rows=1), site.plate("Ticks2", CRYSTALS, rows=1)
    as_person(page)
    shown(page, "/plate/Ticks1")
    tray = page.get_by_role("complementary", name="Pick list")
    expect(tray).to_be_hidden()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("t")
    expect(tile(page, first[0])).to_have_class(re.compile("ticked"))
    expect(tile(page, first[0]).locator("img")).to_have_attribute("alt", re.compile(", ticked$"))
    expect(tray).to_contain_text("1 drop ticked")
    tile(page, first[2]).hover()
    tile(page, first[2]).locator(".tick").click()
    shown(page, "/plate/Ticks2")
    page.get_by_role("button", name="Pick", exact=True).click()
    tile(page, second[1]).click()
    tile(page, second[3]).click()
    tile(page, second[3]).click()
    expect(tray).to_contain_text("3 drops ticked")
    tray.get_by_role("link", name="Pick list").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pick list: 3 drops on 2 plates")
    ids = [int(each) for each in parse_qs(urlsplit(page.url).query)["ids"][0].split(",")]
    assert ids == [first[0].image.id, first[2].image.id, second[1].image.id]
    with page.expect_download() as saved:
        page.get_by_role("link", name="CSV table").click()
    rows = list(csv.DictReader(saved.value.path().read_text(encoding="utf-8").splitlines()))
    assert [(row["plate"], row["well"]) for row in rows] == [("Ticks1", "A01"), ("Ticks1", "A03"), ("Ticks2", "A02")]


def test_a_dispenser_s_file_waits_for_what_it_needs(page: Page, site: Site) -> None:
    ids = [drop.image.id for drop in site.plate("Ticks3", CRYSTALS, rows=1)[:2]]
    site.imaging.add_auto_scores([crystal_score(each, minute=1) for each in ids])
    page.goto(f"/picks?ids={','.join(map(str, ids))}")
    echo = page.locator("#format-echo")
    expect(echo).to_contain_text("Say first: kind of plate, micrometres a pixel, volume, source plate, source well.")
    page.get_by_label("Kind of plate").select_option("swissci-3")
    for label, value in (
        ("Micrometres a pixel", "2.837"),
        ("Volume (nl)", "25"),
        ("Source plate", "Lib"),
        ("Source well", "A1"),
    ):
        page.get_by_label(label).fill(value)
    expect(echo).not_to_contain_text("Say first")
    with page.expect_download() as saved:
        echo.get_by_role("link").click()
    assert saved.value.path().read_text(encoding="utf-8").splitlines()[1] == "Lib,A1,Ticks3,A1,25,118,-61"
    page.reload()
    expect(page.get_by_label("Source plate")).to_have_value("Lib")
    page.get_by_role("button", name="Take Ticks3 A01 drop 1 off the list").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pick list: 1 drop on 1 plate")


def test_a_drop_is_ticked_on_its_own_page(page: Page, site: Site) -> None:
    drops = site.plate("Ticks4", CRYSTALS, rows=1)
    as_person(page)
    shown(page, f"/drop/{drops[0].image.id}")
    pick = page.get_by_role("button", name="Pick", exact=True)
    expect(pick).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("t")
    expect(pick).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowRight")
    expect(pick).to_have_attribute("aria-pressed", "false")
    page.get_by_role("complementary", name="Pick list").get_by_role("button", name="Clear").click()
    page.keyboard.press("ArrowLeft")
    expect(pick).to_have_attribute("aria-pressed", "false")
