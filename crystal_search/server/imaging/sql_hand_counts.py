"""What people said of images, counted in SQL."""

from sqlalchemy import Connection

from crystal_search.server.imaging import hand_statements as statements
from crystal_search.server.imaging.hand_counts import HandCount
from crystal_search.server.imaging.sql_rows import stored_image
from crystal_search.server.imaging.sql_statements import images_by_ids
from crystal_search.server.imaging.sql_transactions import SqlTransactions, rows_of
from crystal_search.server.imaging.stored_images import StoredImage


class SqlHandCounts(SqlTransactions):
    """`HandCounts` in SQL."""

    def hand_counts(self, *, channel: str = "visible") -> list[HandCount]:
        """Return how many images of a channel have which score by hand, by plate, inspection and outcome."""
        rows = self._read("count what people said", lambda c: c.execute(statements.hand_counts(channel)).all())
        return [
            HandCount(
                plate=row.barcode,
                inspection=row.inspection,
                outcome=row.outcome,
                images=row.images,
                first_path=row.first_path,
                last_path=row.last_path,
            )
            for row in rows
        ]

    def hand_state(self) -> tuple[int, int]:
        """Return what is another pair of numbers once a person has given a score, or taken one back."""

        def work(connection: Connection) -> tuple[int, int]:
            asked = (statements.last_by_hand(), statements.count_taken_back())
            last, taken_back = (int(connection.scalar(each) or 0) for each in asked)
            return last, taken_back

        return self._read("look whether people said more", work)

    def scored_by_several(self, *, channel: str = "visible") -> list[StoredImage]:
        """Return the images of a channel of which more than one person has a score that stands, by id."""

        def work(connection: Connection) -> list[StoredImage]:
            ids = sorted(connection.scalars(statements.scored_by_several()))
            return [stored_image(row) for row in rows_of(connection, ids, images_by_ids)]

        images = self._read("look what several people scored", work)
        return sorted((each for each in images if each.key.channel == channel), key=lambda image: image.id)
