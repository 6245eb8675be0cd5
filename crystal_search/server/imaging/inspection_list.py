"""The list of inspections of all plates, which is gone through part by part, however many there are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionQuery:
    """Which inspections of all, and how many of them at most."""

    channel: str = "visible"
    plate: str = ""  #: barcode; empty: of all plates
    projects: tuple[str, ...] | None = None  #: only of plates that belong to one of these; None: of all plates
    since: datetime | None = None  #: only those whose newest image came then, or later
    until: datetime | None = None  #: only those whose newest image came before
    after: tuple[str, int] | None = None  #: barcode and number after which the list goes on; None: it begins
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedInspection:
    """An inspection that has images in a channel."""

    plate: str
    number: int
    channel: str


class InspectionList(Protocol):
    """The list of inspections."""

    def list_inspections(self, query: InspectionQuery) -> list[ListedInspection]:
        """Return inspections that have images, by barcode and number."""
