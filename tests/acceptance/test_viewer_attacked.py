"""A viewer to which people sign in, in a real browser: as its people use it, and as a foreign page attacks it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from crystal_search.server.home import Home
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.settings import Settings
from crystal_search.viewer.people.passwords import hashed
from crystal_search.viewer.people.people_store import PeopleStore
from crystal_search.viewer.people.person import Person
from tests.acceptance.browser import chromium, needs_chromium
from tests.acceptance.test_viewer_access import OUTSIDE, faults
from tests.acceptance.viewer_pages import SIZE, Site, shown, started_viewer
from tests.played_openid import CLIENT, SECRET, played_provider

pytestmark = needs_chromium

PASSWORD = "correct horse battery"
#: Names that a foreign page has: of another site, and of another program on the same machine, to which cookies go too.
EVIL, NEIGHBOUR, REBOUND = "evil.example", "127.0.0.1", "rebound.example"

#: Everything that a page can try at `victim` without being asked; resolves when all of it was tried.
ATTACK = """async (victim) => {
  const score = JSON.stringify({ image_id: 1, outcome: "clear", person: "Ada" });
  const tried = {};
  const attempt = async (name, work) => {
    try { tried[name] = await work(); } catch (error) { tried[name] = "refused"; }
  };
  const common = { method: "POST", credentials: "include", body: score };
  const send = (path, options) => fetch(victim + path, { ...common, ...options });
  const json = { headers: { "Content-Type": "application/json" } };
  for (const path of ["/api/score", "/api/comment", "/api/sign-out", "/api/sign-in", "/api/import"]) {
    await attempt(`no-cors ${path}`, async () => (await send(path, { mode: "no-cors" })).type);
    await attempt(`json ${path}`, async () => (await send(path, json)).status);
    navigator.sendBeacon(victim + path, new Blob([score], { type: "text/plain" }));
  }
  await attempt("read", async () => (await fetch(victim + "/api/plates", { credentials: "include" })).status);
  await attempt("read image", async () => (await fetch(victim + "/image/1", { credentials: "include" })).status);
  const load = (tag, address) => new Promise((resolve) => {
    const element = document.createElement(tag);
    element.onload = () => resolve("loaded");
    element.onerror = () => resolve("refused");
    element.src = victim + address;
    document.body.append(element);
  });
  tried.img = await load("img", "/thumbnail/1");
  tried.script = await load("script", "/api/plates");
  const form = document.createElement("form");
  const frame = document.createElement("iframe");
  frame.name = "taken";
  Object.assign(form, { method: "post", enctype: "text/plain", action: victim + "/api/score", target: "taken" });
  const field = document.createElement("input");
  field.name = score.slice(0, -1) + ', "x": "';
  field.value = '"}';
  form.append(field);
  document.body.append(frame, form);
  await new Promise((resolve) => { frame.onload = resolve; form.submit(); });
  const click = document.createElement("iframe");
  click.id = "jacked";
  click.src = victim + "/plate/P1";
  await new Promise((resolve) => { click.onload = resolve; document.body.append(click); });
  return tried;
}"""


@dataclass(frozen=True)
class Guarded:
    """A viewer that runs, to which Ada and Root sign in."""

    site: Site
    people: PeopleStore

    def done(self) -> list[tuple[int, str, str]]:
        """Return number, person and what it was of what was done, and not refused."""
        return [
            (each.id, each.person, each.about)
            for each in self.people.events(before=2**62, count=1000)
            if each.kind != "refused"
        ]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    home = Home(folder / "home").made()
    home.settings.write_text('[sign_in]\nkind = "accounts"\n')
    kept = hashed(PASSWORD)
    with closing(PeopleStore(home.people)) as people, closing(open_imaging(Settings().url(home))) as imaging:
        people.add(Person(name="Ada", role="score", password=kept))
        people.add(Person(name="Root", role="administer", password=kept))
        with started_viewer(home) as address:
            site = Site(imaging, folder / "images", address)
            site.plate("P1", ["clear", "crystal_bad_form"], rows=1, columns=2)
            yield Guarded(site, people)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    names = ", ".join(f"MAP {name} 127.0.0.1" for name in (EVIL, REBOUND))
    with chromium(f"--host-resolver-rules={names}") as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, guarded: Guarded) -> Iterator[Page]:
    context = browser.new_context(base_url=guarded.site.address, viewport=SIZE)  # type: ignore[arg-type]
    yield context.new_page()
    context.close()


@contextmanager
def foreign_site() -> Iterator[int]:
    """Run another site with an empty page, and give its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>kittens</title><body></body>")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sign_in(page: Page, name: str, path: str = "/") -> None:
    page.goto(path)
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#signed-in")).to_have_text(name)


