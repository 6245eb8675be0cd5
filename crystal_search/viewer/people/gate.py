"""The gate behind the guard: it finds out who asks, and slows down who writes too much."""

from math import ceil

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from crystal_search.viewer.people.asker import SignIn, known_as
from crystal_search.viewer.people.slowing import Pace

READING = frozenset({"GET", "HEAD"})  #: methods that change nothing
WRITES_PER_MINUTE = 300  #: of a person, or of an address whose person is not known; a held key scores once


class Gate:
    """Tells every route who asks."""

    def __init__(self, app: ASGIApp, sign_in: SignIn, writes_per_minute: int = WRITES_PER_MINUTE) -> None:
        self._app = app
        self._sign_in = sign_in
        self._pace = Pace(per_minute=writes_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it wait."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asker = await run_in_threadpool(self._sign_in.asker, HTTPConnection(scope))
        wait_s = 0.0 if scope["method"] in READING else self._pace.wait_s(asker.paced_as)
        app = self._app if not wait_s else _too_fast(wait_s)
        await app(known_as(scope, asker), receive, send)


def _too_fast(wait_s: float) -> ASGIApp:
    seconds = ceil(wait_s)
    said = f"that is more than anybody writes by hand; try again in {seconds} s"
    return JSONResponse({"status": 429, "error": said}, 429, headers={"Retry-After": str(seconds)})
