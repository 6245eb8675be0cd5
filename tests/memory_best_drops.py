"""The likeliest crystals of all plates, in this process's memory: made anew of everything, each time."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime

from crystal_search.outcomes import GROUPS, Group
from crystal_search.server.imaging.best_drops import KEPT, BestImage, BestQuery
from crystal_search.server.imaging.imaging_database import AutoScore, DropScores, ImagingDatabase
from crystal_search.server.imaging.stored_images import StoredImage

LONG_AGO = datetime.min.replace(tzinfo=UTC)
InspectionOf = tuple[str, int, str]


class MemoryBestDrops:
    """Who has seen what, and which inspections had news, until the process ends."""

    def __init__(self) -> None:
        self._seen: list[tuple[str, str | None, datetime]] = []
        self._news: dict[InspectionOf, datetime] = {}

    def _note_news(self, image: StoredImage) -> None:
        self._news[image.key.plate, image.key.inspection, image.key.channel] = datetime.now(UTC)

    def note_looked(self, person: str, *, at: datetime) -> None:
        """Record that a person has looked through the best drops."""
        self._seen.append((person, None, at))

    def last_looked(self, person: str) -> datetime | None:
        """Return when a person looked through the best drops last; None for never."""
        return self._last(person, None)

    def _last(self, person: str, plate: str | None) -> datetime | None:
        return max((at for who, what, at in self._seen if (who, what) == (person, plate)), default=None)

    def _best(self, database: ImagingDatabase, query: BestQuery) -> list[BestImage]:
        found: dict[int, BestImage] = {}
        of: dict[tuple[bool, str], list[int]] = defaultdict(list)
        for at, news_at in self._news.items():
            is_of_these = query.projects is None or at[0] in database.plates_of(query.projects)
            if is_of_these and at[2] == "visible" and news_at > (query.since or LONG_AGO):
                seen = (self._last(query.person, at[0]) or LONG_AGO) >= news_at
                for p_crystal, image_id in _likeliest(database, at, query.readouts):
                    if p_crystal < query.least:
                        continue
                    of[seen, at[0]] += [image_id] if image_id not in found else []
                    best = max(p_crystal, found[image_id].p_crystal if image_id in found else 0.0)
                    found[image_id] = BestImage(image_id=image_id, p_crystal=best, news_at=news_at, seen=seen)
        plates = [[found[image_id] for image_id in of[each]] for each in sorted(of)]
        plates.sort(key=lambda each: (each[0].seen, -max(image.p_crystal for image in each)))
        wanted: list[BestImage] = []
        for images in plates[query.after :]:
            wanted += images if len(wanted) < query.limit else []
        order = sorted(wanted, key=lambda each: each.image_id)
        order.sort(key=lambda each: each.news_at, reverse=True)
        return sorted(order, key=lambda each: (each.seen, -each.p_crystal))


def _likeliest(database: ImagingDatabase, at: InspectionOf, readouts: Collection[str]) -> Iterator[tuple[float, int]]:
    """Yield the likeliest crystals of an inspection, by the shipped score and by each readout, with their images."""
    by_recipe: dict[object, list[tuple[float, int]]] = defaultdict(list)
    for drop in database.drops(at[0], inspection=at[1], readouts=readouts):
        for score in (drop.current, *drop.readouts):
            if score and score.counts and score.found.group_peaks:
                by_recipe[score.recipe if score.recipe.readout else None].append((p_crystal(score), drop.image.id))
    for told in by_recipe.values():
        yield from sorted(told, key=lambda each: (-each[0], each[1]))[:KEPT]


def p_crystal(score: AutoScore) -> float:
    """Return what a score says of crystals."""
    return score.found.group_peaks[GROUPS.index(Group.CRYSTAL)]


def likeliest(drops: Sequence[DropScores]) -> DropScores | None:
    """Return the drop that is likeliest to show crystals by the shipped score; None where none says anything."""
    told = [each for each in drops if each.current and each.current.found.group_peaks]
    return min(told, key=lambda each: (-p_crystal(each.current), each.image.id), default=None)  # type: ignore[arg-type]
