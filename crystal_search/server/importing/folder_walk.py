"""The image files in a robot's folder, and which of them are whole."""

import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from itertools import groupby
from pathlib import Path

from crystal_search.errors import UserError
from crystal_search.files import is_housekeeping, unwaiting
from crystal_search.images import SUFFIXES
from crystal_search.server.imaging.adding_rules import batches
from crystal_search.server.patience import Patience, UnansweredError

log = logging.getLogger(__name__)

LOOKS_AT_ONCE = 100  #: files that are asked for in one question


@dataclass(frozen=True, slots=True)
class Look:
    """How a file looked, and since when."""

    size_bytes: int
    mtime_ns: int
    since: float  #: `time.monotonic` of the first look that found it so

    def is_like(self, other: "Look") -> bool:
        """Tell whether a file has not changed between two looks."""
        return (self.size_bytes, self.mtime_ns) == (other.size_bytes, other.mtime_ns)


def look_at(path: str) -> Look | str | None:
    """Return how a file looks; None without content, and a few words where it cannot be read.

    It is opened, since only then a network file system asks its server; else it may answer from memory.
    """
    try:
        with open(path, "rb", opener=unwaiting) as file:
            status = os.fstat(file.fileno())
    except FileNotFoundError:  # removed since its folder was read
        return None
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return Look(status.st_size, status.st_mtime_ns, time.monotonic()) if status.st_size else None


def looks_at(paths: Iterable[str], files: Patience) -> Iterator[tuple[str, Look | str]]:
    """Yield how files look, those with content, or why they cannot be read; none of a share that hangs."""
    for _, members in groupby(paths, key=os.path.dirname):
        for batch in batches(members, LOOKS_AT_ONCE):
            try:
                looks = files.ask(batch[0], partial(_looks, batch))
            except UnansweredError:
                continue
            yield from ((path, look) for path, look in zip(batch, looks, strict=True) if look)


def _looks(paths: Iterable[str]) -> list[Look | str | None]:
    return [look_at(path) for path in paths]


def image_files(
    folder: Path, *, files: Patience, leave_out: Sequence[Path], exclude: Sequence[str] = (), left_out: list[str]
) -> Iterator[str]:
    """Walk through `folder` and return the absolute paths of image files, in no order.

    Hidden files and folders, those of file servers (`is_housekeeping`) and links to folders are passed over.

    Parameters
    ----------
    folder
        Where to begin.
    files
        How the file system is asked; a share that hangs is left out, and named.
    leave_out
        Folders that are not searched.
    exclude
        Patterns, as a shell's, of names, or of paths below `folder`, that are passed over.
    left_out
        Gets a sentence for each folder that cannot be read, and for each link to a file outside `folder`.

    Raises
    ------
    UserError
        If there is no such folder.
    """
    if not files.ask(os.path.abspath(folder), folder.is_dir):
        raise UserError(f"there is no folder {folder}")
    top = os.path.abspath(folder)
    inside = os.path.join(os.path.realpath(top), "")
    closed = {os.path.abspath(each) for each in leave_out}
    waiting = [top]
    while waiting:
        for entry in _entries(waiting.pop(), files, left_out):
            if is_housekeeping(entry.name) or _is_excluded(entry, top, exclude):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    waiting += [entry.path] if entry.path not in closed else []
                elif not entry.name.lower().endswith(SUFFIXES) or not entry.is_file():
                    continue
                elif entry.is_symlink() and not os.path.realpath(entry.path).startswith(inside):
                    left_out.append(f"{entry.path}: a link that leads out of {folder}; import where it leads to")
                else:
                    yield entry.path
            except OSError as error:
                left_out.append(f"{entry.path}: cannot be read: {error.strerror}")


def _entries(folder: str, files: Patience, left_out: list[str]) -> list[os.DirEntry[str]]:
    try:
        return files.ask(folder, partial(_listed, folder))
    except UnansweredError as error:
        left_out.append(f"{folder}: {error}")
    except FileNotFoundError:  # removed since its parent was read
        log.info("%s is gone", folder)
    except OSError as error:
        left_out.append(f"{folder}: cannot be read: {error.strerror}")
    return []


def _listed(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _is_excluded(entry: os.DirEntry[str], top: str, exclude: Sequence[str]) -> bool:
    below = os.path.relpath(entry.path, top) if exclude else ""
    return any(fnmatchcase(entry.name, each) or fnmatchcase(below, each) for each in exclude)
