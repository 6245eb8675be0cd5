"""XtalTrak, or CrystalTrak, as a facility's database: an Oracle database that Rigaku's imagers fill.

The statements are the same on every database that SQLAlchemy knows; the played site is one in SQLite.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Executable, Table

from crystal_search.server.facility import xtaltrak_statements as statements
from crystal_search.server.facility.facility_database import NEWEST_FILES, Checked, Pulled, Refusal, files_lost
from crystal_search.server.facility.facility_rights import unreadable, why_not
from crystal_search.server.facility.facility_settings import FacilitySettings
from crystal_search.server.facility.folder_mapping import FolderMapping
from crystal_search.server.facility.foreign_engine import foreign_engine
from crystal_search.server.facility.foreign_sql import asked, guard
from crystal_search.server.facility.xtaltrak_pull import XtalTrakReader, channel_of
from crystal_search.server.facility.xtaltrak_push import XtalTrakWriter
from crystal_search.server.facility.xtaltrak_schema import (
    OWNER,
    XtalTrakSite,
    XtalTrakTables,
    xtaltrak_site,
    xtaltrak_tables,
)
from crystal_search.server.imaging.imaging_database import ScoredImage


class XtalTrakDatabase:
    """A `FacilityDatabase` that is XtalTrak's.

    Parameters
    ----------
    engine
        It is guarded from now on: nothing but our own statements goes through.
    here
        What this machine calls a path of the database.
    push
        Whether scores are given to it; otherwise no right to write is asked for.
    """

    def __init__(
        self,
        engine: Engine,
        tables: XtalTrakTables,
        site: XtalTrakSite,
        here: Callable[[str], str],
        *,
        push: bool = True,
    ) -> None:
        writable: dict[Table, tuple[str, ...]] = {tables.scores: ("insert", "update")}
        if tables.counts is not None:
            writable[tables.counts] = ("update",)
        self._engine = guard(engine, writable if push else {})
        self._tables, self._site, self._here, self._push = tables, site, here, push

    def check(self) -> Checked:
        """Tell what is there, and what is missing; nothing is written."""
        with self._transaction("connect"):
            pass
        missing = list(unreadable(self._engine, self._tables.all))
        if not missing and self._push:
            reasons = {what: why_not(self._engine, statement) for what, statement in self._writes()}
            missing = [f"right to {what}: {why}" for what, why in reasons.items() if why]
        found = [] if missing else [*self._seen(), *self._would()]
        return Checked(found=tuple(found), missing=tuple(missing))

    def pull(self, mark: str, *, limit: int) -> Pulled:
        """Return images and people's scores that came after `mark`, the oldest first."""
        with self._transaction("read images and scores") as connection:
            return XtalTrakReader(self._tables, self._site, self._here).pull(connection, mark, limit)

    def push(self, scores: Sequence[ScoredImage]) -> tuple[Refusal, ...]:
        """Give it these scores in one transaction; return those that it does not take."""
        if not scores:
            return ()
        with self._transaction("write scores") as connection:
            return tuple(XtalTrakWriter(self._tables, self._site, connection).push(scores))

    def close(self) -> None:
        """Give back connections."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, what: str) -> Iterator[Connection]:
        with asked(self._engine, what), self._engine.begin() as connection:
            yield connection

    def _writes(self) -> Iterable[tuple[str, Executable]]:
        yield "INSERT scores, with the sequence's numbers", statements.may_add(self._tables, self._site.sequence)
        yield "UPDATE score and date of our own scores", statements.may_change(self._tables)
        if self._tables.counts is not None:
            yield "UPDATE the counter of scored drops", statements.may_count(self._tables.counts)

    def _seen(self) -> Iterable[str]:
        """Say what the names of the newest images make of them, and how many of their files are here."""
        rows = self._newest()
        channels = [channel_of(row.imagename or "", self._site.channels) for row in rows]
        for channel in sorted(set(channels) - {""}):
            yield f"{channels.count(channel)} of the newest {len(rows)} images are {channel}"
        if "" in channels:
            name = rows[channels.index("")].imagename
            yield f"{channels.count('')} of them, as {name!r}, fit no pattern of [facility.channels]"
        yield from files_lost(self._files(rows), "[facility.folders] and image_path")

    def newest_files(self) -> tuple[str, ...]:
        """Return what this machine calls the files of the newest images of a channel."""
        return self._files(self._newest())

    def _newest(self) -> Sequence[Any]:
        with self._transaction("look at the newest images") as connection:
            return connection.execute(statements.newest_images(self._tables, 1000)).all()

    def _files(self, rows: Sequence[Any]) -> tuple[str, ...]:
        reader = XtalTrakReader(self._tables, self._site, self._here)
        known = [row for row in rows if channel_of(row.imagename or "", self._site.channels)]
        return tuple(reader.path_of(row) for row in known[:NEWEST_FILES])

    def _would(self) -> Iterable[str]:
        yield f"would read {', '.join(table.fullname for table in self._tables.all)}"
        if not self._push:
            yield "would write nothing"
            return
        yield f"would add rows to {self._tables.scores.fullname} by {self._site.scored_by!r}, and change only these"
        if self._tables.counts is not None:
            yield f"would raise {self._tables.counts.c.dropscorecount.name} of {self._tables.counts.fullname}"


def open_xtaltrak(settings: FacilitySettings, password: str) -> XtalTrakDatabase:
    """Return the database that the settings describe.

    Raises
    ------
    ConfigError
        If they say what nothing asks for, or the driver is not installed.
    """
    site = xtaltrak_site(settings)
    engine = foreign_engine(settings, password, database="oracle")
    default = "" if engine.dialect.name == "sqlite" else OWNER
    tables = xtaltrak_tables(settings.names, owner=settings.options.get("owner", default))
    return XtalTrakDatabase(engine, tables, site, FolderMapping(settings.folders).here, push=settings.push)
