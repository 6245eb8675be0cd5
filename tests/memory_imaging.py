"""An imaging database in this process's memory: where a test is about something else, and to compare the SQL with."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from crystal_search.errors import DatabaseError
from crystal_search.outcomes import NO_DROP, UNREADABLE, outcome_named
from crystal_search.server.imaging.adding_rules import arrival, conflict, in_utc, shown_of, waits
from crystal_search.server.imaging.best_drops import BestImage, BestQuery
from crystal_search.server.imaging.comments import Comment, in_order
from crystal_search.server.imaging.facility_records import (
    FacilityState,
    PulledScore,
    PulledScores,
    Push,
    PushedScore,
)
from crystal_search.server.imaging.hand_counts import HandCount
from crystal_search.server.imaging.imaging_database import (
    ALL,
    CLOSED,
    Age,
    AutoScore,
    DropScores,
    LedgerEntry,
    ManualScore,
    PlateSummary,
    Recipe,
    ScoredImage,
    ToPush,
    UnitRecord,
)
from crystal_search.server.imaging.inspection_list import InspectionQuery, ListedInspection
from crystal_search.server.imaging.marks import Mark
from crystal_search.server.imaging.plate_list import Neighbours, PlatePage, PlateQuery
from crystal_search.server.imaging.push_rules import again_at, last_given, new_scores, sorted_out
from crystal_search.server.imaging.stored_images import (
    Added,
    FileVersion,
    ImportRecord,
    NewImage,
    Postponed,
    Postponement,
    Removal,
    StoredImage,
    Taken,
)
from crystal_search.wells import REMOVED, WellKey
from tests.memory_best_drops import MemoryBestDrops
from tests.memory_facts import MemoryFacts
from tests.memory_plate_list import beside, inspections_listed, listed, scored_until


class MemoryImaging(MemoryFacts, MemoryBestDrops):
    """An `ImagingDatabase` that is forgotten with the process."""

    def __init__(self) -> None:
        MemoryFacts.__init__(self)
        MemoryBestDrops.__init__(self)
        self._images: dict[int, StoredImage] = {}
        self._by_path: dict[str, StoredImage] = {}
        self._by_key: dict[WellKey, StoredImage] = {}
        self._units: dict[str, UnitRecord] = {}
        self._scores: dict[int, list[AutoScore | ManualScore]] = defaultdict(list)
        self._waiting: dict[int, Postponement] = {}
        self._released: set[tuple[str, int]] = set()
        self._removed: dict[int, StoredImage] = {}
        self._import_of: dict[int, int] = {}
        self._waits_since: dict[int, datetime] = {}
        self._imports: list[tuple[str, str, datetime]] = []
        self._removals: list[Removal] = []
        self._came: list[tuple[int, int]] = []  # every score as it came: its image, and which of its scores
        self._hand_scores = 0
        self._comments: list[Comment] = []
        self._marks: dict[int, Mark] = {}  # those that stand
        self._marks_taken_back: list[tuple[Mark, datetime]] = []
        self._marks_made = 0
        self._auto_scores: list[AutoScore] = []  # the place of each, from 1, is its id
        self._facilities: dict[str, FacilityState] = {}
        self._pushes: dict[str, dict[int, PushedScore]] = {}

    def close(self) -> None:
        """Give back connections: there are none."""

    def add_images(self, images: Iterable[NewImage], *, import_id: int = 0) -> Added:
        """Add the images that are not there yet, in one transaction; never change one that is."""
        added = known = 0
        conflicts = []
        for image in images:
            same_path, same_key = self._by_path.get(image.path), self._by_key.get(image.key)
            key_of_path = same_path.key if same_path else None
            path_of_key = same_key.path if same_key else None
            if trouble := conflict(image, key_of_path, path_of_key):
                conflicts.append(trouble)
            elif same_path:
                known += 1
            else:
                self._add(image, import_id)
                added += 1
        return Added(added=added, known=known, conflicts=tuple(conflicts))

    def _add(self, new: NewImage, import_id: int) -> None:
        back = next((each for each in self._removed.values() if (each.path, each.key) == (new.path, new.key)), None)
        if back:
            self._store(self._removed.pop(back.id))
            self._waits_since[back.id] = datetime.now(UTC)
            return
        imaged_at = new.imaged_at and in_utc(new.imaged_at)
        self._store(
            StoredImage(
                id=self._last_id(),
                key=new.key,
                path=new.path,
                imaged_at=imaged_at,
                day_only=new.day_only,
                arrived_at=in_utc(arrival(new, datetime.now(UTC))),
            )
        )

        self._import_of[self._last_id() - 1] = import_id
        self._waits_since[self._last_id() - 1] = datetime.now(UTC)

    def _last_id(self) -> int:
        return max((*self._images, *self._removed), default=0) + 1

    def begin_import(self, folder: str, person: str) -> int:
        """Record that an import of a folder begins, and return its number."""
        self._imports.append((folder, person, datetime.now(UTC)))
        return len(self._imports)

    def imports(self) -> list[ImportRecord]:
        """Return every import that brought images which are still there, the last first."""
        records = [
            ImportRecord(id=number, folder=folder, person=person, began_at=at, images=len(self.imported(number)))
            for number, (folder, person, at) in enumerate(self._imports, start=1)
        ]
        return [record for record in records[::-1] if record.images]

    def imported(self, import_id: int) -> list[StoredImage]:
        """Return the images that an import brought and that are still there."""
        return [image for image in self._images.values() if self._import_of.get(image.id) == import_id]

    def scored_by_hand(self, image_ids: Collection[int]) -> set[int]:
        """Return those of these images that a person has scored."""
        return {each for each in image_ids if self._by_hand(each)}

    def remove_images(self, image_ids: Collection[int], removal: Removal) -> int:
        """Take images back, and return the number of the removal; their scores stay in the ledger, unseen."""
        gone = [self._images.pop(each) for each in sorted(image_ids) if each in self._images]
        for image in gone:
            self._removed[image.id] = image
            del self._by_path[image.path], self._by_key[image.key]
            self._waiting.pop(image.id, None)
        self._removals.append(replace(removal, id=len(self._removals) + 1, images=len(gone)))
        return len(self._removals)

    def removals(self) -> list[Removal]:
        """Return what was taken back, by whom, the last first."""
        return self._removals[::-1]

    def images_below(self, folder: str) -> list[StoredImage]:
        """Return the images whose files lie in a folder or in those inside it."""
        return [image for image in self._images.values() if image.path.startswith(f"{folder.rstrip('/')}/")]

    def move_images(self, paths: Mapping[int, str]) -> None:
        """Note where the files of images are now."""
        for image_id, path in paths.items():
            del self._by_path[self._images[image_id].path]
            self._store(replace(self._images[image_id], path=path))

    def move_removed(self, old: str, new: str) -> int:
        """Note of all images below the folder `old` that were taken back that their files are below `new` now."""
        found = [image for image in self._removed.values() if image.path.startswith(f"{old}/")]
        for image in found:
            self._removed[image.id] = replace(image, path=new + image.path[len(old) :])
        return len(found)

    def _store(self, image: StoredImage) -> None:
        self._images[image.id] = self._by_path[image.path] = self._by_key[image.key] = image

    def images(self, image_ids: Collection[int]) -> dict[int, StoredImage]:
        """Return by id those of these images that the database knows."""
        return {image_id: self._images[image_id] for image_id in image_ids if image_id in self._images}

    def scored(self, image_ids: Collection[int], recipe: Recipe) -> set[int]:
        """Return those of these images that have an automatic score by `recipe`."""
        return {each for each in image_ids if any(score.recipe == recipe for score in self._counting(each))}

    def recipes(self) -> list[Recipe]:
        """Return every recipe that images were scored by, the first one first."""
        machine = [score for each in sorted(self._scores) for score in self._machine_scores(each)]
        return list(dict.fromkeys(score.recipe for score in machine if not score.recipe.readout))

    def scored_images(self, recipe: Recipe, *, older_than: Age | None = None, limit: int) -> list[StoredImage]:
        """Return visible-light images whose last automatic score that counts is by `recipe`, the newest first."""
        shown = [each for each in self._images.values() if each.key.channel == "visible"]
        mine = [each for each in shown if [score.recipe for score in self._shipped(each.id)[-1:]] == [recipe]]
        newest = sorted(mine, key=self._age, reverse=True)
        return [each for each in newest if older_than is None or self._age(each) < older_than][:limit]

    def plate_images(self, plate: str) -> list[StoredImage]:
        """Return every image of a plate, by inspection, channel, row, column, drop."""
        images = [image for image in self._images.values() if image.key.plate == plate]
        return sorted(images, key=lambda image: (image.key.inspection, image.key.channel, image.key))

    def inspections_taken(self, plate: str) -> dict[int, Taken]:
        """Return by number when the first image of each inspection of a plate was taken, where that is known."""
        found: dict[int, Taken] = {}
        for image in self.plate_images(plate):
            if image.imaged_at is not None:
                this = Taken(at=image.imaged_at, day_only=image.day_only)
                found[image.key.inspection] = min(found.get(image.key.inspection, this), this, key=lambda each: each.at)
        return found

    def known_paths(self, paths: Sequence[str]) -> set[str]:
        """Return those of `paths` that are in the database."""
        return self._by_path.keys() & set(paths)

    def removed_paths(self, paths: Sequence[str]) -> set[str]:
        """Return those of `paths` whose images were taken back, and did not come again since."""
        return {each.path for each in self._removed.values()} & set(paths)

    def images_without_score(
        self, recipe: Recipe, *, limit: int, plate: str | None = None, channel: str = "visible"
    ) -> list[StoredImage]:
        """Return images of a channel that are to be scored by `recipe`, the newest first."""
        now = datetime.now(UTC)
        taken = self._held(recipe, "open", "failed") | self.scored(self._images, recipe)
        taken |= {each.image_id for each in self._waiting.values() if waits(each.next_at, now)}
        wanted = [
            image
            for image in self._images.values()
            if image.key.channel == channel and plate in (None, image.key.plate) and image.id not in taken
        ]
        return sorted(wanted, key=self._age, reverse=True)[:limit]

    def count_to_score(self, recipe: Recipe, *, channel: str = "visible") -> int:
        """Return how many images of a channel have a last automatic score of another recipe, or none."""
        images = [each for each in self._images.values() if each.key.channel == channel]
        last = [self._shipped(each.id)[-1:] for each in images]
        return sum(1 for scores in last if not scores or scores[0].recipe != recipe)

    def newest_packed(self, recipe: Recipe, *, channel: str = "visible") -> StoredImage | None:
        """Return the newest image of a channel in an open unit of `recipe`."""
        held = [self._images[image_id] for image_id in self._held(recipe, "open") if image_id in self._images]
        return max((image for image in held if image.key.channel == channel), key=self._age, default=None)

    def _age(self, image: StoredImage) -> tuple[datetime, int]:
        return image.arrived_at or datetime.min.replace(tzinfo=UTC), image.id

    def _held(self, recipe: Recipe, *states: str) -> set[int]:
        units = [unit for unit in self._units.values() if unit.recipe == recipe and unit.state in states]
        return {each for unit in units for each in self._held_by(unit)}

    def _held_by(self, unit: UnitRecord) -> set[int]:
        return {each for each in unit.image_ids if (unit.name, each) not in self._released}

    def images_read(self, *, below: int | None = None, limit: int) -> list[StoredImage]:
        """Return images whose files were read, the highest id first; only ids below `below`, if one is given."""
        read = [image for image in self._images.values() if image.version and (below is None or image.id < below)]
        return sorted(read, key=lambda image: -image.id)[:limit]

    def note_versions(
        self, versions: Mapping[int, FileVersion], *, packed: Mapping[int, str] | None = None
    ) -> set[int]:
        """Note what the files of images hold now; `packed` says which work units were made of them."""
        changed: set[int] = set()
        for image_id, version in versions.items():
            image = self._images[image_id]
            if image.version and image.version.sha256 != version.sha256:
                changed.add(image_id)
            self._store(replace(image, version=version))
        for image_id, unit in (packed or {}).items():
            record = self._units[unit]
            known = dict(zip(record.image_ids, record.versions, strict=False)) | {image_id: versions[image_id]}
            self._units[unit] = replace(record, versions=tuple(known.get(each) for each in record.image_ids))
        self.discount_scores(changed)
        return changed

    def discount_scores(self, image_ids: Collection[int]) -> None:
        """Have the automatic scores that these images have, and what failed work units say of them, count no more."""
        failed = [unit for unit in self._units.values() if unit.state == "failed"]
        self._released |= {(unit.name, each) for unit in failed for each in unit.image_ids if each in image_ids}
        for image_id in image_ids:
            self._store(replace(self._images[image_id], scores_before=len(self._scores[image_id])))
            self._waits_since[image_id] = datetime.now(UTC)
        self.take_up(image_ids)

    def postpone(self, postponements: Collection[Postponement]) -> None:
        """Put images off, in place of what was said of them before."""
        self._check_known(each.image_id for each in postponements)
        self._waiting |= {each.image_id: each for each in postponements}

    def take_up(self, image_ids: Collection[int]) -> None:
        """Put images off no longer."""
        for image_id in image_ids:
            self._waiting.pop(image_id, None)

    def postponements(self, image_ids: Collection[int]) -> dict[int, Postponement]:
        """Return by image why each of these images waits that was put off."""
        return {each: self._waiting[each] for each in image_ids if each in self._waiting}

    def postponed(self, *, plate: str | None = None) -> list[Postponed]:
        """Return how many images wait for each reason, of one plate or of all; most images first."""
        waiting = [each for each in self._waiting.values() if plate in (None, self._images[each.image_id].key.plate)]
        counts = Counter(each.reason for each in waiting)
        return [
            Postponed(
                reason=reason,
                images=counts[reason],
                since=min(each.since for each in waiting if each.reason == reason),
                next_at=min(each.next_at for each in waiting if each.reason == reason),
                first=min(self._images[each.image_id].path for each in waiting if each.reason == reason),
            )
            for reason in sorted(counts, key=lambda reason: (-counts[reason], reason))
        ]

    def postponed_images(self) -> list[StoredImage]:
        """Return every image that was put off, by id."""
        return [self._images[image_id] for image_id in sorted(self._waiting)]

    def unreadable_images(self) -> list[StoredImage]:
        """Return every image whose last automatic score says that it is unreadable, by id."""
        last = {image_id: self._shipped(image_id)[-1:] for image_id in sorted(self._images)}
        condemned = [each for each, scores in last.items() if scores and scores[0].outcome == UNREADABLE]
        return [self._images[each] for each in condemned if each in self._images]

    def waits_longest(self, *, put_off: bool = True) -> datetime | None:
        """Return since when the visible-light image waits to be scored that waits longest; None when none does."""
        left_out = {each for unit in self._units.values() if unit.state == "failed" for each in self._held_by(unit)}
        left_out |= set() if put_off else self._waiting.keys()
        waiting = (
            self._waits_since[image.id]
            for image in self._images.values()
            if image.key.channel == "visible" and image.id not in left_out and not self._shipped(image.id)
        )
        return min(waiting, default=None)

    def add_units(self, units: Collection[UnitRecord]) -> set[str]:
        """Record work units with their images, or open those again that were withdrawn, in one transaction."""
        self._check_known(image_id for unit in units for image_id in unit.image_ids)
        added = set()
        for unit in units:
            known = self._units.get(unit.name)
            if known is None or known.state == "withdrawn":
                new = replace(unit, created_at=in_utc(unit.created_at))
                self._units[unit.name] = replace(known, state="open", reason="") if known else new
                added.add(unit.name)
        return added

    def count_units(self, state: str) -> int:
        """Return how many work units are in `state`."""
        return len(self.units(state))

    def units(self, state: str, *, last: int = ALL) -> list[UnitRecord]:
        """Return the work units in `state`, oldest first; of more than `last` those that were made last."""
        units = [unit for unit in self._units.values() if unit.state == state]
        return sorted(units, key=lambda unit: unit.created_at)[-last:]

    def unit_recipes(self, state: str) -> dict[str, Recipe]:
        """Return by name the recipes of the work units in `state`, oldest first; images are not looked at."""
        return {unit.name: unit.recipe for unit in self.units(state)}

    def known_units(self, names: Collection[str]) -> set[str]:
        """Return those of `names` that are work units of this database, in whatever state."""
        return self._units.keys() & set(names)

    def close_unit(self, name: str, state: str, reason: str = "", *, left_out: Collection[int] | None = None) -> None:
        """Close an open work unit as done, failed or withdrawn; one that is closed stays as it is."""
        if state not in CLOSED:
            raise ValueError(f"a work unit is closed as {' or '.join(CLOSED)}, got {state!r}")
        unit = self._units.get(name)
        if unit and unit.state == "open":
            self._units[name] = replace(unit, state=state, reason=reason)
            held = unit.image_ids if left_out is None else left_out
            self._released |= {(name, each) for each in unit.image_ids if each not in held}

    def finish_units(self, names: Collection[str]) -> None:
        """Close open work units as done, in one transaction; those that are closed stay as they are."""
        for name in names:
            self.close_unit(name, "done")

    def add_auto_scores(self, scores: Iterable[AutoScore]) -> int:
        """Add scores to the ledger in one transaction; return how many were new (by image and work unit)."""
        wanted = list(scores)
        self._check_known(score.image_id for score in wanted)
        new = 0
        for score in wanted:
            if all(score.work_unit != other.work_unit for other in self._machine_scores(score.image_id)):
                row = replace(score, scored_at=in_utc(score.scored_at))
                is_first = not self._shipped(score.image_id)
                self._keep(row)
                self._auto_scores.append(row)
                if is_first and row in self._shipped(score.image_id) and score.image_id in self._images:
                    self._note_news(self._images[score.image_id])
                new += 1
        self.take_up([score.image_id for score in wanted if score in self._shipped(score.image_id)])
        return new

    def add_manual_score(self, score: ManualScore) -> None:
        """Add a person's score to the ledger.

        Raises
        ------
        UnknownNameError
            If the outcome is none.
        """
        if score.outcome != NO_DROP:
            outcome_named(score.outcome)
        self._check_known([score.image_id])
        self._hand_scores += 1
        given = replace(score, scored_at=in_utc(score.scored_at), id=self._hand_scores)
        self._keep(given)

    def take_back(self, score_id: int, *, person: str, at: datetime) -> bool:
        """Record that a person takes a score back, which stays in the ledger and counts no more."""
        for scores in self._scores.values():
            own = [each for each in scores if isinstance(each, ManualScore) and each.person == person and each.counts]
            own.sort(key=lambda each: not each.late)
            if own and own[-1].id == score_id:
                place = next(at for at, each in enumerate(scores) if each is own[-1])
                scores[place] = replace(own[-1], taken_back_at=in_utc(at))
                return True
        return False

    def _by_hand(self, image_id: int) -> list[ManualScore]:
        """Return what people said of an image and did not take back, the last first."""
        told = [each for each in self.ledger(image_id)[::-1] if isinstance(each, ManualScore) and each.counts]
        return sorted(told, key=lambda each: each.late)

    def add_comment(self, comment: Comment) -> None:
        """Add what a person wrote about an image."""
        self._check_known([comment.image_id])
        number = len(self._comments) + 1
        self._comments.append(replace(comment, written_at=in_utc(comment.written_at), id=number))

    def take_comment_back(self, comment_id: int, *, person: str, at: datetime) -> bool:
        """Record that a person takes back a comment, which stays where it is."""
        for place, comment in enumerate(self._comments):
            if (comment.id, comment.person) == (comment_id, person) and comment.stands:
                self._comments[place] = replace(comment, taken_back_at=in_utc(at))
                return True
        return False

    def add_mark(self, mark: Mark) -> bool:
        """Add what a person marked in an image; return whether it is new: nobody says the same twice."""
        self._check_known([mark.image_id])
        if any(mark.says_the_same_as(each) for each in self._marks.values()):
            return False
        self._marks_made += 1
        self._marks[self._marks_made] = replace(mark, marked_at=in_utc(mark.marked_at), id=self._marks_made)
        return True

    def take_mark_back(self, mark_id: int, *, person: str, at: datetime) -> bool:
        """Record that a person takes back a mark."""
        if mark_id not in self._marks or self._marks[mark_id].person != person:
            return False
        self._marks_taken_back.append((self._marks.pop(mark_id), at))
        return True

    def marks(self, image_ids: Collection[int]) -> list[Mark]:
        """Return what people marked in these images and did not take back, by image, in the order in which it came."""
        wanted = [each for each in self._marks.values() if each.image_id in image_ids]
        return sorted(wanted, key=lambda each: (each.image_id, each.id))

    def comments(self, image_id: int) -> list[Comment]:
        """Return what people wrote about an image, also with scores or taken back since, the oldest first."""
        with_scores = [
            Comment(image_id=image_id, person=each.person, written_at=each.scored_at, text=each.comment)
            for each in self.ledger(image_id)
            if isinstance(each, ManualScore) and each.comment
        ]
        return list(in_order([*(each for each in self._comments if each.image_id == image_id), *with_scores]))

    def plates(self, *, plate: str | None = None) -> list[PlateSummary]:
        """Return every plate, by barcode, or only the one that is named."""
        there = sorted({image.key.plate for image in self._images.values()})
        return [self._summary(each) for each in there if plate in (None, each)]

    def _summary(self, plate: str) -> PlateSummary:
        images = self.plate_images(plate)
        times = [
            [score.scored_at for score in self._machine_scores(image.id) if not score.recipe.readout]
            for image in images
        ]
        scored = sum(1 for image in images if self._shipped(image.id))
        return PlateSummary(
            plate=plate,
            inspections=tuple(sorted({image.key.inspection for image in images})),
            channels=tuple(sorted({image.key.channel for image in images})),
            images=len(images),
            scored=scored,
            last_scored_at=max((time for each in times for time in each), default=None),
        )

    def state_of_drops(self, plate: str, *, inspection: int, channel: str = "visible") -> object:
        """Return what is another value when `drops`, `scores_by` or `recipes_at` of an inspection may be."""
        drops = self.drops(plate, inspection=inspection, channel=channel)
        return [(each, self.ledger(each.image.id)) for each in drops]

    def images_added_to(
        self, plate: str, *, since: object, inspection: int, channel: str = "visible"
    ) -> Collection[int] | None:
        """Return the images of an inspection that got scores, comments or marks since; None: read everything again."""
        now = self.state_of_drops(plate, inspection=inspection, channel=channel)
        if not isinstance(since, list) or not isinstance(now, list):
            return None
        before, after = ([drop.image for drop, _ in each] for each in (since, now))
        pairs = zip(since, now, strict=True) if before == after else ()
        return {new[0].image.id for old, new in pairs if old != new} if before == after else None

    def drops(
        self,
        plate: str,
        *,
        inspection: int,
        channel: str = "visible",
        readouts: Collection[str] = (),
        images: Collection[int] | None = None,
    ) -> list[DropScores]:
        """Return the images of one inspection of a plate with the scores that came last, by row, column, drop."""
        found = []
        for image in self.plate_images(plate):
            wanted = images is None or image.id in images
            if wanted and (image.key.inspection, image.key.channel) == (inspection, channel):
                machine = [score for score in self.ledger(image.id) if isinstance(score, AutoScore)]
                newest = {score.recipe: score for score in sorted(machine, key=_counts) if score.recipe.readout}
                shown = [
                    score for score in newest.values() if getattr(score.recipe.readout, "sha256", None) in readouts
                ]
                people = {score.person: score for score in self._by_hand(image.id)[::-1]}
                found.append(
                    DropScores(
                        image=image,
                        auto=shown_of(machine),
                        people=tuple(each for each in self._by_hand(image.id) if each is people[each.person]),
                        comments=tuple(each for each in self.comments(image.id) if each.stands),
                        marks=tuple(self.marks([image.id])),
                        postponed=self._waiting.get(image.id),
                        readouts=tuple(sorted(shown, key=machine.index)),
                    )
                )
        return found

    def _counting_at(self, plate: str, inspection: int, channel: str) -> list[AutoScore]:
        """Return the automatic scores that count of the images of an inspection, in the order in which they came."""
        images = [each for each in self.plate_images(plate) if each.key.inspection == inspection]
        ledgers = [self._counting(each.id) for each in images if each.key.channel == channel and self._scores[each.id]]
        counting = [score for ledger in ledgers for score in ledger]
        return [score for score in self._auto_scores if score in counting]

    def recipes_at(self, plate: str, *, inspection: int, channel: str = "visible") -> list[Recipe]:
        """Return the recipes by which images of an inspection have a score that counts, the first one first."""
        used = {score.recipe for score in self._counting_at(plate, inspection, channel)}
        return [recipe for recipe in dict.fromkeys(each.recipe for each in self._auto_scores) if recipe in used]

    def scores_by(
        self, recipe: Recipe, plate: str, *, inspection: int, channel: str = "visible"
    ) -> dict[int, AutoScore]:
        """Return by image of an inspection the last score by a recipe that counts."""
        scores = self._counting_at(plate, inspection, channel)
        return {score.image_id: score for score in scores if score.recipe == recipe}

    def newest_scores(self, image_ids: Collection[int], *, readouts: Collection[str] = ()) -> dict[int, DropScores]:
        """Return by id those of these images that there are with the scores that came last."""
        keys = [self._images[each].key for each in image_ids if each in self._images]
        boards = {(key.plate, key.inspection, key.channel) for key in keys}
        drops = [
            replace(drop, comments=(), marks=(), postponed=None)
            for plate, number, channel in boards
            for drop in self.drops(plate, inspection=number, channel=channel, readouts=readouts)
        ]
        return {drop.image.id: drop for drop in drops if drop.image.id in image_ids}

    def newest_by_hand(self, *, channel: str = "visible") -> list[tuple[StoredImage, ManualScore]]:
        """Return every image of a channel that people scored, by id, with the score that came last of theirs."""
        shown = [image for _, image in sorted(self._images.items()) if image.key.channel == channel]
        told = [(image, self._by_hand(image.id)) for image in shown]
        return [(image, scores[0]) for image, scores in told if scores]

    def hand_counts(self, *, channel: str = "visible") -> list[HandCount]:
        """Return how many images of a channel have which score by hand, by plate, inspection and outcome."""
        paths: dict[tuple[str, int, str], list[str]] = defaultdict(list)
        for image, score in self.newest_by_hand(channel=channel):
            paths[image.key.plate, image.key.inspection, score.outcome].append(image.path)
        return [
            HandCount(
                plate=plate,
                inspection=inspection,
                outcome=outcome,
                images=len(told),
                first_path=min(told),
                last_path=max(told),
            )
            for (plate, inspection, outcome), told in sorted(paths.items())
        ]

    def hand_state(self) -> tuple[int, int]:
        """Return what is another pair of numbers once a person has given a score, or taken one back."""
        everything = [score for scores in self._scores.values() for score in scores]
        taken_back = [each for each in everything if isinstance(each, ManualScore) and each.taken_back_at]
        return self._hand_scores, len(taken_back)

    def scored_by_several(self, *, channel: str = "visible") -> list[StoredImage]:
        """Return the images of a channel of which more than one person has a score that stands, by id."""
        told = [(image, self._by_hand(image.id)) for image, _ in self.newest_by_hand(channel=channel)]
        return [image for image, scores in told if len({each.person for each in scores}) > 1]

    def ledger(self, image_id: int) -> list[AutoScore | ManualScore]:
        """Return every score of an image, in the order in which they came."""
        counting = self._counting(image_id) if self._scores.get(image_id) else []
        return [
            replace(score, counts=score in counting) if isinstance(score, AutoScore) else score
            for score in self._scores.get(image_id, ())
        ]

    def ledger_entries(self, *, after: int = 0, limit: int) -> list[LedgerEntry]:
        """Return the first scores of all images whose ids are above `after`, but of images that were taken back."""
        came = enumerate(self._came, start=1)
        there = [(number, *place) for number, place in came if number > after and place[0] in self._images]
        return [
            LedgerEntry(id=number, image=self._images[image_id], score=self.ledger(image_id)[at])
            for number, image_id, at in there[:limit]
        ]

    def last_entry(self) -> int:
        """Return the id of the newest score; 0 when there is none."""
        return len(self._came)

    def _keep(self, score: AutoScore | ManualScore) -> None:
        scores = self._scores[score.image_id]
        self._came.append((score.image_id, len(scores)))
        scores.append(score)

    def _machine_scores(self, image_id: int) -> list[AutoScore]:
        return [score for score in self._scores.get(image_id, ()) if isinstance(score, AutoScore)]

    def _counting(self, image_id: int) -> list[AutoScore]:
        """Return the automatic scores of an image that are of the picture that it shows now."""
        image = self._images.get(image_id) or self._removed[image_id]
        later = [each for each in self._scores[image_id][image.scores_before :] if isinstance(each, AutoScore)]
        now = image.version.sha256 if image.version else ""
        return [each for each in later if not each.version or now in ("", each.version.sha256)]

    def facility_state(self, facility: str) -> FacilityState:
        """Return how far a facility's database was looked at."""
        waiting = self.pushes(facility, refused=True, last=ALL)
        return replace(self._facilities.get(facility, FacilityState()), refused=len(waiting))

    def note_pulled(self, facility: str, mark: str, *, now: datetime) -> None:
        """Note where the next pull begins."""
        known = self._facilities.get(facility, FacilityState())
        self._facilities[facility] = replace(known, pull_mark=mark, pulled_at=now)

    def add_pulled_scores(self, facility: str, scores: Sequence[PulledScore]) -> PulledScores:
        """Add people's scores from a facility to the ledger, each once."""
        found = [(self._by_path[each.path].id, each) for each in scores if each.path in self._by_path]
        there = {number: [row for row in self._scores[number] if isinstance(row, ManualScore)] for number, _ in found}
        new = new_scores(facility, found, there)
        for score in new:
            self._hand_scores += 1
            self._keep(replace(score, id=self._hand_scores))
        unknown = {each.path for each in scores} - self._by_path.keys()
        return PulledScores(added=len(new), known=len(found) - len(new), unknown=tuple(sorted(unknown)))

    def scores_to_push(self, facility: str, *, now: datetime, limit: int, before: datetime | None = None) -> ToPush:
        """Return automatic scores that a facility was not given yet, or refused and may take by now."""
        noted = self._pushes.get(facility, {})
        old = [each for each in noted.values() if before is None or each.pushed_at < before]
        due = sorted((each.next_at, each.score_id) for each in old if each.next_at and each.next_at <= now)
        wanted = [(number, noted[number].tries) for _, number in due[: limit // 2]]
        shipped = [number for number, score in enumerate(self._auto_scores, start=1) if not score.recipe.readout]
        new = [(number, 0) for number in shipped if number not in noted]
        return sorted_out([self._scored_image(number, tries) for number, tries in [*wanted, *new][:limit]])

    def _scored_image(self, number: int, tries: int) -> ScoredImage:
        score = self._auto_scores[number - 1]
        removed = self._removed.get(score.image_id)
        image = replace(removed, key=replace(removed.key, channel=REMOVED)) if removed else self._images[score.image_id]
        counts = score in self._counting(score.image_id)
        return ScoredImage(image=image, score=replace(score, counts=counts), score_id=number, tries=tries)

    def note_pushed(self, facility: str, pushes: Sequence[Push], *, now: datetime, looked_to: int = 0) -> None:
        """Note what became of scores; those that were refused are given again, ever less often."""
        noted = self._pushes.setdefault(facility, {})
        for each in pushes:
            noted[each.score_id] = PushedScore(
                score_id=each.score_id,
                path=(self._images.get(each.image_id) or self._removed[each.image_id]).path,
                outcome=self._auto_scores[each.score_id - 1].outcome,
                pushed_at=now,
                refused=each.refused,
                tries=each.tries,
                next_at=again_at(each.tries, now) if each.refused and each.again else None,
            )
        last = last_given(pushes)
        for number, known in noted.items():
            if number < last.get(self._auto_scores[number - 1].image_id, 0):
                noted[number] = replace(known, next_at=None)
        if pushes:
            self._facilities[facility] = replace(self._facilities.get(facility, FacilityState()), pushed_at=now)

    def pushes(self, facility: str, *, refused: bool = False, last: int = 1000) -> list[PushedScore]:
        """Return scores that a facility was given, the last first; or, when `refused`, those that it is given again."""
        noted = sorted(self._pushes.get(facility, {}).values(), key=lambda each: -each.score_id)
        return [each for each in noted if each.next_at or not refused][:last]

    def _shipped(self, image_id: int) -> list[AutoScore]:
        """Return those of them that are by no readout."""
        return [score for score in self._counting(image_id) if not score.recipe.readout]

    def count_crystals(self, limit: int) -> int:
        """Count nothing: everything is counted whenever it is asked for."""
        return 0

    def list_plates(self, query: PlateQuery) -> PlatePage:
        """Return one page of the plates that have images."""
        return listed(self, query)

    def scored_until(self, plates: Collection[str]) -> dict[str, int]:
        """Return of those of these plates that wait how many images are scored until their last is."""
        return scored_until(self, plates)

    def last_scored(self, limit: int) -> list[datetime]:
        """Return when at most so many images got their last scores by no readout, the score that came last first."""
        return [each.scored_at for each in self._auto_scores[::-1] if not each.recipe.readout][:limit]

    def best_images(self, query: BestQuery) -> list[BestImage]:
        """Return the images that are likeliest to show crystals."""
        return self._best(self, query)

    def note_seen(self, person: str, plates: Collection[str], *, at: datetime) -> Sequence[str]:
        """Record that a person has looked at plates; return those of them that there are."""
        known = sorted({image.key.plate for image in self._images.values()} & set(plates))
        self._seen += [(person, plate, at) for plate in known]
        return known

    def list_inspections(self, query: InspectionQuery) -> list[ListedInspection]:
        """Return inspections that have images, by barcode and number."""
        return inspections_listed(self, query)

    def neighbours(self, plate: str, query: PlateQuery) -> Neighbours:
        """Return which plates stand beside one in the list."""
        return beside(self, plate, query)

    def _check_known(self, image_ids: Iterable[int]) -> None:
        if unknown := sorted(set(image_ids) - self._images.keys() - self._removed.keys()):
            raise DatabaseError(f"there are no images {unknown}; nothing was changed")


def _counts(score: AutoScore) -> bool:
    return score.counts
