"""Making folders whole or not at all."""

import fcntl
import glob
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crystal_search.errors import UserError
from crystal_search.files import FULL_DISK, PART


@contextmanager
def whole_folder(out: Path, *, replace: bool = False) -> Iterator[Path]:
    """Give a new folder to fill; it becomes `out` when all went well, and is removed when not.

    What a killed program left of an `out` of this name goes first; what another one that lives is filling stays.

    Raises
    ------
    UserError
        If `out` holds something already that is not to be replaced, or the disk is full.
    """
    if not replace and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is there already; name another place, or remove it first")
    try:
        with _part(out.absolute()) as part:
            yield part
            if out.exists():
                shutil.rmtree(out)
            part.rename(out)
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        raise UserError(f"the disk of {out} is full; nothing was kept; free some space and try again") from error


@contextmanager
def _part(out: Path) -> Iterator[Path]:
    """Give a new folder beside `out`, locked as long as it is filled, and remove it unless it was renamed."""
    _clear_left(out)
    while True:
        part = out.with_name(f".{out.name}.{secrets.token_hex(4)}{PART}")
        part.mkdir(parents=True)
        with _locking(part) as is_ours:
            if is_ours is False:  # another program took it for one that was left
                continue
            try:
                yield part
            finally:
                shutil.rmtree(part, ignore_errors=True)
            return


def _clear_left(out: Path) -> None:
    """Remove the folders that nobody fills any more."""
    for part in out.parent.glob(f".{glob.escape(out.name)}.{'[0-9a-f]' * 8}{PART}"):
        with _locking(part) as is_ours:
            if is_ours:
                shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _locking(part: Path) -> Iterator[bool | None]:
    """Lock a folder, and tell whether this process has it: False when another has, or has removed it.

    None where the file system has no such locks, as NFS: nobody's folders are removed there.
    """
    try:
        descriptor = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    try:
        yield _is_locked(descriptor, part)
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int, part: Path) -> bool | None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), part.lstat())
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError:
        return None
