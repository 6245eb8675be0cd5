"""Which daemons of a BOINC project run."""

import fcntl
import os
import socket
import struct
from pathlib import Path

from crystal_search.server.engines.boinc.project import Project

FLOCK = "hhqqi4x"  #: struct flock of Linux on 64 bit: type, whence, start, length, process


def dead_daemons(project: Project) -> list[str]:
    """Return the programs among the project's daemons that do not run on this host.

    ``bin/start`` locks ``pid_HOST/PROGRAM.lock`` for as long as the program runs, and notes its process number in
    ``PROGRAM.pid``. That number outlives the program, and after a reboot is another one's: the lock decides.
    """
    folder = project.root / f"pid_{socket.gethostname().partition('.')[0]}"
    others = list(project.root.glob("pid_*"))
    if not folder.is_dir() and len(others) == 1:  # they run in a container of another name
        folder = others[0]
    return [program for program in project.daemons if not _runs(folder, program)]


def _runs(folder: Path, program: str) -> bool:
    locked = is_locked(folder / f"{program}.lock")
    return _is_process_of(folder / f"{program}.pid", program) if locked is None else locked


def is_locked(path: Path) -> bool | None:
    """Return whether a process has locked a file by `lockf`, or None when that cannot be asked; nothing is locked."""
    try:
        with path.open("rb") as file:
            asked = struct.pack(FLOCK, fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
            answer = fcntl.fcntl(file, fcntl.F_GETLK, asked)
    except OSError:
        return None
    kind: int = struct.unpack(FLOCK, answer)[0]
    return kind != fcntl.F_UNLCK


def _is_process_of(path: Path, program: str) -> bool:
    """Tell whether the process whose number is in a file is a program's, as far as that can be known."""
    try:
        number = int(path.read_text(encoding="utf-8").strip())
        words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
    except PermissionError:  # of another user, who hides it
        return True
    except (OSError, ValueError):
        return False
    return program in {os.path.basename(os.fsdecode(word)) for word in words}
