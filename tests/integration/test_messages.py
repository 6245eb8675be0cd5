"""Digests of new crystals: who is told what, once, by a real mail server and a real HTTP server."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from crystal_search.errors import ConfigError
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import DropScores, LedgerEntry
from crystal_search.server.imaging.plate_facts import PlateFacts, Source
from crystal_search.server.services.shown_scores import ShownScores
from crystal_search.viewer.message_settings import MessageSettings, read_message_settings
from crystal_search.viewer.messages.message_round import Messenger, RoundDone
from crystal_search.viewer.messages.message_senders import SENDERS
from crystal_search.viewer.messages.new_crystals import CrystalFinder
from crystal_search.viewer.messages.subscriptions import AT_ONCE, DAILY, SubscriptionStore, Wish
from crystal_search.viewer.thumbnails import Thumbnails
from tests.memory_imaging import MemoryImaging
from tests.viewer_site import add_plate, auto_score, hand_score, score_plate

BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)


class MailBox:
    """What a mail server took."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuses = False

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refuses:
            return "451 try again later"
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 taken"


@pytest.fixture
def mailbox() -> MailBox:
    return MailBox()


@pytest.fixture
def mail_port(mailbox: MailBox) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    yield port
    controller.stop()


@pytest.fixture
def posted() -> Iterator[tuple[str, list[Any], list[int]]]:
    """A webhook's address, what it was sent, and the statuses that it answers with, the last for good."""
    taken: list[Any] = []
    statuses = [204]

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", taken, statuses
        server.shutdown()
        thread.join()


class Place:
    """An installation with plates of two projects, and what sends its messages."""

    def __init__(self, folder: Path, settings: MessageSettings) -> None:
        self.imaging = MemoryImaging()
        self.store = SubscriptionStore(folder / "messages.sqlite")
        self.thumbnails = Thumbnails(folder / "thumbnails")
        self.may_see: dict[str, tuple[str, ...]] = {}
        self.folder, self.settings, self.now = folder, settings, BEGIN
        facts = [PlateFacts(plate=plate, project=project) for plate, project in (("P1", "mx1"), ("P2", "mx2"))]
        self.imaging.note_plates(facts, source=Source(name="test"))

    def plate(self, name: str, outcomes: list[str], *, inspection: int = 1) -> list[DropScores]:
        drops = add_plate(self.imaging, self.folder, plate=name, rows=4, inspection=inspection)
        score_plate(self.imaging, drops, outcomes)
        return drops

    def subscribe(
        self,
        person: str = "Ada",
        *,
        projects: tuple[str, ...] = (),
        often: str = AT_ONCE,
        way: str = "mail",
        address: str = "",
    ) -> None:
        address = address or (f"{person.lower()}@example.org" if way == "mail" else "")
        wish = Wish(person=person, way=way, address=address, projects=projects, often=often)
        self.store.subscribe(wish, mark=self.imaging.last_entry(), now=self.now)

    def round(self, *, minutes: float = 1) -> RoundDone:
        self.now += timedelta(minutes=minutes)
        settled = self.store.settled(self.imaging.last_entry(), self.now)
        finder = CrystalFinder(self.imaging, ShownScores, self.may_see.get, settled)
        messenger = Messenger(
            settings=self.settings,
            time_zone="UTC",
            store=self.store,
            finder=finder,
            thumbnails=self.thumbnails,
            senders=SENDERS,
        )
        return messenger.round(self.now)


@pytest.fixture
def place(tmp_path: Path, mail_port: int, posted: tuple[str, list[Any], list[int]]) -> Iterator[Place]:
    settings = MessageSettings(
        address="https://plates.example.org/",
        smtp_host="127.0.0.1",
        smtp_port=mail_port,
        smtp_tls="none",
        sender="crystals@example.org",
        webhook=posted[0],
        timeout_seconds=10,
    )
    found = Place(tmp_path, settings)
    with closing(found.store), closing(found.thumbnails):
        yield found


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    body = mail.get_body((kind,))
    assert body is not None
    text: str = body.get_content()
    return text.replace("\r\n", "\n")


