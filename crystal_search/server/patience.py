"""Asking file systems that may never answer: a share that hangs holds up no other folder."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

ANSWER_S = 20.0  #: how long a share may take for one question
MOUNTS = Path("/proc/self/mounts")
MOUNTS_KEPT_S = 5.0  #: how old the list of mounts may be

Answer = TypeVar("Answer")


class UnansweredError(OSError):
    """A share did not answer in time."""


def mount_points() -> tuple[str, ...]:
    """Return where file systems are mounted, without asking any of them; only the root where nothing tells."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ("/",)
    points = (line.split(" ")[1].encode(errors="surrogateescape").decode("unicode_escape") for line in lines)
    return tuple({"/", *points})


def mount_of(path: str, points: tuple[str, ...]) -> str:
    """Return the mount that a path is on.

    >>> mount_of("/images/a/b.jpg", ("/", "/images", "/images/a", "/im"))
    '/images/a'
    """
    return max((each for each in points if f"{path}/".startswith(f"{each.rstrip('/')}/")), key=len, default="/")


class Patience:
    """Asks each question in a thread of its own, and a mount no other while one there is unanswered.

    Such a thread cannot be ended; it waits in the kernel, and holds up neither this process nor its end.
    """

    def __init__(self, points: Callable[[], tuple[str, ...]] = mount_points, *, seconds: float = ANSWER_S) -> None:
        self._points, self._seconds = points, seconds
        self._known: tuple[str, ...] = ()
        self._known_at = float("-inf")
        self._late: dict[str, Future[object]] = {}

    def ask(self, path: str, question: Callable[[], Answer]) -> Answer:
        """Return the answer to a question about `path`.

        Raises
        ------
        UnansweredError
            If its mount does not answer, or has not answered an earlier question yet.
        OSError
            Or whatever else the question itself raises.
        """
        mount = mount_of(path, self._mounts())
        if mount in self._late and not self._late[mount].done():
            raise UnansweredError(f"{mount} does not answer")
        future: Future[Answer] = Future()
        threading.Thread(target=_answer, args=(future, question), daemon=True).start()
        try:
            return future.result(self._seconds)
        except TimeoutError:
            if future.done():
                raise
            self._late[mount] = future  # type: ignore[assignment]
            raise UnansweredError(f"{mount} has not answered for {self._seconds:g} s") from None

    def _mounts(self) -> tuple[str, ...]:
        if time.monotonic() - self._known_at > MOUNTS_KEPT_S:
            self._known, self._known_at = self._points(), time.monotonic()
        return self._known


def _answer(future: Future[Answer], question: Callable[[], Answer]) -> None:
    try:
        future.set_result(question())
    except BaseException as error:
        future.set_exception(error)
