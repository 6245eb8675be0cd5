"""The state of an inspection's drops in SQL."""

from collections import Counter
from collections.abc import Collection, Container
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Connection, Executable

from crystal_search.server.imaging import drop_state_statements as statements
from crystal_search.server.imaging.sql_rows import AnyRow
from crystal_search.server.imaging.sql_transactions import BATCH, SqlTransactions, readouts_among_recipes
from crystal_search.server.imaging.waiting_statements import postponements_of_inspection

KEPT_QUERIES = 256  #: inspections whose statements are kept: to make them takes longer than to run them
NOTED = -1  #: the place of what was noted, which no table has
SCORES = 0  #: the place of the ledger


@dataclass(frozen=True, slots=True)
class _State:
    counts: dict[int, tuple[int, int]]  #: by place how many rows, and the highest id
    waiting: list[str]  #: postponements, as text


class SqlDropStates(SqlTransactions):
    """`DropStates` in SQL."""

    def state_of_drops(self, plate: str, *, inspection: int, channel: str = "visible") -> object:
        """Return what is another value when `drops`, `scores_by` or `recipes_at` of an inspection may be."""
        queries = _queries(plate, inspection, channel)

        def work(connection: Connection) -> object:
            return _State(_counts(connection.execute(queries.state).all()), _waiting(connection, queries.waiting))

        return self._read(f"look whether plate {plate} changed", work)

    def images_added_to(
        self, plate: str, *, since: object, inspection: int, channel: str = "visible"
    ) -> Collection[int] | None:
        """Return the images of an inspection that got scores, comments or marks since; None: read everything again."""
        queries = _queries(plate, inspection, channel)
        if not isinstance(since, _State):
            return None
        last = {f"last_{place}": since.counts[place][1] for place in range(len(statements.ADDED_TO))}

        def work(connection: Connection) -> Collection[int] | None:
            rows = connection.execute(queries.added, last).all()
            if _waiting(connection, queries.waiting) != since.waiting:
                return None
            return _only_added(rows, since, readouts_among_recipes(connection))

        return self._read(f"look what was added to plate {plate}", work)


def _only_added(rows: Collection[AnyRow], since: _State, readouts: Container[int]) -> Collection[int] | None:
    """Return the images of new rows, if these are all that makes the state another one.

    A row with a lower id than what was there is none of them: then there are more rows than were found. Whoever adds
    scores notes one change, but for scores by readouts; where others are noted something else happened, too.
    """
    now = _counts([row for row in rows if row.what == statements.COUNT])
    new = [row for row in rows if row.what == statements.NEW]
    found = Counter(row.place for row in new)
    noting = any(row.place == SCORES and row.recipe_id not in readouts for row in new)
    images, changes = since.counts.get(NOTED, (0, 0))
    if now.get(NOTED, (0, 0)) != (images, changes + noting):
        return None
    if any(now[place][0] - since.counts[place][0] != found[place] for place in range(len(statements.ADDED_TO))):
        return None
    added_to = {row.rows for row in new}
    return added_to if len(added_to) <= BATCH else None


def _counts(rows: Collection[AnyRow]) -> dict[int, tuple[int, int]]:
    return {row.place: (row.rows, row.last or 0) for row in rows}


def _waiting(connection: Connection, query: Executable) -> list[str]:
    return sorted(map(repr, connection.execute(query)))


@dataclass(frozen=True, slots=True)
class _Queries:
    state: Executable
    added: Executable
    waiting: Executable


@lru_cache(KEPT_QUERIES)
def _queries(barcode: str, number: int, channel: str) -> _Queries:
    where = (barcode, number, channel)
    return _Queries(
        statements.state_of_drops(*where), statements.added_since(*where), postponements_of_inspection(*where)
    )
