"""A report on paper: as a browser prints it."""

import re

import pytest
from playwright.sync_api import Page

from tests.acceptance.browser import needs_chromium
from tests.acceptance.viewer_pages import Site

pytestmark = needs_chromium


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_a_report_fits_the_paper_and_cuts_no_picture(page: Page, site: Site, paper: str) -> None:
    site.plate(f"Print{paper}", ["crystal_harvestable"] * 24, columns=6, rows=4)
    page.goto(f"/plate/Print{paper}/report")
    page.get_by_role("link", name="Slides").wait_for()
    pdf = page.pdf(format=paper, prefer_css_page_size=False)
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 4
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 700, "height": 990})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator(".top").is_hidden()
