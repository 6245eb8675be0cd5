"""A copy of an embedded imaging database that may not be written, so that people can look at it."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def copied(database: Path) -> Iterator[Path]:
    """Give a copy of the SQLite file `database`, none where there is none; it is removed at the end.

    Raises
    ------
    OSError
        If it cannot be read, or there is no room for temporary files.
    """
    with TemporaryDirectory(prefix="crystal-search-") as folder:
        copy = Path(folder) / database.name
        if database.exists():
            _copy(database, copy)
        yield copy


def _copy(database: Path, copy: Path) -> None:
    """Copy what was committed, also while another account's program writes."""
    try:
        with (
            closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
    except sqlite3.OperationalError:  # on a disk that nobody can write, SQLite cannot open a log to read it
        for ending in ("", "-wal"):
            if (file := database.with_name(database.name + ending)).exists():
                shutil.copyfile(file, copy.with_name(copy.name + ending))
