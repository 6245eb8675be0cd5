"""Where a work unit is, and who may move it on: the one table of its states (docs/services.md).

A work unit is a file that waits in the queue until its result is in the spool, and a result that moves on beside it.
Each step is one rename, which the file system does whole or not at all: whatever is killed at any moment leaves both
in the place before or in the place after, and the next run goes on from there.

The imaging database has states of its own (`imaging_database.UnitRecord`), which say whether the images still wait for
this work unit: ``open``, from packing until the scores of all are in the ledger; ``done``, since they are, or since
none of its images could be read; ``failed``, since a person left some of them out of a CSV file; ``withdrawn``, since
its images are in other work units or wait again.
"""

import os
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from crystal_search.files import clear_parts
from crystal_search.server.folders import advance, discard, empty_trash, unit_files, unit_names
from crystal_search.server.home import Home

#: How create-work calls work units: plate, inspection, digest. What is called otherwise is none of ours.
OURS = re.compile(r"[A-Za-z0-9-]+-[0-9]+-[0-9a-f]{16}")


class State(StrEnum):
    """What has become of a work unit, in the order in which it moves."""

    GONE = "gone"
    REFUSED = "refused"
    QUEUED = "queued"
    SET_ASIDE = "set aside"
    RUNNING = "running"
    RETURNED = "returned"
    VALIDATED = "validated"
    SPOOLED = "spooled"
    ARCHIVED = "archived"


class Row(NamedTuple):
    """What a state looks like in the home folder."""

    folder: str  #: below the home
    form: str  #: of the name there: ``NAME.zip`` is a file, ``NAME`` and ``NAME.MARK`` are folders
    holds: str


STATES = {
    State.GONE: Row(Home.trash.below, "NAME.MARK", "what is being deleted"),
    State.REFUSED: Row(Home.refused.below, "NAME", "a canonical result that can no longer be read"),
    State.QUEUED: Row(Home.queue.below, "NAME.zip", "the images to score, until the result is in the spool"),
    State.SET_ASIDE: Row(
        Home.failed.below,
        "NAME.zip",
        "what failed too often, with the reasons in `NAME.txt`, until create-work sees it",
    ),
    State.RUNNING: Row(Home.running.below, "NAME.MARK", "what a client has done so far"),
    State.RETURNED: Row(Home.returned.below, "NAME", "a client's result, not yet checked"),
    State.VALIDATED: Row(Home.validated.below, "NAME", "the canonical result"),
    State.SPOOLED: Row(Home.spool.below, "NAME", "the same with the record of its work unit, in no CSV file yet"),
    State.ARCHIVED: Row(Home.archive.below, "NAME", "the same, in a CSV file"),
}

#: Who may move what: the engine, or one of the services.
MOVES = {
    (State.GONE, State.QUEUED): ("create-work",),
    (State.REFUSED, State.QUEUED): ("create-work",),
    (State.QUEUED, State.RUNNING): ("engine",),
    (State.QUEUED, State.SET_ASIDE): ("engine",),
    (State.QUEUED, State.GONE): ("assimilate", "create-work", "engine", "validate"),
    (State.SET_ASIDE, State.GONE): ("create-work",),
    (State.RUNNING, State.RETURNED): ("engine",),
    (State.RUNNING, State.GONE): ("engine",),
    (State.RETURNED, State.VALIDATED): ("validate",),
    (State.RETURNED, State.GONE): ("validate",),
    (State.VALIDATED, State.SPOOLED): ("assimilate",),
    (State.SPOOLED, State.ARCHIVED): ("finalize",),
    (State.SPOOLED, State.REFUSED): ("finalize",),
    (State.ARCHIVED, State.REFUSED): ("finalize",),
}