def test_what_is_new_is_told_once_with_links_and_pictures(place: Place, mailbox: MailBox) -> None:
    place.plate("P2", ["crystal_harvestable"])
    place.subscribe()
    assert place.round() == RoundDone()
    drops = place.plate("P1", ["crystal_harvestable", "clear", "crystal_bad_form", "precipitate", ""])
    assert place.round() == RoundDone(sent=1)
    (mail,) = mailbox.mails
    assert (mail["To"], mail["Subject"]) == ("ada@example.org", "2 new drops with crystals: mx1")
    assert f"https://plates.example.org/drop/{drops[0].image.id}\n" in text_of(mail)
    assert "P1 A01 drop 1, inspection 1: Crystals, harvestable (machine), P(crystal) 97%" in text_of(mail)
    assert text_of(mail, "html").count("<img src='cid:drop-") == 2
    pictures = [part for part in mail.walk() if part.get_content_type() == "image/jpeg"]
    assert {part["Content-ID"] for part in pictures} == {f"<drop-{drops[at].image.id}>" for at in (0, 2)}
    assert place.round() == RoundDone()
    place.plate("P1", ["crystal_harvestable", "crystal_bad_form"], inspection=2)
    assert place.round() == RoundDone(sent=1)
    assert mailbox.mails[1]["Subject"] == "1 new drop with crystals: mx1"


def test_a_mail_server_that_is_away_loses_nothing_and_doubles_nothing(place: Place, mailbox: MailBox) -> None:
    place.subscribe()
    place.plate("P1", ["crystal_harvestable"])
    mailbox.refuses = True
    done = place.round()
    assert (done.sent, done.failed) == (0, 1)
    assert "try again later" in done.troubles[0]
    place.plate("P2", ["crystal_harvestable"])
    for _ in range(60):
        place.round()
    mailbox.refuses = False
    assert sum(place.round().sent for _ in range(60)) == 2
    assert [mail["Subject"][-3:] for mail in mailbox.mails] == ["mx1", "mx2"]
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == 2
    assert place.store.waiting() == []


@pytest.mark.parametrize("address", ["a@[", "=?utf-8?q?=0a?=@b"])
def test_a_digest_that_cannot_be_made_keeps_no_other_back(place: Place, mailbox: MailBox, address: str) -> None:
    place.subscribe("Ada", address=address)
    place.subscribe("Ben")
    place.plate("P1", ["crystal_harvestable"])
    done = place.round()
    assert (done.sent, done.failed) == (1, 1)
    assert "the digest for Ada cannot be made" in done.troubles[0]
    assert [mail["To"] for mail in mailbox.mails] == ["ben@example.org"]
    assert place.round(minutes=60 * 24 * 8).given_up == 1


def test_a_password_that_is_away_for_a_while_keeps_nothing_for_good(place: Place, mailbox: MailBox) -> None:
    place.subscribe("Ada")
    place.subscribe("Ben", way="webhook")
    place.plate("P1", ["crystal_harvestable"])
    kept = place.settings
    place.settings = replace(kept, smtp_user="u", password_file=str(place.folder / "none"))
    done = place.round()
    assert (done.sent, done.failed) == (1, 1)
    assert done.troubles[0].startswith(f"{place.folder / 'none'}: the password cannot be read")
    place.settings = kept
    assert place.round(minutes=5) == RoundDone(sent=1)


def test_what_never_goes_is_given_up_after_a_week(
    place: Place, mailbox: MailBox, caplog: pytest.LogCaptureFixture
) -> None:
    place.subscribe()
    place.plate("P1", ["crystal_harvestable"])
    mailbox.refuses = True
    place.round()
    assert place.round(minutes=60 * 24 * 8).given_up == 1
    assert "a digest for Ada never went" in caplog.text
    assert place.store.waiting() == []


