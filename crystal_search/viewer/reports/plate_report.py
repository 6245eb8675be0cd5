"""What a report tells of a plate: whose it is, its best drops, what became of it from inspection to inspection."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from crystal_search.outcomes import BY_NAME, GROUPS, Group, group_of
from crystal_search.server.imaging.imaging_database import DropScores
from crystal_search.server.imaging.plate_facts import PlateFacts
from crystal_search.server.imaging.plate_list import PlateQuery
from crystal_search.viewer.reading import Board, PlateReader

BEST_DROPS = 24  #: of a plate
MOST_PLATES = 40  #: of a project, those with the newest images
PER_PAGE = 500  #: plates that are asked for at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class BestDrop:
    """A drop with crystals."""

    drop: DropScores
    condition_name: str
    condition: str

    @property
    def p_crystal(self) -> float | None:
        """Probability of crystals in the best chop, by the machine."""
        return crystal_probability(self.drop)


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionLine:
    """How a plate was at one inspection; drops are counted."""

    number: int
    day: date | None
    images: int
    machine: Counter[str]  #: by group, `unsure`, `no_drop`, `unreadable`, or `unscored`
    people: Counter[str]  #: by group or `no_drop`, what was said last of each


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateReport:
    """What is told of one plate."""

    plate: str
    channel: str
    facts: PlateFacts
    history: tuple[InspectionLine, ...]  #: the first inspection first
    best: tuple[BestDrop, ...]  #: at the latest inspection
    crystals: int  #: drops with crystals at the latest inspection, also those that are not shown

    @property
    def latest(self) -> InspectionLine:
        """The inspection that the drops are of."""
        return self.history[-1]


def plate_report(reader: PlateReader, plate: str) -> PlateReport:
    """Return what is told of a plate.

    Raises
    ------
    HTTPException
        404 if there is no such plate.
    """
    _, latest, channel = reader.board(plate, None, None)
    days, about = reader.days(plate), reader.about(plate)
    numbers = [number for number in reader.plate(plate).inspections if number <= latest]
    history = []
    for number in numbers:
        drops = reader.drops(Board(plate, number, channel))
        if drops:
            history.append(_line(number, days.get(number), drops))
    found = crystals_first(reader.drops(Board(plate, latest, channel)))
    told = [(drop, about.condition(drop.image.key)) for drop in found[:BEST_DROPS]]
    best = [
        BestDrop(drop=drop, condition_name=well.name if well else "", condition=well.text if well else "")
        for drop, well in told
    ]
    return PlateReport(
        plate=plate,
        channel=channel,
        facts=about.facts,
        history=tuple(history),
        best=tuple(best),
        crystals=len(found),
    )


def plates_of(reader: PlateReader, project: str) -> list[str]:
    """Return the plates of a project, in whose name each space is one, those with the newest images first."""
    found: list[str] = []
    page = 1
    while True:
        listed = reader.list_plates(PlateQuery(search=project, page=page, per_page=PER_PAGE))
        found += [line.plate for line in listed.plates if " ".join(line.project.split()) == project]
        if page * PER_PAGE >= listed.found:
            return found
        page += 1


def _line(number: int, day: date | None, drops: Sequence[DropScores]) -> InspectionLine:
    machine = Counter(drop.current.found.counted_as if drop.current else "unscored" for drop in drops)
    people = Counter(str(group_of(drop.manual.outcome) or drop.manual.outcome) for drop in drops if drop.manual)
    return InspectionLine(number=number, day=day, images=len(drops), machine=machine, people=people)


def crystals_first(drops: Iterable[DropScores]) -> list[DropScores]:
    """Return the drops with crystals, the best first: what a person said last counts before the machine's score."""
    return sorted(filter(has_crystals, drops), key=_rank)


def has_crystals(drop: DropScores) -> bool:
    """Tell whether the person who scored a drop last says crystals, or, where nobody did, the machine surely."""
    if drop.manual:
        return group_of(drop.manual.outcome) is Group.CRYSTAL
    return drop.current is not None and drop.current.found.counted_as == Group.CRYSTAL


def _rank(drop: DropScores) -> tuple[bool, int, float]:
    outcome = drop.manual.outcome if drop.manual else drop.current.outcome if drop.current else ""
    number = BY_NAME[outcome].score_number if outcome in BY_NAME else 0
    return drop.manual is None, -number, -(crystal_probability(drop) or 0)


def crystal_probability(drop: DropScores) -> float | None:
    """Return the probability of crystals in a drop's best chop, by the machine; None without a score."""
    peaks = drop.current.found.group_peaks if drop.current else ()
    return peaks[GROUPS.index(Group.CRYSTAL)] if peaks else None
