"""What image files are like, so that a changed file gets a new address; a share that hangs stops no page."""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

MISSING = ""  #: the version of a file that is not there
LOOKERS = 4  #: threads that a share which hangs can hold on to
PATIENCE_S = 1.0  #: how long a page waits for a share
KEPT_S = 20.0  #: how old a version may be while the share answers
KEPT_FILES = 10_000


def version_of(path: str) -> str:
    """Return what changes when the file at `path` does; MISSING when there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return MISSING
    return version_text(status.st_mtime_ns, status.st_size)


def version_text(mtime_ns: int, size_bytes: int) -> str:
    """Return the version of a file with this time and size."""
    return f"{mtime_ns:x}-{size_bytes:x}"


class Versions:
    """Looks at files in threads of its own and remembers what they were like.

    A network share that hangs holds on to those threads only. Until it answers again, a file is said to be as it
    was when it was last seen, and nobody waits.
    """

    def __init__(
        self, look: Callable[[str], str] = version_of, *, patience_s: float = PATIENCE_S, kept_s: float = KEPT_S
    ) -> None:
        self._look = look
        self._kept_s = kept_s
        self._patience_s = patience_s
        self._lookers = ThreadPoolExecutor(LOOKERS, thread_name_prefix="versions")
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._late: Future[str] | None = None  #: a look that took longer than anybody waits

    def get(self, path: str) -> str:
        """Return the version of the file at `path`, looked at anew after a while if its share answers."""
        with self._lock:
            at, version = self._seen.get(path, (float("-inf"), MISSING))
            hangs = self._late is not None and not self._late.done()
        if hangs or time.monotonic() - at < self._kept_s:
            return version
        look = self._lookers.submit(self._see, path)
        try:
            return look.result(self._patience_s)
        except TimeoutError:
            with self._lock:
                self._late = look
            return version

    def _see(self, path: str) -> str:
        version = self._look(path)
        with self._lock:
            self._seen[path] = (time.monotonic(), version)
            self._seen.move_to_end(path)
            while len(self._seen) > KEPT_FILES:
                self._seen.popitem(last=False)
        return version

    def close(self) -> None:
        """Look at nothing more."""
        self._lookers.shutdown(wait=False, cancel_futures=True)
