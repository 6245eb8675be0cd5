"""What people write about images: records of their own, beside scores or without any."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """What a person wrote about an image."""

    image_id: int
    person: str
    written_at: datetime  #: UTC, time-zone aware
    text: str
    taken_back_at: datetime | None = None  #: when the same person took it back; UTC, time-zone aware
    id: int = field(default=0, compare=False)  #: filled by the database, not read by it; 0: came with a score

    @property
    def stands(self) -> bool:
        """Whether it was not taken back."""
        return self.taken_back_at is None


class Comments(Protocol):
    """The comments of an imaging database: rows are added, never changed or deleted."""

    def add_comment(self, comment: Comment) -> None:
        """Add what a person wrote about an image."""

    def take_comment_back(self, comment_id: int, *, person: str, at: datetime) -> bool:
        """Record that a person takes back a comment, which stays where it is.

        Return whether that was done: it must be this person's, came with no score, and stands.
        """

    def comments(self, image_id: int) -> list[Comment]:
        """Return what people wrote about an image, also with scores or taken back since, the oldest first."""


def in_order(comments: Iterable[Comment]) -> tuple[Comment, ...]:
    """Return comments by time, the oldest first; those of one moment as they come.

    >>> from datetime import UTC
    >>> moments = (datetime(2026, 1, day, tzinfo=UTC) for day in (2, 1))
    >>> told = [Comment(image_id=1, person="Ada", written_at=each, text=f"{each:%d}") for each in moments]
    >>> [each.text for each in in_order(told)]
    ['01', '02']
    """
    return tuple(sorted(comments, key=lambda each: each.written_at))
