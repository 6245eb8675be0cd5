"""Engines whose statements SQLAlchemy compiles for Oracle or SQL Server, and which H2 executes as they stand.

Only placeholders are written otherwise than the drivers of these databases want them, for JDBC has one kind.
"""

import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.connection import Client
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.mssql.base import MSDialect
from sqlalchemy.dialects.oracle.base import OracleDialect

KEY = b"the tests' own"  #: which both ends of a connection know
JAR = "/usr/share/java/h2.jar"  #: of Debian's libh2-java
MODES = {"oracle": "MODE=Oracle", "mssql": "MODE=MSSQLServer"}


class Error(Exception):
    """What H2 says, by the names of PEP 249."""

    def __init__(self, state: str, message: str) -> None:
        super().__init__(message)
        self.sqlstate = state


class DatabaseError(Error):
    """Any of them."""


class IntegrityError(DatabaseError):
    """A row breaks a rule."""


class DataError(DatabaseError):
    """A value that no column can hold."""


class OperationalError(DatabaseError):
    """Connection gone, lock timed out."""


class ProgrammingError(DatabaseError):
    """No such table or column; no right to it."""


_KINDS: dict[str, type[Error]] = {
    "23": IntegrityError,
    "22": DataError,
    "08": OperationalError,
    "90": ProgrammingError,
    "42": ProgrammingError,
    "HY": OperationalError,
}


class H2Connection:
    """A connection to H2, as PEP 249 has it."""

    def __init__(self, address: str, url: str) -> None:
        try:
            self._pipe = Client(address, authkey=KEY)
        except OSError as error:
            raise OperationalError("08001", f"no connection: {error}") from error
        self.call("open", url)

    def call(self, *what: Any) -> Any:
        """Have the server do something, and return what it answers."""
        try:
            self._pipe.send(what)
            kind, *answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise OperationalError("08006", "connection lost") from error
        if kind == "error":
            raise _KINDS.get(answer[0][:2], DatabaseError)(*answer)
        return answer[0]

    def cursor(self) -> "H2Cursor":
        """Return a cursor."""
        return H2Cursor(self)

    def commit(self) -> None:
        """Commit."""
        self.call("commit")

    def rollback(self) -> None:
        """Roll back; nothing to do where there is no connection any more."""
        if not self._pipe.closed:
            self.call("rollback")

    def close(self) -> None:
        """Close."""
        self._pipe.close()


class H2Cursor:
    """A cursor of H2, as PEP 249 has it."""

    arraysize = 1
    lastrowid = None

    def __init__(self, connection: H2Connection) -> None:
        self._connection = connection
        self.description: Any = None
        self.rowcount = -1
        self._rows: list[tuple[Any, ...]] = []

    def execute(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Run a statement."""
        self._take(self._connection.call("execute", statement, list(values)))

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement once for each row."""
        self._take(self._connection.call("executemany", statement, [list(row) for row in rows]))

    def _take(self, answer: tuple[Any, Any, int]) -> None:
        self.description, rows, self.rowcount = answer
        self._rows = list(rows or [])

    def fetchone(self) -> Any:
        """Return the next row."""
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int = 1) -> list[Any]:
        """Return the next rows."""
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    def fetchall(self) -> list[Any]:
        """Return all rows."""
        return self.fetchmany(len(self._rows))

    def close(self) -> None:
        """Forget rows."""
        self._rows = []


_DRIVER = SimpleNamespace(
    connect=H2Connection,
    paramstyle="qmark",
    Error=Error,
    DatabaseError=DatabaseError,
    IntegrityError=IntegrityError,
    DataError=DataError,
    OperationalError=OperationalError,
    ProgrammingError=ProgrammingError,
    InterfaceError=type("InterfaceError", (Error,), {}),
    InternalError=type("InternalError", (DatabaseError,), {}),
    NotSupportedError=type("NotSupportedError", (DatabaseError,), {}),
)


class _OnH2:
    """What both dialects have in common: how they connect, and nothing asked when they do."""

    driver = "h2"
    default_paramstyle = "qmark"

    @classmethod
    def import_dbapi(cls) -> Any:
        return _DRIVER

    def create_connect_args(self, url: URL) -> Any:
        mode = MODES[url.get_backend_name()]
        jdbc = f"jdbc:h2:mem:{url.database};{mode};DB_CLOSE_DELAY=-1;LOCK_TIMEOUT=500"
        return [url.query["socket"], jdbc], {}

    def initialize(self, connection: Any) -> None:
        pass

    def do_ping(self, dbapi_connection: Any) -> bool:
        dbapi_connection.cursor().execute("SELECT 1")
        return True

    def is_disconnect(self, error: Any, _connection: Any, _cursor: Any) -> bool:
        return isinstance(error, OperationalError) and error.sqlstate.startswith("08")


class OracleOnH2(_OnH2, OracleDialect):
    """Oracle's statements, executed by H2."""

    supports_statement_cache = True
    default_schema_name = "PUBLIC"
    server_version_info: Any = (19,)


class SqlServerOnH2(_OnH2, MSDialect):
    """SQL Server's statements, executed by H2."""

    supports_statement_cache = True
    default_schema_name = "dbo"
    server_version_info: Any = (15,)


registry.register("oracle.h2", __name__, "OracleOnH2")
registry.register("mssql.h2", __name__, "SqlServerOnH2")


def start_h2(socket: Path) -> subprocess.Popen[str]:
    """Start a server at a socket, and return when it serves."""
    command = [sys.executable, "-m", "tests.h2_server", str(socket)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if not server.stdout or server.stdout.readline() != "ready\n":
        raise RuntimeError(f"H2 did not start: {server.wait()}")
    return server


def h2_engine(backend: str, name: str, socket: Path) -> Engine:
    """Return an engine of ``oracle`` or ``mssql`` statements on the database `name` of the server at a socket."""
    return create_engine(URL.create(f"{backend}+h2", database=name, query={"socket": str(socket)}), pool_pre_ping=True)
