"""Imaging databases of every kind for the tests that ask for them."""

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from crystal_search.server.facility.foreign_sql import begin_writing
from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.server.imaging.sql_imaging import open_imaging, parsed
from tests.h2_engines import JAR, MODES, h2_engine, start_h2
from tests.integration.scratch_databases import SERVERS, ScratchDatabases
from tests.memory_imaging import MemoryImaging

on_a_server = [pytest.param(kind, marks=pytest.mark.database) for kind in SERVERS]


@pytest.fixture(scope="session")
def scratch() -> Iterator[ScratchDatabases]:
    """Databases of our own, gone at the end."""
    with closing(ScratchDatabases()) as databases:
        yield databases


@pytest.fixture(params=["sqlite", *on_a_server])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path, scratch: ScratchDatabases) -> str:
    """The URL of an empty database, once of each kind."""
    return scratch.empty(request.param, tmp_path)


@pytest.fixture(params=["memory", "sqlite", *on_a_server])
def imaging(request: pytest.FixtureRequest, tmp_path: Path, scratch: ScratchDatabases) -> Iterator[ImagingDatabase]:
    """An empty imaging database, once of each kind."""
    if request.param == "memory":
        database: ImagingDatabase = MemoryImaging()
    else:
        database = open_imaging(scratch.empty(request.param, tmp_path))
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
def foreign_engine(
    request: pytest.FixtureRequest, tmp_path: Path, scratch: ScratchDatabases
) -> Iterator[Callable[[str], Engine]]:
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
            made[kind] = made.get(kind) or scratch.made(kind, name)
            engine = create_engine(parsed(made[kind]))
        engines.append(engine)
        return engine

    yield make
    for engine in engines:
        engine.dispose()
    for kind in made:
        scratch.drop(kind, name)
