"""A digest as people and programs read it: mail in text and HTML, with small pictures; JSON."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from typing import Any
from urllib.parse import urlsplit

from crystal_search.server.imaging.imaging_database import DropScores
from crystal_search.server.imaging.plate_facts import PlateFacts
from crystal_search.viewer.message_settings import MessageSettings
from crystal_search.viewer.messages.subscriptions import Waiting
from crystal_search.viewer.reports.plate_report import crystal_probability
from crystal_search.viewer.reports.slides import label_of

BEST_OF_PROJECT = 10
NO_PROJECT = "without a project"
SmallPicture = Callable[[DropScores], bytes | None]  #: a JPEG; None where there is no picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What one digest tells."""

    waiting: Waiting
    projects: Mapping[str, Sequence[DropScores]]  #: by project, the best first
    address: str  #: of the viewer

    @property
    def count(self) -> int:
        """How many drops are new."""
        return sum(map(len, self.projects.values()))

    @property
    def id(self) -> str:
        """By which whoever gets it twice knows it: a server may take it and die before it says so."""
        host = urlsplit(self.address).hostname or "localhost"
        return f"<crystals-{self.waiting.subscription.id}-{self.waiting.id}-{self.waiting.made_at:%Y%m%d%H%M%S}@{host}>"

    @property
    def title(self) -> str:
        """What stands above it."""
        drops = f"{self.count} new {'drop' if self.count == 1 else 'drops'} with crystals"
        return f"{drops}: {', '.join(self.projects)}"[:200]

    @property
    def stop_address(self) -> str:
        """The page on which it is ended."""
        return f"{self.address}/messages/stop/{self.waiting.subscription.token}"

    def address_of(self, drop: DropScores) -> str:
        """Return the page of a drop."""
        return f"{self.address}/drop/{drop.image.id}"


def digest_of(
    waiting: Waiting, drops: Sequence[DropScores], facts: Mapping[str, PlateFacts], settings: MessageSettings
) -> Digest:
    """Return what a waiting digest tells of its drops, the best first."""
    projects: dict[str, list[DropScores]] = {}
    for drop in drops:
        known = facts.get(drop.image.key.plate)
        projects.setdefault(known.project if known and known.project else NO_PROJECT, []).append(drop)
    return Digest(waiting=waiting, projects=projects, address=settings.address.rstrip("/"))


def is_mail_address(address: str) -> bool:
    """Tell whether it is one address, as a header takes it.

    >>> is_mail_address("ada@example.org"), is_mail_address("a@["), is_mail_address("=?utf-8?q?=0a?=@b")
    (True, False, False)
    """
    mail = EmailMessage()
    try:
        mail["To"] = address
        Address(addr_spec=address)
    except Exception:  # the standard library's parser fails in several ways, AttributeError among them
        return False
    return [each.addr_spec for each in mail["To"].addresses] == [address]


def mail_of(digest: Digest, settings: MessageSettings, picture_of: SmallPicture) -> EmailMessage:
    """Return a digest as mail."""
    mail = EmailMessage()
    mail["From"], mail["To"] = settings.sender, digest.waiting.subscription.wish.address
    mail["Subject"] = " ".join(digest.title.split())
    mail["Date"], mail["Message-ID"] = format_datetime(digest.waiting.made_at), digest.id
    mail["List-Unsubscribe"] = f"<{digest.stop_address}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(_text(digest))
    pictures = {drop.image.id: picture_of(drop) for each in digest.projects.values() for drop in each[:BEST_OF_PROJECT]}
    mail.add_alternative(_html(digest, pictures), subtype="html")
    page = mail.get_payload()[1]  # type: ignore[index]
    for image_id, picture in pictures.items():
        if picture:
            page.add_related(picture, "image", "jpeg", cid=f"<drop-{image_id}>")  # type: ignore[union-attr]
    return mail


def json_of(digest: Digest) -> dict[str, Any]:
    """Return a digest as programs get it."""
    return {
        "id": digest.id.strip("<>"),
        "person": digest.waiting.subscription.wish.person,
        "text": f"{digest.title}\n{digest.address}",
        "drops": [
            {
                "project": "" if project == NO_PROJECT else project,
                "address": digest.address_of(drop),
                "image_id": drop.image.id,
            }
            | _told(drop)
            for project, drops in digest.projects.items()
            for drop in drops[:BEST_OF_PROJECT]
        ],
        "more": sum(max(0, len(drops) - BEST_OF_PROJECT) for drops in digest.projects.values()),
    }


def _told(drop: DropScores) -> dict[str, Any]:
    key = drop.image.key
    place = {"plate": key.plate, "well": key.well, "drop": key.drop, "inspection": key.inspection}
    outcome = drop.manual.outcome if drop.manual else drop.current.outcome if drop.current else None
    return place | {
        "outcome": outcome,
        "person_said": drop.manual.person if drop.manual else None,
        "p_crystal": crystal_probability(drop),
    }


def _line(drop: DropScores) -> str:
    """Return what stands beside a drop, in a line."""
    told = _told(drop)
    who = told["person_said"] or "machine"
    chance = "" if told["p_crystal"] is None else f", P(crystal) {told['p_crystal']:.0%}"
    place = f"{told['plate']} {told['well']} drop {told['drop']}, inspection {told['inspection']}"
    return f"{place}: {label_of(told['outcome'] or 'unscored')} ({who}){chance}"


def _rest(drops: Sequence[DropScores]) -> str:
    more = len(drops) - BEST_OF_PROJECT
    return f"and {more} more" if more > 0 else ""


def _text(digest: Digest) -> str:
    lines = [digest.title, ""]
    for project, drops in digest.projects.items():
        lines += [project, ""]
        lines += [f"* {_line(drop)}\n  {digest.address_of(drop)}" for drop in drops[:BEST_OF_PROJECT]]
        lines += [rest, ""] if (rest := _rest(drops)) else [""]
    return "\n".join([*lines, f"To stop these messages: {digest.stop_address}", ""])


def _html(digest: Digest, pictures: Mapping[int, bytes | None]) -> str:
    parts = [f"<h1 style='font-size:18px'>{escape(digest.title)}</h1>"]
    for project, drops in digest.projects.items():
        parts.append(f"<h2 style='font-size:15px'>{escape(project)}</h2>")
        for drop in drops[:BEST_OF_PROJECT]:
            shown = f"<img src='cid:drop-{drop.image.id}' width='160' alt=''><br>" if pictures[drop.image.id] else ""
            parts.append(f"<p><a href='{escape(digest.address_of(drop))}'>{shown}{escape(_line(drop))}</a></p>")
        parts.append(f"<p>{escape(_rest(drops))}</p>")
    stop = f"<p><a href='{escape(digest.stop_address)}'>Stop these messages</a></p>"
    return f"<!doctype html><html><body style='font-family:sans-serif'>{''.join(parts)}{stop}</body></html>"
