"""The list of plates: searched, sorted and cut into pages by the database, however many plates there are."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from crystal_search.known_names import check_among

#: What a list can be sorted by; text begins at A, everything else with the newest or the most, unless it is turned.
TEXT_SORTS = ("plate", "project", "protein", "owner")
SORTS = (
    "newest_at",
    *TEXT_SORTS,
    "images",
    "scored",
    "last_scored_at",
    "crystals",
    "crystals_by_hand",
    "disagreements",
    "best",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateQuery:
    """Which plates of all, in which order."""

    projects: tuple[str, ...] | None = None  #: only plates of these; None: of all, and of none
    search: str = ""  #: words that must all be in barcode, project, protein, owner, people, plate type or conditions
    sort: str = "newest_at"  #: one of `SORTS`
    turned: bool = False  #: the other way round
    page: int = 1  #: from 1
    per_page: int = 100

    def checked(self) -> "PlateQuery":
        """Return the same query.

        Raises
        ------
        UnknownNameError
            If plates cannot be sorted by that.
        ValueError
            If there is no such page.
        """
        check_among(SORTS, self.sort, "order of plates")
        if self.page < 1 or self.per_page < 1:
            raise ValueError(f"pages count from 1 and are not empty, got page {self.page} of {self.per_page}")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class BestDrop:
    """The drop of an inspection that is likeliest to hold crystals, by the shipped score."""

    image_id: int
    well: str
    drop: int
    p_crystal: float  #: in [0, 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateLine:
    """A plate as its list shows it; drops are counted in visible light."""

    plate: str
    project: str
    protein: str
    owner: str
    inspections: tuple[int, ...]
    channels: tuple[str, ...]
    images: int
    scored: int  #: images with an automatic score
    last_scored_at: datetime | None
    newest_at: datetime | None  #: when the newest of its images came
    crystals: int  #: drops with crystals by the machine, at the latest inspection
    crystals_by_hand: int  #: drops with crystals by people, at the inspection with the most
    disagreements: int  #: drops about whose group they disagree, at the latest inspection
    best: BestDrop | None  #: at the latest inspection; None where no score says anything


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatePage:
    """One page of a list of plates."""

    plates: tuple[PlateLine, ...]
    found: int  #: plates on all pages
    all: int  #: plates in the database, of these projects


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """The plates that stand before and after one in a list."""

    previous: str | None = None
    next: str | None = None


class PlateList(Protocol):
    """The list of plates."""

    def neighbours(self, plate: str, query: PlateQuery) -> Neighbours:
        """Return which plates stand beside one in the list, whatever its page; none beside one that is not in it.

        Raises
        ------
        UnknownNameError
            If plates cannot be sorted by that.
        """

    def scored_until(self, plates: Collection[str]) -> dict[str, int]:
        """Return of those of these plates that wait how many visible-light images are scored until their last is.

        The newest images are scored first, whatever plate they are of.
        """

    def last_scored(self, limit: int) -> list[datetime]:
        """Return when at most so many images got their last scores by no readout, the score that came last first."""

    def count_crystals(self, limit: int) -> int:
        """Count crystals anew at `limit` inspections at most where scores changed; return at how many that was."""

    def list_plates(self, query: PlateQuery) -> PlatePage:
        """Return one page of the plates that have images; plates that are the same in the order stand by barcode.

        Raises
        ------
        UnknownNameError
            If plates cannot be sorted by that.
        ValueError
            If there is no such page.
        """
