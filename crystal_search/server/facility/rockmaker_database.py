"""Rock Maker as a facility's database: a SQL Server database that Formulatrix' imagers fill, and that we only read."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from crystal_search.errors import ConfigError
from crystal_search.server.facility import rockmaker_statements as statements
from crystal_search.server.facility.facility_database import NEWEST_FILES, Checked, Pulled, Refusal, files_lost
from crystal_search.server.facility.facility_options import ZONE, channels_of, options_of, outcomes_of
from crystal_search.server.facility.facility_rights import unreadable
from crystal_search.server.facility.facility_settings import FacilitySettings
from crystal_search.server.facility.folder_mapping import FolderMapping
from crystal_search.server.facility.foreign_engine import foreign_engine
from crystal_search.server.facility.foreign_sql import asked, guard
from crystal_search.server.facility.rockmaker_pull import RockMakerReader
from crystal_search.server.facility.rockmaker_schema import OWNER, RockMakerSite, RockMakerTables, rockmaker_tables
from crystal_search.server.imaging.imaging_database import ScoredImage
from crystal_search.server.imaging.stored_images import NewImage

READ_ONLY = (
    "Rock Maker is only read: writing to its database risks it and voids its maintenance. "
    "Our scores stay in our ledger, and are shown in the viewer; say push = false in [facility]"
)


class RockMakerDatabase:
    """A `FacilityDatabase` that is Rock Maker's.

    Parameters
    ----------
    engine
        It is guarded from now on: nothing that writes goes through, and every transaction is rolled back.
    here
        What this machine calls a path of the database.
    """

    def __init__(
        self, engine: Engine, tables: RockMakerTables, site: RockMakerSite, here: Callable[[str], str]
    ) -> None:
        self._engine = guard(engine, {})
        self._tables, self._site, self._here = tables, site, here

    def check(self) -> Checked:
        """Tell what is there, and what is missing; nothing is written."""
        with self._reading("connect"):
            pass
        missing = [*unreadable(self._engine, self._tables.by_name.values()), *self._too_much()]
        if missing:
            return Checked(found=(), missing=tuple(missing))
        names = ", ".join(table.fullname for table in self._tables.by_name.values())
        return Checked(found=(*self._seen(), f"would read {names}", "would write nothing"), missing=())

    def pull(self, mark: str, *, limit: int) -> Pulled:
        """Return images, conditions and people's scores that came after `mark`, the oldest first."""
        with self._reading("read images and scores") as connection:
            return RockMakerReader(self._tables, self._site, self._here).pull(connection, mark, limit)

    def push(self, scores: Sequence[ScoredImage]) -> tuple[Refusal, ...]:
        """Refuse to write.

        Raises
        ------
        ConfigError
            Always.
        """
        raise ConfigError(READ_ONLY)

    def close(self) -> None:
        """Give back connections."""
        self._engine.dispose()

    @contextmanager
    def _reading(self, what: str) -> Iterator[Connection]:
        with asked(self._engine, what), self._engine.connect() as connection, connection.begin() as transaction:
            yield connection
            transaction.rollback()

    def _too_much(self) -> Iterable[str]:
        try:
            with self._engine.connect() as connection:
                allowed = connection.scalar(statements.may_change(self._tables))
        except DBAPIError:  # no SQL Server: nobody can be asked
            return
        if allowed:
            yield "too many rights: this account may change plates; let db_datareader be its only role"

    def _seen(self) -> Iterable[str]:
        looked_at, images = self._newest()
        yield f"{len(images)} of the newest {looked_at} images are of a profile and in a folder that are known here"
        yield from files_lost(_files(images), "[facility.folders]")

    def newest_files(self) -> tuple[str, ...]:
        """Return what this machine calls the files of the newest images."""
        _, images = self._newest()
        return _files(images)

    def _newest(self) -> tuple[int, list[NewImage]]:
        """Return how many of the newest images were looked at, and those that are known here."""
        with self._reading("look at the newest images") as connection:
            rows: Sequence[Any] = connection.execute(statements.newest(self._tables, 100)).all()
        reader = RockMakerReader(self._tables, self._site, self._here)
        return len(rows), [image for image in map(reader.image_of, rows) if image]


def _files(images: Sequence[NewImage]) -> tuple[str, ...]:
    return tuple(image.path for image in images[:NEWEST_FILES])


def open_rockmaker(settings: FacilitySettings, password: str) -> RockMakerDatabase:
    """Return the database that the settings describe.

    Raises
    ------
    ConfigError
        If they say what nothing asks for, or the driver is not installed.
    """
    options = options_of(settings, ("owner", "extension", ZONE))
    engine = foreign_engine(settings, password, database="mssql")
    default = "" if engine.dialect.name == "sqlite" else OWNER
    tables = rockmaker_tables(settings.names, owner=options.pop("owner", default))
    site = RockMakerSite(channels=channels_of(settings), outcomes=outcomes_of(settings), **options)
    return RockMakerDatabase(engine, tables, site, FolderMapping(settings.folders).here)
