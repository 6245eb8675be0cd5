"""Signing in at an OpenID provider that runs as a server: what is believed and what is not."""

import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from crystal_search.viewer.people.openid_answer import Beginning, OpenIdError
from crystal_search.viewer.people.openid_provider import OpenIdProvider
from crystal_search.viewer.people.person import Person
from crystal_search.viewer.people.sign_in_settings import SignInSettings
from crystal_search.viewer.sign_in_page import MOST_BACK, page_of_ours
from tests.memory_imaging import MemoryImaging
from tests.people_site import COOKIE, PeopleSite, people_site
from tests.played_openid import CLIENT, SECRET, PlayedProvider, new_key, played_provider
from tests.viewer_site import Client

VIEWER = "http://127.0.0.1:8765"


@pytest.fixture
def provider() -> Iterator[PlayedProvider]:
    with played_provider() as found:
        yield found


@pytest.fixture
def site(provider: PlayedProvider, tmp_path: Path) -> Iterator[PeopleSite]:
    settings: dict[str, Any] = {"kind": "openid", "address": VIEWER, "issuer": provider.address, "client_id": CLIENT}
    asked = OpenIdProvider(SignInSettings(**settings), SECRET)
    with closing(MemoryImaging()) as imaging, people_site(imaging, tmp_path, provider=asked, **settings) as found:
        yield found


def cookie_of(answer: httpx.Response, name: str = COOKIE) -> str:
    """Return a cookie that an answer sets, as a browser sends it back."""
    set_by = [each for each in answer.headers.get_list("set-cookie") if each.startswith(f"{name}=")]
    return set_by[0].partition(";")[0] if set_by else ""


def away(site: PeopleSite, following: str = "/plate/P1") -> tuple[str, str]:
    """Go to the provider and back; return the path at which that ends, and the browser's cookie."""
    start = site.client().get(f"/sign-in/openid?next={following}")
    back = httpx.get(start.headers["location"]).headers["location"]
    assert back.startswith(VIEWER)
    return back.removeprefix(VIEWER), cookie_of(start, f"{COOKIE}-openid")


def signed_in(site: PeopleSite) -> httpx.Response:
    path, cookie = away(site)
    return site.client().get(path, cookie=cookie)


def test_a_person_signs_in_at_the_provider(site: PeopleSite, provider: PlayedProvider) -> None:
    answer = signed_in(site)
    assert (answer.status_code, answer.headers["location"]) == (303, "/plate/P1")
    page = Client(site.app, always={"cookie": cookie_of(answer)}).get("/")
    assert ">Ada</span>" in page.text
    assert {"code_challenge_method": "S256", "response_type": "code"}.items() <= provider.asked.items()
    assert site.store.person("Ada") == Person(name="Ada", role="score", subject=f"{provider.address} subject-1")
    assert ("signed in", "Ada", "GET /sign-in/answer: openid") in site.events()


@pytest.mark.parametrize("letter", ["a", '"', "\u00fc"])
def test_browsers_keep_what_stands_for_the_longest_page_that_comes_then(letter: str) -> None:
    following = "/" + letter * ((MOST_BACK - 1) // len(letter.encode()))
    assert page_of_ours(following) == following
    assert page_of_ours(following + letter) == "/"
    secret = token_urlsafe(48)
    began = Beginning(state=secret, nonce=secret, verifier=secret, following=following)
    assert Beginning.of(began.text()) == began
    assert len(f"__Host-{COOKIE}-openid={began.text()}") <= 4096


@pytest.mark.parametrize("kept", ["", "5", "null", "{}", "[1]", "[" * 2000, "\x00"])
def test_a_cookie_that_is_nothing_of_ours_begins_nothing(kept: str) -> None:
    with pytest.raises(OpenIdError, match="sign in again"):
        Beginning.of(urlsafe_b64encode(kept.encode()).decode())
    with pytest.raises(OpenIdError, match="sign in again"):
        Beginning.of(f"{kept}\u00fc")


def test_the_page_of_signing_in_leads_there(site: PeopleSite) -> None:
    assert 'href="/sign-in/openid?next=/plate/P1"' in site.client().get("/sign-in?next=/plate/P1").text
    assert site.client().post("/api/sign-in", b'{"name": "Ada", "password": "x"}').status_code == 404


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"exp": int(time.time()) - 3600}, "does not count"),
        ({"aud": "another program"}, "does not count"),
        ({"aud": [CLIENT, "another"]}, "another program"),
        ({"iss": "https://evil.example"}, "does not count"),
        ({"nonce": "another"}, "does not count"),
        ({"nonce": None}, "does not count"),
        ({"exp": None}, "does not count"),
        ({"iat": int(time.time()) + 3600}, "does not count"),
        ({"preferred_username": None}, "tells no preferred_username"),
        ({"preferred_username": "Ada\u202e"}, "tells no preferred_username"),
        ({"preferred_username": "Eve"}, "was not added"),
    ],
)
def test_a_token_that_is_not_valid_signs_nobody_in(
    site: PeopleSite, provider: PlayedProvider, claims: dict[str, Any], said: str
) -> None:
    provider.claims = claims
    answer = signed_in(site)
    assert answer.status_code == 403
    assert said in answer.text
    assert not cookie_of(answer)
    assert site.events()[-1][0] == "refused"


