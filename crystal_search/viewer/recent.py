"""A memory of what was just read: ten open browsers cost the database as much as one."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """Calls `load` for a key at most once in `seconds`; safe to use from several threads.

    >>> squares = Recent(lambda number: number * number, seconds=60)
    >>> squares.get(7)
    49
    """

    def __init__(
        self,
        load: Callable[[Key], Value],
        *,
        seconds: float,
        limit: int = 64,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._seconds = seconds
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._values: OrderedDict[Key, tuple[float, Value]] = OrderedDict()
        self._loading: dict[Key, Future[Value]] = {}

    def get(self, key: Key) -> Value:
        """Return the value of `key`, at most `seconds` old.

        Whoever asks for a key while it is loaded waits for it; whoever asks for another one does not.
        """
        with self._lock:
            known = self._values.get(key)
            if known is not None and self._clock() - known[0] < self._seconds:
                return known[1]
            loaded = self._loading.get(key)
            mine: Future[Value] | None = None
            if loaded is None:
                loaded = mine = self._loading[key] = Future()
        if mine is not None:
            self._fill(key, mine)
        return loaded.result()

    def _fill(self, key: Key, loaded: Future[Value]) -> None:
        """Load a value and hand it to all who wait; keep it unless everything was forgotten meanwhile."""
        try:
            loaded.set_result(self._load(key))
        except BaseException as error:
            loaded.set_exception(error)
        with self._lock:
            if self._loading.get(key) is not loaded:
                return
            del self._loading[key]
            if loaded.exception() is None:
                self._values[key] = (self._clock(), loaded.result())
                self._values.move_to_end(key)
            while len(self._values) > self._limit:
                self._values.popitem(last=False)

    def forget(self, about: Callable[[Key], bool] = lambda _: True) -> None:
        """Read everything anew from now on, or only the keys that `about` names; even what is being loaded."""
        with self._lock:
            for known in (self._values, self._loading):
                for key in [each for each in known if about(each)]:
                    del known[key]
