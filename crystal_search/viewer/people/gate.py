"""The gate behind the guard: it finds out who asks, slows down who writes too much, and has kept what they did."""

import logging
from math import ceil

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crystal_search.errors import DatabaseError
from crystal_search.viewer.people.asker import Asker, SignIn, known_as
from crystal_search.viewer.people.person import Event
from crystal_search.viewer.people.slowing import Pace

log = logging.getLogger(__name__)

READING = frozenset({"GET", "HEAD"})  #: methods that change nothing
REFUSED = frozenset({401, 403, 429})
REFUSALS_PER_MINUTE = 20  #: of an address that are kept, so that nobody fills the disk with them


class Gate:
    """Tells every route who asks."""

    def __init__(self, app: ASGIApp, sign_in: SignIn) -> None:
        self._app = app
        self._sign_in = sign_in
        self._writes = Pace(sign_in.writes_per_minute, within_s=60)
        self._refusals = Pace(REFUSALS_PER_MINUTE, within_s=60)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it wait; note what it did before anybody learns that it was done."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            asker = await run_in_threadpool(self._sign_in.asker, HTTPConnection(scope))
        except DatabaseError as error:
            await JSONResponse({"status": 503, "error": str(error)}, 503)(scope, receive, send)
            return
        told: dict[str, str] = {}

        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._note(self._event(scope, asker, int(message["status"]), told))
            await send(message)

        wait_s = 0.0 if scope["method"] in READING else self._writes.wait_s(asker.paced_as)
        app = self._app if not wait_s else _too_fast(wait_s)
        await app(known_as(scope, asker, told), receive, send_noted)

    async def _note(self, event: Event | None) -> None:
        try:
            if event:
                await run_in_threadpool(self._sign_in.note, event)
        except DatabaseError as error:  # what was done is done
            log.error("not kept for the audit page: %s: %s", event, error)

    def _event(self, scope: Scope, asker: Asker, status: int, told: dict[str, str]) -> Event | None:
        """Return what is kept of a request: that something was done or refused; None for nothing."""
        reads = scope["method"] in READING
        is_done = status < 400 and not reads
        kind = "refused" if status in REFUSED else told.get("kind", "done" if is_done else "")
        # A browser that is not signed in yet, or no longer, is no attempt at anything.
        if not kind or (status == 401 and reads and not asker.failed):
            return None
        if kind == "refused" and self._refusals.wait_s(asker.address):
            return None
        what = (f"{scope['method']} {scope['path']}", asker.failed or told.get("about", ""))
        about = ": ".join(each for each in what if each)
        return Event(kind=kind, person=told.get("person", asker.name), address=asker.address, about=about)


def _too_fast(wait_s: float) -> ASGIApp:
    seconds = ceil(wait_s)
    said = f"that is more than anybody writes by hand; try again in {seconds} s"
    return JSONResponse({"status": 429, "error": said}, 429, headers={"Retry-After": str(seconds)})
