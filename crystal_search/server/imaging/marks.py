"""What people mark in images: crystals to pick and places to dispense at, by points and boxes; and favourites."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from crystal_search.geometry import Box, Point
from crystal_search.known_names import check_among

PICK, DISPENSE, FAVOURITE = "pick", "dispense", "favourite"
PLACED = (PICK, DISPENSE)  #: kinds that say where in the image
KINDS = (*PLACED, FAVOURITE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a person marked in an image: a crystal to pick, a place to dispense at, or the whole as a favourite.

    Raises
    ------
    UnknownNameError
        If there is no such kind.
    ValueError
        If a mark of the kind must have a place and has none, or the other way round.
    """

    image_id: int
    person: str
    marked_at: datetime  #: UTC, time-zone aware
    kind: str  #: one of `KINDS`
    place: Point | Box | None = None  #: in pixels of the image as stored; None of a favourite
    id: int = field(default=0, compare=False)  #: filled by the database, not read by it

    def __post_init__(self) -> None:
        check_among(KINDS, self.kind, "kind of mark")
        if (self.kind in PLACED) == (self.place is None):
            wanted = "a point or a box" if self.kind in PLACED else "no place"
            raise ValueError(f"a mark {self.kind!r} has {wanted}, got {self.place}")

    def says_the_same_as(self, other: "Mark") -> bool:
        """Tell whether the same person marked the same before.

        >>> from datetime import UTC
        >>> one, other = (
        ...     Mark(image_id=7, person="Ada", marked_at=datetime(2026, 1, day, tzinfo=UTC), kind="favourite")
        ...     for day in (1, 2)
        ... )
        >>> one.says_the_same_as(other)
        True
        """
        own = (self.image_id, self.person, self.kind, self.place)
        return own == (other.image_id, other.person, other.kind, other.place)


class Marks(Protocol):
    """The marks of an imaging database: rows are added, never changed or deleted."""

    def add_mark(self, mark: Mark) -> bool:
        """Add what a person marked in an image; return whether it is new: nobody says the same twice."""

    def take_mark_back(self, mark_id: int, *, person: str, at: datetime) -> bool:
        """Record that a person takes back a mark, which stays in the database and is shown no more.

        Return whether that was done: it must be this person's, and stand.
        """

    def marks(self, image_ids: Collection[int]) -> list[Mark]:
        """Return what people marked in these images and did not take back, by image, in the order in which it came."""
