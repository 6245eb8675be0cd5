"""The state of an inspection's drops in SQL."""

from functools import lru_cache

from sqlalchemy import Connection, Executable

from crystal_search.server.imaging.drop_state_statements import state_of_drops
from crystal_search.server.imaging.sql_transactions import SqlTransactions
from crystal_search.server.imaging.waiting_statements import postponements_of_inspection

KEPT_QUERIES = 256  #: inspections whose statements are kept: to make them takes longer than to run them


class SqlDropStates(SqlTransactions):
    """`DropStates` in SQL."""

    def state_of_drops(self, plate: str, *, inspection: int, channel: str = "visible") -> object:
        """Return what is another value when `drops`, `scores_by` or `recipes_at` of an inspection may be."""
        queries = _queries(plate, inspection, channel)

        def work(connection: Connection) -> object:
            return [sorted(map(repr, connection.execute(query))) for query in queries]

        return self._read(f"look whether plate {plate} changed", work)


@lru_cache(KEPT_QUERIES)
def _queries(barcode: str, number: int, channel: str) -> tuple[Executable, ...]:
    where = (barcode, number, channel)
    return state_of_drops(*where), postponements_of_inspection(*where)
