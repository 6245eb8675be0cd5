"""Ending in order: SIGTERM, which systemd and ``kill`` send, ends a service as Ctrl-C does."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Ending:
    """Remembers that the process was asked to end.

    Python drops an exception that a signal raises inside a destructor or a callback; a loop that calls `check`
    ends all the same.
    """

    def __init__(self) -> None:
        self._asked = False

    def check(self) -> None:
        """Raise KeyboardInterrupt if the process was asked to end."""
        if self._asked:
            raise KeyboardInterrupt

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: remember it, and interrupt what runs."""
        self._asked = True
        raise KeyboardInterrupt


@contextmanager
def asked_to_end(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Have `handler` called at SIGTERM and SIGINT inside the block; after it they mean what they meant before."""
    former = {number: signal.signal(number, handler) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, before in former.items():
            signal.signal(number, before)


@contextmanager
def terminated_as_interrupt() -> Iterator[Ending]:
    """Turn SIGTERM and SIGINT into KeyboardInterrupt inside the block, so that whatever runs is stopped in order."""
    ending = Ending()
    with asked_to_end(ending.interrupt):
        yield ending
