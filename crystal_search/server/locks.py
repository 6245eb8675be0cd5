"""Locks between processes, given back by the system when their holder ends, however it ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from crystal_search.errors import AnotherRunningError
from crystal_search.server.home import Home

PATIENCE_S = 60.0  #: steps take seconds at most; one that waits longer has something to complain about
POLL_S = 0.05


class FileLock:
    """The exclusive lock on one file, held from construction to `release`.

    Raises
    ------
    AnotherRunningError
        If another process holds it, and does not give it back within `patience_s`.
    """

    def __init__(self, path: Path, what: str, *, patience_s: float = 0.0) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(
            path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666
        )  # whoever may use the home; the umask says who
        deadline = time.monotonic() + patience_s
        while not self._taken():
            if time.monotonic() >= deadline:
                os.close(self._descriptor)
                raise AnotherRunningError(f"{what} runs already in {path.parent}; stop the other process first")
            time.sleep(POLL_S)

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


@contextmanager
def only_service(home: Home) -> Iterator[None]:
    """Let one process at a time take steps between the folders of `home`; others wait their turn."""
    with FileLock(home.services_lock, "another step", patience_s=PATIENCE_S):
        yield


@contextmanager
def only_messenger(home: Home) -> Iterator[None]:
    """Let one process at a time send messages; another one is told that it is too many."""
    with FileLock(home.messages_lock, "another process that sends messages"):
        yield


@contextmanager
def only_at_facility(home: Home) -> Iterator[None]:
    """Let one process at a time pull from the facility's database and push to it; others wait their turn."""
    with FileLock(home.facility_lock, "a pull from the facility or a push to it", patience_s=PATIENCE_S):
        yield
