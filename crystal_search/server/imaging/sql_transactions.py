"""Reading and writing the imaging database in SQL, each time in one transaction: it happens wholly or not at all."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Insert, Row, Table, Update
from sqlalchemy.exc import DBAPIError

from crystal_search.errors import DatabaseError
from crystal_search.server.imaging import schema
from crystal_search.server.imaging import sql_statements as statements
from crystal_search.server.imaging.adding_rules import batches
from crystal_search.server.imaging.imaging_database import Recipe
from crystal_search.server.imaging.sql_errors import explained, may_try_again
from crystal_search.server.imaging.sql_rows import Values, recipe_of, recipe_values
from crystal_search.server.imaging.sql_statements import Query

ATTEMPTS = 5  #: of a transaction that meets another writer
PATIENCE_S = 0.2  #: how long is waited for another writer where nothing is lost
BATCH = 500  #: rows a statement; five values each stay far below every database's limit

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")
Item = TypeVar("Item")


class SqlTransactions:
    """What an imaging database in SQL reads and writes with."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(writes=True)

    def close(self) -> None:
        """Give back connections."""
        self._engine.dispose()

    def _read(self, what: str, work: Callable[[Connection], Answer]) -> Answer:
        with explained(self._engine, what), self._engine.begin() as connection:
            return work(connection)

    def _write(self, what: str, work: Callable[[Connection], Answer]) -> Answer:
        """Run `work` in one transaction, again when another writer came between."""
        with explained(self._engine, what):
            for _ in range(ATTEMPTS - 1):
                try:
                    with self._writer.begin() as connection:
                        return work(connection)
                except DBAPIError as error:
                    if not may_try_again(error):
                        raise
            with self._writer.begin() as connection:
                return work(connection)

    def _write_unless_busy(self, what: str, work: Callable[[Connection], object]) -> None:
        """Run `work` in one transaction if that is possible now; what it does can be done later as well."""
        engine = self._engine.execution_options(writes=True, patience_s=PATIENCE_S)
        try:
            with explained(self._engine, what), engine.begin() as connection:
                work(connection)
        except DatabaseError as error:
            log.info("not now: %s", error, extra={"action": "not_now"})


def rows_of(
    connection: Connection, items: Iterable[Item], statement: Callable[[list[Item]], Query]
) -> Iterator[Row[*tuple[Any, ...]]]:
    """Yield what `statement` selects for `items`, so many at a time as a statement holds."""
    for batch in batches(items, BATCH):
        yield from connection.execute(statement(batch))


def insert(connection: Connection, table: Table, rows: Sequence[Values]) -> None:
    """Insert rows, so many at a time as a statement holds."""
    for batch in batches(rows, BATCH):
        connection.execute(table.insert(), batch)


def update_rows(connection: Connection, statement: Update, rows: Sequence[Values]) -> None:
    """Run `statement` once for each of `rows`, which fill its parameters and the columns that it sets."""
    if rows:
        connection.execute(statement, rows)


def insert_one(connection: Connection, statement: Insert) -> int:
    """Insert one row and return its id."""
    inserted = connection.execute(statement).inserted_primary_key
    return int(inserted[0]) if inserted else 0


def readouts_among_recipes(connection: Connection) -> dict[int, str]:
    """Return by id the hash of the readout of each recipe that has one."""
    found = ((row.id, recipe_of(row).readout) for row in connection.execute(statements.recipes()))
    return {recipe_id: readout.sha256 for recipe_id, readout in found if readout}


def recipe_id_of(connection: Connection, recipe: Recipe) -> int:
    """Return the id of a recipe, recorded now when it is new."""
    known = connection.scalar(statements.recipe_id(recipe))
    if known is not None:
        return int(known)
    return insert_one(connection, schema.recipe.insert().values(recipe_values(recipe)))


def plate_ids_of(connection: Connection, barcodes: Sequence[str]) -> dict[str, int]:
    """Return the id of each plate, recorded now when it is new."""
    ids = {row.barcode: row.id for row in rows_of(connection, barcodes, statements.plate_ids)}
    for barcode in barcodes:
        if barcode not in ids:
            ids[barcode] = insert_one(connection, schema.plate.insert().values(barcode=barcode))
    return ids
