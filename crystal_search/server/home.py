"""The folder that holds everything one installation knows: database, queue, results, CSV files.

Work moves from folder to folder by renaming, which the file system does whole or not at all. A process that
is killed leaves each work unit in exactly one of them, and the next run goes on from there.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from crystal_search.errors import UserError

ENVIRONMENT_VARIABLE = "CRYSTAL_SEARCH_HOME"
DEFAULT = Path("crystal-search-data")


@dataclass(frozen=True, slots=True)
class Home:
    """Where an installation keeps its things; `made` creates the folders."""

    path: Path

    @classmethod
    def default(cls) -> Self:
        """Return the home that the environment names, else ``crystal-search-data`` in this folder."""
        return cls(Path(os.environ.get(ENVIRONMENT_VARIABLE, DEFAULT)))

    @classmethod
    def at(cls, path: Path | None) -> Self:
        """Return the home at `path`, or the default one for None."""
        return cls.default() if path is None else cls(path)

    def found(self) -> Self:
        """Return this home if there is one, for commands that only look.

        Raises
        ------
        UserError
            If there is none.
        """
        if not self.queue.is_dir():
            raise UserError(
                f"there is no Crystal Search installation in {self.path.absolute()}; say --home FOLDER, "
                f"or set {ENVIRONMENT_VARIABLE}"
            )
        return self

    @property
    def settings(self) -> Path:
        """The settings file, which may be missing."""
        return self.path / "settings.toml"

    @property
    def database(self) -> Path:
        """The embedded imaging database."""
        return self.path / "imaging.sqlite"

    @property
    def models(self) -> Path:
        """Models that were put to use here, and ``in-use.json``; missing until the first is."""
        return self.path / "models"

    @property
    def queue(self) -> Path:
        """Work units ``NAME.zip`` that have no valid result yet."""
        return self.path / "engine" / "queue"

    @property
    def running(self) -> Path:
        """Folders ``NAME`` in which a client works now."""
        return self.path / "engine" / "running"

    @property
    def returned(self) -> Path:
        """Folders ``NAME`` with a client's result, not yet checked."""
        return self.path / "engine" / "returned"

    @property
    def failures(self) -> Path:
        """Folders ``NAME`` with one text for each attempt that failed."""
        return self.path / "engine" / "failures"

    @property
    def failed(self) -> Path:
        """Work units set aside after too many failures, each with its reason."""
        return self.path / "engine" / "failed"

    @property
    def trash(self) -> Path:
        """Folders on their way out."""
        return self.path / "engine" / "trash"

    @property
    def submitted(self) -> Path:
        """For each work unit that a BOINC server knows the number of the attempt at it."""
        return self.path / "engine" / "submitted"

    @property
    def incoming(self) -> Path:
        """Folders that a BOINC assimilator leaves, called by the server's number of the work unit."""
        return self.path / "engine" / "incoming"

    @property
    def engine_lock(self) -> Path:
        """Held by the one process that looks after clients."""
        return self.path / "engine" / "lock"

    @property
    def samples(self) -> Path:
        """Counts from time to time, from which rates follow."""
        return self.path / "samples.jsonl"

    @property
    def services_lock(self) -> Path:
        """Held by the one process that takes a step between the folders."""
        return self.path / "services.lock"

    @property
    def validated(self) -> Path:
        """Folders ``NAME`` with the canonical result."""
        return self.path / "validated"

    @property
    def spool(self) -> Path:
        """Folders ``NAME`` with assimilated results that are in no CSV yet."""
        return self.path / "spool"

    @property
    def finalized(self) -> Path:
        """CSV files that people may look at before set-autoscore takes them."""
        return self.path / "finalized"

    @property
    def scored(self) -> Path:
        """CSV files whose scores are in the ledger."""
        return self.path / "scored"

    @property
    def refused(self) -> Path:
        """CSV files that could not be used, and texts that say which rows were left out."""
        return self.path / "refused"

    @property
    def archive(self) -> Path:
        """Folders ``NAME`` with the result and overlays of every finished work unit."""
        return self.path / "archive"

    @property
    def thumbnails(self) -> Path:
        """The viewer's cache."""
        return self.path / "thumbnails"

    def made(self) -> Self:
        """Create the folders that are missing and return this home."""
        engine = (self.queue, self.running, self.returned, self.failures, self.failed, self.trash)
        services = (self.validated, self.spool, self.finalized, self.scored, self.refused, self.archive)
        for folder in (*engine, *services, self.thumbnails):
            folder.mkdir(parents=True, exist_ok=True)
        return self
