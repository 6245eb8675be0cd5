"""Lists of images that are worth a look, made beside the requests that ask for them.

Making one takes seconds, with many labels minutes: it happens in a thread of its own, and what was made is kept until
people have scored something more. Whoever asks meanwhile gets the list before, if there is one.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from crystal_search.server.installation import Installation
from crystal_search.server.services.imager_features import imagers_with_features
from crystal_search.viewer.queue_kinds import QUEUE_KINDS, Entry, store_of_models
from crystal_search.viewer.recent import Recent
from crystal_search.wells import REMOVED

LABELS_SECONDS = 2.0  #: how old what is known of people's scores may be
IMAGERS_SECONDS = 60.0  #: how old the list of imagers may be
ALL_DONE = "All drops of this list were scored meanwhile, or are gone: there is nothing to do."
FRESH_SECONDS = 600.0  #: after which a list is made anew, for images are scored and come meanwhile
PATIENCE_SECONDS = 2.0  #: that a request waits for a list


class Key(NamedTuple):
    """Which list."""

    kind: str  #: of `QUEUE_KINDS`
    imager: str  #: empty where the kind is not by imager


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A list as it was made."""

    labels: tuple[int, int]  #: what people had said by then, as `HandCounts.hand_state` tells it
    at: float  #: s, by the clock of this process
    entries: tuple[Entry, ...]
    why_empty: str  #: why there are none, and what to do; empty where there are some


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list as it is answered."""

    entries: tuple[Entry, ...]
    is_current: bool  #: whether it is of all that people have said; else a newer one is being made
    why_empty: str = ""  #: why there are none, and what to do; empty where there are some, or it is not known yet


class QueueSource(Protocol):
    """What has lists of images that are worth a look."""

    def imagers(self) -> list[str]:
        """Return the imagers of whose images there are features, that with the most images first."""

    def get(self, key: Key) -> Listing:
        """Return a list, the newest that can be had without waiting long.

        Raises
        ------
        DatabaseError
            If the database or the store cannot be read.
        """


class Queues:
    """The lists of one installation.

    Parameters
    ----------
    site
        Whose images, scores and features.
    clock
        s, for tests.
    """

    def __init__(self, site: Installation, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._site = site
        self._clock = clock
        self._labels = Recent(self._load_labels, seconds=LABELS_SECONDS, clock=clock)
        self._imagers = Recent(self._load_imagers, seconds=IMAGERS_SECONDS, clock=clock)
        self._lock, self._one_at_a_time = threading.Lock(), threading.Lock()
        self._made: dict[Key, Made] = {}
        self._making: dict[Key, Future[Made]] = {}

    def imagers(self) -> list[str]:
        """Return the imagers of whose images there are features, that with the most images first."""
        return self._imagers.get("")

    def get(self, key: Key) -> Listing:
        """Return a list, the newest that can be had without waiting long.

        Raises
        ------
        DatabaseError
            If the database or the store cannot be read.
        """
        labels = self._labels.get("")
        with self._lock:
            made = self._made.get(key)
            is_current = made is not None and made.labels == labels and self._clock() - made.at < FRESH_SECONDS
            making = None if is_current else self._making.get(key) or self._begin(key, labels)
        if making and wait_for([making], PATIENCE_SECONDS).done:
            made, is_current = making.result(), True
        entries = self._still(key, made.entries if made else ())
        why = made.why_empty or ALL_DONE if made and not entries else ""
        return Listing(entries=entries, why_empty=why, is_current=is_current)

    def _begin(self, key: Key, labels: tuple[int, int]) -> "Future[Made]":
        """Begin to make a list; the lock is held."""
        making = self._making[key] = Future()
        threading.Thread(target=self._make, args=(key, labels, making), daemon=True, name=f"queue {key.kind}").start()
        return making

    def _make(self, key: Key, labels: tuple[int, int], making: "Future[Made]") -> None:
        try:
            with self._one_at_a_time:
                kind = QUEUE_KINDS[key.kind]
                entries = kind.make(self._site, key.imager)
                why = "" if entries else kind.why_empty(self._site)
            made = Made(labels=labels, at=self._clock(), entries=tuple(entries), why_empty=why)
        except BaseException as error:  # whoever waits is told
            with self._lock:
                del self._making[key]
            making.set_exception(error)
            return
        with self._lock:
            del self._making[key]
            self._made[key] = made
        making.set_result(made)

    def _still(self, key: Key, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        """Return those whose images are still there, and, where the kind says so, still scored by nobody."""
        ids = [each.image.id for each in entries]
        images = self._site.imaging.images(ids)
        gone = {each for each in ids if each not in images or images[each].key.channel == REMOVED}
        if QUEUE_KINDS[key.kind].unscored:
            gone |= self._site.imaging.scored_by_hand(ids)
        return tuple(each for each in entries if each.image.id not in gone)

    def _load_labels(self, _: str) -> tuple[int, int]:
        return self._site.imaging.hand_state()

    def _load_imagers(self, _: str) -> list[str]:
        store = store_of_models(self._site)
        return [imager for imager, _ in imagers_with_features(self._site, store).most_common()] if store else []
