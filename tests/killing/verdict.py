"""What became of every picture, work unit and file: the end state that no kill and no fault may change."""

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from itertools import chain
from typing import Self

from crystal_search.errors import DatabaseError
from crystal_search.server.feature_store.feature_rows import picture_of
from crystal_search.server.feature_store.feature_store import stores_in
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import AutoScore, ImagingDatabase
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.unit_states import State, names_in
from tests.killing.robot import Robot

UNREADABLE = "unreadable"
ON_THE_WAY = (State.QUEUED, State.SET_ASIDE, State.RUNNING, State.RETURNED, State.VALIDATED, State.SPOOLED)


@dataclass(slots=True)
class Verdict:
    """What is wrong, a sentence each; empty when all is well."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    condemned: list[str] = field(default_factory=list)  #: good pictures that were called unreadable, be it for a while
    wrong: list[str] = field(default_factory=list)  #: scores of other pictures than they say, or of no pictures
    stuck: list[str] = field(default_factory=list)

    def __iadd__(self, other: Self) -> Self:
        for each in fields(self):
            getattr(self, each.name).extend(getattr(other, each.name))
        return self

    def all(self) -> list[str]:
        """Return everything that is wrong."""
        return [*self.lost, *self.doubled, *self.condemned, *self.wrong, *self.stuck]


@dataclass(frozen=True, slots=True)
class End:
    """An installation as it is, beside what the robot knows."""

    home: Home
    imaging: ImagingDatabase
    robot: Robot

    def unfinished(self) -> list[str]:
        """Return what has still to come; an imaging database that is away is unfinished business, too."""
        try:
            return [*self._unscored(), *self._on_the_way()]
        except (DatabaseError, OSError) as error:
            return [f"cannot be looked at: {error}"]

    def verdict(self) -> Verdict:
        """Return what is wrong."""
        found = Verdict(lost=self._unscored(), stuck=self._on_the_way())
        for image in self._images().values():
            self._judge(image, self._scores(image), found)
        found.doubled += self._doubled_rows()
        kept = Counter(self._kept())
        found.doubled += [
            f"features of image {key[0]} are kept {number} times" for key, number in kept.items() if number > 1
        ]
        found.lost += [f"features of image {key[0]} are not kept" for key in self._scored() if key not in kept]
        return found

    def counts(self) -> Counter[str]:
        """Return how many images and scores there are of each kind."""
        images = self._images().values()
        scores = [score for image in images for score in self._scores(image)]
        return Counter(
            images=len(images),
            scores=len(scores),
            superseded=sum(not score.counts for score in scores),
            unreadable=sum(score.counts and score.outcome == UNREADABLE for score in scores),
        )

    def _judge(self, image: StoredImage, scores: list[AutoScore], found: Verdict) -> None:
        """Look at the scores of one image: those that count, and those that were superseded."""
        for score in scores:
            picture = self.robot.shown.get(score.version.sha256) if score.version else None
            size = (score.found.height_px, score.found.width_px)
            if score.outcome == UNREADABLE and picture:
                found.condemned.append(f"{image.path}: unreadable though good: {score.found.error}")
            elif score.outcome != UNREADABLE and (picture is None or picture.size != size):
                found.wrong.append(f"{image.path}: a score of {size} px by {score.work_unit}, which no picture has")
        by_bytes = Counter(score.version.sha256 for score in scores if score.version)
        by_unit = Counter(score.work_unit for score in scores)
        twice = [each for counter in (by_bytes, by_unit) for each, number in counter.items() if number > 1]
        found.doubled += [f"{image.path}: two scores of {each}" for each in twice]
        if sum(score.counts for score in scores) > 1:
            found.doubled.append(f"{image.path}: several scores count")

    def _unscored(self) -> list[str]:
        """Return the files without a score of what they hold; a file that is no picture has the verdict."""
        images, wrong = self._images(), []
        for path, picture in self.robot.truth.items():
            image = images.get(str(path))
            counting = [score for score in self._scores(image) if score.counts] if image else []
            if not image:
                wrong.append(f"{path} is not known")
            elif not counting:
                wrong.append(f"{path} has no score{self._why(image)}")
            elif not all(_is_of(score, picture.sha256, whole=picture.whole) for score in counting):
                wrong.append(f"{path} has a score of something else: {counting}")
        return wrong

    def _why(self, image: StoredImage) -> str:
        postponed = self.imaging.postponements([image.id]).get(image.id)
        return f": {postponed.reason}, tried {postponed.tries} times" if postponed else ""

    def _on_the_way(self) -> list[str]:
        """Return what has not come to its end: work units, folders, CSV files, images that were put off."""
        home = self.home
        stuck = [f"{name} is {state}" for state in ON_THE_WAY for name in names_in(home, state)]
        folders = (home.failures, home.finalized, home.refused, home.trash)
        stuck += [f"{path} is left" for folder in folders for path in folder.iterdir()]
        stuck += [f"{path} is left" for folder in (home.queue, home.archive) for path in folder.rglob("*.part")]
        stuck += [f"{unit.name} is open" for unit in self.imaging.units("open")]
        stuck += [f"{each.images} images wait: {each.reason}" for each in self.imaging.postponed()]
        return stuck

    def _doubled_rows(self) -> Iterator[str]:
        """Yield the rows of CSV files that are there twice, and the scores that are in none."""
        rows = Counter(
            (row["work_unit"], int(row["image_id"]))
            for path in self.home.scored.glob("*.csv")
            for row in csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())
        )
        yield from (f"{row} is in CSV files {number} times" for row, number in rows.items() if number > 1)
        archived = set(names_in(self.home, State.ARCHIVED))
        for image in self._images().values():
            for score in self._scores(image):
                if score.outcome != UNREADABLE and (score.work_unit, image.id) not in rows:
                    yield f"{image.path}: its score by {score.work_unit} is in no CSV file"
                if score.outcome != UNREADABLE and score.work_unit not in archived:
                    yield f"{image.path}: {score.work_unit} is not archived"

    def _kept(self) -> Iterator[tuple[int, tuple[int, int]]]:
        """Yield image and picture of each row of features."""
        for store in stores_in(self.home.features):
            for row in chain.from_iterable(store.blocks()):
                yield int(row["image_id"]), tuple(row["picture"].tolist())

    def _scored(self) -> Iterator[tuple[int, tuple[int, int]]]:
        """Yield image and picture of each score that the real client gave with features."""
        for image in self._images().values():
            for score in self._scores(image):
                if score.found.score and score.version:
                    yield image.id, picture_of(score.version.sha256)

    def _images(self) -> dict[str, StoredImage]:
        plates = {summary.plate for summary in self.imaging.plates()}
        return {image.path: image for plate in plates for image in self.imaging.plate_images(plate)}

    def _scores(self, image: StoredImage) -> list[AutoScore]:
        return [score for score in self.imaging.ledger(image.id) if isinstance(score, AutoScore)]


def _is_of(score: AutoScore, sha256: str, *, whole: bool) -> bool:
    of_these_bytes = score.version is not None and score.version.sha256 == sha256
    return of_these_bytes and (score.outcome == UNREADABLE) != whole
