"""The folder that holds everything one installation knows: database, queue, results, CSV files.

Where each work unit is among these folders, and who may move it on: `unit_states`.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self, overload

from crystal_search.errors import UserError

ENVIRONMENT_VARIABLE = "CRYSTAL_SEARCH_HOME"
DEFAULT = Path("crystal-search-data")


class Place:
    """A file or folder of every home: ``Home.queue`` says where below it, ``Home(path).queue`` where on this disk."""

    def __init__(self, below: str, *, folder: bool = True) -> None:
        self.below = below
        self.is_folder = folder  #: one that `Home.made` makes

    @overload
    def __get__(self, home: None, owner: type) -> Self: ...
    @overload
    def __get__(self, home: "Home", owner: type) -> Path: ...
    def __get__(self, home: "Home | None", owner: type) -> Self | Path:
        return self if home is None else home.path / self.below


@dataclass(frozen=True, slots=True)
class Home:
    """Where an installation keeps its things; `made` creates the folders.

    >>> Home(Path("data")).queue.as_posix()
    'data/engine/queue'
    """

    path: Path

    settings = Place("settings.toml", folder=False)  #: may be missing
    database = Place("imaging.sqlite", folder=False)  #: the embedded imaging database
    models = Place("models", folder=False)  #: put to use here, and ``in-use.json``; missing until the first is
    queue = Place("engine/queue")  #: work units ``NAME.zip`` that have no valid result yet
    running = Place("engine/running")  #: folders ``NAME.MARK`` in which a client works now
    returned = Place("engine/returned")  #: folders ``NAME`` with a client's result, not yet checked
    failures = Place("engine/failures")  #: folders ``NAME`` with one text for each attempt that failed
    failed = Place("engine/failed")  #: work units set aside after too many failures, each with its reason
    trash = Place("engine/trash")  #: what is being deleted
    submitted = Place("engine/submitted")  #: the number of the attempt at each work unit that a server knows
    incoming = Place("engine/incoming")  #: folders that a server's assimilator leaves, called by its own numbers
    engine_lock = Place("engine/lock", folder=False)  #: held by the one process that looks after clients
    answers = Place("engine/answers", folder=False)  #: the socket at which BOINC's validator is answered
    samples = Place("samples.jsonl", folder=False)  #: counts from time to time, from which rates follow
    trouble = Place("trouble.txt", folder=False)  #: what kept `watch` from scoring at its last pass; else missing
    looked_at = Place("looked-at", folder=False)  #: below which image the last look for changed files ended
    facility_lock = Place(
        "facility.lock", folder=False
    )  #: held by the one process that pulls from a facility or pushes
    services_lock = Place("services.lock", folder=False)  #: held by the one process that takes a step
    validated = Place("validated")  #: folders ``NAME`` with the canonical result
    spool = Place("spool")  #: folders ``NAME`` with assimilated results that are in no CSV yet
    finalized = Place("finalized")  #: CSV files that people may look at before set-autoscore takes them
    scored = Place("scored")  #: CSV files whose scores are in the ledger
    refused = Place("refused")  #: CSV files that could not be used, and texts that say which rows were left out
    archive = Place("archive")  #: folders ``NAME`` with the result and overlays of every finished work unit
    features = Place("features")  #: the features of every score in the ledger, by classifier and drop locator
    fits = Place("fits.json", folder=False)  #: the last fit of a readout to people's scores, of each imager
    rescored = Place("rescored.json", folder=False)  #: how far the archive is scored by the readouts in use
    import_plan = Place("import-plan.json", folder=False)  #: what the last ``import --dry-run`` would have done
    sentinel = Place("sentinel")  #: what is known of each imager, and what was noticed
    people = Place("people.sqlite", folder=False)  #: who may sign in to the viewer, and what they did
    messages = Place("messages.sqlite", folder=False)  #: who wants messages, and what is to go out
    messages_lock = Place("messages.lock", folder=False)  #: held by the one process that sends them
    thumbnails = Place("thumbnails")  #: the viewer's cache

    @classmethod
    def default(cls) -> Self:
        """Return the home that the environment names, else, also by an empty name, ``crystal-search-data`` here."""
        return cls(Path(os.environ.get(ENVIRONMENT_VARIABLE) or DEFAULT))

    @classmethod
    def at(cls, path: Path | None) -> Self:
        """Return the home at `path`, or the default one for None."""
        return cls.default() if path is None else cls(path)

    @classmethod
    def places(cls) -> list[Place]:
        """Return everything that may be in a home."""
        return [place for place in vars(cls).values() if isinstance(place, Place)]

    @property
    def is_there(self) -> bool:
        """Whether there is an installation."""
        return self.queue.is_dir()

    def found(self) -> Self:
        """Return this home if there is one, for commands that only look.

        Raises
        ------
        UserError
            If there is none.
        """
        if not self.is_there:
            raise UserError(
                f"there is no Crystal Search installation in {self.path.absolute()}; say --home FOLDER, "
                f"or set {ENVIRONMENT_VARIABLE}"
            )
        return self

    @property
    def is_writable(self) -> bool:
        """Whether this account may write into it, where it is there."""
        there = [path for path in (self.path, self.database) if path.exists()]
        return all(os.access(path, os.W_OK) for path in there)

    def made(self) -> Self:
        """Create the folders that are missing and return this home.

        Raises
        ------
        UserError
            If it cannot be written.
        """
        if not self.is_writable:
            raise UserError(
                f"{self.path.absolute()} cannot be written, by its disk or by its permissions, and nothing can be done "
                "there; crystal-search view shows a snapshot of it"
            )
        for place in self.places():
            if place.is_folder:
                (self.path / place.below).mkdir(parents=True, exist_ok=True)
        return self
