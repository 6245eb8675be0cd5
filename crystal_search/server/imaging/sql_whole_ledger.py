"""The ledger of all images in SQL."""

from sqlalchemy import Connection, func, select

from crystal_search.server.imaging.imaging_database import LedgerEntry
from crystal_search.server.imaging.schema import image, score
from crystal_search.server.imaging.sql_rows import score_of, stored_image
from crystal_search.server.imaging.sql_statements import Query, images_by_ids, scores
from crystal_search.server.imaging.sql_transactions import SqlTransactions, rows_of
from crystal_search.wells import REMOVED


class SqlWholeLedger(SqlTransactions):
    """What `Ledger` says of all images, in SQL."""

    def ledger_entries(self, *, after: int = 0, limit: int) -> list[LedgerEntry]:
        """Return the first entries whose ids are above `after`; those of images that were taken back are left out."""

        def work(connection: Connection) -> list[LedgerEntry]:
            rows = connection.execute(scores_after(after, limit)).all()
            ids = sorted({row.image_id for row in rows})
            images = {row.id: stored_image(row) for row in rows_of(connection, ids, images_by_ids)}
            return [LedgerEntry(id=row.id, image=images[row.image_id], score=score_of(row)) for row in rows]

        return self._read("read the whole ledger", work)

    def last_entry(self) -> int:
        """Return the id of the newest score; 0 when there is none."""
        return self._read("look for the newest score", lambda c: int(c.scalar(newest_score()) or 0))


def newest_score() -> Query:
    """Select the highest id of a score."""
    return select(func.max(score.c.id))


def scores_after(after: int, limit: int) -> Query:
    """Select the first scores above an id, of images that are there."""
    there = scores().where(score.c.id > after, image.c.channel != REMOVED)
    return there.order_by(score.c.id).limit(limit)
