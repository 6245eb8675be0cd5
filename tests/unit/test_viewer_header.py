"""Signing in by a header of a proxy: only proxies that are believed say who asks."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import HTTPConnection

from crystal_search.errors import ConfigError, UnknownNameError
from crystal_search.viewer.people.person import Person
from crystal_search.viewer.people.sign_in_kinds import SIGN_IN_KINDS, sign_in_kind, told_by_header
from crystal_search.viewer.people.sign_in_settings import SignInSettings
from tests.memory_imaging import MemoryImaging
from tests.people_site import PeopleSite, people_site
from tests.viewer_site import add_plate

PROXY, NETWORK = "127.0.0.1", "10.1.0.0/16"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[PeopleSite]:
    settings: dict[str, Any] = {"kind": "header", "header": "X-Forwarded-User", "proxies": (PROXY, NETWORK)}
    with closing(MemoryImaging()) as imaging:
        add_plate(imaging, tmp_path, rows=1, columns=2)
        with people_site(imaging, tmp_path, **settings) as found:
            yield found


def connection(peer: str, *headers: tuple[str, str]) -> HTTPConnection:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    return HTTPConnection({"type": "http", "headers": raw, "client": (peer, 5000)})


def test_a_proxy_says_who_asks(site: PeopleSite) -> None:
    told = json.dumps({"image_id": 1, "outcome": "clear"}).encode()
    client = site.client()
    assert client.post("/api/score", told, x_forwarded_user="Ada").status_code == 201
    assert client.post("/api/score", told, x_forwarded_user="Lea").status_code == 403
    assert client.get("/api/plates", x_forwarded_user="Eve").status_code == 401
    assert client.get("/api/plates").status_code == 401
    page = client.get("/sign-in")
    assert "proxy before this viewer" in page.text
    assert "<form" not in page.text
    assert 'id="sign-out"' not in client.get("/plates", x_forwarded_user="Ada").text


@pytest.mark.parametrize(
    ("peer", "headers", "name"),
    [
        (PROXY, [("X-Forwarded-User", "Ada")], "Ada"),
        ("10.1.2.3", [("X-Forwarded-User", "Ada")], "Ada"),
        ("10.2.2.3", [("X-Forwarded-User", "Ada")], ""),
        ("10.2.2.3", [("X-Forwarded-User", "Ada"), ("X-Forwarded-For", PROXY)], ""),
        (PROXY, [("X-Forwarded-User", "Root"), ("X-Forwarded-User", "Ada")], ""),
        (PROXY, [("X-Forwarded-User", "")], ""),
        (PROXY, [("X-Forwarded-User", "A" * 101)], ""),
        (PROXY, [("Remote-User", "Ada")], ""),
    ],
)
def test_only_a_proxy_that_is_believed_is(
    site: PeopleSite, peer: str, headers: list[tuple[str, str]], name: str
) -> None:
    assert site.known.asker(connection(peer, *headers)).name == name


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        (PROXY, "8.8.8.8", "8.8.8.8"),
        (PROXY, "1.1.1.1, 8.8.8.8", "8.8.8.8"),
        (PROXY, "8.8.8.8, 10.1.0.9", "8.8.8.8"),
        ("9.9.9.9", "8.8.8.8", "9.9.9.9"),
        (PROXY, "", PROXY),
    ],
)
def test_an_address_is_what_the_last_proxy_that_is_believed_saw(
    site: PeopleSite, peer: str, forwarded: str, address: str
) -> None:
    assert site.known.asker(connection(peer, ("X-Forwarded-For", forwarded))).address == address


@pytest.mark.parametrize(
    ("sent", "name"), [("J\u00fcrgen".encode(), "J\u00fcrgen"), ("J\u00fcrgen".encode("latin-1"), ""), (b"Ada", "Ada")]
)
def test_names_that_a_proxy_says_are_utf_8(sent: bytes, name: str) -> None:
    settings = SignInSettings(kind="header", header="X-User", proxies=(PROXY,))
    asked = HTTPConnection({"type": "http", "headers": [(b"x-user", sent)], "client": (PROXY, 5000)})
    assert told_by_header(settings, asked) == name


@pytest.mark.parametrize("name", ["ADA", "ada", "\uff21da", " Ada"])
def test_a_name_that_would_be_taken_for_a_persons_is_nobodys(tmp_path: Path, name: str) -> None:
    settings: dict[str, Any] = {"kind": "header", "header": "X-User", "proxies": (PROXY,), "unknown_people": "score"}
    with closing(MemoryImaging()) as imaging, people_site(imaging, tmp_path, **settings) as site:
        assert site.known.person_called("Eve") == Person(name="Eve", role="score")
        assert site.known.person_called(name) is None
        assert site.known.person_called("Ada") == site.store.person("Ada")


def test_a_way_that_is_none_or_lacks_something_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="header, openid, accounts"):
        sign_in_kind(SignInSettings(kind="ldap"))
    with pytest.raises(ConfigError, match="must say proxies"):
        sign_in_kind(SignInSettings(kind="header", header="X-User"))


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crystal_search.viewer.people.sign_in_kinds.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"crystal-search\[sign-in\]"):
        SIGN_IN_KINDS["accounts"].check_installed()
    SIGN_IN_KINDS["header"].check_installed()


def test_audit_is_for_administrators_and_tells_the_last_first(site: PeopleSite) -> None:
    told = json.dumps({"image_id": 1, "outcome": "clear"}).encode()
    client = site.client()
    client.post("/api/score", told, x_forwarded_user="Ada")
    client.post("/api/score", told, x_forwarded_user="Lea")
    assert client.get("/audit", x_forwarded_user="Cleo").status_code == 403
    page = client.get("/audit", x_forwarded_user="Root").text
    assert page.index("<strong>refused</strong> POST /api/score") < page.index("POST /api/score: image 1, clear")
    assert "GET /audit" in page
    only = client.get("/audit?person=Ada", x_forwarded_user="Root").text
    assert ("image 1, clear" in only, "refused" in only) == (True, False)


def test_audit_goes_back_page_by_page(site: PeopleSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crystal_search.viewer.audit_page.PER_PAGE", 2)
    told = json.dumps({"image_id": 1, "outcome": "clear"}).encode()
    for _ in range(3):
        site.client().post("/api/score", told, x_forwarded_user="Ada")

    def page(path: str) -> httpx.Response:
        return site.client().get(path, x_forwarded_user="Root")

    assert ("Older" in page("/audit").text, "Newest" in page("/audit").text) == (True, False)
    older = page("/audit?before=2&person=Ada").text
    assert (older.count("<time"), "Older" in older, "Newest" in older) == (1, False, True)
