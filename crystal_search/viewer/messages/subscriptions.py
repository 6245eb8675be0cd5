"""Who wants messages of what, and how far they were told: the file ``messages.sqlite`` of a home.

What is to be told goes into an outbox in the same transaction in which it is noted as told, and leaves it when the
mail server has taken it: nothing is lost while that is away, and nothing is told twice.
"""

import json
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, Text, delete, select, update

from crystal_search.server.imaging.sql_rows import time_of, time_text
from crystal_search.viewer.own_file import OwnFile

VERSION = 2
SETTLED_AFTER = timedelta(minutes=10)  #: no program takes as long to keep what it found
DAILY, AT_ONCE = "daily", "at once"
OFTEN = (DAILY, AT_ONCE)
Place = tuple[str, int, int, int]  #: plate, row, column, drop

metadata = MetaData()
subscription = Table(
    "subscription",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("person", String(100), nullable=False, unique=True),
    Column("way", String(20), nullable=False, comment="mail or webhook"),
    Column("address", String(320), nullable=False, comment="empty for a webhook"),
    Column("projects", Text, nullable=False, comment="JSON; empty: all that the person may see"),
    Column("often", String(20), nullable=False),
    Column("token", String(64), nullable=False, unique=True, comment="of the link that ends it"),
    Column("since", Integer, nullable=False, comment="scores up to this id were there before it"),
    Column("mark", Integer, nullable=False, comment="scores up to this id were looked at"),
    Column("looked_at", String(27), nullable=False, comment="UTC, when it was due last"),
)
told_drop = Table(
    "told_drop",
    metadata,
    Column("subscription_id", ForeignKey(subscription.c.id, ondelete="CASCADE"), primary_key=True),
    Column("plate", String(100), primary_key=True),
    Column("well_row", Integer, primary_key=True, autoincrement=False),
    Column("well_column", Integer, primary_key=True, autoincrement=False),
    Column("drop_number", Integer, primary_key=True, autoincrement=False),
)
reach = Table(
    "reach",
    metadata,
    Column("seen_at", String(27), primary_key=True, comment="UTC, of a round"),
    Column("newest", Integer, nullable=False, comment="id of the newest score then"),
)
outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("subscription_id", ForeignKey(subscription.c.id, ondelete="CASCADE"), nullable=False),
    Column("image_ids", Text, nullable=False, comment="JSON, what it tells of, the best first"),
    Column("made_at", String(27), nullable=False, comment="UTC"),
    Column("tries", Integer, nullable=False, comment="in vain so far"),
    Column("next_at", String(27), nullable=False, comment="UTC; it is tried again, not before"),
    Column("trouble", Text, nullable=False, comment="why it did not go; else empty"),
    sqlite_autoincrement=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person wants to be told."""

    person: str
    way: str  #: a name in ``message_senders.SENDERS``
    address: str = ""  #: for mail
    projects: tuple[str, ...] = ()  #: none: all that the person may see
    often: str = DAILY


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A wish that stands, and how far it was followed."""

    id: int
    wish: Wish
    token: str  #: whoever has it may end this
    since: int  #: scores of the ledger up to this id were there before it
    mark: int  #: scores of the ledger up to this id were looked at
    looked_at: datetime  #: UTC, time-zone aware


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A digest that is to go out."""

    id: int
    subscription: Subscription
    image_ids: tuple[int, ...]
    made_at: datetime  #: UTC, time-zone aware
    tries: int
    trouble: str


class SubscriptionStore:
    """Subscriptions and their outbox."""

    def __init__(self, path: Path) -> None:
        self._file = OwnFile(path, metadata, VERSION)

    def close(self) -> None:
        """Give back connections."""
        self._file.close()

    def subscribe(self, wish: Wish, *, mark: int, now: datetime) -> None:
        """Follow a wish, in place of the person's former one; what came before it is not told."""
        row = {name: getattr(wish, name) for name in ("way", "address", "often")} | {
            "projects": json.dumps(wish.projects)
        }
        changed = update(subscription).where(subscription.c.person == wish.person).values(row)
        fresh: dict[str, object] = {"person": wish.person, "token": secrets.token_urlsafe(32)}
        fresh |= {"since": mark, "mark": mark, "looked_at": time_text(now)}
        with self._file.transaction("subscribe") as connection:
            if not connection.execute(changed).rowcount:
                connection.execute(subscription.insert().values(row | fresh))

    def of(self, person: str) -> Subscription | None:
        """Return a person's subscription; None without one."""
        return self._one(subscription.c.person == person)

    def with_token(self, token: str) -> Subscription | None:
        """Return the subscription that a link with this token ends; None where there is none."""
        return self._one(subscription.c.token == token)

    def _one(self, condition: Any) -> Subscription | None:
        with self._file.transaction("look for a subscription") as connection:
            row = connection.execute(select(subscription).where(condition)).first()
        return _subscription(row) if row else None

    def all(self) -> list[Subscription]:
        """Return every subscription, by person."""
        with self._file.transaction("list subscriptions") as connection:
            return [_subscription(row) for row in connection.execute(select(subscription).order_by("person"))]

    def end(self, subscription_id: int) -> None:
        """End a subscription; what still waits for it does not go."""
        with self._file.transaction("end a subscription") as connection:
            connection.execute(delete(subscription).where(subscription.c.id == subscription_id))

    def settled(self, newest: int, now: datetime) -> int:
        """Note the id of the newest score; return up to which id no more scores come, 0 where that is not known yet.

        Of two programs that write at once the one with the lower ids may end later, but not by `SETTLED_AFTER`.
        """
        old = select(reach).where(reach.c.seen_at <= time_text(now - SETTLED_AFTER)).order_by(reach.c.seen_at.desc())
        seen = {"seen_at": time_text(now), "newest": newest}
        with self._file.transaction("note the newest score") as connection:
            connection.execute(delete(reach).where(reach.c.seen_at >= time_text(now)))
            connection.execute(reach.insert().values(seen))
            last = connection.execute(old.limit(1)).first()
            if last is None:
                return 0
            connection.execute(delete(reach).where(reach.c.seen_at < last.seen_at))
            return int(last.newest)

    def told(self, subscription_id: int) -> set[Place]:
        """Return the drops of which somebody was told."""
        columns = (told_drop.c.plate, told_drop.c.well_row, told_drop.c.well_column, told_drop.c.drop_number)
        wanted = select(*columns).where(told_drop.c.subscription_id == subscription_id)
        with self._file.transaction("look what was told") as connection:
            return {(row[0], row[1], row[2], row[3]) for row in connection.execute(wanted)}

    def put(
        self, to: Subscription, image_ids: Sequence[int], places: Collection[Place], *, mark: int, now: datetime
    ) -> None:
        """Note how far was looked, and put what was found into the outbox, if anything was."""
        looked = update(subscription).where(subscription.c.id == to.id).values(mark=mark, looked_at=time_text(now))
        keys = ("plate", "well_row", "well_column", "drop_number")
        with self._file.transaction("put a digest into the outbox") as connection:
            if not connection.execute(looked).rowcount or not image_ids:
                return
            rows = [{"subscription_id": to.id} | dict(zip(keys, place, strict=True)) for place in places]
            connection.execute(told_drop.insert(), rows)
            times = {"made_at": time_text(now), "next_at": time_text(now)}
            told = {"subscription_id": to.id, "image_ids": json.dumps(list(image_ids)), "tries": 0, "trouble": ""}
            connection.execute(outbox.insert().values(told | times))

    def waiting(self, now: datetime | None = None) -> list[Waiting]:
        """Return the digests that are to go out by now, or all for None; the oldest first."""
        wanted = select(outbox).order_by(outbox.c.id)
        if now:
            wanted = wanted.where(outbox.c.next_at <= time_text(now))
        with self._file.transaction("look into the outbox") as connection:
            rows = connection.execute(wanted).all()
        known = {each.id: each for each in self.all()}
        return [_waiting(row, known[row.subscription_id]) for row in rows if row.subscription_id in known]

    def sent(self, waiting_id: int) -> None:
        """Take a digest out of the outbox: it went."""
        with self._file.transaction("note that a digest went") as connection:
            connection.execute(delete(outbox).where(outbox.c.id == waiting_id))

    def failed(self, waiting_id: int, trouble: str, *, next_at: datetime) -> None:
        """Note why a digest did not go, and when it is tried again."""
        values = {"tries": outbox.c.tries + 1, "next_at": time_text(next_at), "trouble": trouble}
        with self._file.transaction("note that a digest did not go") as connection:
            connection.execute(update(outbox).where(outbox.c.id == waiting_id).values(values))


def _subscription(row: Any) -> Subscription:
    wish = Wish(
        person=row.person, way=row.way, address=row.address, projects=tuple(json.loads(row.projects)), often=row.often
    )
    told = {name: getattr(row, name) for name in ("id", "token", "since", "mark")}
    return Subscription(wish=wish, looked_at=_time(row.looked_at), **told)


def _waiting(row: Any, to: Subscription) -> Waiting:
    return Waiting(
        id=row.id,
        subscription=to,
        image_ids=tuple(json.loads(row.image_ids)),
        made_at=_time(row.made_at),
        tries=row.tries,
        trouble=row.trouble,
    )


def _time(text: str) -> datetime:
    found = time_of(text)
    if found is None:
        raise ValueError(text)
    return found
