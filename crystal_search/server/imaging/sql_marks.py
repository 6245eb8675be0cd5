"""What people mark in images, in SQL."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection

from crystal_search.geometry import Box, Point
from crystal_search.server.imaging import mark_statements as statements
from crystal_search.server.imaging import schema
from crystal_search.server.imaging.marks import Mark
from crystal_search.server.imaging.sql_rows import AnyRow, Values, time_text
from crystal_search.server.imaging.sql_transactions import SqlTransactions, rows_of


class SqlMarks(SqlTransactions):
    """`Marks` in SQL."""

    def add_mark(self, mark: Mark) -> bool:
        """Add what a person marked in an image; return whether it is new: nobody says the same twice."""
        row = _values(mark)

        def work(connection: Connection) -> bool:
            if connection.scalar(statements.same_mark(row)) is not None:
                return False
            connection.execute(schema.image_mark.insert().values(row))
            return True

        return self._write("add a mark", work)

    def take_mark_back(self, mark_id: int, *, person: str, at: datetime) -> bool:
        """Record that a person takes back a mark, which stays in the database and is shown no more.

        Return whether that was done: it must be this person's, and stand.
        """
        row = {"mark_id": mark_id, "taken_back_at": time_text(at)}

        def work(connection: Connection) -> bool:
            if connection.scalar(statements.standing_mark(mark_id, person)) is None:
                return False
            connection.execute(schema.mark_taken_back.insert().values(row))
            return True

        return self._write("take a mark back", work)

    def marks(self, image_ids: Collection[int]) -> list[Mark]:
        """Return what people marked in these images and did not take back, by image, in the order in which it came."""
        wanted = sorted(set(image_ids))
        return self._read(
            "read marks", lambda c: [mark_of(row) for row in rows_of(c, wanted, statements.marks_of_images)]
        )


def mark_of(row: AnyRow) -> Mark:
    """Return the mark in a row of `mark_statements`."""
    edges = (row.top_px, row.left_px, row.bottom_px, row.right_px)
    place = None if edges[0] is None else Point(*edges[:2]) if edges[2] is None else Box(*edges)
    return Mark(
        image_id=row.image_id,
        person=row.person,
        marked_at=datetime.fromisoformat(row.marked_at),
        kind=row.kind,
        place=place,
        id=row.id,
    )


def _values(mark: Mark) -> Values:
    edges = (*(mark.place or ()), *[None] * 4)[:4]
    return {
        "image_id": mark.image_id,
        "person": mark.person,
        "marked_at": time_text(mark.marked_at),
        "kind": mark.kind,
    } | dict(zip(("top_px", "left_px", "bottom_px", "right_px"), edges, strict=True))


def marks_by_image(connection: Connection, where: tuple[str, int, str]) -> dict[int, tuple[Mark, ...]]:
    """Return by image what people marked and did not take back, of one inspection of a plate in one channel."""
    found: dict[int, list[Mark]] = defaultdict(list)
    for row in connection.execute(statements.marks_of_inspection(*where)):
        found[row.image_id].append(mark_of(row))
    return {image_id: tuple(marks) for image_id, marks in found.items()}
