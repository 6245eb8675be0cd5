"""The daemon that answers BOINC's validator: in milliseconds, where a Python for every question takes 0.1 s.

The validator's scripts (`scripts`) connect to a socket in the home folder and send the words of a question, zero bytes
between them; a line comes back: ``valid``, ``refused REASON`` or ``later REASON``. All but the first two is no answer,
and the script asks a Python of its own. So the daemon may be killed, or hang, at any moment, and it begins anew
whenever it is no longer sure of itself.
"""

import gc
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import chdir, contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from crystal_search.server.engines.boinc.asking import ALIVE
from crystal_search.server.engines.boinc.returned_results import answer, limit_memory
from crystal_search.server.home import Home
from crystal_search.server.locks import FileLock

log = logging.getLogger(__name__)

PATIENCE_S = 1.0  #: with a script that does not say what it asks
LOOK_S = 1.0  #: between two looks at whether this program is still the one that is installed
SETTLE_S = 5.0  #: before it begins anew: an upgrade changes one file after the other
MAX_RESIDENT_BYTES = 512 * 1024**2  #: of memory that stays with this process; it begins anew rather than grow
ALLOCATIONS = 50_000  #: between two searches for garbage: results are thousands of small things, none part of a circle

Identity = tuple[int, int, int] | None  #: of a file; None for one that is not there


def answer_questions(home: Home) -> NoReturn:
    """Answer what is asked about results of this home, until a signal ends this process.

    Raises
    ------
    UserError
        If there is no such home.
    AnotherRunningError
        If another process answers already.
    """
    lock_path = home.found().answers.with_suffix(".lock")
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # by which bin/stop ends daemons, also those begun under nohup
    limit_memory()
    gc.set_threshold(ALLOCATIONS)
    with FileLock(lock_path, "the daemon that answers BOINC's validator"), _listening(home.answers) as listener:
        _serve(listener, [home.answers, *_program()])
    log.warning("the program, its socket or its memory is no longer what it was; it begins anew")
    time.sleep(SETTLE_S)
    os.execv(sys.executable, sys.orig_argv)


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    """Listen at `path`, for this account alone; what a dead daemon left there is replaced."""
    with socket.socket(socket.AF_UNIX) as listener:
        with chdir(path.parent):  # the name of a socket has at most 107 bytes, the path of a home may have more
            with suppress(FileNotFoundError):
                os.unlink(path.name)
            mask = os.umask(0o177)
            try:
                listener.bind(path.name)
            finally:
                os.umask(mask)
        listener.listen(128)
        listener.settimeout(LOOK_S)
        yield listener


def _serve(listener: socket.socket, watched: Sequence[Path]) -> None:
    """Answer while the files in `watched` are what they were and memory does not grow."""
    found = _identities(watched)
    while _identities(watched) == found and _resident_bytes() < MAX_RESIDENT_BYTES:
        next_look = time.monotonic() + LOOK_S
        while time.monotonic() < next_look:
            with suppress(OSError):  # nobody asks, or who asked is gone
                connection, _ = listener.accept()
                with connection:
                    _converse(connection)


def _program() -> list[Path]:
    """Return the files that this program was read from."""
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == __name__.partition(".")[0]]
    return [Path(file) for module in modules if (file := getattr(module, "__file__", None))]


def _identities(paths: Iterable[Path]) -> list[Identity]:
    return [_identity(path) for path in paths]


def _identity(path: Path) -> Identity:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _resident_bytes() -> int:
    """Return how much memory this process has; what `getrusage` tells is the most since before it began anew."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def _converse(connection: socket.socket) -> None:
    connection.settimeout(PATIENCE_S)
    with connection.makefile("rb") as question:
        asked = question.read()
    if asked == ALIVE:
        connection.sendall(ALIVE)
        return
    words = [os.fsdecode(word) for word in asked.split(b"\0")]
    connection.sendall(f"{said_of(words)}\n".encode())


def said_of(words: Sequence[str]) -> str:
    """Return what is said of results; whatever goes wrong in here is no fault of a volunteer's."""
    try:
        if strange := [word for word in words[2:] if not os.path.isabs(word)]:
            raise ValueError(f"{strange[0]!r} is a path from a folder that only the script knows")
        return str(answer(words))
    except Exception as error:
        log.exception("no answer to %s", words)
        return f"later {type(error).__name__}"
