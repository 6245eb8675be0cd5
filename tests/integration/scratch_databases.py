"""Databases for tests alone, on servers for tests alone: what these keep is in memory, so nothing waits for a disk."""

import os
import uuid
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from crystal_search.server.imaging import schema
from crystal_search.server.imaging.sql_imaging import parsed
from tests.killing.databases import MissingError, database_server

#: Where a server's URL is named, and that of the one which many machines have.
SERVERS = {
    "postgresql": ("CRYSTAL_SEARCH_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/test"),
    "mariadb": ("CRYSTAL_SEARCH_TEST_MARIADB", "mariadb://root@127.0.0.1:3306/test"),
}


def usual_server(kind: str) -> str:
    """Return the URL of the server that the environment names, else of this machine's, which may not answer."""
    variable, usual = SERVERS[kind]
    return os.environ.get(variable, usual)


def on_server(kind: str, url: str, statement: str) -> None:
    """Run a statement that no transaction can hold, or skip the test where no server answers."""
    engine = create_engine(parsed(url), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    except OperationalError as error:
        pytest.skip(f"no {kind} server at {parsed(url)!r}: {error.orig}; set {SERVERS[kind][0]}")
    finally:
        engine.dispose()


class ScratchDatabases:
    """A database of each kind that is asked for, and others by name; servers are started once and end with us."""

    def __init__(self) -> None:
        self._ends = ExitStack()
        self._servers: dict[str, str] = {}
        self._urls: dict[str, str] = {}

    def empty(self, kind: str, folder: Path) -> str:
        """Return the URL of an empty imaging database: a file in `folder`, or the one that we have on a server."""
        if kind == "sqlite":
            return f"sqlite:///{folder / 'imaging.sqlite'}"
        if kind not in self._urls:
            name = f"crystal_search_{uuid.uuid4().hex[:12]}"
            self._urls[kind] = self.made(kind, name)
            self._ends.callback(self.drop, kind, name)
        return _emptied(self._urls[kind])

    def made(self, kind: str, name: str) -> str:
        """Make a database on a server and return its URL."""
        on_server(kind, self._server(kind), f"CREATE DATABASE {name}")
        return parsed(self._server(kind)).set(database=name).render_as_string(hide_password=False)

    def drop(self, kind: str, name: str) -> None:
        """Drop a database that `made` made."""
        on_server(kind, self._server(kind), f"DROP DATABASE {name}")

    def close(self) -> None:
        """Drop what is left, and end servers of ours."""
        self._ends.close()

    def _server(self, kind: str) -> str:
        if kind not in self._servers:
            own = None if SERVERS[kind][0] in os.environ else self._own_server(kind)
            self._servers[kind] = own or usual_server(kind)
        return self._servers[kind]

    def _own_server(self, kind: str) -> str | None:
        try:
            server = self._ends.enter_context(database_server(kind, lasting=False))
            return server.database(Path(), "crystal_search")
        except MissingError:
            return None


def _emptied(url: str) -> str:
    engine = create_engine(parsed(url))
    with engine.begin() as connection:
        schema.metadata.drop_all(connection)
    engine.dispose()
    return url
