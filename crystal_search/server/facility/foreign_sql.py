"""Databases that are not ours, in SQL: which statements may go there, and what is said when one fails."""

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Executable, Table, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.sql import Insert, Update
from sqlalchemy.sql.elements import ReleaseSavepointClause, RollbackToSavepointClause, SavepointClause
from sqlalchemy.sql.selectable import SelectBase

from crystal_search.errors import DatabaseError

WRITES = {"insert": Insert, "update": Update}  #: what may be allowed; nothing is ever deleted
_READS = (SelectBase, SavepointClause, RollbackToSavepointClause, ReleaseSavepointClause)
BUSY_SECONDS = 30.0  #: how long a writer of a SQLite file waits for another one

#: SQLSTATE of a rule that a row breaks, of a value that no column holds, and of what a trigger says.
_ROW_STATES = ("22", "23", "45")
#: Oracle: a rule that a row breaks, a value that does not fit, and what a trigger says.
_ROW_CODES = (1, 1400, 1438, 2290, 2291, 12899, *range(20000, 21000))


def guard(engine: Engine, writable: Mapping[Table, Collection[str]], *, calls: Collection[Executable] = ()) -> Engine:
    """Have an engine refuse every statement but reading, writing to these tables in the ways that are named, and calls.

    Raises
    ------
    DatabaseError
        Later, of any other statement, before it is sent.
    """

    def check(_connection: Connection, statement: Any, *_: object) -> None:
        if isinstance(statement, _READS) or any(statement is each for each in calls):
            return
        for way, kind in WRITES.items():
            if isinstance(statement, kind) and way in writable.get(statement.table, ()):  # type: ignore[call-overload]
                return
        raise DatabaseError(f"refused to run in a database that is not ours: {type(statement).__name__}")

    def check_text(*, statement: str, context: Any, **_: object) -> None:
        if context is None or context.compiled is None:
            raise DatabaseError(f"refused to run in a database that is not ours: {statement}")

    event.listen(engine, "before_execute", check)
    event.listen(engine, "before_cursor_execute", check_text, named=True)
    return engine


@contextmanager
def asked(engine: Engine, what: str) -> Iterator[None]:
    """Turn errors of SQLAlchemy and drivers into a `DatabaseError` that says `what` could not be done, and why.

    Raises
    ------
    DatabaseError
        If there was such an error within; passwords are left out of it.
    """
    try:
        yield
    except (SQLAlchemyError, OSError, UnicodeError, OverflowError) as error:
        url = engine.url.set(query={}).render_as_string(hide_password=True)
        reason = " ".join(str(getattr(error, "orig", None) or error).split()) or type(error).__name__
        if engine.url.password:
            reason = reason.replace(str(engine.url.password), "***")
        raise DatabaseError(f"facility's database {url}: cannot {what}: {reason}; nothing was changed") from None


def is_of_row(error: DBAPIError) -> bool:
    """Tell whether a database refused a row, and may take others: a rule that it breaks, or what a trigger says."""
    if error.connection_invalidated:
        return False
    origin: Any = error.orig
    if isinstance(origin, sqlite3.IntegrityError):
        return True
    first = (getattr(origin, "args", None) or (None,))[0]
    state = getattr(origin, "sqlstate", None)
    if state:
        return str(state)[:2] in _ROW_STATES
    code = getattr(first, "code", first)  # oracledb gives an object with it, PyMySQL the number itself
    mariadb = (1048, 1062, 1264, 1406, 1452, 1644, 4025)
    return isinstance(code, int) and code in (*_ROW_CODES, *mariadb)


def begin_writing(engine: Engine) -> Engine:
    """Have transactions on a SQLite file begin with the lock for writing, as other databases' rows are locked."""

    def set_up(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")

    def begin(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        driver.execute("BEGIN IMMEDIATE")

    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", set_up)
        event.listen(engine, "begin", begin)
    return engine
