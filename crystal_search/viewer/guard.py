"""Who may ask the viewer for what: the names it answers to, what pages may load, who may write.

Three rules keep web pages of others out of the viewer, whoever is signed in: a request must name this viewer
(a page that had its own name rebound to this address names itself), a change must come as JSON from the
viewer's own pages, and the viewer's pages load nothing from anywhere else.
"""

import ipaddress
import socket
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
ANY_ADDRESS = frozenset({"0.0.0.0", "::"})


def host_name(host: str) -> str:
    """Return the name in a Host header, without its port and brackets, in lower case.

    >>> host_name("LocalHost:8765"), host_name("[::1]:8765"), host_name("10.0.0.7")
    ('localhost', '::1', '10.0.0.7')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def own_names(host: str) -> frozenset[str]:
    """Return the names that a viewer bound to `host` answers to."""
    names = LOOPBACK_NAMES | {host.lower()}
    if host in ANY_ADDRESS:
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return names


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """Refuses requests for other hosts, and puts the security headers on every answer.

    Parameters
    ----------
    names
        What the viewer answers to. With an any-address name among them it answers to every literal address
        too, which no foreign name can be rebound to.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = frozenset(names)
        self._any_address = bool(self._names & ANY_ADDRESS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
            await send(message)

        app = self._app if self._is_for_us(Headers(scope=scope)) else _misdirected
        await app(scope, receive, send_guarded)

    def _is_for_us(self, headers: Headers) -> bool:
        name = host_name(headers.get("host", ""))
        return name in self._names or (self._any_address and _is_address(name))


_misdirected = JSONResponse(
    {"status": 421, "error": "this viewer does not answer to that host name; allow it with --allow-host"}, 421
)


def check_may_write(request: Request) -> None:
    """Refuse a change that another site's page may have sent.

    Raises
    ------
    HTTPException
        415 without JSON, 403 from another origin.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(415, "send it as application/json")
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host", ""):
        raise HTTPException(403, "changes are taken from the viewer's own pages only")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "changes are taken from the viewer's own pages only")