def test_a_token_that_another_key_signed_is_refused(site: PeopleSite, provider: PlayedProvider) -> None:
    provider.signing = new_key("first")
    answer = signed_in(site)
    assert answer.status_code == 403
    assert "not signed by it" in answer.text


def test_the_provider_may_change_its_key(site: PeopleSite, provider: PlayedProvider) -> None:
    assert signed_in(site).status_code == 303
    provider.published = new_key("second")
    assert signed_in(site).status_code == 303


def test_an_answer_belongs_to_the_browser_that_began(site: PeopleSite, provider: PlayedProvider) -> None:
    """Else a page could send somebody to an answer of its own, and have them work under its author's name."""
    path, _ = away(site)
    _, cookie = away(site)
    for given in ("", cookie, f"{COOKIE}-openid=00"):
        assert site.client().get(path, cookie=given).status_code == 403
    assert provider.exchanges == 0


def test_an_answer_counts_once(site: PeopleSite) -> None:
    path, cookie = away(site)
    assert site.client().get(path, cookie=cookie).status_code == 303
    assert site.client().get(path, cookie=cookie).status_code == 403


def test_what_the_provider_refuses_is_said(site: PeopleSite) -> None:
    path, cookie = away(site)
    state = parse_qs(urlsplit(path).query)["state"][0]
    answer = site.client().get(f"/sign-in/answer?error=access_denied&state={state}", cookie=cookie)
    assert (answer.status_code, "access_denied" in answer.text) == (403, True)
    mixed = site.client().get(path.replace("iss=http%3A", "iss=https%3A"), cookie=cookie)
    assert (mixed.status_code, "another provider" in mixed.text) == (403, True)


def test_another_person_of_the_same_name_stays_out(site: PeopleSite, provider: PlayedProvider) -> None:
    assert signed_in(site).status_code == 303
    provider.claims = {"sub": "subject-2"}
    answer = signed_in(site)
    assert answer.status_code == 403
    assert "Another Ada" in answer.text


@pytest.mark.parametrize(
    "following", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_nobody_is_sent_elsewhere_afterwards(site: PeopleSite, following: str) -> None:
    path, cookie = away(site, following)
    assert site.client().get(path, cookie=cookie).headers["location"] == "/"


@pytest.mark.parametrize(
    "metadata",
    [{"issuer": "https://evil.example"}, {"authorization_endpoint": 7}, {"authorization_endpoint": "javascript:x"}],
)
def test_a_provider_that_is_none_is_said(site: PeopleSite, provider: PlayedProvider, metadata: dict[str, Any]) -> None:
    provider.metadata = metadata
    assert site.client().get("/sign-in/openid").status_code == 502


def test_a_provider_that_is_away_is_said(site: PeopleSite, provider: PlayedProvider) -> None:
    provider.metadata = {"token_endpoint": "http://127.0.0.1:9/token"}
    answer = signed_in(site)
    assert (answer.status_code, "does not answer" in answer.text) == (403, True)


def test_who_was_not_added_may_come_in_where_that_is_set(provider: PlayedProvider, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"kind": "openid", "address": VIEWER, "issuer": provider.address, "client_id": CLIENT}
    asked = OpenIdProvider(SignInSettings(**settings), SECRET)
    provider.claims = {"preferred_username": "Eve"}
    with (
        closing(MemoryImaging()) as imaging,
        people_site(imaging, tmp_path, provider=asked, unknown_people="look", **settings) as site,
    ):
        assert signed_in(site).status_code == 303
        known = site.store.person("Eve")
        provider.claims = {"preferred_username": "ada", "sub": "subject-9"}
        answer = signed_in(site)
        assert (answer.status_code, "taken for Ada" in answer.text) == (403, True)
    assert known == Person(name="Eve", role="look", subject=f"{provider.address} subject-1")
