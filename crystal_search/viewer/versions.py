"""What image files are like, so that a changed file gets a new address; a share that hangs stops no page."""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

MISSING = ""  #: the version of a file that is not there
LOOKERS = 4  #: threads that a share which hangs can hold on to
PATIENCE_S = 1.0  #: how long a page waits for a share
KEPT_S = 20.0  #: how old a version may be while the share answers
KEPT_FILES = 10_000
NEVER = (float("-inf"), MISSING)  #: when a file was seen that was not, and its version


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
        self._late: Future[None] | None = None  #: a look that took longer than anybody waits

    def get(self, path: str) -> str:
        """Return the version of the file at `path`, looked at anew after a while if its share answers."""
        return self.get_all([path])[0]

    def get_all(self, paths: Sequence[str]) -> list[str]:
        """Return the versions of files; those that are looked at anew are so by one thread, one after the other."""
        since = time.monotonic() - self._kept_s
        with self._lock:
            old = [path for path in paths if self._seen.get(path, NEVER)[0] <= since]
            hangs = self._late is not None and not self._late.done()
        if old and not hangs:
            look = self._lookers.submit(self._see, old)
            try:
                look.result(self._patience_s)
            except TimeoutError:
                with self._lock:
                    self._late = look
        with self._lock:
            return [self._seen.get(path, NEVER)[1] for path in paths]

    def _see(self, paths: Sequence[str]) -> None:
        for path in paths:
            version = self._look(path)
            with self._lock:
                self._seen[path] = (time.monotonic(), version)
                self._seen.move_to_end(path)
                while len(self._seen) > KEPT_FILES:
                    self._seen.popitem(last=False)

    def close(self) -> None:
        """Look at nothing more."""
        self._lookers.shutdown(wait=False, cancel_futures=True)
