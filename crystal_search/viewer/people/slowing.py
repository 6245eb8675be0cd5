"""How much somebody may do in a while: so many things at once, and then no more than so many in a time."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_KNOWN = 10_000  #: people and addresses that are remembered; the one that did nothing for longest is forgotten


class Pace:
    """Counts what each does; safe to use from several threads.

    Parameters
    ----------
    most
        Things that each may do at once, after a rest.
    within_s
        Seconds in which each may do so many again.
    clock
        s, for tests.

    Examples
    --------
    >>> pace = Pace(2, within_s=60, clock=lambda: 0.0)
    >>> [pace.wait_s("Ada") for _ in range(3)]
    [0.0, 0.0, 30.0]
    """

    def __init__(self, most: int, *, within_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._per_second = most / within_s
        self._clock = clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  #: things left, and when that was so

    def wait_s(self, who: str) -> float:
        """Count one more thing that `who` does; return after how many seconds it may be done, 0 for now."""
        with self._lock:
            left = self._left_of(who)
            allowed = left >= 1
            self._keep(who, left - 1 if allowed else left)
            return 0.0 if allowed else (1 - left) / self._per_second

    def _left_of(self, who: str) -> float:
        left, then = self._left.get(who, (float(self._most), self._clock()))
        return min(float(self._most), left + (self._clock() - then) * self._per_second)

    def _keep(self, who: str, left: float) -> None:
        self._left[who] = (left, self._clock())
        self._left.move_to_end(who)
        while len(self._left) > MOST_KNOWN:
            self._left.popitem(last=False)
