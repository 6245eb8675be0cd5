"""The images of an imaging database in SQL that have no score yet, and why."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection

from crystal_search.server.imaging import schema
from crystal_search.server.imaging import waiting_statements as statements
from crystal_search.server.imaging.adding_rules import batches
from crystal_search.server.imaging.sql_rows import postponement_of, postponement_values, stored_image
from crystal_search.server.imaging.sql_transactions import (
    BATCH,
    SqlTransactions,
    insert,
    readouts_among_recipes,
    rows_of,
)
from crystal_search.server.imaging.stored_images import Postponed, Postponement, StoredImage


class SqlWaiting(SqlTransactions):
    """`Waiting` in SQL."""

    def postpone(self, postponements: Collection[Postponement]) -> None:
        """Put images off, in place of what was said of them before."""

        def work(connection: Connection) -> None:
            _take_up(connection, [each.image_id for each in postponements])
            insert(connection, schema.postponement, [postponement_values(each) for each in postponements])

        self._write("put images off", work)

    def take_up(self, image_ids: Collection[int]) -> None:
        """Put images off no longer."""
        self._write("take images up again", lambda connection: _take_up(connection, image_ids))

    def postponements(self, image_ids: Collection[int]) -> dict[int, Postponement]:
        """Return by image why each of these images waits that was put off."""

        def work(connection: Connection) -> dict[int, Postponement]:
            found = rows_of(connection, image_ids, statements.postponements)
            return {row.image_id: postponement_of(row) for row in found}

        return self._read("look why images wait", work)

    def postponed(self, *, plate: str | None = None) -> list[Postponed]:
        """Return how many images wait for each reason, of one plate or of all; most images first."""
        rows = self._read("count images that wait", lambda c: c.execute(statements.reasons(plate)).all())
        return [
            Postponed(
                reason=row.reason,
                images=row.images,
                since=datetime.fromisoformat(row.since),
                next_at=datetime.fromisoformat(row.next_at),
                first=row.first,
            )
            for row in rows
        ]

    def postponed_images(self) -> list[StoredImage]:
        """Return every image that was put off, by id."""
        rows = self._read("read images that wait", lambda c: c.execute(statements.postponed_images()).all())
        return [stored_image(row) for row in rows]

    def unreadable_images(self) -> list[StoredImage]:
        """Return every image whose last automatic score says that it is unreadable, by id."""

        def work(connection: Connection) -> list[StoredImage]:
            query = statements.unreadable_images([*readouts_among_recipes(connection)])
            return [stored_image(row) for row in connection.execute(query)]

        return self._read("read unreadable images", work)


def _take_up(connection: Connection, image_ids: Collection[int]) -> None:
    for batch in batches(image_ids, BATCH):
        connection.execute(statements.taking_up(batch))
