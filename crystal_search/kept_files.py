"""Files that one command at a time writes: the second of two learns of the first before it has worked for nothing."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from crystal_search.errors import AnotherRunningError

LOCK = ".lock"  #: suffix of a file that is there while a command is about to write the one beside it


@contextmanager
def written_alone(paths: Iterable[Path]) -> Iterator[None]:
    """Keep files for this command, which writes them once its work is done.

    Where that cannot be done, in a folder that cannot be written or on a file system without locks, nothing is kept.
    Whatever ends the command gives the files back.

    Raises
    ------
    AnotherRunningError
        If another command keeps one of them; the message names it.
    """
    with ExitStack() as kept:
        for path in dict.fromkeys(Path(os.path.realpath(path.parent), path.name) for path in paths):
            kept.enter_context(_kept(path))
        yield


@contextmanager
def _kept(path: Path) -> Iterator[None]:
    lock = path.with_name(f".{path.name}{LOCK}")
    descriptor = _lock_made(lock, path)
    try:
        yield
    finally:
        if descriptor is not None:
            with suppress(OSError):
                lock.unlink()
            os.close(descriptor)


def _lock_made(lock: Path, path: Path) -> int | None:
    """Return the open file of a lock that this process has; None where there can be none."""
    while True:
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), lock.lstat()):
                return descriptor
        except BlockingIOError as error:
            os.close(descriptor)
            said = f"another command is about to write {path}; wait until it has ended, or name another file"
            raise AnotherRunningError(said) from error
        except FileNotFoundError:
            pass  # its last holder has just removed it
        except OSError:
            return descriptor  # a file system without locks
        os.close(descriptor)
