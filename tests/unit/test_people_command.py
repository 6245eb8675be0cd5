"""``crystal-search people``: who may sign in, said at the command line."""

import getpass
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crystal_search.exit_codes import OK, USAGE
from crystal_search.main import main
from crystal_search.server.home import Home
from crystal_search.viewer.messages.subscriptions import SubscriptionStore, Wish
from crystal_search.viewer.people.passwords import is_right
from crystal_search.viewer.people.people_store import PeopleStore
from crystal_search.viewer.people.person import Person

PASSWORD = "correct horse battery"
Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").made()


@pytest.fixture
def say(home: Home, capsys: pytest.CaptureFixture[str]) -> Say:
    def said(*words: str) -> tuple[int, str, str]:
        code = main(["people", words[0], "--home", str(home.path), *words[1:]])
        out, err = capsys.readouterr()
        return code, out.strip(), err.strip()

    return said


def known(home: Home, name: str) -> Person | None:
    with closing(PeopleStore(home.people)) as store:
        return store.person(name)


def test_a_person_is_added_changed_told_and_removed(say: Say, home: Home) -> None:
    assert say("add", "Ada Lovelace") == (OK, "Ada Lovelace is added, with the role look", "")
    say("role", "Ada Lovelace", "score")
    say("projects", "Ada Lovelace", "--only", "mx-7", "--only", "mx-9")
    assert known(home, "Ada Lovelace") == Person(name="Ada Lovelace", role="score", projects=("mx-7", "mx-9"))
    assert say("list")[1] == "Ada Lovelace  score  mx-7, mx-9"
    say("projects", "Ada Lovelace", "--none")
    assert say("list")[1] == "Ada Lovelace  score  no project"
    say("projects", "Ada Lovelace", "--all")
    assert say("list")[1] == "Ada Lovelace  score  all projects"
    say("remove", "Ada Lovelace")
    assert say("list") == (OK, "", "")
    with closing(PeopleStore(home.people)) as store:
        events = store.events(before=100, count=100)
    assert {each.kind for each in events} == {"people changed"}
    assert len(events) == 6


def test_who_is_removed_gets_no_more_messages_and_others_do(say: Say, home: Home) -> None:
    say("add", "Ada")
    with closing(SubscriptionStore(home.messages)) as store:
        for name in ("Ada", "Ben"):
            wish = Wish(person=name, way="mail", address="old@example.org")
            store.subscribe(wish, mark=0, now=datetime(2026, 1, 31, tzinfo=UTC))
        assert "gets no more messages" in say("remove", "Ada")[1]
        say("add", "Ada")
        assert [each.wish.person for each in store.all()] == ["Ben"]


def test_who_is_removed_where_nobody_gets_messages_leaves_no_file(say: Say, home: Home) -> None:
    say("add", "Ada")
    assert say("remove", "Ada")[0] == OK
    assert not home.messages.exists()


@pytest.mark.parametrize("name", ["", " Ada", "Ada  L", "A" * 101, "Ada\u202e", "Ada\n"])
def test_what_is_no_name_is_refused(say: Say, home: Home, name: str) -> None:
    assert say("add", name)[0] == USAGE
    assert known(home, name) is None


@pytest.mark.parametrize("other", ["ada", "ADA", "Ａda"])
def test_names_that_look_alike_are_refused(say: Say, other: str) -> None:
    say("add", "Ada")
    code, _, said = say("add", other)
    assert code == USAGE
    assert "would be taken for Ada" in said


def test_nobody_who_is_not_there_is_changed(say: Say) -> None:
    for words in (("role", "Eve", "look"), ("projects", "Eve", "--all"), ("remove", "Eve"), ("token", "Eve", "x")):
        code, _, said = say(*words)
        assert (code, "there is no person Eve" in said) == (USAGE, True)


def test_a_password_comes_from_a_file_that_others_cannot_read(say: Say, home: Home, tmp_path: Path) -> None:
    say("add", "Ada")
    path = tmp_path / "password"
    path.write_text(f"{PASSWORD}\n")
    path.chmod(0o644)
    code, _, said = say("password", "Ada", "--file", str(path))
    assert (code, "chmod 0600" in said) == (USAGE, True)
    path.chmod(0o600)
    assert say("password", "Ada", "--file", str(path))[0] == OK
    person = known(home, "Ada")
    assert person is not None
    assert is_right(PASSWORD, person.password)
    assert say("list")[1].endswith("(password)")


def test_a_password_is_asked_for_twice_at_a_terminal(say: Say, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    say("add", "Ada")
    assert "at a terminal" in say("password", "Ada")[2]
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    typed = iter([PASSWORD, "another one", PASSWORD, PASSWORD])
    monkeypatch.setattr(getpass, "getpass", lambda _: next(typed))
    assert "two passwords" in say("password", "Ada")[2]
    assert say("password", "Ada")[0] == OK
    person = known(home, "Ada")
    assert person is not None
    assert person.password.startswith("$argon2id$")


def test_a_token_is_told_once_listed_and_revoked(say: Say, home: Home) -> None:
    say("add", "Ada", "--role", "score")
    code, secret, _ = say("token", "Ada", "nightly script", "--days", "7", "--role", "look")
    assert code == OK
    with closing(PeopleStore(home.people)) as store:
        assert store.with_token(secret) == (known(home, "Ada"), "look")
    listed = say("tokens")[1]
    assert listed.startswith("1  Ada  look  until ")
    assert secret not in listed
    assert say("revoke", "1")[0] == OK
    assert (say("tokens")[1], say("revoke", "1")[0]) == ("", USAGE)
    assert say("token", "Ada", "x", "--days", "0")[0] == USAGE


def test_without_an_installation_nothing_is_made(tmp_path: Path) -> None:
    assert main(["people", "list", "--home", str(tmp_path / "none")]) == USAGE
    assert not (tmp_path / "none").exists()
