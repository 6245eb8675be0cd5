"""A memory of what was just read: ten open browsers cost the database as much as one."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
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

    def get(self, key: Key) -> Value:
        """Return the value of `key`, at most `seconds` old."""
        with self._lock:
            known = self._values.get(key)
            if known is not None and self._clock() - known[0] < self._seconds:
                return known[1]
            value = self._load(key)
            self._values[key] = (self._clock(), value)
            self._values.move_to_end(key)
            while len(self._values) > self._limit:
                self._values.popitem(last=False)
            return value

    def forget(self) -> None:
        """Read everything anew from now on."""
        with self._lock:
            self._values.clear()
