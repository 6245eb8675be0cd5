"""Turning messages on and off in the viewer, and by the command line."""

import json
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from crystal_search.errors import AnotherRunningError
from crystal_search.exit_codes import USAGE
from crystal_search.main import main
from crystal_search.server.home import Home
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.installation import Installation
from crystal_search.server.locks import only_messenger
from crystal_search.server.services.watch import kept_messages
from crystal_search.server.settings import Settings
from crystal_search.viewer.app import viewer_app
from crystal_search.viewer.message_settings import read_message_settings
from crystal_search.viewer.messages.messages_command import send
from crystal_search.viewer.messages.subscriptions import AT_ONCE, SubscriptionStore, Wish
from crystal_search.viewer.people.people_store import PeopleStore
from crystal_search.viewer.people.person import Person
from tests.memory_imaging import MemoryImaging
from tests.viewer_site import Client, add_plate, score_plate

SETTINGS = """[messages]
address = "https://p.org"
smtp_host = "127.0.0.1"
smtp_port = 1
smtp_tls = "none"
sender = "c@p.org"
"""
WISH = {"person": "Ada", "way": "mail", "address": "ada@example.org", "projects": ["mx 1"], "often": "daily"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home").made()
    home.settings.write_text(SETTINGS, encoding="utf-8")
    return home


@pytest.fixture
def client(home: Home) -> Client:
    site = Installation(home=home, settings=Settings(), imaging=MemoryImaging())
    return Client(viewer_app(site.imaging, home.thumbnails, site=site))


def asked(client: Client, path: str, value: object, status: int) -> dict[str, object]:
    answer = client.post(path, json.dumps(value).encode())
    assert answer.status_code == status, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_messages_are_turned_on_changed_and_off(client: Client, home: Home) -> None:
    assert asked(client, "/api/messages", WISH, 200) == WISH
    changed = WISH | {"often": "at once", "projects": []}
    assert asked(client, "/api/messages", changed, 200) == changed
    with closing(SubscriptionStore(home.messages)) as store:
        assert [each.wish.often for each in store.all()] == ["at once"]
    assert asked(client, "/api/messages/end", {"person": "Ada"}, 200) == {"ended": True}
    assert asked(client, "/api/messages/end", {"person": "Ada"}, 200) == {"ended": False}


def test_the_link_of_a_message_ends_them_only_when_its_button_is_pressed(client: Client, home: Home) -> None:
    asked(client, "/api/messages", WISH, 200)
    with closing(SubscriptionStore(home.messages)) as store:
        token = store.all()[0].token
    for _ in range(2):
        assert "They go to Ada" in client.get(f"/messages/stop/{token}").text
    assert "stopped already" in client.get("/messages/stop/somethingelsethatisnone").text
    assert asked(client, "/api/messages/stop", {"token": "x" * 43}, 200) == {"ended": False}
    assert asked(client, "/api/messages/stop", {"token": token}, 200) == {"ended": True}
    assert "stopped already" in client.get(f"/messages/stop/{token}").text


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"address": "ada"}, "address must be one address of a mailbox"),
        ({"address": "a@b.org, c@d.org"}, "address must be"),
        ({"address": "a@b.org\nBcc: c@d.org"}, "address must be"),
        ({"address": "a@["}, "address must be"),
        ({"address": "=?utf-8?q?=0a?=@b"}, "address must be"),
        ({"address": "=?utf-8?q?a?=@b.org"}, "address must be"),
        ({"address": "(a)@b.org"}, "address must be"),
        ({"way": "webhook"}, "way must be"),
        ({"often": "hourly"}, "often must be"),
        ({"projects": [""]}, "projects must be"),
        ({"projects": "mx1"}, "projects must be"),
        ({"token": "mine"}, "unknown"),
        ({"person": ""}, "person must be"),
    ],
)
def test_wishes_that_cannot_be_are_refused(
    client: Client, home: Home, changed: dict[str, object], message: str
) -> None:
    assert message in str(asked(client, "/api/messages", WISH | changed, 400)["error"])
    with closing(SubscriptionStore(home.messages)) as store:
        assert store.all() == []


def test_other_sites_pages_turn_nothing_on(client: Client) -> None:
    answer = client.post("/api/messages", json.dumps(WISH).encode(), origin="https://evil.example")
    assert answer.status_code == 403


