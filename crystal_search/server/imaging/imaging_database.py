"""The imaging database as everything else sees it: its nouns, and what is asked about images, scores and work units.

`ImagingDatabase` is implemented by `sql_imaging.SqlImaging` (SQLite, PostgreSQL, MariaDB by URL), and by one in
memory among the tests; one test suite runs on both. Scores form a ledger: rows are added, never changed or deleted,
and a person's score and a machine's stand side by side.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from crystal_search.model import ModelRef
from crystal_search.result import ImageScore
from crystal_search.wells import WellKey

CLOSED = ("done", "failed", "withdrawn")  #: the states of a work unit that nobody works on


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """An image that a robot made, before the database knows it."""

    key: WellKey
    path: str  #: absolute path of the file
    imaged_at: datetime | None = None  #: UTC, time-zone aware


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """An image that the database knows."""

    id: int
    key: WellKey
    path: str
    imaged_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What `add_images` did."""

    added: int
    known: int  #: there already, with the same key and path
    conflicts: tuple[str, ...]  #: path or key is taken by another image; one sentence each, nothing changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What makes two automatic scores of one image comparable: models and threshold."""

    models: tuple[ModelRef, ...]  #: by role
    threshold: float

    def model(self, role: str) -> ModelRef:
        """Return the model that plays a role which every recipe has."""
        return next(model for model in self.models if model.role == role)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoScore:
    """A machine's score."""

    image_id: int
    work_unit: str
    recipe: Recipe
    scored_at: datetime  #: UTC, time-zone aware
    found: ImageScore  #: as the result has it

    @property
    def outcome(self) -> str:
        """An outcome's name, ``no_drop`` or ``unreadable``."""
        return self.found.outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualScore:
    """A person's score."""

    image_id: int
    person: str
    scored_at: datetime  #: UTC, time-zone aware
    outcome: str  #: an outcome's name or ``no_drop``
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRecord:
    """A work unit that create-work made."""

    name: str
    recipe: Recipe
    image_ids: tuple[int, ...]
    created_at: datetime
    state: str = "open"  #: open, done, failed or withdrawn
    reason: str = ""  #: why it failed or was withdrawn


@dataclass(frozen=True, slots=True, kw_only=True)
class DropScores:
    """One image with the score of each kind that came last, as the plate overview shows it."""

    image: StoredImage
    auto: AutoScore | None
    manual: ManualScore | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateSummary:
    """A plate as the list of plates shows it."""

    plate: str
    inspections: tuple[int, ...]
    channels: tuple[str, ...]
    images: int
    scored: int  #: images with an automatic score
    last_scored_at: datetime | None


class Images(Protocol):
    """The images that robots made."""

    def add_images(self, images: Iterable[NewImage]) -> Added:
        """Add the images that are not there yet, in one transaction; never change one that is."""

    def images(self, image_ids: Collection[int]) -> dict[int, StoredImage]:
        """Return by id those of these images that the database knows."""

    def plate_images(self, plate: str) -> list[StoredImage]:
        """Return every image of a plate, by inspection, channel, row, column, drop."""

    def known_paths(self, paths: Sequence[str]) -> set[str]:
        """Return those of `paths` that are in the database."""


class Ledger(Protocol):
    """The scores of images by people and machines, and what the overview of plates shows of them."""

    def add_auto_scores(self, scores: Iterable[AutoScore]) -> int:
        """Add scores to the ledger in one transaction; return how many were new (by image and work unit)."""

    def add_manual_score(self, score: ManualScore) -> None:
        """Add a person's score to the ledger."""

    def scored(self, image_ids: Collection[int], recipe: Recipe) -> set[int]:
        """Return those of these images that have an automatic score by `recipe`."""

    def ledger(self, image_id: int) -> list[AutoScore | ManualScore]:
        """Return every score of an image, in the order in which they came, whatever the clocks said."""

    def drops(self, plate: str, *, inspection: int, channel: str = "visible") -> list[DropScores]:
        """Return the images of one inspection of a plate with the scores that came last, by row, column, drop."""

    def plates(self) -> list[PlateSummary]:
        """Return every plate, by barcode."""

    def oldest_unscored(self) -> datetime | None:
        """Return when the visible-light image was taken that has waited longest for its first automatic score."""


class Units(Protocol):
    """The work units that create-work made, and the images that wait for one."""

    def images_without_score(
        self, recipe: Recipe, *, limit: int, plate: str | None = None, channel: str = "visible"
    ) -> list[StoredImage]:
        """Return images of a channel with no score by `recipe` and in no open or failed unit of it, newest first."""

    def add_unit(self, unit: UnitRecord) -> bool:
        """Record a work unit with its images, or open it again when it was withdrawn; False when its name is taken."""

    def units(self, state: str) -> list[UnitRecord]:
        """Return the work units in `state`, oldest first."""

    def close_unit(self, name: str, state: str, reason: str = "") -> None:
        """Close an open work unit as done, failed or withdrawn; one that is closed stays as it is."""


class ImagingDatabase(Images, Ledger, Units, Protocol):
    """All that services and the viewer ask of an imaging database; what needs less takes less."""

    def close(self) -> None:
        """Give back connections."""