def test_a_person_signs_in_scores_under_the_own_name_and_signs_out(page: Page, guarded: Guarded) -> None:
    first, *_ = guarded.site.plate("SCORED", ["clear"], rows=1, columns=1)
    sign_in(page, "Ada", f"/drop/{first.image.id}")
    page.wait_for_selector(f'#stage[data-shown="{first.image.id}"]')
    expect(page.locator("#person")).to_be_hidden()
    with page.expect_response("**/api/score") as answer:
        page.keyboard.press("4")
    assert answer.value.status == 201
    assert [each.person for each in guarded.site.imaging.drops("SCORED", inspection=1)[0].people] == ["Ada"]
    page.click("#sign-out")
    page.wait_for_url("**/sign-in")
    page.goto("/plate/SCORED")
    expect(page.locator("#password")).to_be_visible()


def test_a_wrong_password_is_said(page: Page) -> None:
    page.goto("/sign-in")
    page.fill("#name", "Ada")
    page.fill("#password", "wrong horse")
    page.click("#sign-in button")
    expect(page.locator("#refused")).to_contain_text("nobody with this name")
    expect(page.locator("#sign-in button")).to_be_enabled()


@pytest.mark.parametrize("foreign", [EVIL, NEIGHBOUR])
def test_a_foreign_page_changes_nothing_and_learns_nothing(page: Page, guarded: Guarded, foreign: str) -> None:
    sign_in(page, "Ada")
    imaging = guarded.site.imaging
    before = [imaging.ledger(drop.image.id) for drop in imaging.drops("P1", inspection=1)]
    done = guarded.done()
    with foreign_site() as port:
        evil = page.context.new_page()
        evil.goto(f"http://{foreign}:{port}/")
        tried = evil.evaluate(ATTACK, guarded.site.address)
        jacked = evil.frame_locator("#jacked").locator("#board").count()
        evil.close()
    assert {name: said for name, said in tried.items() if said not in ("refused", "opaque")} == {}
    assert jacked == 0
    assert [imaging.ledger(drop.image.id) for drop in imaging.drops("P1", inspection=1)] == before
    assert guarded.done() == done
    page.goto("/")
    expect(page.locator("#signed-in")).to_have_text("Ada")


def test_a_link_from_a_foreign_page_shows_the_plate_and_gives_it_no_hold(page: Page, guarded: Guarded) -> None:
    sign_in(page, "Ada")
    with foreign_site() as port:
        evil = page.context.new_page()
        evil.goto(f"http://{EVIL}:{port}/")
        with page.context.expect_page() as opened:
            evil.evaluate("(victim) => { window.taken = window.open(victim + '/plate/P1'); }", guarded.site.address)
        opened.value.wait_for_selector("#board")
        assert opened.value.evaluate("window.opener") is None
        assert evil.evaluate("window.taken.closed")
        evil.close()


def test_a_name_that_was_rebound_to_the_viewer_is_not_answered(page: Page, guarded: Guarded) -> None:
    port = guarded.site.address.rpartition(":")[2]
    answer = page.goto(f"http://{REBOUND}:{port}/")
    assert answer is not None
    assert answer.status == 421
    assert "sign" not in page.content().lower().replace("--allow-host", "")


def test_programs_of_a_page_cannot_read_the_cookie(page: Page) -> None:
    sign_in(page, "Ada")
    assert page.evaluate("document.cookie") == ""
    [cookie] = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")


def test_a_person_signs_in_at_a_provider(browser: Browser, tmp_path: Path) -> None:
    home = Home(tmp_path / "home").made()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with played_provider() as provider, closing(PeopleStore(home.people)) as people:
        people.add(Person(name="Ada", role="score"))
        secret = home.path / "secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        settings = {"kind": "openid", "issuer": provider.address, "client_id": CLIENT, "client_secret_file": "secret"}
        settings |= {"address": f"http://127.0.0.1:{port}"}
        home.settings.write_text("[sign_in]\n" + "".join(f'{key} = "{value}"\n' for key, value in settings.items()))
        with started_viewer(home, port) as address:
            page = browser.new_page(base_url=address)
            page.goto("/imagers")
            page.get_by_role("link", name="Sign in").click()
            expect(page.locator("#signed-in")).to_have_text("Ada")
            assert page.url == f"{address}/imagers"
            assert [each["name"] for each in page.context.cookies()] == ["crystal-search"]
            page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_of_signing_in_are_for_everybody(browser: Browser, guarded: Guarded, scheme: Any) -> None:
    context = browser.new_context(base_url=guarded.site.address, color_scheme=scheme)
    page, found = context.new_page(), {}
    page.goto("/sign-in")
    for width in (1400, 320):
        page.set_viewport_size({"width": width, "height": 800})
        found[f"sign in, {width}"] = [*faults(page), *page.evaluate(OUTSIDE)]
    sign_in(page, "Root")
    page.goto("/audit")
    for width in (1400, 320):
        page.set_viewport_size({"width": width, "height": 800})
        found[f"audit, {width}"] = [*faults(page), *page.evaluate(OUTSIDE)]
    shown(page, "/plate/P1")
    found["plate"] = [*faults(page), *page.evaluate(OUTSIDE)]
    context.close()
    assert {name: lines for name, lines in found.items() if lines} == {}
