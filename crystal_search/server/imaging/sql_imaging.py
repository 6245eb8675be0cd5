"""The imaging database in SQL, opened by its URL: driver, connection settings, schema."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError

from crystal_search.errors import ConfigError, DatabaseError
from crystal_search.server.imaging import schema_preparing
from crystal_search.server.imaging.sql_best_drops import SqlBestDrops
from crystal_search.server.imaging.sql_comments import SqlComments
from crystal_search.server.imaging.sql_counts import count_anew
from crystal_search.server.imaging.sql_drop_states import SqlDropStates
from crystal_search.server.imaging.sql_errors import explained
from crystal_search.server.imaging.sql_facility import SqlFacility
from crystal_search.server.imaging.sql_hand_counts import SqlHandCounts
from crystal_search.server.imaging.sql_images import SqlImages
from crystal_search.server.imaging.sql_imports import SqlImports
from crystal_search.server.imaging.sql_ledger import SqlLedger
from crystal_search.server.imaging.sql_marks import SqlMarks
from crystal_search.server.imaging.sql_plate_facts import SqlPlateFacts
from crystal_search.server.imaging.sql_plate_list import SqlPlateList
from crystal_search.server.imaging.sql_units import SqlUnits
from crystal_search.server.imaging.sql_waiting import SqlWaiting
from crystal_search.server.imaging.sql_whole_ledger import SqlWholeLedger

BUSY_SECONDS = 30.0  #: how long a writer waits for another one
COUNTED_AT_ONCE = 200  #: inspections whose crystals are counted in one statement, after an upgrade
_LOCK = "crystal-search schema"  #: who holds the lock of this name may make or change tables

#: What may stand before ``://``, the SQLAlchemy driver that it means, and what must be installed for it.
DRIVERS = {
    "sqlite": ("sqlite+pysqlite", "python"),
    "postgresql": ("postgresql+psycopg", "crystal-search[postgresql]"),
    "mariadb": ("mariadb+pymysql", "crystal-search[mariadb]"),
    "mysql": ("mariadb+pymysql", "crystal-search[mariadb]"),
}


class SqlImaging(
    SqlImages,
    SqlLedger,
    SqlDropStates,
    SqlHandCounts,
    SqlWholeLedger,
    SqlComments,
    SqlMarks,
    SqlUnits,
    SqlImports,
    SqlWaiting,
    SqlPlateFacts,
    SqlPlateList,
    SqlBestDrops,
    SqlFacility,
):
    """An `ImagingDatabase` in SQL: SQLite, PostgreSQL or MariaDB."""


def open_imaging(url: str | URL) -> SqlImaging:
    """Return the imaging database at a SQLAlchemy `url`, its tables created or upgraded where needed.

    Raises
    ------
    ConfigError
        If the URL is none, names another kind of database, or the driver is not installed.
    SchemaError
        If the database has a newer schema than this program.
    DatabaseError
        If it cannot be reached or used.
    """
    engine = _engine(parsed(url))
    try:
        with explained(engine, "open it"):
            _prepare(engine)
    except BaseException:
        engine.dispose()
        raise
    return SqlImaging(engine)


def parsed(url: str | URL) -> URL:
    """Return the URL with the driver that this program uses for its kind of database.

    >>> parsed("postgresql://reader:secret@host/crystals").drivername
    'postgresql+psycopg'

    Raises
    ------
    ConfigError
        If it is no URL, or one of another kind of database.
    """
    kinds = ", ".join(sorted(DRIVERS))
    try:
        given = make_url(url)
    except (ArgumentError, ValueError):  # the text of this error may hold the password
        raise ConfigError(f"database_url is no URL; write it like {kinds}://user:password@host/name") from None
    kind = given.get_backend_name()
    if kind not in DRIVERS:
        raise ConfigError(f"database_url starts with {kind!r}; choose from {kinds}")
    return given.set(drivername=DRIVERS[kind][0])


def _engine(url: URL) -> Engine:
    kind = url.get_backend_name()
    arguments: dict[str, Any] = {"pool_pre_ping": True}
    if kind == "sqlite":
        arguments = {"connect_args": {"timeout": BUSY_SECONDS}}
    elif kind == "mariadb":
        strict = "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')"
        arguments["connect_args"] = {"init_command": strict}
    else:  # a plan that is kept from when the tables were small scans them when they are big
        arguments["connect_args"] = {"prepare_threshold": None}
    try:
        engine = create_engine(url, **arguments)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{kind} needs {error.name}: pip install '{DRIVERS[kind][1]}'") from error
    if kind == "sqlite":
        file = _SameFile(Path(url.database)) if url.database and url.database != ":memory:" else None
        if file:
            event.listen(engine, "do_connect", file.check)
        event.listen(engine, "connect", _set_up_sqlite)
        if file:
            event.listen(engine, "connect", file.remember)
            event.listen(engine, "begin", file.check)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


class _SameFile:
    """The file that was opened first: what is written to a file that was deleted since is lost without an error."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._opened: tuple[int, int] | None = None

    def _now(self) -> tuple[int, int]:
        status = self._path.stat()
        return status.st_dev, status.st_ino

    def remember(self, *_: object) -> None:
        """Take the file for the one that is meant."""
        self._opened = self._opened or self._now()

    def check(self, *_: object) -> None:
        """Refuse to go on with another file, or none.

        Raises
        ------
        DatabaseError
            If it was moved, deleted or replaced, or cannot be looked at.
        """
        try:
            same = self._opened is None or self._now() == self._opened
        except OSError as error:
            same, reason = False, error.strerror
        else:
            reason = "another file is there now"
        if not same:
            raise DatabaseError(
                f"the imaging database was moved, deleted or replaced while it was in use ({reason}); "
                "put its file back, or start this program anew"
            )


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    """Several processes read and write at once: a write-ahead log, and writers that wait for each other."""
    connection.isolation_level = None  # transactions are begun below, never by the driver
    connection.execute("PRAGMA foreign_keys = ON")
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:  # the first switch to WAL does not wait by itself
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    """Take the lock for writing at the start, since a reader that turns writer is refused, not queued."""
    options = connection.get_execution_options()
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {1000 * options.get('patience_s', BUSY_SECONDS):.0f}")
    writes = options.get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare(engine: Engine) -> None:
    with engine.begin() as connection:
        if schema_preparing.is_current(connection):
            return
    with engine.connect().execution_options(writes=True) as connection, _alone(connection):
        schema_preparing.prepare(connection)
        while count_anew(connection, COUNTED_AT_ONCE):
            pass


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Begin a transaction and keep other processes from preparing the same database meanwhile."""
    kind = connection.dialect.name
    if kind == "mariadb":  # a change of a table commits, so the lock must outlive the transaction
        if connection.scalar(text("SELECT GET_LOCK(:name, :seconds)"), {"name": _LOCK, "seconds": BUSY_SECONDS}) != 1:
            raise DatabaseError(f"another program prepares the imaging database since {BUSY_SECONDS:g} s; try again")
        connection.commit()
    try:
        with connection.begin():
            if kind == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": _LOCK})
            yield
    finally:
        if kind == "mariadb":
            connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": _LOCK})
