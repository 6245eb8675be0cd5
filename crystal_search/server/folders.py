"""Moving work between folders so that a process killed at any moment leaves it in exactly one of them."""

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from crystal_search.files import clear_parts
from crystal_search.server.home import Home
from crystal_search.work_unit import NAME


def token() -> str:
    """Return a few letters that no other folder is called by."""
    return secrets.token_hex(4)


def unit_names(folder: Path) -> list[str]:
    """Return the work units that have a folder in `folder`, the oldest first."""
    found = [
        entry for entry in os.scandir(folder) if NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
    ]
    return [entry.name for entry in sorted(found, key=_age)]


def unit_files(folder: Path) -> list[Path]:
    """Return the files ``NAME.zip`` in `folder`, the oldest first."""
    found = [entry for entry in os.scandir(folder) if entry.name.endswith(".zip") and NAME.fullmatch(entry.name[:-4])]
    return [Path(entry.path) for entry in sorted(found, key=_age)]


def _age(entry: "os.DirEntry[str]") -> tuple[float, str]:
    try:
        return entry.stat(follow_symlinks=False).st_mtime, entry.name
    except FileNotFoundError:
        return 0.0, entry.name


def discard(home: Home, path: Path) -> None:
    """Take a file or folder away: out of its place at once, from the disk as soon as may be."""
    grave = home.trash / f"{path.name}.{token()}"
    try:
        os.replace(path, grave)
    except FileNotFoundError:
        return
    _delete(grave)


def empty_trash(home: Home) -> None:
    """Delete what a killed process had no time to delete; what cannot be deleted stays, and is tried again."""
    for path in home.trash.iterdir():
        _delete(path)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def advance(home: Home, source: Path, target: Path) -> bool:
    """Rename the folder `source` to `target`; what is at `target` already stays, and `source` is discarded.

    Who wrote into it has ended: part files that are left there come from one that was killed.
    """
    if target.exists():
        discard(home, source)
        return False
    clear_parts(source, older_than_s=0)
    os.rename(source, target)
    return True
