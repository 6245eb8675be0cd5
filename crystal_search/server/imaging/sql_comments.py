"""What people wrote about images, in SQL."""

from collections import defaultdict
from datetime import datetime

from sqlalchemy import Connection

from crystal_search.server.imaging import comment_statements as statements
from crystal_search.server.imaging import schema
from crystal_search.server.imaging.comments import Comment, in_order
from crystal_search.server.imaging.sql_rows import AnyRow, time_of, time_text
from crystal_search.server.imaging.sql_transactions import SqlTransactions


class SqlComments(SqlTransactions):
    """`Comments` in SQL."""

    def add_comment(self, comment: Comment) -> None:
        """Add what a person wrote about an image."""
        row = {
            "image_id": comment.image_id,
            "person": comment.person,
            "written_at": time_text(comment.written_at),
            "text": comment.text,
        }
        self._write("add a comment", lambda c: c.execute(schema.image_comment.insert().values(row)))

    def take_comment_back(self, comment_id: int, *, person: str, at: datetime) -> bool:
        """Record that a person takes back a comment, which stays where it is.

        Return whether that was done: it must be this person's, came with no score, and stands.
        """
        row = {"comment_id": comment_id, "taken_back_at": time_text(at)}

        def work(connection: Connection) -> bool:
            if connection.scalar(statements.standing_comment(comment_id, person)) is None:
                return False
            connection.execute(schema.comment_taken_back.insert().values(row))
            return True

        return self._write("take a comment back", work)

    def comments(self, image_id: int) -> list[Comment]:
        """Return what people wrote about an image, also with scores or taken back since, the oldest first."""
        rows = self._read("read comments", lambda c: c.execute(statements.comments_of_image(image_id)).all())
        return list(in_order(map(comment_of, rows)))


def comment_of(row: AnyRow) -> Comment:
    """Return the comment in a row of `comment_statements`."""
    return Comment(
        image_id=row.image_id,
        person=row.person,
        written_at=datetime.fromisoformat(row.written_at),
        text=row.text,
        taken_back_at=time_of(row.taken_back_at or ""),
        id=row.id,
    )


def comments_by_image(connection: Connection, where: tuple[str, int, str]) -> dict[int, tuple[Comment, ...]]:
    """Return by image what people wrote and did not take back, of one inspection of a plate in one channel."""
    found: dict[int, list[Comment]] = defaultdict(list)
    for row in connection.execute(statements.comments_of_inspection(*where)):
        found[row.image_id].append(comment_of(row))
    return {image_id: in_order(comments) for image_id, comments in found.items()}
