"""What the colours of frames mean, and the threshold that only changes what is shown."""

from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.browser import needs_chromium
from tests.acceptance.viewer_pages import SIZE, Site, css, order, rgb, shown, tile
from tests.recipes import made_by
from tests.viewer_site import add_plate, auto_score, hand_score

pytestmark = needs_chromium

VIRIDIS_0, VIRIDIS_HALF, VIRIDIS_97 = "#440154", "#21918c", "#eae525"  #: 0.97 lies at 0.7 between the last two steps


def badge(page: Page, drop: object) -> str:
    return tile(page, drop).locator(".badge.auto").inner_text()  # type: ignore[arg-type]


def keys(page: Page) -> list[list[str]]:
    """Return what the legend of colours lists: mark, words, count."""
    texts = "all => all.map(({ children }) => [...children].map((each) => each.textContent))"
    found: list[list[str]] = page.eval_on_selector_all("#colours li", texts)
    return found


def test_a_probability_has_its_colour_its_number_and_a_legend(site: Site, page: Page) -> None:
    drops = add_plate(site.imaging, site.folder, plate="CHANCE")
    scores = [("crystal_harvestable", 0.97), ("crystal_bad_form", 0.5), ("clear", 1.0), ("no_drop", 0.0)]
    for drop, (outcome, probability) in zip(drops, scores, strict=False):
        site.imaging.add_auto_scores([auto_score(drop.image.id, outcome, probability)])
    shown(page, "/plate/CHANCE")
    expect(page.locator("#colours")).to_be_hidden()
    page.select_option("#colour", "probability")
    assert [badge(page, drop) for drop in drops] == ["97", "50", "10", "·", "·", "·"]
    frames = [css(tile(page, drop), "border-top-color") for drop in drops[:2]]
    assert frames == [rgb(VIRIDIS_97), rgb(VIRIDIS_HALF)]
    assert page.locator("#colours .step").all_inner_texts() == ["0", "25", "50", "75", "100 %"]
    assert keys(page) == [["·", "no probability", "3"]]
    alt = "A01 drop 1: Crystals, harvestable, 97 %; P(crystal, best chop): 97 %"
    expect(tile(page, drops[0]).locator("img")).to_have_attribute("alt", alt)
    page.select_option("#of", "crystal_harvestable")
    assert [badge(page, drop) for drop in drops[:3]] == ["97", "4", "0"]
    assert css(tile(page, drops[2]), "border-top-color") == rgb(VIRIDIS_0)
    assert "colour=probability&of=crystal_harvestable" in page.url
    assert "colour=probability" in str(tile(page, drops[0]).get_attribute("href"))
    page.select_option("#colour", "outcome")
    assert badge(page, drops[0]) == "H"
    assert page.locator("#of").is_hidden()


def test_people_have_colours_and_initials(site: Site, page: Page) -> None:
    drops = site.plate("WHO", ["clear"] * 12)
    for drop, person in zip(drops, ("Ada Lovelace", "Anna Lind", "Ben", "Ada Lovelace"), strict=False):
        site.imaging.add_manual_score(hand_score(drop.image.id, "clear", person=person))
    site.imaging.add_manual_score(hand_score(drops[3].image.id, "precipitate", person="Ben", minute=1))
    shown(page, "/plate/WHO?colour=person")
    assert [badge(page, drop) for drop in drops[:5]] == ["AL", "AL2", "BE", "BE", "·"]
    assert keys(page) == [
        ["AL", "Ada Lovelace", "1"],
        ["AL2", "Anna Lind", "1"],
        ["BE", "Ben", "2"],
        ["·", "nobody", "8"],
    ]
    assert len({css(tile(page, drop), "border-top-color") for drop in drops[:5]}) == 4


def test_changes_since_the_last_score_are_told_apart(site: Site, page: Page) -> None:
    first, second = (add_plate(site.imaging, site.folder, plate="CHANGE", inspection=each) for each in (1, 2))
    before = [("clear", 0.97), ("crystal_bad_form", 0.97), ("clear", 0.97), ("clear", 0.97), ("crystal_bad_form", 0.7)]
    now = [*["crystal_harvestable", "clear", "precipitate", "clear_with_features", "crystal_bad_form"], "clear"]
    for drop, (outcome, probability) in zip(first, before, strict=False):
        site.imaging.add_auto_scores([auto_score(drop.image.id, outcome, probability)])
    for drop, outcome in zip(second, now, strict=True):
        site.imaging.add_auto_scores([auto_score(drop.image.id, outcome)])
    shown(page, "/plate/CHANGE?colour=change")
    assert [badge(page, drop) for drop in second] == ["+", "−", "~", "=", "+", "1"]
    assert keys(page)[0] == ["+", "newly crystal", "2"]
    page.locator("#threshold").fill("70")  # by which there were crystals before
    assert [badge(page, drop) for drop in second] == ["+", "−", "~", "=", "=", "1"]
    assert "colour=change" in str(page.locator("#inspections a").first.get_attribute("href"))


def test_a_threshold_changes_what_is_shown_and_nothing_else(site: Site, page: Page) -> None:
    drops = add_plate(site.imaging, site.folder, plate="SLIDES")
    for drop, probability in zip(drops, (0.97, 0.7, 0.5), strict=False):
        site.imaging.add_auto_scores([auto_score(drop.image.id, "crystal_harvestable", probability)])
    ledgers = [site.imaging.ledger(drop.image.id) for drop in drops]
    shown(page, "/plate/SLIDES")
    said, below = page.locator("#threshold-said"), page.locator("#board .badge.below")
    expect(page.locator("#threshold")).to_have_value("85")
    expect(below).to_have_count(2)
    page.locator("#threshold").fill("70")
    expect(said).to_have_text("at threshold 70 %, the setting is 85 %")
    expect(below).to_have_count(1)
    assert "threshold=70" in page.url
    page.locator("#threshold").fill("10")  # which crystals reach first, and every other group too
    expect(below).to_have_count(0)
    page.locator("#threshold").fill("99")
    expect(below).to_have_count(3)
    page.keyboard.press("ArrowLeft")
    expect(said).to_have_text("at threshold 98 %, the setting is 85 %")
    page.click("#threshold-reset")
    expect(said).to_be_empty()
    expect(below).to_have_count(2)
    assert "threshold" not in page.url
    assert [site.imaging.ledger(drop.image.id) for drop in drops] == ledgers


