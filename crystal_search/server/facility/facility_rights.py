"""What an account may do in a facility's database, found out by statements that reach no row."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Engine, Executable, Table, literal_column, select
from sqlalchemy.exc import DBAPIError

from crystal_search.server.facility.foreign_sql import asked


def never() -> ColumnElement[bool]:
    """Return a condition that no row meets: the database still looks whether names and rights are there."""
    return literal_column("1") == literal_column("0")


def why_not(engine: Engine, statement: Executable) -> str:
    """Return why a statement that reaches no row fails; empty if it does not. It is rolled back all the same.

    Raises
    ------
    DatabaseError
        If the connection is lost.
    """
    with asked(engine, "ask what may be done"):
        try:
            with engine.connect() as connection, connection.begin() as transaction:
                connection.execute(statement)
                transaction.rollback()
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            return " ".join(str(error.orig).split())
    return ""


def unreadable(engine: Engine, tables: Iterable[Table]) -> Iterable[str]:
    """Yield a sentence for each table and column that cannot be read."""
    for table in tables:
        if not why_not(engine, select(*table.columns).where(never())):
            continue
        reasons = {column.name: why_not(engine, select(column).where(never())) for column in table.columns}
        if all(reasons.values()):
            why = next(iter(reasons.values()))
            yield f"table {table.fullname}: {why}; grant SELECT, or name it in [facility.names]"
            continue
        for name, why in reasons.items():
            if why:
                yield f"column {table.fullname}.{name}: {why}; name it in [facility.names], or say none if it may lack"