def test_only_projects_that_are_wanted_and_may_be_seen_are_told(place: Place, mailbox: MailBox) -> None:
    place.may_see = {"Ben": ("mx2",), "Zoe": ()}
    place.subscribe("Ada", projects=("mx1",))
    place.subscribe("Ben")
    place.subscribe("Zoe")
    for plate in ("P1", "P2", "P3"):
        place.plate(plate, ["crystal_harvestable"])
    place.round()
    assert {mail["To"]: mail["Subject"][-3:] for mail in mailbox.mails} == {
        "ada@example.org": "mx1",
        "ben@example.org": "mx2",
    }


def test_a_project_that_may_be_seen_no_more_is_not_told_of(place: Place, mailbox: MailBox) -> None:
    place.subscribe("Ben")
    place.plate("P1", ["crystal_harvestable"])
    mailbox.refuses = True
    place.round()
    mailbox.refuses, place.may_see = False, {"Ben": ()}
    place.round(minutes=60)
    assert (mailbox.mails, place.store.waiting()) == ([], [])


def test_what_a_person_denies_or_says_themself_is_no_news(place: Place, mailbox: MailBox) -> None:
    place.subscribe()
    first, second, third = place.plate("P1", ["crystal_harvestable", "clear", "clear"])[:3]
    place.imaging.add_manual_score(hand_score(first.image.id, "clear", person="Ben"))
    place.imaging.add_manual_score(hand_score(second.image.id, "crystal_bad_form", person="Ada"))
    place.imaging.add_manual_score(hand_score(third.image.id, "crystal_bad_form", person="Ben"))
    place.imaging.add_auto_scores([auto_score(first.image.id, "crystal_harvestable", 0.4, minute=5)])
    place.round()
    assert "1 new drop" in mailbox.mails[0]["Subject"]
    assert "P1 A03 drop 1, inspection 1: Crystals, bad form (Ben)" in text_of(mailbox.mails[0])


def test_a_daily_digest_goes_once_a_day_with_the_best_ten(place: Place, mailbox: MailBox) -> None:
    place.subscribe(often=DAILY)
    place.plate("P1", ["crystal_harvestable"] * 12)
    assert place.round(minutes=60) == RoundDone()
    assert place.round(minutes=60 * 20).sent == 1
    assert "and 2 more" in text_of(mailbox.mails[0])
    place.plate("P2", ["crystal_harvestable"])
    assert place.round(minutes=60 * 3) == RoundDone()
    assert place.round(minutes=60 * 24).sent == 1


def test_a_webhook_gets_json_and_is_followed_nowhere(place: Place, posted: tuple[str, list[Any], list[int]]) -> None:
    _, taken, statuses = posted
    statuses[:] = [302, 500, 204]
    place.subscribe(way="webhook")
    drops = place.plate("P1", ["crystal_harvestable"])
    assert place.round().troubles == ("the webhook answers 302",)
    assert place.round().troubles == ("the webhook answers 500",)
    assert place.round(minutes=5) == RoundDone(sent=1)
    assert len({each["id"] for each in taken}) == 1
    assert taken[-1]["drops"] == [
        {
            "project": "mx1",
            "address": f"https://plates.example.org/drop/{drops[0].image.id}",
            "image_id": drops[0].image.id,
            "plate": "P1",
            "well": "A01",
            "drop": 1,
            "inspection": 1,
            "outcome": "crystal_harvestable",
            "person_said": None,
            "p_crystal": 0.97,
        }
    ]


