"""Writing files whole or not at all."""

import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import BinaryIO, TypeVar

FULL_DISK = (ENOSPC, EDQUOT)  #: error numbers
PART = ".part"  #: suffix of a file that is not whole yet
SETTLING_AT_ONCE = 16  #: files that are written to the disk at the same time
STALE_S = 3600.0  #: after which nobody goes on with a part file

Item = TypeVar("Item")
Done = TypeVar("Done")

#: What file servers and systems keep in shared folders, in small letters.
HOUSEKEEPING = frozenset(
    {
        "#recycle", "#snapshot", "@eadir", "@recently-snapshot", "@recycle", "@tmp", "~snapshot",  # of file servers
        "$recycle.bin", "recycler", "system volume information",  # of Windows
        "__macosx", "network trash folder", "temporary items", "lost+found",  # of others
    }
)  # fmt: skip


def write_whole(path: Path, content: bytes | str) -> None:
    """Write `content` to `path`, whole or not at all; once this returns, not even a power cut takes it away.

    It goes to a hidden part file beside it, down to the disk, and the part file is renamed. What was written of it
    before an error is removed, so that a full disk is not fuller.
    """
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def written_whole(contents: Mapping[Path, str]) -> Iterator[Path]:
    """Write many files as `write_whole` does, in order; yield each once it is on the disk.

    Many are written at a time, since a disk settles them nearly as soon as one.
    """
    for (path, _), _ in zip(contents.items(), at_once(lambda told: write_whole(*told), contents.items()), strict=True):
        yield path


def at_once(work: Callable[[Item], Done], items: Iterable[Item]) -> Iterator[Done]:
    """Do what waits for the disk to many things at a time; yield what it returns, in order, or raise what it raises."""
    with ThreadPoolExecutor(SETTLING_AT_ONCE) as pool:
        yield from pool.map(work, items)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write that becomes `path` when all went well, as with `write_whole`."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    settle(path.parent)


def clear_parts(folder: Path, *, older_than_s: float = STALE_S) -> None:
    """Delete the part files that killed writers left in a folder.

    Parameters
    ----------
    older_than_s
        How long they were not written to; 0 is for whoever alone writes there.
    """
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError), os.scandir(folder) as entries:
        for entry in entries:
            if not (entry.name.startswith(".") and entry.name.endswith(PART)):
                continue
            with suppress(OSError):
                if not older_than_s or time.time() - entry.stat(follow_symlinks=False).st_mtime >= older_than_s:
                    os.unlink(entry.path)


def settle(folder: Path) -> None:
    """Have the names in `folder` on the disk, where the file system does such a thing."""
    with suppress(OSError):  # some network file systems, and Windows, do not
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def unwaiting(path: str, flags: int) -> int:
    """Open a file for `open`, a pipe too without waiting for somebody to write into it: it is empty then."""
    return os.open(path, flags | os.O_NONBLOCK)


def is_housekeeping(name: str) -> bool:
    """Tell whether a file or folder of this name is a file server's own, or hidden: thumbnails, deleted files, copies.

    >>> is_housekeeping("@eaDir"), is_housekeeping("$RECYCLE.BIN"), is_housekeeping("P1")
    (True, True, False)
    """
    return name.startswith(".") or name.casefold() in HOUSEKEEPING
