"""A newcomer's five tasks, each in at most six clicks, taps or keys, on a desktop and on a phone."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from crystal_search.server.imaging.imaging_database import DropScores, ManualScore
from tests.acceptance.browser import needs_chromium
from tests.acceptance.viewer_pages import SIZE, Site, shown
from tests.viewer_site import add_plate, auto_score, hand_score

pytestmark = needs_chromium

MOST_ACTS = 6
PHONE = {"width": 390, "height": 844}


@dataclass(slots=True)
class Newcomer:
    """Somebody at a browser, whose acts are counted; saying who one is, which is asked once, is none."""

    page: Page
    taps: bool
    acts: list[str] = field(default_factory=list)

    def press(self, button: Locator) -> None:
        """Click or tap."""
        self.acts.append(str(button))
        self.page.wait_for_timeout(400)  # as people do: the second half of a double click answers nothing
        if self.taps:
            button.tap()
        else:
            button.click()

    def done(self) -> None:
        """End a task."""
        assert len(self.acts) <= MOST_ACTS, self.acts
        self.acts.clear()


@pytest.fixture(params=[False, True], ids=["desktop", "phone"])
def newcomer(request: pytest.FixtureRequest, browser: Browser, site: Site) -> Iterator[Newcomer]:
    taps: bool = request.param
    look = {"viewport": PHONE, "has_touch": True, "is_mobile": True} if taps else {"viewport": SIZE}
    context = browser.new_context(base_url=site.address, **look)
    yield Newcomer(context.new_page(), taps)
    context.close()


def there(page: Page, drop: DropScores) -> None:
    page.wait_for_selector(f'#image[data-shown="{drop.image.id}"]')


def test_five_tasks_take_a_newcomer_six_acts_each(site: Site, newcomer: Newcomer) -> None:
    page, name = newcomer.page, "Ida" if newcomer.taps else "Jon"
    likely = (0.99, 0.98, 0.97) if newcomer.taps else (0.96, 0.95, 0.94)
    drops = []
    for plate, probability in zip("XYZ", likely, strict=True):
        made = add_plate(site.imaging, site.folder, plate=f"{plate}-{name}", rows=1, columns=2)
        outcomes = [("clear", 0.99), ("crystal_harvestable", probability)]
        site.imaging.add_auto_scores(
            auto_score(drop.image.id, *told) for drop, told in zip(made, outcomes, strict=True)
        )
        drops.append(made[1])
    site.imaging.add_manual_score(hand_score(drops[0].image.id, "crystal_bad_form", person="Ben"))

    shown(page, "/")  # find today's three best crystals on any plate: they are the first three cards
    there(page, drops[0])
    places = [f"{100 * percent:.0f} % {drop.image.key.plate} A02" for drop, percent in zip(drops, likely, strict=True)]
    assert page.locator("#coming .place").all_inner_texts()[:3] == places
    newcomer.done()

    for opinion in (
        f"{100 * likely[0]:.0f} % crystal",
        "Ben",
    ):  # see the machine's and a colleague's opinion: both stand beside the drop
        expect(page.locator("#about")).to_contain_text(opinion)
    newcomer.press(page.locator("#about h2 a"))  # with all that they say
    expect(page.locator("#verdicts")).to_contain_text("machine")
    expect(page.locator("#verdicts")).to_contain_text("Ben")
    newcomer.done()

    shown(page, "/")  # make a pick list
    for number, drop in enumerate(drops):
        there(page, drop)
        newcomer.press(page.locator("#pick"))
        if number < 2:
            newcomer.press(page.locator("#next"))
    newcomer.press(page.get_by_role("link", name="Pick list"))
    expect(page).to_have_url(f"{site.address}/picks?ids={','.join(str(drop.image.id) for drop in drops)}")
    newcomer.done()

    shown(page, "/")  # score them; who scores is asked once
    there(page, drops[0])
    newcomer.press(page.locator("#yes"))
    newcomer.press(page.locator("#answers button").first)
    page.locator("dialog input").fill(name)
    page.keyboard.press("Enter")
    for drop in drops[1:]:
        there(page, drop)
        newcomer.press(page.locator("#yes"))
        newcomer.press(page.locator("#answers button").first)
    expect(page.locator("#coming figure").nth(2).locator(".hand")).to_be_attached()
    newcomer.done()
    for drop in drops:
        scores = [each for each in site.imaging.ledger(drop.image.id) if isinstance(each, ManualScore)]
        assert (scores[-1].person, scores[-1].outcome) == (name, "crystal_harvestable")
