"""What several people say of a drop, and what they take back, in a browser."""

from playwright.sync_api import Page, expect

from crystal_search.server.imaging.imaging_database import DropScores, ManualScore
from tests.acceptance.browser import needs_chromium
from tests.acceptance.viewer_pages import Site, as_person, shown, tile, wait_for_image
from tests.viewer_site import hand_score

pytestmark = needs_chromium


def standing(site: Site, drop: DropScores) -> list[tuple[str, str]]:
    """Return who says what of a drop, in the order in which they said it."""
    scores = [each for each in site.imaging.ledger(drop.image.id) if isinstance(each, ManualScore) and each.counts]
    return [(each.person, each.outcome) for each in scores]


def test_a_first_score_is_taken_back_to_none(site: Site, page: Page) -> None:
    first, *_ = site.plate("UNDO", ["clear"])
    as_person(page)
    shown(page, f"/drop/{first.image.id}")
    page.uncheck("#advance")
    expect(page.locator("#course .tile")).to_have_count(1)
    for key, letter in (("1", "H"), ("4", "P")):
        page.keyboard.press(key)
        expect(page.locator("#course .hand")).to_have_text(letter)
    page.keyboard.press("u")
    expect(page.locator("#course .hand")).to_have_text("H")
    expect(page.locator("#verdicts .hand")).to_have_text("H")
    page.keyboard.press("u")
    expect(page.locator("#course .hand")).to_have_count(0)
    expect(page.locator("#verdicts .hand")).to_have_count(0)
    expect(page.locator('#buttons [aria-pressed="true"]')).to_have_count(0)
    expect(page.locator("#ledger .taken-back")).to_have_count(2)
    assert standing(site, first) == []
    page.keyboard.press("u")
    expect(page.locator("#messages")).to_contain_text("A01 drop 1 has no score of yours")
    page.reload()
    expect(page.locator("#ledger .taken-back").first).to_contain_text("taken back 20")


def test_taking_back_touches_nobody_elses_score(site: Site, page: Page) -> None:
    first, second, *_ = site.plate("COLLEAGUE", ["clear"])
    for person, outcome in (("Ada", "precipitate"), ("Ada", "crystal_harvestable"), ("Ben", "spherulites")):
        site.imaging.add_manual_score(hand_score(first.image.id, outcome, person=person))
    site.imaging.add_manual_score(hand_score(second.image.id, "clear", person="Ben"))
    as_person(page)
    shown(page, "/plate/COLLEAGUE")
    found = tile(page, first)
    assert found.locator(".hand").all_inner_texts() == ["S", "H"]
    found.focus()
    page.keyboard.press("u")
    expect(found.locator(".hand").last).to_have_text("P")
    assert standing(site, first) == [("Ada", "precipitate"), ("Ben", "spherulites")]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("u")
    expect(page.locator("#messages")).to_contain_text("A02 drop 1 has no score of yours")
    assert standing(site, second) == [("Ben", "clear")]


def test_two_opinions_stay_in_sight_with_a_mark_where_they_differ(site: Site, page: Page) -> None:
    differ, agree, *_ = site.plate("TWO", ["clear"])
    for drop, outcomes in ((differ, ("clear", "crystal_harvestable")), (agree, ("clear", "clear"))):
        for person, outcome in zip(("Ada", "Ben"), outcomes, strict=True):
            site.imaging.add_manual_score(hand_score(drop.image.id, outcome, person=person))
    shown(page, "/plate/TWO")
    assert tile(page, differ).locator(".hands").inner_text().split() == ["H", "≠", "C"]
    assert tile(page, agree).locator(".hands").inner_text().split() == ["C"]
    alt = "A01 drop 1: Clear, 97 %; by hand: Crystals, harvestable (Ben), Clear (Ada), who differ"
    expect(tile(page, differ).locator("img")).to_have_attribute("alt", alt)
    tile(page, differ).hover()
    for text in ("Ada", "Ben", "people differ"):
        expect(page.locator("#preview")).to_contain_text(text)
    page.select_option("#scored", "differ")
    expect(page.locator("#showing")).to_have_text("1 of 12")
    shown(page, f"/drop/{differ.image.id}")
    expect(page.locator("#verdicts .verdict:has(.hand) .who")).to_have_count(2)
    expect(page.locator("#verdicts")).to_contain_text("people differ")
    shown(page, f"/drop/{agree.image.id}")
    expect(page.locator("#verdicts .verdict:has(.hand) .who")).to_have_count(2)
    expect(page.locator("#verdicts")).not_to_contain_text("people differ")


def test_taking_back_goes_the_way_that_scoring_came_and_no_other(site: Site, page: Page) -> None:
    drops = site.plate("WAY", ["clear"] * 12)
    site.imaging.add_manual_score(hand_score(drops[1].image.id, "clear"))
    site.imaging.add_manual_score(hand_score(drops[3].image.id, "clear"))
    as_person(page)
    shown(page, f"/drop/{drops[0].image.id}")
    for drop, key in zip(drops, ("1", "4"), strict=False):
        wait_for_image(page, drop.image.id)
        page.keyboard.press(key)
    wait_for_image(page, drops[2].image.id)
    for drop, left in ((drops[1], [("Ada", "clear")]), (drops[0], [])):
        page.keyboard.press("u")
        wait_for_image(page, drop.image.id)
        expect(page.locator("#messages")).to_contain_text("is taken back")
        expect(page.locator("#ledger .taken-back")).to_have_count(1)
        assert standing(site, drop) == left
    page.keyboard.press("1")
    wait_for_image(page, drops[1].image.id)
    for drop in drops[2:4]:
        page.keyboard.press("ArrowRight")
        wait_for_image(page, drop.image.id)
    page.keyboard.press("u")
    expect(page.locator("#ledger .taken-back")).to_have_count(1)
    assert standing(site, drops[3]) == []
    assert standing(site, drops[0]) == [("Ada", "crystal_harvestable")]