def test_scores_that_another_program_kept_later_than_newer_ones_are_told(
    place: Place, mailbox: MailBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on PostgreSQL and MariaDB, when many scores are kept in one transaction and a person scores meanwhile."""
    place.subscribe()
    first = place.plate("P1", ["crystal_harvestable"])[0]
    for minute in range(250):
        place.imaging.add_manual_score(hand_score(first.image.id + 1, "clear", person="Ben", minute=minute))
    with monkeypatch.context() as meanwhile:
        all_entries = place.imaging.ledger_entries

        def kept(*, after: int = 0, limit: int) -> list[LedgerEntry]:
            return all_entries(after=max(1, after), limit=limit)

        meanwhile.setattr(place.imaging, "ledger_entries", kept)
        assert [place.round(minutes=2) for _ in range(3)] == [RoundDone()] * 3
    assert place.round(minutes=2) == RoundDone(sent=1)
    assert [place.round(minutes=2) for _ in range(6)] == [RoundDone()] * 6
    found = place.store.of("Ada")
    assert found
    assert found.mark == place.imaging.last_entry()


def test_who_ends_messages_gets_none_that_wait(place: Place, mailbox: MailBox) -> None:
    place.subscribe()
    place.plate("P1", ["crystal_harvestable"])
    mailbox.refuses = True
    place.round()
    mailbox.refuses = False
    found = place.store.of("Ada")
    assert found
    assert found.token in place.store.all()[0].token
    place.store.end(found.id)
    assert place.round(minutes=60) == RoundDone()
    assert (mailbox.mails, place.store.all()) == ([], [])


def test_a_changed_wish_keeps_its_link_and_what_was_told(place: Place, mailbox: MailBox) -> None:
    place.subscribe()
    place.plate("P1", ["crystal_harvestable"])
    place.round()
    before = place.store.of("Ada")
    place.subscribe(projects=("mx1",))
    after = place.store.of("Ada")
    assert before
    assert after
    assert (after.token, after.wish.projects) == (before.token, ("mx1",))
    assert place.round() == RoundDone()


def test_a_picture_that_is_gone_holds_nothing_up(place: Place, mailbox: MailBox) -> None:
    place.subscribe()
    drop = place.plate("P1", ["crystal_harvestable"])[0]
    Path(drop.image.path).unlink()
    assert place.round().sent == 1
    assert "cid:" not in text_of(mailbox.mails[0], "html")


def test_the_file_of_addresses_is_for_this_account_alone(place: Place) -> None:
    assert (place.folder / "messages.sqlite").stat().st_mode & 0o777 == 0o600


GOOD = '[messages]\naddress = "https://p.org"\nsmtp_host = "m"\nsender = "c@p.org"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[messages]\naddress = "https://p.org"\n', "must say address, and smtp_host or webhook"),
        ('[messages]\naddress = "p.org"\nwebhook = "https://h.org"\n', "address of .* must be like"),
        ('[messages]\naddress = "https://p.org"\nwebhook = "https://me:secret@h.org"\n', "without a user"),
        ('[messages]\naddress = "https://p.org"\nsmtp_host = "m"\n', "must say as sender"),
        (GOOD + 'smtp_user = "u"\nsmtp_tls = "none"\n', "everybody can read"),
        (GOOD + 'smtp_tls = "ssl"\n', "one of starttls, tls, none"),
        (GOOD + "port = 25\n", "unknown key of .* port"),
        (GOOD + "daily_hour = 24\n", "from 0 to 23"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, text: str, message: str) -> None:
    home = Home(tmp_path)
    home.settings.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as refused:
        read_message_settings(home.settings)
    assert "secret" not in str(refused.value)


def test_the_password_is_read_from_a_file_that_nobody_else_reads(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(GOOD + 'smtp_user = "u"\npassword_file = "mail"\n', encoding="utf-8")
    settings = read_message_settings(tmp_path / "settings.toml")
    (tmp_path / "mail").write_text("hush\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="chmod 0600"):
        settings.password()
    (tmp_path / "mail").chmod(0o600)
    assert settings.password() == "hush"
    assert "hush" not in repr(settings)
