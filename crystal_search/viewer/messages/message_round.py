"""One round of messages: what is new goes into the outbox, what is in the outbox goes out."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crystal_search.errors import ImageError
from crystal_search.naming import zone_named
from crystal_search.server.imaging.imaging_database import DropScores
from crystal_search.viewer.message_settings import MessageSettings
from crystal_search.viewer.messages.digest import Digest, digest_of
from crystal_search.viewer.messages.message_senders import Sender, SendingError
from crystal_search.viewer.messages.new_crystals import CrystalFinder, place_on_plate
from crystal_search.viewer.messages.subscriptions import AT_ONCE, Subscription, SubscriptionStore, Waiting
from crystal_search.viewer.thumbnails import Thumbnails

log = logging.getLogger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 60.0, 3600.0  #: before a digest that did not go is tried again; it doubles each time
GIVEN_UP_AFTER = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundDone:
    """What a round did, in digests."""

    sent: int = 0
    failed: int = 0
    given_up: int = 0
    troubles: tuple[str, ...] = ()  #: each once


@dataclass(frozen=True, slots=True, kw_only=True)
class Messenger:
    """What a round works with."""

    settings: MessageSettings
    time_zone: str
    store: SubscriptionStore
    finder: CrystalFinder
    thumbnails: Thumbnails
    senders: Mapping[str, Sender]

    def round(self, now: datetime) -> RoundDone:
        """Collect what is new for those whose time it is, and send what waits."""
        for each in self.store.all():
            if is_due(each, now, self.settings.daily_hour, self.time_zone):
                found = self.finder.look(each, self.store.told(each.id))
                places = {place_on_plate(drop.image.key) for drop in found.drops}
                self.store.put(each, [drop.image.id for drop in found.drops], places, mark=found.mark, now=now)
        done = [self._send(waiting, now) for waiting in self.store.waiting(now)]
        troubles = tuple(dict.fromkeys(trouble for trouble in done if trouble))
        given_up = [waiting for waiting in self.store.waiting() if now - waiting.made_at > GIVEN_UP_AFTER]
        for waiting in given_up:
            log.error("a digest for %s never went: %s", waiting.subscription.wish.person, waiting.trouble)
            self.store.sent(waiting.id)
        sent = done.count("")
        return RoundDone(sent=sent, failed=len(done) - sent, given_up=len(given_up), troubles=troubles)

    def _send(self, waiting: Waiting, now: datetime) -> str:
        """Send one digest, and return what was the trouble; empty when it went."""
        drops = self.finder.still(waiting.subscription, waiting.image_ids)
        if drops:
            facts = self.finder.imaging.plate_facts({drop.image.key.plate for drop in drops})
            if trouble := self._hand_over(digest_of(waiting, drops, facts, self.settings)):
                wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**waiting.tries)
                self.store.failed(waiting.id, trouble, next_at=now + timedelta(seconds=wait_s))
                return trouble
        self.store.sent(waiting.id)
        return ""

    def _hand_over(self, digest: Digest) -> str:
        """Return what was the trouble, whatever it was: one digest never keeps others back."""
        wish = digest.waiting.subscription.wish
        try:
            self._sender(wish.way)(digest, self.settings, self._small_picture)
        except SendingError as error:
            return str(error)
        except Exception as error:
            log.exception("the digest for %s cannot be made", wish.person)
            return (
                f"the digest for {wish.person} cannot be made: {type(error).__name__}: {' '.join(str(error).split())}"
            )
        return ""

    def _sender(self, way: str) -> Sender:
        if way not in self.settings.ways:
            raise SendingError(f"the settings say no more how messages go by {way}")
        return self.senders[way]

    def _small_picture(self, drop: DropScores) -> bytes | None:
        try:
            content = self.thumbnails.thumbnail(drop.image).content
            return content if isinstance(content, bytes) else content.read_bytes()
        except (ImageError, OSError) as error:
            log.warning("no picture of image %d for a message: %s", drop.image.id, error)
            return None


def is_due(to: Subscription, now: datetime, daily_hour: int, time_zone: str) -> bool:
    """Tell whether it is time to look for somebody: always for those who want it at once, else once a day.

    >>> from crystal_search.viewer.messages.subscriptions import Wish
    >>> noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    >>> daily = Subscription(id=1, wish=Wish(person="Ada", way="mail"), token="", since=0, mark=0, looked_at=noon)
    >>> [is_due(daily, noon + timedelta(hours=hours), 7, "UTC") for hours in (18, 19, 20)]
    [False, True, True]
    """
    if to.wish.often == AT_ONCE:
        return True
    zone = zone_named(time_zone)
    today = now.astimezone(zone).replace(hour=daily_hour, minute=0, second=0, microsecond=0)
    last = today if today <= now else today - timedelta(days=1)
    return to.looked_at < last.astimezone(UTC)
