"""The state of an inspection's drops in SQL."""

from sqlalchemy import Connection

from crystal_search.server.imaging.drop_state_statements import state_of_drops
from crystal_search.server.imaging.sql_transactions import SqlTransactions
from crystal_search.server.imaging.waiting_statements import postponements_of_inspection


class SqlDropStates(SqlTransactions):
    """`DropStates` in SQL."""

    def state_of_drops(self, plate: str, *, inspection: int, channel: str = "visible") -> object:
        """Return what is another value when `drops`, `scores_by` or `recipes_at` of an inspection may be."""
        where = (plate, inspection, channel)

        def work(connection: Connection) -> object:
            queries = (state_of_drops(*where), postponements_of_inspection(*where))
            return [sorted(map(repr, connection.execute(query))) for query in queries]

        return self._read(f"look whether plate {plate} changed", work)
