"""A small disk of our own for a home, which may be filled up."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.killing.robot import Act

SIZE = "160m"


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Have `folder` on a disk of its own, if we may; tell whether it is."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def full(folder: Path, left_bytes: int, seconds: float) -> Act:
    """Fill the disk of a folder but for so many bytes, for so long."""
    ballast = folder / "ballast"
    status = os.statvfs(folder)
    size = status.f_bavail * status.f_frsize - left_bytes
    try:
        with suppress(OSError), ballast.open("wb") as file:
            if size > 0:
                os.posix_fallocate(file.fileno(), 0, size)
        yield seconds
    finally:
        ballast.unlink(missing_ok=True)
