"""Connections that say nothing: each has a time within which its request must have come, and there are only so many."""

import asyncio
import time

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from crystal_search.viewer.guard import SECURITY_HEADERS


class Connection(H11Protocol):
    """HTTP as uvicorn speaks it, towards peers of which some never end what they began to say.

    Where there are too many connections, the one that has been silent for the longest makes room for the next.
    """

    request_s = 10.0  #: within which the head of a request must be whole
    most = 256  #: below what a process may have open, files and database included
    at_once = 64  #: that are taken before the first of them is seen and may be told to make room

    _deadline: asyncio.TimerHandle | None = None
    silent_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > self.most:
            others = (each for each in self.connections if isinstance(each, Connection) and not each.answers)
            min(others, key=lambda each: each.silent_since, default=self).give_up()

    @property
    def answers(self) -> bool:
        """Whether a request came and has no whole answer yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Take what the peer said."""
        super().data_received(data)
        if self.answers:
            self._stop_waiting()
        elif self._deadline is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def give_up(self) -> None:
        """End the connection at once."""
        self._stop_waiting()
        self.connections.discard(self)
        self.transport.abort()

    def _wait(self) -> None:
        self.silent_since = time.monotonic()
        self._deadline = self.loop.call_later(self.request_s, self.give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, with the headers that every answer has."""
        said = {"Content-Type": "text/plain; charset=utf-8", "Connection": "close"} | SECURITY_HEADERS
        head = h11.Response(status_code=400, headers=list(said.items()), reason=b"Bad Request")
        for event in (head, h11.Data(data=msg.encode()), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
