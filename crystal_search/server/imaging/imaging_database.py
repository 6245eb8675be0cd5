"""The imaging database as everything else sees it: scores and work units, and what is asked about them and images.

Its images are in `stored_images`.

`ImagingDatabase` is implemented by `sql_imaging.SqlImaging` (SQLite, PostgreSQL, MariaDB by URL), and by one in
memory among the tests; one test suite runs on both. Scores form a ledger: rows are added, never changed or deleted,
and a person's score and a machine's stand side by side.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from crystal_search.model import ModelRef
from crystal_search.result import ImageScore
from crystal_search.server.imaging.best_drops import BestDrops
from crystal_search.server.imaging.comments import Comment, Comments
from crystal_search.server.imaging.drop_states import DropStates
from crystal_search.server.imaging.facility_records import FacilityState, PulledScore, PulledScores, Push, PushedScore
from crystal_search.server.imaging.hand_counts import HandCounts
from crystal_search.server.imaging.inspection_list import InspectionList
from crystal_search.server.imaging.marks import Mark, Marks
from crystal_search.server.imaging.plate_facts import PlateFactsStore
from crystal_search.server.imaging.plate_list import PlateList
from crystal_search.server.imaging.stored_images import (
    Added,
    FileVersion,
    Imports,
    NewImage,
    Postponement,
    StoredImage,
    Taken,
    Waiting,
)

ALL = 2**31 - 1  #: more than any limit
Age = tuple[datetime, int]  #: when an image arrived, and its id; of two images the newer one has the greater
CLOSED = ("done", "failed", "withdrawn")  #: the states of a work unit that nobody works on


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What makes two automatic scores of one image comparable: models and threshold."""

    models: tuple[ModelRef, ...]  #: by role
    threshold: float

    def model(self, role: str) -> ModelRef:
        """Return the model that plays a role which every recipe has."""
        return next(model for model in self.models if model.role == role)

    @property
    def readout(self) -> ModelRef | None:
        """The readout that scored by what the other models answered; None where they scored themselves."""
        return next((model for model in self.models if model.role == "readout"), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoScore:
    """A machine's score."""

    image_id: int
    work_unit: str
    recipe: Recipe
    scored_at: datetime  #: UTC, time-zone aware
    found: ImageScore  #: as the result has it
    version: FileVersion | None = None  #: of the file that it was made from; None where nobody wrote it down
    counts: bool = True  #: whether it is of the picture that the image shows now, and was not taken back

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
    pulled_from: str = ""  #: the facility that it came from; empty for one that was given here
    late: bool = False  #: whether a newer one was there when it came: it stands behind those that are not late
    taken_back_at: datetime | None = None  #: when the same person took it back; UTC, time-zone aware
    id: int = field(default=0, compare=False)  #: filled by the database, not read by it

    @property
    def counts(self) -> bool:
        """Whether it stands, for it was not taken back."""
        return self.taken_back_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRecord:
    """A work unit that create-work made."""

    name: str
    recipe: Recipe
    image_ids: tuple[int, ...]
    created_at: datetime
    versions: tuple[FileVersion | None, ...] = ()  #: of what was packed, image by image; empty before
    state: str = "open"  #: open, done, failed or withdrawn; `unit_states` says what they mean, and where its file lies
    reason: str = ""  #: why it failed or was withdrawn


@dataclass(frozen=True, slots=True, kw_only=True)
class DropScores:
    """One image with the machine's score that came last and each person's, as the plate overview shows it."""

    image: StoredImage
    auto: AutoScore | None
    people: tuple[ManualScore, ...] = ()  #: what each person said last and did not take back, the last first
    comments: tuple[Comment, ...] = ()  #: what people wrote about it and did not take back, the oldest first
    marks: tuple[Mark, ...] = ()  #: what people marked in it and did not take back, in the order in which they came
    postponed: Postponement | None = None  #: why there is no automatic score yet
    readouts: tuple[AutoScore, ...] = ()  #: by readouts, beside the automatic score; those that were asked for

    @property
    def manual(self) -> ManualScore | None:
        """The score by hand that came last."""
        return self.people[0] if self.people else None

    @property
    def current(self) -> AutoScore | None:
        """The automatic score that came last, if it counts."""
        return self.auto if self.auto and self.auto.counts else None

    @property
    def why_unscored(self) -> str:
        """Why there is no automatic score that counts; empty where there is one, or nobody has tried yet."""
        if self.current:
            return ""
        if self.postponed:
            return self.postponed.reason
        return "the picture has changed, or its score was taken back; it is scored anew" if self.auto else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateSummary:
    """A plate as the list of plates shows it."""

    plate: str
    inspections: tuple[int, ...]
    channels: tuple[str, ...]
    images: int
    scored: int  #: images with an automatic score
    last_scored_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredImage:
    """An image with an automatic score, for a facility."""

    image: StoredImage
    score: AutoScore
    score_id: int  #: of the score in the ledger; a later one has a higher
    tries: int = 0  #: how often the facility was given it already


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """A score of the whole ledger, with the image that it is of."""

    id: int  #: of the score; a later one has a higher
    image: StoredImage
    score: AutoScore | ManualScore


@dataclass(frozen=True, slots=True, kw_only=True)
class ToPush:
    """What a facility is to be given, and what it is not."""

    scores: tuple[ScoredImage, ...] = ()  #: in the order in which they came, one an image
    passed_over: tuple[Push, ...] = ()  #: with the reasons, to be noted with the others
    looked_to: int = field(default=0, compare=False)  #: id of the last score that was looked at when these are all


class Images(Protocol):
    """The images that robots made."""

    def add_images(self, images: Iterable[NewImage], *, import_id: int = 0) -> Added:
        """Add the images that are not there yet, in one transaction; never change one that is.

        An image that was taken back, and comes again from the same file to the same place, is there again with all
        its scores.
        """

    def images(self, image_ids: Collection[int]) -> dict[int, StoredImage]:
        """Return by id those of these images that the database knows."""

    def plate_images(self, plate: str) -> list[StoredImage]:
        """Return every image of a plate, by inspection, channel, row, column, drop."""

    def inspections_taken(self, plate: str) -> dict[int, Taken]:
        """Return by number when the first image of each inspection of a plate was taken, where that is known."""

    def known_paths(self, paths: Sequence[str]) -> set[str]:
        """Return those of `paths` that are in the database."""

    def removed_paths(self, paths: Sequence[str]) -> set[str]:
        """Return those of `paths` whose images were taken back, and did not come again since."""

    def images_read(self, *, below: int | None = None, limit: int) -> list[StoredImage]:
        """Return images whose files were read, the highest id first; only ids below `below`, if one is given."""

    def note_versions(
        self, versions: Mapping[int, FileVersion], *, packed: Mapping[int, str] | None = None
    ) -> set[int]:
        """Note what the files of images hold now, in one transaction; `packed` says which work units were made of them.

        Return the images that show another picture than before: their automatic scores stay, but count no more.
        """


class Ledger(Protocol):
    """The scores of images by people and machines; those of readouts score no image, and none waits for one."""

    def add_auto_scores(self, scores: Iterable[AutoScore]) -> int:
        """Add scores to the ledger in one transaction; return how many were new (by image and work unit)."""

    def add_manual_score(self, score: ManualScore) -> None:
        """Add a person's score to the ledger."""

    def take_back(self, score_id: int, *, person: str, at: datetime) -> bool:
        """Record that a person takes a score back, which stays in the ledger and counts no more.

        Return whether that was done: it must be the one that this person gave its image last of those that count.
        """

    def scored(self, image_ids: Collection[int], recipe: Recipe) -> set[int]:
        """Return those of these images that have an automatic score by `recipe`."""

    def recipes(self) -> list[Recipe]:
        """Return every recipe that images were scored by, the first one first."""

    def scored_images(self, recipe: Recipe, *, older_than: Age | None = None, limit: int) -> list[StoredImage]:
        """Return visible-light images whose last automatic score that counts is by `recipe`, the newest first."""

    def ledger(self, image_id: int) -> list[AutoScore | ManualScore]:
        """Return every score of an image, in the order in which they came, whatever the clocks said."""

    def ledger_entries(self, *, after: int = 0, limit: int) -> list[LedgerEntry]:
        """Return the first scores of all images whose ids are above `after`, but of images that were taken back.

        Whoever goes through the whole ledger asks again, after the id of the last, until there is none.
        """

    def last_entry(self) -> int:
        """Return the id of the newest score; 0 when there is none."""

    def drops(
        self,
        plate: str,
        *,
        inspection: int,
        channel: str = "visible",
        readouts: Collection[str] = (),
        images: Collection[int] | None = None,
    ) -> list[DropScores]:
        """Return the images of one inspection of a plate with the scores that came last, by row, column, drop.

        Of people's scores these are those that were not taken back, one of each person; of readouts those with these
        hashes, one of each recipe. Where `images` are named, only these are read.
        """

    def recipes_at(self, plate: str, *, inspection: int, channel: str = "visible") -> list[Recipe]:
        """Return the recipes by which images of an inspection have a score that counts, the first one first."""

    def scores_by(
        self, recipe: Recipe, plate: str, *, inspection: int, channel: str = "visible"
    ) -> dict[int, AutoScore]:
        """Return by image of an inspection the last score by a recipe that counts."""

    def newest_scores(self, image_ids: Collection[int], *, readouts: Collection[str] = ()) -> dict[int, DropScores]:
        """Return by id those of these images that there are with the scores that came last, as `drops` does.

        Comments, marks, and why one has no score, are left out.
        """

    def newest_by_hand(self, *, channel: str = "visible") -> list[tuple[StoredImage, ManualScore]]:
        """Return every image of a channel that people scored, by id, with the score that came last of theirs.

        Scores that were taken back are none.
        """

    def plates(self, *, plate: str | None = None) -> list[PlateSummary]:
        """Return every plate, by barcode, or only the one that is named; none without images."""

    def discount_scores(self, image_ids: Collection[int]) -> None:
        """Have the automatic scores that these images have, and what failed work units say of them, count no more."""

    def waits_longest(self, *, put_off: bool = True) -> datetime | None:
        """Return since when the visible-light image waits to be scored that waits longest; None when none does.

        An image waits from the moment when it came in, came back, or lost its score. Those that a person left out of a
        CSV file do not wait, nor, unless `put_off`, those that were put off.
        """


class Units(Protocol):
    """The work units that create-work made, and the images that wait for one."""

    def images_without_score(
        self, recipe: Recipe, *, limit: int, plate: str | None = None, channel: str = "visible"
    ) -> list[StoredImage]:
        """Return images of a channel that are to be scored by `recipe`, the newest first.

        These have no score by it that counts, are in no open or failed unit of it, and are not postponed. An image
        without a date is as new as its import.
        """

    def count_to_score(self, recipe: Recipe, *, channel: str = "visible") -> int:
        """Return how many images of a channel have a last automatic score of another recipe, or none."""

    def newest_packed(self, recipe: Recipe, *, channel: str = "visible") -> StoredImage | None:
        """Return the newest image of a channel in an open unit of `recipe`."""

    def add_units(self, units: Collection[UnitRecord]) -> set[str]:
        """Record work units with their images, or open those again that were withdrawn, in one transaction.

        Return the names of these; nothing happens to a work unit whose name is taken.
        """

    def count_units(self, state: str) -> int:
        """Return how many work units are in `state`."""

    def units(self, state: str, *, last: int = ALL) -> list[UnitRecord]:
        """Return the work units in `state`, oldest first; of more than `last` those that were made last."""

    def unit_recipes(self, state: str) -> dict[str, Recipe]:
        """Return by name the recipes of the work units in `state`, oldest first; images are not looked at."""

    def known_units(self, names: Collection[str]) -> set[str]:
        """Return those of `names` that are work units of this database, in whatever state."""

    def close_unit(self, name: str, state: str, reason: str = "", *, left_out: Collection[int] | None = None) -> None:
        """Close an open work unit as done, failed or withdrawn; one that is closed stays as it is.

        The images of one that failed are not packed again: those in `left_out`, or all for None.
        """

    def finish_units(self, names: Collection[str]) -> None:
        """Close open work units as done, in one transaction; those that are closed stay as they are."""


class FacilityRecords(Protocol):
    """How far facilities' own databases were looked at, and which scores they were given, by its name."""

    def facility_state(self, facility: str) -> FacilityState:
        """Return how far a facility's database was looked at."""

    def note_pulled(self, facility: str, mark: str, *, now: datetime) -> None:
        """Note where the next pull begins."""

    def add_pulled_scores(self, facility: str, scores: Sequence[PulledScore]) -> PulledScores:
        """Add people's scores from a facility to the ledger in one transaction, each once.

        One that is older than another that a person gave is listed, but is not the one that counts.

        Raises
        ------
        UnknownNameError
            If an outcome is none.
        """

    def scores_to_push(self, facility: str, *, now: datetime, limit: int, before: datetime | None = None) -> ToPush:
        """Return automatic scores that a facility was not given yet, or refused `before`, and may take now."""

    def note_pushed(self, facility: str, pushes: Sequence[Push], *, now: datetime, looked_to: int = 0) -> None:
        """Note in one transaction what became of scores (refused ones are given again) and how far one looked."""

    def pushes(self, facility: str, *, refused: bool = False, last: int = 1000) -> list[PushedScore]:
        """Return scores that a facility was given, the last first; or, when `refused`, those that it is given again."""


class ImagingDatabase(
    Images,
    Ledger,
    DropStates,
    Comments,
    Marks,
    Units,
    Waiting,
    Imports,
    PlateFactsStore,
    PlateList,
    BestDrops,
    HandCounts,
    InspectionList,
    FacilityRecords,
    Protocol,
):
    """All that services and the viewer ask of an imaging database; what needs less takes less."""

    def close(self) -> None:
        """Give back connections."""
