"""Which drops have crystals of which somebody was not told yet."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from crystal_search.outcomes import BY_NAME, Group
from crystal_search.server.imaging.imaging_database import AutoScore, DropScores, ImagingDatabase, LedgerEntry
from crystal_search.server.services.shown_scores import ShownScores
from crystal_search.viewer.messages.subscriptions import Place, Subscription
from crystal_search.viewer.reports.plate_report import crystals_first
from crystal_search.wells import REMOVED, WellKey

ENTRIES_AT_ONCE = 1000

Projects = Callable[[str], tuple[str, ...] | None]  #: of a person, whose plates they may see; None: all


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found for somebody."""

    drops: tuple[DropScores, ...]  #: the best first
    mark: int  #: scores up to this id were looked at, and no more come among them


def place_on_plate(key: WellKey) -> Place:
    """Return which drop it is, at whatever inspection."""
    return key.plate, key.row, key.column, key.drop


@dataclass(frozen=True, slots=True)
class _Said:
    """That somebody, or the machine, says that there are crystals."""

    key: WellKey
    person: str  #: empty for the machine


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What a part of the ledger says."""

    last: int  #: id of its last score
    crystals: tuple[_Said, ...]


@dataclass(frozen=True, slots=True)
class CrystalFinder:
    """Looks through new scores for crystals, for one round."""

    imaging: ImagingDatabase
    shown: Callable[[], ShownScores]
    may_see: Projects
    settled: int  #: no more scores come up to this id: another program may yet end what it began before
    _parts: dict[int, _Part] = field(default_factory=dict)  #: by the id before it

    def look(self, to: Subscription, told: set[Place]) -> Found:
        """Return what is new for somebody: drops with crystals, by what is shown of them now, that were not told."""
        if self.imaging.last_entry() <= to.mark:
            return Found(drops=(), mark=to.mark)
        keys: dict[Place, WellKey] = {}
        after = to.mark
        while (part := self._part(after)) is not None:
            after = part.last
            new = (said.key for said in part.crystals if said.person != to.wish.person)
            keys |= {place_on_plate(key): key for key in new if place_on_plate(key) not in told}
        drops = tuple(self._current(self._seen_by(to, keys.values())))
        return Found(drops=drops, mark=max(to.mark, min(after, self.settled)))

    def _part(self, after: int) -> _Part | None:
        """Return what a part of the ledger says, each read once for all who are told; None at its end."""
        if after not in self._parts:
            entries = self.imaging.ledger_entries(after=after, limit=ENTRIES_AT_ONCE)
            if not entries:
                return None
            said = tuple(_Said(entry.image.key, _person_of(entry)) for entry in entries if _says_crystals(entry))
            self._parts[after] = _Part(last=entries[-1].id, crystals=said)
        return self._parts[after]

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


def _person_of(entry: LedgerEntry) -> str:
    return "" if isinstance(entry.score, AutoScore) else entry.score.person


def _says_crystals(entry: LedgerEntry) -> bool:
    """Tell whether a score counts and says crystals."""
    score = entry.score
    if entry.image.key.channel != "visible" or not score.counts:
        return False
    if isinstance(score, AutoScore):
        return score.found.counted_as == Group.CRYSTAL
    return score.outcome in BY_NAME and BY_NAME[score.outcome].group is Group.CRYSTAL
