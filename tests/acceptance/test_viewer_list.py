"""The list of plates in a browser: searched, sorted, page after page."""

from datetime import UTC, datetime

from playwright.sync_api import Page, expect

from crystal_search.server.imaging.plate_facts import Condition, Ingredient, PlateFacts, Source
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.wells import WellKey
from tests.acceptance.browser import needs_chromium
from tests.acceptance.viewer_pages import Site, shown

pytestmark = needs_chromium

PLATES = 105  #: more than a page


def test_the_list_is_searched_sorted_and_turned_over(site: Site, page: Page) -> None:
    source = Source(name="test")
    names = [f"L{number:03}" for number in range(PLATES)]
    at = datetime(2026, 1, 31, tzinfo=UTC)
    site.imaging.add_images(
        NewImage(key=WellKey(plate=name, row=0, column=0), path=f"/none/{name}.jpg", imaged_at=at) for name in names
    )
    site.imaging.note_plates([PlateFacts(plate="L104", project="mx-1", owner="Zoë Brandt")], source=source)
    peg = Ingredient(name="PEG 3350 <i>", concentration=25.0, unit="% w/v")
    site.imaging.note_conditions([Condition(plate="L007", row=0, column=0, ingredients=(peg,))], source=source)
    shown(page, "/plates")
    row, barcodes = page.locator("#plates tbody tr"), page.locator("#plates tbody .barcode")
    expect(row).to_have_count(100)
    expect(page.locator("#page")).to_have_text("Page 1 of 2")
    page.click("#after")
    expect(row).to_have_count(5)
    expect(barcodes.last).to_have_text("L104")
    page.reload()
    expect(row).to_have_count(5)
    page.click("[data-sort=plate]")
    expect(barcodes.first).to_have_text("L000")
    page.click("[data-sort=plate]")
    expect(barcodes.first).to_have_text("L104")
    page.fill("#find", "peg 3350")
    expect(barcodes).to_have_text(["L007"])
    expect(page.locator("#total")).to_have_text("1 of 105")
    page.fill("#find", "zoë")
    expect(barcodes).to_have_text(["L104"])
    expect(row.locator(".of-project")).to_have_text("mx-1")
    page.reload()
    expect(page.locator("#find")).to_have_value("zoë")
    expect(barcodes).to_have_text(["L104"])
    page.fill("#find", "no such thing")
    expect(page.locator("#none-found")).to_be_visible()
