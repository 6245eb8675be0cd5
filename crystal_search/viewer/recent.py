"""A memory of what was just read: ten open browsers cost the database as much as one."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

AGAIN_SECONDS = 60.0  #: after which a value is loaded anew whose state is what it was
LONG_AGO = float("-inf")

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known(Generic[Value]):
    value: Value
    state: object  #: of what it was loaded from, asked before
    loaded_at: float
    seen_at: float  #: when it was right last


class Recent(Generic[Key, Value]):
    """Calls `load` for a key at most once in `seconds`; safe to use from several threads.

    Where `state` tells cheaply what is another thing when the value is, it is asked once in `seconds` instead, and
    the value is loaded when its state is another one. `renew` can make it of the value that there was and its state
    instead of loading all of it.

    >>> squares = Recent(lambda number: number * number, seconds=60)
    >>> squares.get(7)
    49
    """

    def __init__(
        self,
        load: Callable[[Key], Value],
        *,
        seconds: float,
        state: Callable[[Key], object] | None = None,
        renew: Callable[[Key, Value, object], Value] | None = None,
        limit: int = 64,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._state = state
        self._renew = renew
        self._seconds = seconds
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._values: OrderedDict[Key, _Known[Value]] = OrderedDict()
        self._loading: dict[Key, Future[Value]] = {}

    def get(self, key: Key) -> Value:
        """Return the value of `key`, at most `seconds` old.

        Whoever asks for a key while it is loaded waits for it; whoever asks for another one does not.
        """
        with self._lock:
            known = self._values.get(key)
            if known is not None and self._clock() - known.seen_at < self._seconds:
                return known.value
            loaded = self._loading.get(key)
            mine: Future[Value] | None = None
            if loaded is None:
                loaded = mine = self._loading[key] = Future()
        if mine is not None:
            self._fill(key, mine, known)
        return loaded.result()

    def _fill(self, key: Key, loaded: Future[Value], before: _Known[Value] | None) -> None:
        """Load a value and hand it to all who wait; keep it unless everything was forgotten meanwhile."""
        now = None
        try:
            now = self._now(key, before)
            loaded.set_result(now.value)
        except BaseException as error:
            loaded.set_exception(error)
        with self._lock:
            if self._loading.get(key) is not loaded:
                return
            del self._loading[key]
            if now is not None:
                self._values[key] = replace(now, seen_at=self._clock())
                self._values.move_to_end(key)
            while len(self._values) > self._limit:
                self._values.popitem(last=False)

    def _now(self, key: Key, before: _Known[Value] | None) -> _Known[Value]:
        """Return what was known before, if it is right still, or what is loaded."""
        asked_at = self._clock()
        state = self._state(key) if self._state else None
        # The state is asked first: what changes between the two is loaded once more, and never overlooked.
        if self._state and before and asked_at - before.loaded_at < AGAIN_SECONDS:
            if before.state == state:
                return before
            if self._renew:
                return replace(before, value=self._renew(key, before.value, before.state), state=state)
        return _Known(value=self._load(key), state=state, loaded_at=asked_at, seen_at=asked_at)

    def forget(self, about: Callable[[Key], bool] = lambda _: True) -> None:
        """Look at everything anew from now on, or only the keys that `about` names; even what is being loaded."""
        with self._lock:
            for key in [each for each in self._loading if about(each)]:
                del self._loading[key]
            for key in [each for each in self._values if about(each)]:
                if self._state:
                    self._values[key] = replace(self._values[key], seen_at=LONG_AGO)
                else:
                    del self._values[key]
