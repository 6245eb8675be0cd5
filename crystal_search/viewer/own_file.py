"""An SQLite file of the viewer's own in the home folder, which only this account may read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from crystal_search.errors import DatabaseError, SchemaError
from crystal_search.server.settings import sqlite_url

BUSY_SECONDS = 30.0  #: how long a writer waits for another one
ONLY_OURS = 0o600


class OwnFile:
    """The file, made where there is none; safe to use from several threads and processes.

    Parameters
    ----------
    path
        Where it is.
    metadata
        Its tables.
    version
        Of the tables, SQLite's ``user_version``.

    Raises
    ------
    DatabaseError
        If it cannot be used, as `transaction` does.
    SchemaError
        If it is of a newer program.
    """

    def __init__(self, path: Path, metadata: MetaData, version: int) -> None:
        self._path = path
        with open(path, "ab", opener=_for_us_alone):
            pass
        self._engine = _engine(path)
        with self.transaction("open it") as connection:
            _prepare(connection, path, metadata, version)

    def close(self) -> None:
        """Give back connections."""
        self._engine.dispose()

    @contextmanager
    def transaction(self, what: str) -> Iterator[Connection]:
        """Give a connection whose changes are kept together, or not at all.

        Raises
        ------
        DatabaseError
            If that cannot be done; nothing of it is kept then.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            raise DatabaseError(
                f"{self._path}: cannot {what}: {reason}; check that this account may write it"
            ) from error


def _for_us_alone(path: str, flags: int) -> int:
    return os.open(path, flags, ONLY_OURS)


def _engine(path: Path) -> Engine:
    engine = create_engine(sqlite_url(path), connect_args={"timeout": BUSY_SECONDS}, max_overflow=-1)

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: object) -> None:
        connection.execute("PRAGMA foreign_keys = ON")

    return engine


def _prepare(connection: Connection, path: Path, metadata: MetaData, version: int) -> None:
    if _version_of(connection) < version:
        connection.execute(text("BEGIN IMMEDIATE"))  # of several who find a new file one makes the tables, others wait
    found = _version_of(connection)
    if found > version:
        raise SchemaError(f"{path} is of a newer program: it has schema version {found}; use that program")
    if found < version:
        metadata.create_all(connection)
        connection.execute(text(f"PRAGMA user_version = {version}"))


def _version_of(connection: Connection) -> int:
    return int(connection.scalar(text("PRAGMA user_version")) or 0)