CANONICAL = (State.VALIDATED, State.SPOOLED, State.ARCHIVED)  #: of a work unit with a valid result
WITH_RESULT = (State.RETURNED, *CANONICAL)
OPEN = (State.QUEUED, State.SET_ASIDE, State.RUNNING, State.RETURNED, State.VALIDATED, State.SPOOLED)  #: not at its end


def place_of(home: Home, name: str, state: State, mark: str = "") -> Path:
    """Return where a work unit lies in a state; `mark` tells the clients of a running one apart.

    >>> place_of(Home(Path("data")), "plate-1", State.QUEUED).as_posix()
    'data/engine/queue/plate-1.zip'
    """
    row = STATES[state]
    return home.path / f"{row.folder}/{row.form.replace('MARK', mark).replace('NAME', name)}"


def is_in(home: Home, name: str, *states: State) -> bool:
    """Tell whether a work unit is in one of these states.

    They are asked in the order in which work moves, so that a unit that moves meanwhile is not missed.
    """
    return any(_things(home, name, state) for state in State if state in states)


def names_in(home: Home, state: State) -> list[str]:
    """Return the work units in a state, those that are there longest first."""
    row = STATES[state]
    folder = home.path / row.folder
    if row.form == "NAME.zip":
        return [path.stem for path in _our_files(folder)]
    if row.form == "NAME":
        return [name for name in unit_names(folder) if OURS.fullmatch(name)]
    found = sorted(entry.name for entry in os.scandir(folder) if _is_unit(entry, row))
    return list(dict.fromkeys(name.partition(".")[0] for name in found))


def strays(home: Home) -> list[Path]:
    """Return what lies in the folders of open work units and is none: a file server's housekeeping, a lost copy."""
    found = []
    for state in OPEN:
        row = STATES[state]
        for entry in sorted(os.scandir(home.path / row.folder), key=lambda entry: entry.name):
            if not entry.name.startswith(".") and not _is_unit(entry, row):
                found.append(Path(entry.path))
    return found


def sweep(home: Home) -> None:
    """Delete what killed processes left, things in the trash and part files; for whoever holds the services' lock."""
    empty_trash(home)
    clear_parts(home.queue, older_than_s=0)  # nobody writes there without that lock
    for folder in (home.path, home.models, home.submitted, home.failed, home.refused):
        clear_parts(folder)


def _is_unit(entry: "os.DirEntry[str]", row: Row) -> bool:
    name, _, rest = entry.name.partition(".")
    if OURS.fullmatch(name) is None:
        return False
    if row.form == "NAME.zip":
        return rest in ("zip", "txt")
    return entry.is_dir(follow_symlinks=False) and (rest != "") == (row.form == "NAME.MARK")


def newest_first(home: Home) -> Iterator[Path]:
    """Return the files of the queued work units, fresh images before a backlog."""
    return reversed(_our_files(home.queue))


def _our_files(folder: Path) -> list[Path]:
    return [path for path in unit_files(folder) if OURS.fullmatch(path.stem)]


def move(home: Home, name: str, source: State, target: State, *, at: Path | None = None) -> bool:
    """Move what a work unit has in one state to another; return whether anything moved.

    What is in `target` already stays, and what comes second is discarded.

    Parameters
    ----------
    at
        Where it lies if not where the table says: whatever folder an engine has it in.

    Raises
    ------
    ValueError
        If the table knows no such move.
    """
    if (source, target) not in MOVES:
        raise ValueError(f"nothing moves from {source} to {target}; asked for with {name}")
    paths = [at] if at else _things(home, name, source)
    if target is State.GONE:
        for path in paths:
            discard(home, path)
        return bool(paths)
    moved = [advance(home, path, place_of(home, name, target)) for path in paths]
    return any(moved)


def _things(home: Home, name: str, state: State) -> list[Path]:
    """Return what a work unit has in a state; only running ones may have several."""
    path = place_of(home, name, state, "*")
    if path.name.endswith("*"):
        return sorted(path.parent.glob(path.name))
    return [path] if path.exists() else []
