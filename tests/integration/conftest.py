"""Imaging databases of every kind for the tests that ask for them."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from crystal_search.server.facility.foreign_sql import begin_writing
from crystal_search.server.imaging import schema
from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.server.imaging.sql_imaging import open_imaging, parsed
from tests.h2_engines import JAR, MODES, h2_engine, start_h2
from tests.memory_imaging import MemoryImaging

SERVERS = {
    "postgresql": ("CRYSTAL_SEARCH_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/test"),
    "mariadb": ("CRYSTAL_SEARCH_TEST_MARIADB", "mariadb://root@127.0.0.1:3306/test"),
}
on_a_server = [pytest.param(kind, marks=pytest.mark.database) for kind in SERVERS]


@pytest.fixture(scope="session")
def scratch_urls() -> Iterator[dict[str, str]]:
    """A database of our own on each server that is asked for, dropped at the end."""
    urls: dict[str, str] = {}
    yield urls
    for kind, url in urls.items():
        _on_server(kind, f"DROP DATABASE {parsed(url).database}")


def _on_server(kind: str, statement: str) -> str:
    """Run a statement that no transaction can hold, and return the server's URL."""
    variable, default = SERVERS[kind]
    url = os.environ.get(variable, default)
    engine = create_engine(parsed(url), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    except OperationalError as error:
        pytest.skip(f"no {kind} server at {parsed(url)!r}: {error.orig}; set {variable}")
    finally:
        engine.dispose()
    return url


def _emptied(url: str) -> str:
    engine = create_engine(parsed(url))
    with engine.begin() as connection:
        schema.metadata.drop_all(connection)
    engine.dispose()
    return url


def _empty_database(kind: str, folder: Path, scratch_urls: dict[str, str]) -> str:
    if kind == "sqlite":
        return f"sqlite:///{folder / 'imaging.sqlite'}"
    if kind not in scratch_urls:
        name = f"crystal_search_{uuid.uuid4().hex[:12]}"
        server = _on_server(kind, f"CREATE DATABASE {name}")
        scratch_urls[kind] = parsed(server).set(database=name).render_as_string(hide_password=False)
    return _emptied(scratch_urls[kind])


@pytest.fixture(params=["sqlite", *on_a_server])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path, scratch_urls: dict[str, str]) -> str:
    """The URL of an empty database, once of each kind."""
    return _empty_database(request.param, tmp_path, scratch_urls)


@pytest.fixture(params=["memory", "sqlite", *on_a_server])
def imaging(request: pytest.FixtureRequest, tmp_path: Path, scratch_urls: dict[str, str]) -> Iterator[ImagingDatabase]:
    """An empty imaging database, once of each kind."""
    if request.param == "memory":
        database: ImagingDatabase = MemoryImaging()
    else:
        database = open_imaging(_empty_database(request.param, tmp_path, scratch_urls))
    yield database
    database.close()


@pytest.fixture
def engine(empty_url: str) -> Iterator[Engine]:
    """A plain engine on an imaging database, for what the interface does not allow."""
    open_imaging(empty_url).close()
    engine = create_engine(parsed(empty_url))
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def h2_socket() -> Iterator[Path]:
    """The socket of an H2 server, which executes what SQLAlchemy compiles for Oracle and SQL Server."""
    if not (shutil.which("java") and Path(JAR).exists()):
        pytest.skip("no H2: sudo apt-get install libh2-java default-jre-headless")
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "h2"
        server = start_h2(socket)
        yield socket
        server.communicate()


@pytest.fixture
def foreign_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Engine]]:
    """Return engines, of a kind, on a database of somebody else's: the first is empty, all see the same."""
    name = f"foreign_{uuid.uuid4().hex[:12]}"
    made: dict[str, str] = {}
    engines: list[Engine] = []

    def make(kind: str) -> Engine:
        if kind in MODES:
            engine = h2_engine(kind, name, request.getfixturevalue("h2_socket"))
        elif kind == "sqlite":
            engine = begin_writing(create_engine(f"sqlite:///{tmp_path / 'foreign.sqlite'}"))
        else:
            made[kind] = made.get(kind) or _on_server(kind, f"CREATE DATABASE {name}")
            engine = create_engine(parsed(made[kind]).set(database=name))
        engines.append(engine)
        return engine

    yield make
    for engine in engines:
        engine.dispose()
    for kind in made:
        _on_server(kind, f"DROP DATABASE {name}")