def test_at_another_threshold_the_first_group_to_reach_it_counts(site: Site, page: Page) -> None:
    clear, likely, *_ = drops = add_plate(site.imaging, site.folder, plate="RANKED")
    site.imaging.add_auto_scores(
        [auto_score(clear.image.id, "clear", 0.97), auto_score(likely.image.id, "clear_with_features", 0.5)]
    )
    shown(page, "/plate/RANKED")
    assert [badge(page, drop) for drop in drops[:2]] == ["C", "F"]
    page.locator("#threshold").fill("10")  # the peak of every other group
    assert [badge(page, drop) for drop in drops[:2]] == ["H", "H"]
    assert page.locator("#legend .whole").first.inner_text().split() == ["Crystal", "2"]
    page.select_option("#sort", "priority")
    assert order(page)[:2] == [clear.image.id, likely.image.id]
    page.locator("#threshold").fill("60")
    expect(tile(page, likely).locator(".badge.below")).to_have_text("F")
    shown(page, f"/drop/{clear.image.id}?threshold=10")
    expect(page.locator("#verdicts")).to_contain_text("Crystals, harvestable10 %")
    expect(page.locator("#verdicts")).to_contain_text("at threshold 10 %, the setting is 85 %")


def test_without_a_hint_colours_and_threshold_are_gone(site: Site, page: Page) -> None:
    drops = site.plate("NO-HINT", ["crystal_harvestable"])
    shown(page, "/plate/NO-HINT?colour=probability&threshold=70&frames=off")
    expect(page.locator("#colours")).to_be_hidden()
    expect(page.locator("#colour")).to_be_disabled()
    expect(page.locator("#threshold")).to_be_disabled()
    expect(page.locator("#threshold-said")).to_be_empty()
    expect(tile(page, drops[0]).locator("img")).to_have_attribute("alt", "A01 drop 1")
    assert "97" not in page.locator("body").aria_snapshot()
    page.keyboard.press("m")
    expect(tile(page, drops[0]).locator(".badge.auto")).to_have_text("97")


def test_another_models_scores_are_shown_as_such_and_stay_what_they_are(site: Site, page: Page) -> None:
    first, second, *_ = add_plate(site.imaging, site.folder, plate="MODELS")
    other = replace(auto_score(first.image.id, "precipitate"), work_unit="other", recipe=made_by("other", "f"))
    counting = [auto_score(each.image.id, "clear", minute=1) for each in (first, second)]
    site.imaging.add_auto_scores([other, *counting])
    shown(page, "/plate/MODELS")
    assert badge(page, first) == "C"
    expect(page.locator("#not-shown")).to_be_hidden()
    words = "other · ffffffff · threshold 85 %"
    page.select_option("#recipe", label=words)
    expect(tile(page, first).locator(".badge.auto")).to_have_text("P")
    expect(page.locator("#not-shown")).to_contain_text(f"These are the scores by {words}, not those that count.")
    assert badge(page, first) == "P"
    assert tile(page, second).locator(".badge.auto").count() == 0
    assert "recipe=" in page.url
    tile(page, first).click()
    expect(page.locator("#verdicts")).to_contain_text(f"not the score that counts, but that of {words}")
    expect(page.locator("#verdicts")).to_contain_text("Precipitate")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#verdicts")).to_contain_text("the chosen model has not scored it")
    page.keyboard.press("ArrowUp")
    page.click("#show-counting")
    expect(tile(page, first).locator(".badge.auto")).to_have_text("C")
    expect(page.locator("#not-shown")).to_be_hidden()
    assert "recipe" not in page.url
    site.plate("OTHERS", ["clear"])
    shown(page, "/plate/OTHERS?recipe=0123456789ab")
    expect(page.locator("#not-shown")).to_contain_text("The chosen model has scored no drop here.")
    assert page.locator("#board .badge.auto").count() == 0


@pytest.mark.parametrize(("width", "height"), [(390, 844), (640, 400)])
def test_a_narrow_window_shows_the_plate_first(site: Site, browser: Browser, width: int, height: int) -> None:
    first, *_ = add_plate(site.imaging, site.folder, plate=f"FOLDED {width}", rows=8, columns=12)
    page = browser.new_page(base_url=site.address, viewport={"width": width, "height": height})
    shown(page, f"/plate/FOLDED {width}")
    box = tile(page, first).bounding_box()
    assert box is not None
    assert box["y"] < height / 2
    there = "([x, y]) => document.elementFromPoint(x, y).closest('.tile')?.dataset.id"
    assert page.evaluate(there, [box["x"] + 4, box["y"] + 4]) == str(first.image.id)
    page.locator("#bars summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#sort")).to_be_visible()
    page.select_option("#scored", "auto")
    expect(page.locator("#bars summary")).to_have_text("Legend, colours and filters 0 of 96")
    page.set_viewport_size(SIZE)  # type: ignore[arg-type]
    expect(page.locator("#legend")).to_be_visible()
    expect(page.locator("#bars summary")).to_be_hidden()
    page.close()
