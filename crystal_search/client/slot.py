"""What a BOINC client and a program in one of its slot folders say to each other.

They share eight channels of 1024 bytes in memory: the first byte says whether a message lies there, the others are
the message, ended by a zero byte. Who reads a message clears the first byte; who finds it set does not write. The
client asks to suspend, resume, quit or abort, and once a second says that it is alive; the program tells processor
time and the part that is done. A program has finished when it leaves a file that says so; one that ends without is
started again later.

Sources: BOINC's page "API implementation" (github.com/BOINC/boinc/wiki), and the client of release 7.20.
"""

import mmap
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CHANNEL_BYTES = 1024
REQUEST, HEARTBEAT, STATUS = 0, 4, 5  # positions of the channels that are used
CHANNELS = 8
SHARED_BYTES = CHANNELS * CHANNEL_BYTES
SHARED_FILE, INIT_FILE, FINISH_FILE, LATER_FILE = (
    "boinc_mmap_file",
    "init_data.xml",
    "boinc_finish_called",
    "boinc_temporary_exit",
)
POLL_S, STATUS_S, SILENCE_S = 0.1, 1.0, 30.0
ABORTED = 194  #: exit code of a program that the client aborts
MAX_INIT_BYTES = 10_000_000
PID = re.compile("[0-9]{1,9}")
SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,20})?(e[+-]?[0-9]{1,2})?")


Shared = mmap.mmap | bytearray  #: memory that client and program share


def receive(shared: Shared, channel: int) -> str:
    r"""Return the message in a channel and clear it; empty when there is none.

    >>> memory = bytearray(SHARED_BYTES)
    >>> memory[0:12] = b"\x01<suspend/>\n"
    >>> receive(memory, REQUEST), receive(memory, REQUEST)
    ('<suspend/>\n', '')
    """
    start = channel * CHANNEL_BYTES
    if not shared[start : start + 1][0]:
        return ""
    text = bytes(shared[start + 1 : start + CHANNEL_BYTES]).partition(b"\0")[0]
    shared[start : start + 1] = b"\0"
    return text.decode("utf-8", errors="replace")


def send(shared: Shared, channel: int, message: str) -> bool:
    """Put a message into a channel; False when the one before was not read yet."""
    start, text = channel * CHANNEL_BYTES, message.encode() + b"\0"
    if shared[start : start + 1][0]:
        return False
    shared[start + 1 : start + 1 + len(text)] = text
    shared[start : start + 1] = b"\1"
    return True


@dataclass(frozen=True, slots=True)
class InitData:
    """What the client says in ``init_data.xml``."""

    client_pid: int = 0  #: 0: not told
    cpu_s: float = 0.0  #: processor time of the program's former lives
    segment: str = ""  #: name of the shared memory, on Windows


def read_init_data(folder: Path) -> InitData | None:
    """Return what the client says, or None where there is no client; a number that is none counts as not told."""
    try:
        with (folder / INIT_FILE).open("rb") as file:
            text = file.read(MAX_INIT_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return None
    pid, cpu_s = _tag(text, "client_pid"), _tag(text, "wu_cpu_time")
    return InitData(
        client_pid=int(pid) if PID.fullmatch(pid) else 0,
        cpu_s=float(cpu_s) if SECONDS.fullmatch(cpu_s) else 0.0,
        segment=_tag(text, "comm_obj_name"),
    )


def _tag(text: str, name: str) -> str:
    found = re.search(rf"<{name}>\s*([^<]*?)\s*</{name}>", text)
    return found[1] if found else ""


def resolved(path: Path) -> Path:
    """Return the file that a name in a slot folder stands for: itself, or what a text in it links to.

    On Windows a link is a file that says ``<soft_link>../../projects/...</soft_link>``; elsewhere it is a link of the
    file system.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError:
        return path
    if not head.startswith(b"<soft_link>"):
        return path
    target = head[len(b"<soft_link>") :].partition(b"</soft_link>")[0].decode("utf-8", errors="replace")
    return path.parent / target


def is_alive(pid: int) -> bool:
    """Tell whether a process exists, where the system says so; elsewhere True."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Slot:
    """The slot folder of one program, and the thread that listens to the client."""

    def __init__(self, folder: Path, *, leave: Callable[[int], object] = os._exit) -> None:
        self._folder, self._leave = folder, leave
        self._told = read_init_data(folder)
        self._shared = _shared_memory(folder, self._told) if self._told else None
        self._fraction = self._cpu_at_checkpoint_s = 0.0
        self._working = threading.Event()
        self._working.set()
        self._heard_at = time.monotonic()
        if self._shared is not None:
            threading.Thread(target=self._listen, name="boinc", daemon=True).start()

    def pause(self, fraction: float) -> None:
        """Take note of how much is done, from 0 to 1, all of it kept; return when the program may go on."""
        self._fraction, self._cpu_at_checkpoint_s = fraction, self._cpu_s()
        self._working.wait()

    def finish(self, code: int) -> None:
        """Tell the client that the program has ended for good: well with 0, else in vain."""
        if self._shared is not None:
            self._fraction = 1.0
            self._report()
        (self._folder / FINISH_FILE).write_text(f"{code}\n", encoding="utf-8")

    def later(self, seconds: int, reason: str) -> None:
        """Tell the client to start the program again after some time."""
        (self._folder / LATER_FILE).write_text(f"{seconds}\n{reason}\n", encoding="utf-8")

    def _cpu_s(self) -> float:
        return (self._told.cpu_s if self._told else 0.0) + time.process_time()

    def _listen(self) -> None:
        reported = 0.0
        while True:
            self.obey()
            if time.monotonic() - reported >= STATUS_S:
                reported = time.monotonic()
                self._report()
                if self._is_alone():
                    sys.stderr.write("the BOINC client is gone; going on when it is back\n")
                    self._leave(0)
                    return
            time.sleep(POLL_S)

    def obey(self) -> None:
        """Do what the client asks for, if it does."""
        shared = self._shared
        if shared is None:
            return
        if receive(shared, HEARTBEAT):
            self._heard_at = time.monotonic()
        request = receive(shared, REQUEST)
        if "<suspend/>" in request:
            self._working.clear()
        if "<resume/>" in request:
            self._working.set()
        if "<quit/>" in request:
            self._leave(0)  # every image that is done is kept
        if "<abort/>" in request:
            self._leave(ABORTED)

    def _is_alone(self) -> bool:
        pid = self._told.client_pid if self._told else 0
        if pid and sys.platform != "win32":
            return not is_alive(pid)
        return time.monotonic() - self._heard_at > SILENCE_S

    def _report(self) -> None:
        if self._shared is not None:
            send(
                self._shared,
                STATUS,
                f"<current_cpu_time>{self._cpu_s():e}</current_cpu_time>\n"
                f"<checkpoint_cpu_time>{self._cpu_at_checkpoint_s:e}</checkpoint_cpu_time>\n"
                f"<fraction_done>{self._fraction:e}</fraction_done>\n",
            )


def _shared_memory(folder: Path, told: InitData) -> Shared | None:
    """Return the memory that a client has made for this slot, or None when it has not."""
    if sys.platform == "win32":
        return mmap.mmap(-1, SHARED_BYTES, tagname=f"shm_{told.segment}")
    try:
        with (folder / SHARED_FILE).open("r+b") as file:
            return mmap.mmap(file.fileno(), SHARED_BYTES)
    except (OSError, ValueError):
        return None
