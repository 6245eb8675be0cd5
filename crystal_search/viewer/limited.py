"""The viewer of people who see the plates of some projects only.

They get the same pages, over a database that knows no other plates: what is not theirs is not there. Whatever this
database does not answer for them is refused, so that what is added to the viewer is closed to them until it is opened.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NoReturn, TypeVar, cast

from starlette.exceptions import HTTPException

from crystal_search.server.imaging.best_drops import BestImage, BestQuery
from crystal_search.server.imaging.comments import Comment
from crystal_search.server.imaging.imaging_database import (
    AutoScore,
    DropScores,
    ImagingDatabase,
    LedgerEntry,
    ManualScore,
    PlateSummary,
    Recipe,
)
from crystal_search.server.imaging.inspection_list import InspectionQuery, ListedInspection
from crystal_search.server.imaging.marks import Mark
from crystal_search.server.imaging.plate_facts import Condition, PlateFacts
from crystal_search.server.imaging.plate_list import Neighbours, PlatePage, PlateQuery
from crystal_search.server.imaging.stored_images import Postponement, StoredImage, Taken
from crystal_search.viewer.context import Viewer
from crystal_search.viewer.queues import Key, Listing, QueueSource
from crystal_search.viewer.recent import Recent

SEEN_SECONDS = 2.0  #: how old may be which plates are of these projects

Value = TypeVar("Value")


class LimitedImaging:
    """An `ImagingDatabase` with the plates of some projects: the part of it that pages ask."""

    def __init__(self, imaging: ImagingDatabase, projects: tuple[str, ...]) -> None:
        self._imaging = imaging
        self._projects = projects
        self._seen: Recent[str, set[str]] = Recent(lambda _: imaging.plates_of(projects), seconds=SEEN_SECONDS)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        raise HTTPException(403, "this is not for people who see the plates of some projects only")

    def _plates(self) -> set[str]:
        return self._seen.get("")

    def _of_these(self, image_ids: Collection[int]) -> list[int]:
        return list(self.images(image_ids))

    def _check(self, image_id: int) -> None:
        if not self.images([image_id]):
            raise HTTPException(404, f"there is no image {image_id}")

    def images(self, image_ids: Collection[int]) -> dict[int, StoredImage]:
        """Return by id those of these images that are seen."""
        seen = self._plates()
        return {number: each for number, each in self._imaging.images(image_ids).items() if each.key.plate in seen}

    def plate_images(self, plate: str) -> list[StoredImage]:
        """Return every image of a plate."""
        return self._imaging.plate_images(plate) if plate in self._plates() else []

    def inspections_taken(self, plate: str) -> dict[int, Taken]:
        """Return by number when the first image of each inspection of a plate was taken."""
        return self._imaging.inspections_taken(plate) if plate in self._plates() else {}

    def drops(self, plate: str, **options: Any) -> list[DropScores]:
        """Return the images of one inspection of a plate with the scores that came last."""
        return self._imaging.drops(plate, **options) if plate in self._plates() else []

    def state_of_drops(self, plate: str, **options: Any) -> object:
        """Return what is another value when the drops of an inspection may be, or are no longer seen."""
        return self._imaging.state_of_drops(plate, **options) if plate in self._plates() else None

    def images_added_to(self, plate: str, **options: Any) -> Collection[int] | None:
        """Return the images of an inspection of which something was added since it was seen in a state."""
        return self._imaging.images_added_to(plate, **options) if plate in self._plates() else None

    def recipes_at(self, plate: str, **options: Any) -> list[Recipe]:
        """Return the recipes by which images of an inspection have a score that counts."""
        return self._imaging.recipes_at(plate, **options) if plate in self._plates() else []

    def scores_by(self, recipe: Recipe, plate: str, **options: Any) -> dict[int, AutoScore]:
        """Return by image of an inspection the last score by a recipe that counts."""
        return self._imaging.scores_by(recipe, plate, **options) if plate in self._plates() else {}

    def newest_scores(self, image_ids: Collection[int], **options: Any) -> dict[int, DropScores]:
        """Return by id those of these images that are seen with the scores that came last."""
        return self._imaging.newest_scores(self._of_these(image_ids), **options)

    def best_images(self, query: BestQuery) -> list[BestImage]:
        """Return the images of plates that are seen that are likeliest to show crystals."""
        return self._imaging.best_images(replace(query, projects=self._projects))

    def note_seen(self, person: str, plates: Collection[str], *, at: datetime) -> Sequence[str]:
        """Record that a person has looked at plates, of those that are seen."""
        return self._imaging.note_seen(person, self._plates().intersection(plates), at=at)

    def note_looked(self, person: str, *, at: datetime) -> None:
        """Record that a person has looked through the best drops."""
        self._imaging.note_looked(person, at=at)

    def last_looked(self, person: str) -> datetime | None:
        """Return when a person looked through the best drops last."""
        return self._imaging.last_looked(person)

    def plates(self, **options: Any) -> list[PlateSummary]:
        """Return every plate that is seen, by barcode."""
        seen = self._plates()
        return [each for each in self._imaging.plates(**options) if each.plate in seen]

    def neighbours(self, barcode: str, query: PlateQuery) -> Neighbours:
        """Return the plates beside one in the list of those that are seen."""
        return self._imaging.neighbours(barcode, replace(query, projects=self._projects))

    def list_plates(self, query: PlateQuery) -> PlatePage:
        """Return one page of the plates that are seen."""
        return self._imaging.list_plates(replace(query, projects=self._projects))

    def scored_until(self, plates: Collection[str]) -> dict[str, int]:
        """Return of those of these plates that are seen, and wait, how many images are scored until their last is."""
        return self._imaging.scored_until(self._plates().intersection(plates))

    def last_scored(self, limit: int) -> list[datetime]:
        """Return when the last scores were made, of whatever plate: how fast it goes is no secret."""
        return self._imaging.last_scored(limit)

    def list_inspections(self, query: InspectionQuery) -> list[ListedInspection]:
        """Return inspections of the plates that are seen."""
        own = set(self._projects)
        projects = self._projects if query.projects is None else tuple(own.intersection(query.projects))
        return self._imaging.list_inspections(replace(query, projects=projects))

    def ledger_entries(self, *, after: int = 0, limit: int) -> list[LedgerEntry]:
        """Return scores of all images: where a part ends counts all, and `ledger_api` shows those that are seen."""
        return self._imaging.ledger_entries(after=after, limit=limit)

    def last_entry(self) -> int:
        """Return the id of the newest score."""
        return self._imaging.last_entry()

    def plate_facts(self, plates: Collection[str]) -> dict[str, PlateFacts]:
        """Return by barcode what is known of those of these plates that are seen."""
        return self._imaging.plate_facts(sorted(self._plates().intersection(plates)))

    def conditions(self, plate: str) -> list[Condition]:
        """Return what is in the wells of a plate."""
        return self._imaging.conditions(plate) if plate in self._plates() else []

    def ledger(self, image_id: int) -> list[AutoScore | ManualScore]:
        """Return every score of an image."""
        return self._imaging.ledger(image_id) if self._of_these([image_id]) else []

    def comments(self, image_id: int) -> list[Comment]:
        """Return what people wrote about an image."""
        return self._imaging.comments(image_id) if self._of_these([image_id]) else []

    def marks(self, image_ids: Collection[int]) -> list[Mark]:
        """Return what people marked in images."""
        return self._imaging.marks(self._of_these(image_ids))

    def postponements(self, image_ids: Collection[int]) -> dict[int, Postponement]:
        """Return by image why it waits."""
        return self._imaging.postponements(self._of_these(image_ids))

    def scored_by_hand(self, image_ids: Collection[int]) -> set[int]:
        """Return those of these images that a person has scored."""
        return self._imaging.scored_by_hand(self._of_these(image_ids))

    def add_manual_score(self, score: ManualScore) -> None:
        """Add a person's score of an image that is seen."""
        self._check(score.image_id)
        self._imaging.add_manual_score(score)

    def add_comment(self, comment: Comment) -> None:
        """Add what a person wrote about an image that is seen."""
        self._check(comment.image_id)
        self._imaging.add_comment(comment)

    def add_mark(self, mark: Mark) -> bool:
        """Add what a person marked in an image that is seen."""
        self._check(mark.image_id)
        return self._imaging.add_mark(mark)

    def take_back(self, score_id: int, *, person: str, at: datetime) -> bool:
        """Record that a person takes a score of theirs back, whatever they see by now."""
        return self._imaging.take_back(score_id, person=person, at=at)

    def take_comment_back(self, comment_id: int, *, person: str, at: datetime) -> bool:
        """Record that a person takes a comment of theirs back, whatever they see by now."""
        return self._imaging.take_comment_back(comment_id, person=person, at=at)

    def take_mark_back(self, mark_id: int, *, person: str, at: datetime) -> bool:
        """Record that a person takes a mark of theirs back, whatever they see by now."""
        return self._imaging.take_mark_back(mark_id, person=person, at=at)


class LimitedQueues:
    """Lists of images that are worth a look, without those that are not seen."""

    def __init__(self, queues: QueueSource, imaging: ImagingDatabase) -> None:
        self._queues = queues
        self._imaging = imaging

    def imagers(self) -> list[str]:
        """Return the imagers of whose images there are features."""
        return self._queues.imagers()

    def get(self, key: Key) -> Listing:
        """Return a list."""
        listing = self._queues.get(key)
        seen = self._imaging.images([each.image.id for each in listing.entries])
        entries = tuple(each for each in listing.entries if each.image.id in seen)
        none = "" if entries or not listing.entries else "No drop of this list is on a plate that you see."
        return replace(listing, entries=entries, why_empty=listing.why_empty or none)


def limited_viewer(viewer: Viewer, projects: tuple[str, ...]) -> Viewer:
    """Return the viewer of people who see the plates of these projects only; imports are not for them."""
    imaging = cast(ImagingDatabase, LimitedImaging(viewer.imaging, projects))
    return replace(
        viewer,
        imaging=imaging,
        reader=viewer.reader.over(imaging),
        queues=LimitedQueues(viewer.queues, imaging) if viewer.queues else None,
        import_plan=None,
    )
