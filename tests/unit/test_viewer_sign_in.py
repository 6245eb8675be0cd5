"""Signing in to the viewer: accounts, sessions, tokens, and what is kept of it."""

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from functools import partial
from pathlib import Path

import pytest

from crystal_search.errors import ConfigError, SchemaError, UserError
from crystal_search.viewer.people import gate
from crystal_search.viewer.people.guesses import OF_ALL, OF_ONE, Guesses, TooManyGuessesError
from crystal_search.viewer.people.passwords import hashed, is_right
from crystal_search.viewer.people.people_store import PeopleStore
from crystal_search.viewer.people.person import Person
from crystal_search.viewer.people.sign_in_settings import SignInSettings, read_sign_in_settings
from crystal_search.viewer.people.slowing import Pace
from tests.memory_imaging import MemoryImaging
from tests.people_site import COOKIE, PEOPLE, PeopleSite, people_site
from tests.viewer_site import Client, add_plate

PASSWORD = "correct horse battery"
HOUR_S = 3600


@pytest.fixture
def imaging() -> Iterator[MemoryImaging]:
    database = MemoryImaging()
    yield database
    database.close()


@pytest.fixture
def site(imaging: MemoryImaging, tmp_path: Path) -> Iterator[PeopleSite]:
    add_plate(imaging, tmp_path, rows=1, columns=2)
    with people_site(imaging, tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def kept() -> str:
    return hashed(PASSWORD)


def with_password(site: PeopleSite, kept: str) -> PeopleSite:
    site.store.set_password("Ada", kept)
    return site


def score(image_id: int = 1, **more: object) -> bytes:
    return json.dumps({"image_id": image_id, "outcome": "clear"} | more).encode()


@pytest.mark.parametrize(("name", "password"), [("\ud800", PASSWORD), ("Ada", "\ud800" * 12), ("A\0da", PASSWORD)])
def test_letters_that_no_name_and_no_password_has_are_refused(site: PeopleSite, name: str, password: str) -> None:
    answer = site.sign_in(name, password)
    assert answer.status_code == 400
    assert "must be 1 to" in answer.text
    assert PASSWORD not in answer.text


@pytest.mark.parametrize(
    ("asked", "back"),
    [
        ("/picks?ids=" + ",".join(["123456"] * 320), "/picks"),
        ("/plate/" + "P" * 3000, "/"),
        ("/plate/" + "%C3%BC" * 1000, "/"),
    ],
)
def test_whoever_asks_for_a_long_address_can_sign_in(site: PeopleSite, asked: str, back: str) -> None:
    answer = site.client().get(asked, accept="text/html")
    assert answer.status_code == 303
    page = site.client().get(answer.headers["location"])
    assert page.status_code == 200
    assert f'"next": "{back}"' in page.text
    assert "<form" in page.text


def test_a_password_with_control_characters_is_not_kept() -> None:
    with pytest.raises(UserError, match="control characters"):
        hashed("correct\x07horse")


def test_only_what_is_said_of_a_person_changes(site: PeopleSite) -> None:
    site.store.set_projects("Ada", ("mx-7",))
    assert site.store.tie("Ada", "one")
    site.store.set_role("Ada", "curate")
    assert (site.store.tie("Ada", "one"), site.store.tie("Ada", "another")) == (True, False)
    site.store.set_password("Ada", "hash")
    told = Person(name="Ada", role="curate", projects=("mx-7",), subject="one", password="hash")
    assert site.store.person("Ada") == told
    with pytest.raises(UserError, match="no person Eve"):
        site.store.set_role("Eve", "look")
    assert not site.store.tie("Eve", "one")


def test_who_is_not_signed_in_sees_nothing(site: PeopleSite) -> None:
    client = site.client()
    page = client.get("/plate/P1?sort=crystal", accept="text/html")
    assert page.status_code == 303
    assert page.headers["location"] == "/sign-in?next=%2Fplate%2FP1%3Fsort%3Dcrystal"
    asked = [client.get(path) for path in ("/api/plates", "/image/1", "/thumbnail/1", "/plate/P1/scores.csv")]
    assert [each.status_code for each in asked] == [401] * 4
    assert client.post("/api/score", score(person="Ada"), accept="text/html").status_code == 401
    assert site.events() == [("refused", "", "POST /api/score")]
    assert client.get("/sign-in").status_code == 200


def test_a_password_begins_a_session(site: PeopleSite, kept: str) -> None:
    answer = with_password(site, kept).sign_in("Ada", PASSWORD)
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= {each.strip() for each in cookie.split(";")}
    assert "Secure" not in cookie
    client = Client(site.app, always={"cookie": cookie.partition(";")[0]})
    assert ">Ada</span>" in client.get("/").text
    assert site.events() == [("signed in", "Ada", "POST /api/sign-in: accounts")]


def test_behind_https_no_other_host_can_set_the_cookie(imaging: MemoryImaging, tmp_path: Path, kept: str) -> None:
    with people_site(imaging, tmp_path, address="https://plates.lab") as site:
        cookie = with_password(site, kept).sign_in("Ada", PASSWORD).headers["set-cookie"]
    assert cookie.startswith(f"__Host-{COOKIE}=")
    assert {"Secure", "Path=/"} <= {each.strip() for each in cookie.split(";")}
    assert "Domain" not in cookie


@pytest.mark.parametrize(("name", "password"), [("Ada", "wrong horse battery"), ("Eve", PASSWORD), ("Lea", PASSWORD)])
def test_a_wrong_password_and_nobodys_name_are_answered_alike(
    site: PeopleSite, kept: str, name: str, password: str
) -> None:
    answer = with_password(site, kept).sign_in(name, password)
    assert (answer.status_code, answer.json()["error"]) == (403, "there is nobody with this name and password")
    assert "set-cookie" not in answer.headers
    [(kind, person, about)] = site.events()
    tried = "a name of nobody" if name == "Eve" else f"the password of {name}"
    assert (kind, person, about) == ("refused", "", f"POST /api/sign-in: {tried}")


def test_passwords_cannot_be_tried_for_long(site: PeopleSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crystal_search.viewer.people.known_people.is_right", lambda *_: False)
    answers = [site.sign_in("Ada", "a guess") for _ in range(OF_ONE + 1)]
    assert [each.status_code for each in answers] == [403] * OF_ONE + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


def test_an_address_tries_no_more_names_than_people_have() -> None:
    now = [0.0]
    guesses = Guesses(lambda: now[0])
    for at in range(OF_ALL):
        guesses.count(f"person {at}", "10.0.0.1")
    with pytest.raises(TooManyGuessesError, match="try again in 9 s"):
        guesses.count("Ada", "10.0.0.1")
    guesses.count("Ada", "10.0.0.2")
    now[0] = 9.0
    guesses.count("Ben", "10.0.0.1")


@pytest.mark.parametrize(
    "told", [b"", b"[]", b'{"name": "Ada"}', b'{"name": "", "password": "x"}', b'{"name": 7, "password": "x"}']
)
def test_what_is_no_name_and_password_is_refused(site: PeopleSite, told: bytes) -> None:
    assert site.client().post("/api/sign-in", told).status_code == 400


def test_a_foreign_page_cannot_sign_anybody_in(site: PeopleSite, kept: str) -> None:
    """Else a page could sign a browser in as its own author, and be shown what is scored then."""
    answer = with_password(site, kept).sign_in("Ada", PASSWORD, origin="http://evil.example")
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_session_ends_when_nobody_uses_it_and_at_last_anyway(site: PeopleSite) -> None:
    client = site.client("Ada")
    site.clock.now_s += 11 * HOUR_S
    assert client.get("/api/plates").status_code == 200
    site.clock.now_s += 13 * HOUR_S
    assert client.get("/api/plates").status_code == 401
    client = site.client("Ada")
    for _ in range(16):
        assert client.get("/api/plates").status_code == 200
        site.clock.now_s += 10.6 * HOUR_S
    assert client.get("/api/plates").status_code == 401


def test_signing_out_and_in_again_makes_the_cookie_worthless(site: PeopleSite, kept: str) -> None:
    client = site.client("Ada")
    assert client.post("/api/sign-out", b"{}").headers["set-cookie"].startswith(f'{COOKIE}=""')
    assert client.get("/api/plates").status_code == 401
    before = with_password(site, kept).client("Ada")
    told = json.dumps({"name": "Ada", "password": PASSWORD}).encode()
    assert before.post("/api/sign-in", told).status_code == 200
    assert before.get("/api/plates").status_code == 401


def test_browsers_keep_no_page_of_whoever_signed_out(site: PeopleSite) -> None:
    client = site.client("Ada")
    assert client.get("/plates").headers["cache-control"] == "no-store"
    assert client.post("/api/sign-out", b"{}").headers["clear-site-data"] == '"cache"'


def test_another_password_or_removal_ends_sessions_and_tokens(site: PeopleSite, kept: str) -> None:
    client = site.client("Ada")
    with_password(site, kept)
    assert client.get("/api/plates").status_code == 401
    client, secret = site.client("Ada"), site.store.add_token("Ada", label="x", role="score", seconds=60)
    site.store.remove("Ada")
    assert client.get("/api/plates").status_code == 401
    assert site.store.with_token(secret) is None
    assert site.store.tokens() == []


def test_a_role_counts_from_the_next_request_on(site: PeopleSite) -> None:
    client = site.client("Ada")
    assert client.post("/api/score", score()).status_code == 201
    site.store.set_role("Ada", "look")
    answer = client.post("/api/score", score())
    assert (answer.status_code, answer.json()["error"]) == (403, "Ada has the role look, and this needs score")


def test_a_person_scores_under_the_own_name_only(site: PeopleSite, imaging: MemoryImaging) -> None:
    client = site.client("Ada")
    assert client.post("/api/score", score()).status_code == 201
    assert client.post("/api/score", score(person="Ada")).status_code == 201
    refused = client.post("/api/score", score(person="Ben"))
    assert refused.status_code == 400
    assert "Ada, who is signed in" in refused.json()["error"]
    comment = json.dumps({"image_id": 1, "text": "tiny", "person": "Ben"}).encode()
    assert client.post("/api/comment", comment).status_code == 400
    assert {each.person for each in imaging.drops("P1", inspection=1)[0].people} == {"Ada"}


def test_nobody_takes_back_what_another_person_said(site: PeopleSite, imaging: MemoryImaging) -> None:
    site.client("Ada").post("/api/score", score())
    given = imaging.drops("P1", inspection=1)[0].people[0]
    told = {"image_id": 1, "score_id": given.id}
    answers = [
        site.client("Cleo").post("/api/take-back", json.dumps(told | more).encode()).status_code
        for more in ({}, {"person": "Ada"})
    ]
    assert answers == [409, 400]
    assert site.client("Ada").post("/api/take-back", json.dumps(told).encode()).status_code == 201


def test_a_token_speaks_for_its_person_and_no_more(site: PeopleSite, imaging: MemoryImaging) -> None:
    secret = site.store.add_token("Cleo", label="script", role="score", seconds=HOUR_S)
    client = Client(site.app, always={"authorization": f"Bearer {secret}"})
    assert client.post("/api/score", score()).status_code == 201
    assert client.post("/api/import", b'{"made_at": 1}').status_code == 403
    assert imaging.drops("P1", inspection=1)[0].people[0].person == "Cleo"
    site.store.set_role("Cleo", "look")
    assert client.post("/api/score", score()).status_code == 403
    site.clock.now_s += HOUR_S
    assert client.get("/api/plates").status_code == 401


def test_a_token_that_is_none_is_refused_though_there_is_a_session(site: PeopleSite) -> None:
    client = site.client("Ada")
    assert client.get("/api/plates", authorization="Bearer cs_none").status_code == 401
    assert site.events() == [("refused", "", "GET /api/plates: a token that is none, or is over")]


@pytest.mark.parametrize("authorization", ["Basic QWRhOng=", "Bearer eyJhbGciOi", "x"])
def test_what_a_proxy_has_for_itself_is_left_alone(site: PeopleSite, authorization: str) -> None:
    assert site.client("Ada").get("/api/plates", authorization=authorization).status_code == 200
    assert site.client().get("/api/plates", authorization=authorization).status_code == 401


def test_a_revoked_token_is_over(site: PeopleSite) -> None:
    secret = site.store.add_token("Ada", label="script", role="score", seconds=HOUR_S)
    [token] = site.store.tokens()
    assert site.store.revoke_token(token.id)
    assert not site.store.revoke_token(token.id)
    assert Client(site.app).get("/api/plates", authorization=f"Bearer {secret}").status_code == 401


def test_no_secret_is_in_the_file(site: PeopleSite, kept: str, tmp_path: Path) -> None:
    session = site.client("Ada").always["cookie"].partition("=")[2]
    secret = site.store.add_token("Ada", label="script", role="score", seconds=HOUR_S)
    site.store.set_password("Lea", kept)
    content = b"".join(path.read_bytes() for path in tmp_path.glob("people.sqlite*"))
    assert b"script" in content
    assert not [each for each in (session, secret, secret[3:], PASSWORD) if each.encode() in content]


def test_the_file_is_for_its_account_alone(site: PeopleSite, tmp_path: Path) -> None:
    assert (tmp_path / "people.sqlite").stat().st_mode & 0o777 == 0o600


def test_what_is_done_and_refused_is_kept(site: PeopleSite) -> None:
    site.client("Ada").post("/api/score", score())
    site.client("Lea").post("/api/score", score())
    assert site.events() == [
        ("done", "Ada", "POST /api/score: image 1, clear"),
        ("refused", "Lea", "POST /api/score"),
    ]


def test_refusals_do_not_fill_the_disk(site: PeopleSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "Pace", partial(Pace, clock=lambda: 0.0))
    for _ in range(40):
        site.client().post("/api/score", score())
    assert len(site.events()) == 20


def test_people_are_kept_and_told(site: PeopleSite) -> None:
    assert {each.name: each.role for each in site.store.people()} == PEOPLE
    with pytest.raises(UserError, match="who is there already"):
        site.store.add(Person(name="Ada", role="look"))
    with pytest.raises(UserError, match="no person Eve"):
        site.store.remove("Eve")


def test_a_file_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    PeopleStore(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(SchemaError, match="newer program"):
        PeopleStore(path)


def test_a_password_is_long_enough_and_only_the_right_one_is_right(kept: str) -> None:
    assert is_right(PASSWORD, kept)
    assert not is_right(PASSWORD + " ", kept)
    assert not is_right("", "")
    with pytest.raises(UserError, match="10 to 1000"):
        hashed("123456789")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind = "accounts"\nkinds = 1', "unknown key"),
        ("", "must say kind"),
        ('address = "https://x"', "must say kind"),
        ('kind = "accounts"\nunknown_people = "king"', "must be one of refuse, look"),
        ('kind = "accounts"\naddress = "plates"', "must be like"),
        ('kind = "openid"\nissuer = "http://id.lab"', "must be like"),
        ('kind = "header"\nproxies = ["proxy"]', "addresses or networks"),
        ('kind = "accounts"\nidle_hours = 0.0', "must be from"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(f"[sign_in]\n{text}\n")
    with pytest.raises(ConfigError, match=said):
        read_sign_in_settings(path)


def test_without_settings_nobody_signs_in(tmp_path: Path) -> None:
    assert read_sign_in_settings(tmp_path / "settings.toml") == SignInSettings()


def test_every_setting_is_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sign-in.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    told = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
    assert {each.name for each in fields(SignInSettings)} <= told


def test_the_viewer_needs_nothing_more_where_nobody_signs_in() -> None:
    """The base installation has neither argon2 nor Authlib."""
    extra = ("argon2", "authlib", "joserfc", "httpx")
    code = f"import sys; sys.modules.update(dict.fromkeys({extra})); import crystal_search.viewer.serve"
    subprocess.run([sys.executable, "-c", code], check=True)
