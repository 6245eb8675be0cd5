"""Serving the plate viewer: ``crystal-search view``."""

import argparse
import errno
import logging
import socket
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager, nullcontext

import uvicorn
from starlette.types import ASGIApp

from crystal_search.errors import UserError
from crystal_search.server.home import Home
from crystal_search.server.installation import add_home_argument, opened
from crystal_search.server.interrupts import asked_to_end
from crystal_search.viewer.app import viewer_app
from crystal_search.viewer.connections import Connection
from crystal_search.viewer.frame_colours import read_frames
from crystal_search.viewer.guard import LOOPBACK_NAMES, own_names
from crystal_search.viewer.people.nobody import NobodySignsIn
from crystal_search.viewer.people.opened_sign_in import opened_sign_in

log = logging.getLogger(__name__)

FRAMES_FILE = "frames.toml"  #: in the home folder
WAITING = 2048  #: connections that the kernel may hold until they are taken
DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8765


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``view`` takes."""
    add_home_argument(parser)
    add_address_arguments(parser)


def add_address_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says where pages are served."""
    parser.add_argument("--host", default=DEFAULT_HOST, help="address to listen on (default %(default)s: this machine)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="default %(default)s; 0: any that is free")
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="another name it is reached by"
    )


def run(arguments: argparse.Namespace) -> None:
    """Serve the viewer until Ctrl-C."""
    home = Home.at(arguments.home)
    serve(home, host=arguments.host, port=arguments.port, allow_hosts=arguments.allow_host)


def serve(
    home: Home,
    *,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    allow_hosts: Collection[str] = (),
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the viewer of an installation until Ctrl-C or SIGTERM.

    Parameters
    ----------
    home
        The installation.
    host, port
        Where to listen; port 0 takes any that is free.
    allow_hosts
        More host names that the viewer answers to.
    ready
        Called with the address once the viewer listens; by default the address is printed.

    Raises
    ------
    UserError
        If there is no installation, it cannot listen there, or frame colours or signing in cannot be used.
    """
    frames = read_frames(home.path / FRAMES_FILE)
    with (
        closing(listen(host, port)) as listener,
        opened(home.path, create=False) as installation,
        opened_sign_in(installation, listens_here=host in LOOPBACK_NAMES) as sign_in,
    ):
        if host not in LOOPBACK_NAMES and isinstance(sign_in, NobodySignsIn):
            log.warning("nobody signs in: whoever reaches %s sees all plates, and writes nothing", host)
        app = viewer_app(
            installation.imaging,
            home.thumbnails,
            names=answered_to(listener, host, allow_hosts),
            sign_in=sign_in,
            frames=frames,
            is_snapshot=installation.is_snapshot,
            time_zone=installation.settings.time_zone,
            site=installation,
        )
        serve_app(app, listener, ready or announce)


def answered_to(listener: socket.socket, host: str, allow_hosts: Collection[str]) -> frozenset[str]:
    """Return the names that a service answers to that was to listen on `host`."""
    own_address = listener.getsockname()[0]  # what is announced, when `host` is a name
    return own_names(host) | own_names(own_address) | {name.lower() for name in allow_hosts}


def serve_app(app: ASGIApp, listener: socket.socket, ready: Callable[[str], None]) -> None:
    """Serve an application on a listener until Ctrl-C or SIGTERM; `ready` is called with the address."""
    config = uvicorn.Config(
        app,
        http=Connection,
        backlog=Connection.at_once,  # asyncio takes as many connections in one turn of its loop
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,
    )
    Server(config, address_of(listener), ready).run(sockets=[listener])


def announce(address: str) -> None:
    """Print where the viewer is."""
    sys.stdout.write(f"viewer: {address}\n")
    sys.stdout.flush()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound and waits to be served.

    Raises
    ------
    UserError
        If the port is taken, is no port, or the host is none of this machine.
    """
    if not 0 <= port <= 65535:
        raise UserError(f"port {port} is none; choose one from 1 to 65535, or 0 for any that is free")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise UserError(f"cannot listen on host {host!r}: {error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(WAITING)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise UserError(
                f"port {port} on {host} is taken, perhaps by another viewer; stop that one, "
                "choose another port with --port, or let --port 0 find a free one"
            ) from error
        raise UserError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    return listener


def address_of(listener: socket.socket) -> str:
    """Return the address at which browsers of this machine reach a listener."""
    name, port = listener.getsockname()[:2]
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(name, name)
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


class Server(uvicorn.Server):
    """Tells when it listens, and returns on a signal instead of raising it anew."""

    def __init__(self, config: uvicorn.Config, address: str, ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._address = address
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        for each in sockets or ():
            each.listen(WAITING)
        if self.started:
            self._ready(self._address)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End the service on Ctrl-C and SIGTERM; afterwards signals mean what they meant before."""
        here = threading.current_thread() is threading.main_thread()
        with asked_to_end(self.handle_exit) if here else nullcontext():
            yield
