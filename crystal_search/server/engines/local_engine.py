"""The local engine: client programs on this machine, each in a process of its own, as BOINC would run them.

A client that fails, is killed, or makes no progress costs the work unit an attempt. One that has used up its
attempts is set aside, but only after a picture that is known to be good was scored: a client that cannot score
anything is the engine's fault, not the work unit's.
"""

import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from crystal_search.errors import EngineError, WorkUnitError
from crystal_search.exit_codes import BAD_MODEL, BAD_WORK_UNIT, USAGE
from crystal_search.images import picture_file
from crystal_search.result import RESULT_FILE
from crystal_search.server.engines.attempts import add_failure, attempt_folder, failures, fraction_done, set_aside
from crystal_search.server.engines.engine import HomeEngine
from crystal_search.server.engines.leash import GRACE_S, PYTHON, end, leashed
from crystal_search.server.folders import discard
from crystal_search.server.home import Home
from crystal_search.server.settings import Settings
from crystal_search.server.unit_states import WITH_RESULT, State, is_in, move, names_in
from crystal_search.work_unit import read_work_unit, write_work_unit

log = logging.getLogger(__name__)

CLIENT = (*PYTHON, "-m", "crystal_search.client")
LOG_FILE = "client.log"
LOG_TAIL_BYTES = 4000
PROBE_SIDE_PX = 600


@dataclass(slots=True)
class Client:
    """One client program at work."""

    name: str  #: of the work unit
    folder: Path  #: where it writes
    process: subprocess.Popen[bytes]
    fraction_at_start: float
    moved_at: float  #: when its progress changed last
    sign: object = None  #: what was seen of it then


