"""Turning messages on in a browser, and stopping them by the link of one."""

from contextlib import closing

from playwright.sync_api import Page, expect

from crystal_search.server.home import Home
from crystal_search.viewer.messages.subscriptions import SubscriptionStore
from tests.acceptance.browser import needs_chromium
from tests.acceptance.viewer_pages import Site

pytestmark = needs_chromium


def test_messages_are_turned_on_and_stopped_by_their_link(page: Page, site: Site) -> None:
    page.goto("/plates")
    page.get_by_role("link", name="Messages").click()
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("How often").select_option("at once")
    page.get_by_label("Projects").fill("mx1\n\n mx2 ")
    page.get_by_role("button", name="Turn on").click()
    expect(page.locator("#state")).to_have_text("Ada gets them by webhook, at once.")
    with closing(SubscriptionStore(Home(site.folder.parent / "home").messages)) as store:
        (kept,) = store.all()
    assert kept.wish.projects == ("mx1", "mx2")
    page.goto(f"/messages/stop/{kept.token}")
    page.get_by_role("button", name="Stop them").click()
    expect(page.locator("#state")).to_have_text("They are stopped.")
    page.reload()
    expect(page.locator("#state")).to_have_text("They are stopped already.")
