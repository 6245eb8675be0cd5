"""Comments in a browser: written without a score, in sight everywhere, never lost."""

from playwright.sync_api import Page, expect

from crystal_search.server.imaging.imaging_database import DropScores
from tests.acceptance.browser import needs_chromium
from tests.acceptance.viewer_pages import Site, as_person, order, shown, tile, wait_for_image
from tests.viewer_site import hand_score

pytestmark = needs_chromium


def texts(site: Site, drop: DropScores) -> list[str]:
    return [each.text for each in site.imaging.comments(drop.image.id)]


def test_a_comment_is_added_without_a_score_and_shown_on_the_tile(site: Site, page: Page) -> None:
    first, second, third, *_ = site.plate("NOTES", ["clear"])
    site.imaging.add_manual_score(hand_score(third.image.id, "clear", comment="from before"))
    as_person(page)
    shown(page, f"/drop/{first.image.id}")
    page.fill("#comment", "tiny needles at the rim")
    page.keyboard.press("Enter")
    expect(page.locator("#comments li")).to_have_count(1)
    expect(page.locator("#comments")).to_contain_text("tiny needles at the rim")
    expect(page.locator("#comments")).to_contain_text("Ada")
    expect(page.locator("#comment")).to_have_value("")
    expect(page.locator("#course .comments")).to_have_count(1)
    assert len(site.imaging.ledger(first.image.id)) == 1
    page.keyboard.press("ArrowUp")
    expect(tile(page, first).locator(".comments")).to_have_attribute("title", "Ada: tiny needles at the rim")
    expect(tile(page, second).locator(".comments")).to_have_count(0)
    alt = str(tile(page, first).locator("img").get_attribute("alt"))
    assert alt.endswith("comment: “tiny needles at the rim” (Ada)")
    tile(page, first).hover()
    expect(page.locator("#preview")).to_contain_text("“tiny needles at the rim”")
    page.select_option("#scored", "comments")
    assert order(page) == [first.image.id, third.image.id]
    shown(page, f"/drop/{third.image.id}")
    expect(page.locator("#comments")).to_contain_text("from before")


def test_moving_on_adds_what_was_being_written(site: Site, page: Page) -> None:
    drops = site.plate("MOVING", ["clear"] * 12)
    as_person(page)
    shown(page, f"/drop/{drops[0].image.id}")
    page.fill("#comment", "by the next button")
    page.click("#next")
    wait_for_image(page, drops[1].image.id)
    expect(page.locator("#comment")).to_have_value("")
    page.fill("#comment", "by a score")
    page.click('[data-outcome="clear"]')
    wait_for_image(page, drops[2].image.id)
    page.fill("#comment", "by going up")
    page.click("#up")
    expect(tile(page, drops[2]).locator(".comments")).to_have_count(1)
    assert [texts(site, drop) for drop in drops[:4]] == [["by the next button"], ["by a score"], ["by going up"], []]


def test_what_could_not_be_added_is_there_again(site: Site, rough: Page) -> None:
    drops = site.plate("DRAFT", ["clear"] * 12)
    as_person(rough)
    shown(rough, f"/drop/{drops[0].image.id}")
    rough.route("**/api/comment", lambda route: route.abort())
    rough.fill("#comment", "needles")
    rough.click("#next")
    wait_for_image(rough, drops[1].image.id)
    expect(rough.locator("#messages .error")).to_contain_text("this browser keeps it")
    expect(rough.locator("#comment")).to_have_value("")
    rough.unroute("**/api/comment")
    shown(rough, f"/drop/{drops[0].image.id}")
    expect(rough.locator("#comment")).to_have_value("needles")
    rough.click("#comment-form button")
    expect(rough.locator("#comments")).to_contain_text("needles")
    rough.reload()
    expect(rough.locator("#comment")).to_have_value("")
    assert texts(site, drops[0]) == ["needles"]
