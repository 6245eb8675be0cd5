"""Which drops have crystals of which somebody was not told yet."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from crystal_search.outcomes import BY_NAME, Group
from crystal_search.server.imaging.imaging_database import AutoScore, DropScores, ImagingDatabase, LedgerEntry
from crystal_search.server.services.shown_scores import ShownScores
from crystal_search.viewer.messages.subscriptions import Place, Subscription
from crystal_search.viewer.reports.plate_report import crystals_first
from crystal_search.wells import REMOVED, WellKey

ENTRIES_AT_ONCE = 1000
#: Scores before the mark that are looked at again: of two that come at the same time the later may be seen first.
OVERLAP = 200

Projects = Callable[[str], tuple[str, ...] | None]  #: of a person, whose plates they may see; None: all


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found for somebody."""

    drops: tuple[DropScores, ...]  #: the best first
    mark: int  #: the id of the last score that was looked at


def place_on_plate(key: WellKey) -> Place:
    """Return which drop it is, at whatever inspection."""
    return key.plate, key.row, key.column, key.drop


@dataclass(frozen=True, slots=True)
class CrystalFinder:
    """Looks through new scores for crystals."""

    imaging: ImagingDatabase
    shown: Callable[[], ShownScores]
    may_see: Projects

    def look(self, to: Subscription, told: set[Place]) -> Found:
        """Return what is new for somebody: drops with crystals, by what is shown of them now, that were not told."""
        mark = to.mark
        keys: dict[Place, WellKey] = {}
        after = max(to.since, to.mark - OVERLAP)
        while entries := self.imaging.ledger_entries(after=after, limit=ENTRIES_AT_ONCE):
            after = entries[-1].id
            mark = max(mark, after)
            new = (entry.image.key for entry in entries if _says_crystals(entry, to.wish.person))
            keys |= {place_on_plate(key): key for key in new if place_on_plate(key) not in told}
        return Found(drops=tuple(self._current(self._seen_by(to, keys.values()))), mark=mark)

    def _seen_by(self, to: Subscription, keys: Iterable[WellKey]) -> list[WellKey]:
        keys = list(keys)
        facts = self.imaging.plate_facts({key.plate for key in keys})
        projects = {plate: each.project for plate, each in facts.items()}
        allowed, wanted = self.may_see(to.wish.person), to.wish.projects
        return [
            key
            for key in keys
            if (allowed is None or projects.get(key.plate, "") in allowed)
            and (not wanted or projects.get(key.plate, "") in wanted)
        ]

    def _current(self, keys: Iterable[WellKey]) -> list[DropScores]:
        wanted = set(keys)
        shown = self.shown()
        boards = sorted({(key.plate, key.inspection, key.channel) for key in wanted})
        drops = [
            shown.of(drop)
            for plate, inspection, channel in boards
            for drop in self.imaging.drops(plate, inspection=inspection, channel=channel, readouts=shown.hashes)
            if drop.image.key in wanted
        ]
        return crystals_first(drops)

    def still(self, to: Subscription, image_ids: Collection[int]) -> list[DropScores]:
        """Return which of these images somebody may be told of now, the best first: what was denied since is not."""
        images = self.imaging.images(image_ids).values()
        return self._current(self._seen_by(to, [image.key for image in images if image.key.channel != REMOVED]))


def _says_crystals(entry: LedgerEntry, person: str) -> bool:
    """Tell whether a score that counts says crystals, and is not of the person themself."""
    score = entry.score
    if entry.image.key.channel != "visible" or not score.counts:
        return False
    if isinstance(score, AutoScore):
        return score.found.counted_as == Group.CRYSTAL
    return score.person != person and score.outcome in BY_NAME and BY_NAME[score.outcome].group is Group.CRYSTAL