def test_without_settings_there_are_no_messages(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").made()
    site = Installation(home=home, settings=Settings(), imaging=MemoryImaging())
    client = Client(viewer_app(site.imaging, home.thumbnails, site=site))
    assert client.get("/messages").status_code == 404
    assert asked(client, "/api/messages", WISH, 404)
    assert not home.messages.exists()
    assert main(["messages", "send", "--home", str(home.path)]) == USAGE


def test_the_command_tells_who_gets_messages_and_what_waits(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(open_imaging(Settings().url(home))) as imaging:
        site = Installation(home=home, settings=Settings(), imaging=imaging)
        client = Client(viewer_app(imaging, home.thumbnails, site=site))
        asked(client, "/api/messages", WISH | {"often": "at once", "projects": []}, 200)
        score_plate(imaging, add_plate(imaging, home.path / "images"), ["crystal_harvestable"])
    main(["messages", "send", "--home", str(home.path)])
    main(["messages", "list", "--home", str(home.path)])
    told = capsys.readouterr().out
    assert "messages: 127.0.0.1:1: " in told
    assert "Ada: mail, at once, all projects\n  waits since" in told


@pytest.mark.parametrize("unknown_people", ["refuse", "look"])
def test_only_people_who_are_added_are_told_and_only_what_they_may_see(home: Home, unknown_people: str) -> None:
    sign_in = (
        f'[sign_in]\nkind = "header"\nheader = "X-User"\nproxies = ["127.0.0.1"]\nunknown_people = "{unknown_people}"\n'
    )
    home.settings.write_text(SETTINGS + sign_in, encoding="utf-8")
    site = Installation(home=home, settings=Settings(), imaging=MemoryImaging())
    with closing(PeopleStore(home.people)) as people, closing(SubscriptionStore(home.messages)) as store:
        for person in (Person(name="Ada", role="look"), Person(name="Cleo", role="look", projects=("mx-7",))):
            people.add(person)
        for name in ("Ada", "Ben", "Cleo"):
            wish = Wish(person=name, way="mail", address="old@example.org", often=AT_ONCE)
            store.subscribe(wish, mark=site.imaging.last_entry(), now=datetime(2026, 1, 31, tzinfo=UTC))
        score_plate(site.imaging, add_plate(site.imaging, home.path / "images"), ["crystal_harvestable"])
        send(site, read_message_settings(home.settings), store)
        assert [each.subscription.wish.person for each in store.waiting()] == ["Ada"]


def test_one_process_sends_at_a_time(home: Home) -> None:
    site = Installation(home=home, settings=Settings(), imaging=MemoryImaging())
    with (
        closing(SubscriptionStore(home.messages)) as store,
        only_messenger(home),
        pytest.raises(AnotherRunningError, match="another process that sends messages runs already"),
    ):
        send(site, read_message_settings(home.settings), store)


def test_watch_sends_by_a_process_of_its_own(home: Home) -> None:
    with closing(open_imaging(Settings().url(home))) as imaging:
        site = Installation(home=home, settings=Settings(), imaging=imaging)
        runs = kept_messages(site)
        assert runs is not None
        runs.look_after()
        deadline = time.monotonic() + 60
        while not home.messages.exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        runs.look_after()
        runs.close()


class PlayedRun:
    """A process that ended at once, with trouble that a person has to mend."""

    begun = 0

    def __init__(self, *_: object, **__: object) -> None:
        PlayedRun.begun += 1

    def poll(self) -> int:
        return USAGE


def test_watch_sends_again_after_trouble_that_a_person_mended(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [1000.0]
    monkeypatch.setattr("crystal_search.server.services.kept_process.time", SimpleNamespace(monotonic=lambda: now_s[0]))
    monkeypatch.setattr("crystal_search.server.services.kept_process.subprocess.Popen", PlayedRun)
    monkeypatch.setattr(PlayedRun, "begun", 0)
    runs = kept_messages(Installation(home=home, settings=Settings(), imaging=MemoryImaging()))
    assert runs is not None
    begun = []
    for _ in range(5):
        runs.look_after()
        begun.append(PlayedRun.begun)
        now_s[0] += 200
    assert begun == [1, 1, 1, 2, 2]


def test_watch_sends_nothing_where_the_settings_say_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").made()
    assert kept_messages(Installation(home=home, settings=Settings(), imaging=MemoryImaging())) is None