class LocalEngine(HomeEngine):
    """Runs up to ``settings.worker_count`` clients."""

    def __init__(
        self,
        home: Home,
        settings: Settings,
        models: Path,
        *,
        client_command: Sequence[str] = CLIENT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(home, settings)
        self._models, self._command, self._clock = models, tuple(client_command), clock
        self._clients: dict[str, Client] = {}
        self._sweep()

    def step(self) -> None:
        """Collect from clients that ended, stop those that hang, start others.

        Raises
        ------
        EngineError
            If the client cannot score anything, or a model is missing.
        """
        for client in list(self._clients.values()):
            self._look_after(client)
        for path in self._startable():
            if len(self._clients) >= self._settings.worker_count:
                break
            if len(failures(self._home, path.stem)) < self._settings.attempts:
                self._start(path)
            else:
                self._give_up(path)

    def close(self) -> None:
        """Stop the clients and let another engine have the home; what they did so far stays."""
        for client in self._clients.values():
            client.process.terminate()
        deadline = time.monotonic() + GRACE_S
        for client in self._clients.values():
            end(client.process, max(0.0, deadline - time.monotonic()))
        self._clients.clear()
        super().close()

    def _sweep(self) -> None:
        """Take away what former clients left of work units that are no longer queued."""
        for name in names_in(self._home, State.RUNNING):
            if not is_in(self._home, name, State.QUEUED):
                move(self._home, name, State.RUNNING, State.GONE)

    def _startable(self) -> list[Path]:
        waiting = [path for path in self._queued if self._is_waiting(path)]
        return sorted(waiting, key=lambda path: len(failures(self._home, path.stem)))

    def _is_waiting(self, path: Path) -> bool:
        name = path.stem
        return name not in self._clients and not is_in(self._home, name, *WITH_RESULT) and path.exists()

    def _start(self, path: Path) -> None:
        folder = attempt_folder(self._home, path.stem)
        process = self._spawn(path, folder)
        self._clients[path.stem] = Client(path.stem, folder, process, fraction_done(folder), self._clock())
        log.info("client %d works on %s", process.pid, path.stem, extra={"action": "client_started"})

    def _spawn(self, path: Path, folder: Path) -> subprocess.Popen[bytes]:
        # Models that are put to use while this engine runs come into the home's own folder.
        models = ["--models", str(self._models), "--models", str(self._home.models)]
        words = [*self._command, str(path), "--out", str(folder), *models]
        with (folder / LOG_FILE).open("wb") as file:
            return subprocess.Popen(
                leashed(words), stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )

    def _look_after(self, client: Client) -> None:
        code = client.process.poll()
        if code is None:
            if not self._hangs(client):
                return
            end(client.process, 0)
            self._failed(client, f"the client made no progress for {self._settings.seconds_per_image:g} s")
        elif code in (USAGE, BAD_MODEL):
            raise self._broken(client, code)
        elif code:
            self._failed(client, f"the client {_ending(code)}", broken_unit=code == BAD_WORK_UNIT)
        elif (client.folder / RESULT_FILE).is_file():
            del self._clients[client.name]
            move(self._home, client.name, State.RUNNING, State.RETURNED, at=client.folder)
        else:
            self._failed(client, "the client ended well, but left no result")

    def _hangs(self, client: Client) -> bool:
        sign = _sign_of_life(client.folder)
        if sign != client.sign:
            client.sign, client.moved_at = sign, self._clock()
        return self._clock() - client.moved_at > self._settings.seconds_per_image

    def _failed(self, client: Client, reason: str, *, broken_unit: bool = False) -> None:
        """Write the failure down; what was done so far is kept if it got any further."""
        del self._clients[client.name]
        add_failure(self._home, client.name, f"{reason}{_tail(client.folder / LOG_FILE)}")
        log.warning("%s: %s", client.name, reason, extra={"action": "client_failed"})
        if broken_unit:
            move(self._home, client.name, State.QUEUED, State.GONE)
        if fraction_done(client.folder) <= client.fraction_at_start:
            move(self._home, client.name, State.RUNNING, State.GONE, at=client.folder)

    def _broken(self, client: Client, code: int) -> EngineError:
        del self._clients[client.name]
        return EngineError(f"no client can work: it {_ending(code)}{_tail(client.folder / LOG_FILE)}")

    def _give_up(self, path: Path) -> None:
        """Set a work unit aside, unless the client is at fault."""
        try:
            self._check_client(path)
        except WorkUnitError as error:
            log.warning("%s is packed again: %s", path.stem, error)
            move(self._home, path.stem, State.QUEUED, State.GONE)
            return
        set_aside(self._home, path.stem)
        move(self._home, path.stem, State.RUNNING, State.GONE)

    def _check_client(self, path: Path) -> None:
        """Have a good picture scored with the models of the work unit at `path`; once is enough.

        Raises
        ------
        EngineError
            If that fails again and again; then nothing that failed so far counts against any work unit.
        """
        trouble = ""
        for _ in range(self._settings.attempts):
            trouble = self._probe(path)
            if not trouble:
                return
        discard(self._home, self._home.failures)
        self._home.made()
        raise EngineError(f"the client cannot score even a good picture: it {trouble}")

    def _probe(self, path: Path) -> str:
        """Have a good picture scored and return what went wrong; empty when nothing did."""
        folder = attempt_folder(self._home, "probe")
        try:
            process = self._spawn(write_probe(folder / "probe.zip", like=path), folder)
            end(process, self._settings.seconds_per_image)
            if process.returncode == 0 and (folder / RESULT_FILE).is_file():
                return ""
            return f"{_ending(process.returncode)}{_tail(folder / LOG_FILE)}"
        finally:
            discard(self._home, folder)


def good_picture() -> bytes:
    """Return the JPEG of a bright field with a dark ring, the plainest well there is: every sound client scores it."""
    picture = Image.new("L", (PROBE_SIDE_PX, PROBE_SIDE_PX), 200)
    ImageDraw.Draw(picture).ellipse((150, 150, 450, 450), fill=180, outline=90, width=8)
    return picture_file(picture, "JPEG", quality=90)


def write_probe(path: Path, *, like: Path) -> Path:
    """Write a work unit of one good picture to `path`, with the models and parameters of the one at `like`."""
    unit, images = read_work_unit(like), [("probe", ".jpg", good_picture())]
    write_work_unit(path, name="probe", models=unit.models, parameters=unit.parameters, images=images)
    return path


def _sign_of_life(folder: Path) -> object:
    """Return something that changes whenever the client gets on; its log does not count."""
    signs = []
    for name in sorted(os.listdir(folder)):
        if name != LOG_FILE:
            with suppress(FileNotFoundError):  # renamed by the client since it was listed
                status = (folder / name).lstat()
                signs.append((name, status.st_size, status.st_mtime_ns))
    return signs


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace").strip()
    except OSError:
        return ""
    return f"; its log ends:\n{text}" if text else ""
