"""A facility's database in this process's memory: to test what asks one, and to compare the SQL with."""

from collections.abc import Sequence
from dataclasses import dataclass

from crystal_search.errors import DatabaseError
from crystal_search.server.facility.facility_database import NEWEST_FILES, Checked, Pulled, Refusal
from crystal_search.server.facility.facility_settings import FacilitySettings
from crystal_search.server.imaging.facility_records import PulledScore
from crystal_search.server.imaging.imaging_database import ScoredImage
from crystal_search.server.imaging.plate_facts import Condition, PlateFacts
from crystal_search.server.imaging.stored_images import NewImage


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenScore:
    """An automatic score as a facility has it."""

    outcome: str
    probability: float | None


class MemoryFacility:
    """A `FacilityDatabase` that is forgotten with the process."""

    def __init__(self, settings: FacilitySettings | None = None, password: str = "") -> None:
        self.settings, self.password = settings or FacilitySettings(), password
        self.images: list[NewImage] = []
        self.facts: list[PlateFacts] = []
        self.conditions: list[Condition] = []
        self.by_people: list[PulledScore] = []
        self.given: dict[str, GivenScore] = {}
        self.newest: tuple[str, ...] | None = None  #: files; None: those of the images
        self.away = ""  #: why it does not answer; empty when it does

    def _answer(self) -> None:
        if self.away:
            raise DatabaseError(self.away)

    def check(self) -> Checked:
        """Tell what is there."""
        self._answer()
        return Checked(found=(f"{len(self.images)} images",), missing=())

    def newest_files(self) -> tuple[str, ...]:
        """Return the files of the newest images."""
        self._answer()
        if self.newest is not None:
            return self.newest
        return tuple(image.path for image in self.images[-NEWEST_FILES:])

    def pull(self, mark: str, *, limit: int) -> Pulled:
        """Return images that came after `mark`, the oldest first."""
        self._answer()
        begin = int(mark or 0)
        images = self.images[begin : begin + limit]
        end = begin + len(images)
        plates = {image.key.plate for image in images}
        return Pulled(
            images=tuple(images),
            facts=tuple(each for each in self.facts if each.plate in plates),
            conditions=tuple(each for each in self.conditions if each.plate in plates),
            scores=tuple(self.by_people),
            mark=str(end),
            more=end < len(self.images),
        )

    def push(self, scores: Sequence[ScoredImage]) -> tuple[Refusal, ...]:
        """Take these scores."""
        self._answer()
        known, refusals = {image.path for image in self.images}, []
        for each in scores:
            if each.image.path in known:
                found = each.score.found
                self.given[each.image.path] = GivenScore(outcome=found.outcome, probability=found.probability)
            else:
                refusals.append(Refusal(image_id=each.image.id, why=f"{each.image.path}: no image has this path"))
        return tuple(refusals)

    def close(self) -> None:
        """Give back connections: there are none."""
