"""Keys of keyboards with other layouts, as browsers tell of them."""

import pytest
from playwright.sync_api import Page, expect

from crystal_search.outcomes import IMAGE_OUTCOMES, KEYS, NO_DROP
from tests.acceptance.browser import needs_chromium
from tests.acceptance.viewer_pages import Site, as_person, shown, tile

pytestmark = needs_chromium

SHIFT = 8  # of the modifiers in Chromium's protocol
ROW = ("Digit1", "Digit2", "Digit3", "Digit4", "Digit5", "Digit6", "Digit7", "Digit8", "Digit9", "Digit0")
PLAIN, SHIFTED = False, True

#: Where each layout has the characters of the viewer's keys: the key's place, and whether with Shift.
DIGITS = {digit: (place, PLAIN) for digit, place in zip("1234567890", ROW, strict=True)}
LATIN = {"c": ("KeyC", PLAIN), "v": ("KeyV", PLAIN), "x": ("KeyX", PLAIN)}
US = {"-": ("Minus", PLAIN), "_": ("Minus", SHIFTED), "=": ("Equal", PLAIN), "+": ("Equal", SHIFTED)}
SLASH_DASHES = {"-": ("Slash", PLAIN), "_": ("Slash", SHIFTED), "=": ("Digit0", SHIFTED)}
LAYOUTS = {
    "US": DIGITS | LATIN | US,
    "UK": DIGITS | LATIN | US,
    "German": DIGITS | LATIN | SLASH_DASHES | {"+": ("BracketRight", PLAIN)},
    "Nordic": DIGITS | LATIN | SLASH_DASHES | {"+": ("Minus", PLAIN)},
    "French": {digit: (place, SHIFTED) for digit, (place, _) in DIGITS.items()}
    | LATIN
    | {"-": ("Digit6", PLAIN), "_": ("Digit8", PLAIN), "=": ("Equal", PLAIN), "+": ("Equal", SHIFTED)},
    "number pad": {digit: (f"Numpad{digit}", PLAIN) for digit in "1234567890"}
    | {"-": ("NumpadSubtract", PLAIN), "+": ("NumpadAdd", PLAIN)},
}

#: What the keys of the number row write where they write no digit and none of the above.
OTHERS = {
    "German": {"Minus": "ß", "Equal": "Dead", "Backquote": "Dead"},
    "Nordic": {"Equal": "Dead", "Backquote": "§"},
    "French": {"Digit1": "&", "Digit2": "é", "Digit3": '"', "Digit4": "'", "Digit5": "(", "Digit7": "è", "Digit9": "ç"}
    | {"Digit0": "à", "Minus": ")"},
}


def press(page: Page, character: str, place: str, *, shift: bool) -> None:
    """Press the key at `place`, which writes `character`."""
    session = page.context.new_cdp_session(page)
    told = {"key": character, "code": place, "modifiers": SHIFT if shift else 0}
    for kind in ("keyDown", "keyUp"):
        session.send("Input.dispatchKeyEvent", {"type": kind} | told)
    session.detach()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_key_does_what_its_button_shows_on_every_keyboard(site: Site, page: Page, layout: str) -> None:
    drop, *_ = site.plate(f"KEYS-{layout}", [])
    as_person(page)
    shown(page, f"/drop/{drop.image.id}")
    page.uncheck("#advance")
    places = LAYOUTS[layout]
    buttons = page.locator("#buttons button").all()
    meant = [(each.locator("kbd").inner_text(), str(each.get_attribute("data-outcome"))) for each in buttons]
    assert meant == list(zip((*KEYS, "x"), (*IMAGE_OUTCOMES, NO_DROP), strict=True))
    reachable = [(key, outcome) for key, outcome in meant if key in places]
    for number, (key, _) in enumerate(reachable, start=1):
        place, shift = places[key]
        press(page, key, place, shift=shift)
        expect(page.locator("#ledger .badge.hand")).to_have_count(number)
    assert [each.outcome for each in site.imaging.ledger(drop.image.id)] == [outcome for _, outcome in reachable]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_keys_that_zoom_score_nothing(site: Site, page: Page, layout: str) -> None:
    drop, *_ = site.plate(f"ZOOMS-{layout}", [])
    as_person(page)
    shown(page, f"/drop/{drop.image.id}")
    page.wait_for_selector("#stage[data-scale]")

    def scale() -> float:
        return float(page.get_attribute("#stage", "data-scale") or 0)

    for key, larger in (("+", True), ("=", True), ("-", False), ("_", False)):
        if key in LAYOUTS[layout]:
            before = scale()
            place, shift = LAYOUTS[layout][key]
            press(page, key, place, shift=shift)
            assert (scale() > before) is larger
            assert scale() != before
    for place, character in OTHERS.get(layout, {}).items():
        press(page, character, place, shift=False)
    shown(page, f"/plate/ZOOMS-{layout}")
    tile(page, drop).focus()
    for key in "+=-_":
        if key in LAYOUTS[layout]:
            place, shift = LAYOUTS[layout][key]
            press(page, key, place, shift=shift)
    for place, character in OTHERS.get(layout, {}).items():
        press(page, character, place, shift=False)
    page.keyboard.press("1")
    expect(tile(page, drop).locator(".hand")).to_have_text("H")
    assert [each.outcome for each in site.imaging.ledger(drop.image.id)] == ["crystal_harvestable"]
