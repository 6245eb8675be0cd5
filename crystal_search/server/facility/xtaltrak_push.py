"""Our scores in XtalTrak's score table: added once, changed only where they are ours, dated before any person's.

XtalTrak shows of each drop the score with the latest date. So an automatic score gets the date of its inspection, less
a margin for clocks that differ, and always one that is older than every score that somebody else ever gave the same
drop, at whatever inspection: a person's score stays the one that is seen.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from crystal_search.server.facility import xtaltrak_statements as statements
from crystal_search.server.facility.facility_database import Refusal
from crystal_search.server.facility.foreign_sql import is_of_row
from crystal_search.server.facility.xtaltrak_pull import BATCH, Drop, drop_of, number_of, whole
from crystal_search.server.facility.xtaltrak_schema import XtalTrakSite, XtalTrakTables
from crystal_search.server.facility.xtaltrak_statements import Inspection
from crystal_search.server.imaging.adding_rules import batches
from crystal_search.server.imaging.imaging_database import ScoredImage
from crystal_search.server.imaging.stored_images import StoredImage

SECOND = timedelta(seconds=1)  #: the smallest step of Oracle's DATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The row of an image that is to be scored."""

    inspectid: int
    imagename: str
    inspected: datetime | None  #: by the database's clock
    drop: Drop
    inspection: Inspection


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A score as it is to stand in the score table."""

    image: StoredImage
    place: Place
    number: int  #: XtalTrak's score number
    date: datetime
    own: int | None = None  #: number of our row for this image, where there is one

    @property
    def row(self) -> dict[str, Any]:
        """What the statements' parameters are filled with."""
        return {"score": self.number, "scoredate": self.date}


@dataclass(slots=True)
class Plan:
    """What a push would do."""

    new: list[Given] = field(default_factory=list)
    changed: list[Given] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    uncounted: set[int] = field(default_factory=set)  #: drops at an inspection that have no score of anybody yet


class XtalTrakWriter:
    """Gives scores to XtalTrak inside of one transaction."""

    def __init__(self, tables: XtalTrakTables, site: XtalTrakSite, connection: Connection) -> None:
        self._tables, self._site, self._connection = tables, site, connection

    def push(self, scores: Sequence[ScoredImage]) -> list[Refusal]:
        """Write the last score of each image; return those that are not taken."""
        last = {each.image.id: each for each in scores}
        inspections = {(each.image.key.plate, each.image.key.inspection) for each in last.values()}
        for batch in batches(sorted(inspections), BATCH):
            self._lock(batch)
        plan = self._plan(list(last.values()), sorted(inspections))
        refused = self._write(plan.new, self._add) + self._write(plan.changed, self._change)
        lost = {each.image_id for each in refused}
        self._count(
            each.place for each in plan.new if each.image.id not in lost and each.place.inspectid in plan.uncounted
        )
        return plan.refused + refused

    def _lock(self, inspections: Collection[Inspection]) -> None:
        query = statements.lock_counters(self._tables, inspections)
        if query is not None:
            self._connection.execute(query).all()

    def _plan(self, scores: Sequence[ScoredImage], inspections: Sequence[Inspection]) -> Plan:
        plan, places = Plan(), self._places(inspections)
        people = self._first_by_people(sorted({plate for plate, _ in inspections}))
        found = {each.image.id: _place_of(each.image, places) for each in scores}
        rows = self._rows(sorted({place.inspectid for place in found.values() if place}))
        plan.uncounted = {place.inspectid for place in found.values() if place} - rows.keys()
        for each in scores:
            place = found[each.image.id]
            given = self._given(each, place, people) if place else _not_there(each.image, inspections=places)
            if isinstance(given, Refusal):
                plan.refused.append(given)
            else:
                self._sort_in(plan, given, rows.get(given.place.inspectid, []))
        return plan

    def _places(self, inspections: Sequence[Inspection]) -> dict[Inspection, list[Place]]:
        places: dict[Inspection, list[Place]] = defaultdict(list)
        for batch in batches(inspections, BATCH):
            for row in self._connection.execute(statements.images_at(self._tables, batch)):
                if (drop := drop_of(row)) and row.imagename:
                    places[row.barcodeid, row.inspectnumber].append(_place(row, drop))
        return places

    def _first_by_people(self, barcodes: Sequence[str]) -> dict[Drop, datetime]:
        query = statements.first_by_others
        rows = (
            row
            for batch in batches(barcodes, BATCH)
            for row in self._connection.execute(query(self._tables, batch, self._site.scored_by))
        )
        return {drop: row.first_at for row in rows if (drop := drop_of(row)) and row.first_at}

    def _rows(self, numbers: Sequence[int]) -> dict[int, list[Any]]:
        rows: dict[int, list[Any]] = defaultdict(list)
        for batch in batches(numbers, BATCH):
            for row in self._connection.execute(statements.scores_of(self._tables, batch)):
                rows[row.inspectid].append(row)
        return rows

    def _given(self, scored: ScoredImage, place: Place, people: Mapping[Drop, datetime]) -> Given | Refusal:
        image, outcome = scored.image, scored.score.outcome
        number = number_of(outcome, self._site.outcomes)
        if number is None:
            why = f"XtalTrak has no number for {outcome}; name one in [facility.outcomes]"
            return Refusal(image_id=image.id, why=f"{image.path}: {why}")
        if place.inspected is None:
            return Refusal(image_id=image.id, why=f"{image.path}: its inspection has no date in XtalTrak")
        date = dated(place.inspected, people.get(place.drop), timedelta(hours=self._site.margin_hours))
        return Given(image=image, place=place, number=number, date=date)

    def _sort_in(self, plan: Plan, given: Given, rows: Iterable[Any]) -> None:
        """Put a score among those that are new or change our row; one that stands there already is neither."""
        name, image = self._site.scored_by, given.place.imagename
        ours = [row for row in rows if str(row.scoredby) == name and row.imagename == image]
        if not ours:
            plan.new.append(given)
        elif (whole(ours[-1].score), ours[-1].scoredate) != (given.number, given.date):
            plan.changed.append(
                Given(image=given.image, place=given.place, number=given.number, date=given.date, own=ours[-1].scoreid)
            )

    def _write(self, given: Sequence[Given], write: Callable[[Sequence[Given]], None]) -> list[Refusal]:
        """Write all in one go, or one by one when the database refuses a row, so that one holds up no other."""
        if not given:
            return []
        try:
            with self._connection.begin_nested():
                write(given)
        except DBAPIError as error:
            if not is_of_row(error):
                raise
            if len(given) == 1:
                reason = " ".join(str(error.orig).split())
                return [
                    Refusal(image_id=given[0].image.id, why=f"{given[0].image.path}: XtalTrak refused it: {reason}")
                ]
            middle = len(given) // 2
            return self._write(given[:middle], write) + self._write(given[middle:], write)
        return []

    def _add(self, given: Sequence[Given]) -> None:
        rows = [
            each.row
            | {
                "inspectid": each.place.inspectid,
                "imagename": each.place.imagename,
                "scoredby": self._site.scored_by,
            }
            for each in given
        ]
        self._connection.execute(statements.add_score(self._tables, self._site.sequence), rows)

    def _change(self, given: Sequence[Given]) -> None:
        rows = [each.row | {"own_scoreid": each.own, "own_scoredby": self._site.scored_by} for each in given]
        self._connection.execute(statements.change_own(self._tables), rows)

    def _count(self, places: Iterable[Place]) -> None:
        """Raise the counters of scored drops, once for each drop that nobody had scored at that inspection."""
        drops = {place.inspectid: place.inspection for place in places}
        if self._tables.counts is None or not drops:
            return
        rows = [
            {"of_plate": plate, "of_number": number, "drops": count}
            for (plate, number), count in sorted(Counter(drops.values()).items())
        ]
        self._connection.execute(statements.count_drops(self._tables.counts), rows)


def dated(inspected: datetime, first_by_people: datetime | None, margin: timedelta) -> datetime:
    """Return the date of an automatic score: before its inspection, and before every score of its drop by others.

    >>> noon = datetime(2026, 3, 2, 12)
    >>> dated(noon, None, timedelta(hours=1)).isoformat(), dated(noon, datetime(2026, 2, 1), timedelta(0)).isoformat()
    ('2026-03-02T11:00:00', '2026-01-31T23:59:59')
    """
    date = inspected - margin
    return date if first_by_people is None else min(date, first_by_people - SECOND)


def _place(row: Any, drop: Drop) -> Place:
    return Place(
        inspectid=row.inspectid,
        imagename=row.imagename,
        inspected=row.inspectdate,
        drop=drop,
        inspection=(row.barcodeid, row.inspectnumber),
    )


def _place_of(image: StoredImage, places: Mapping[Inspection, Sequence[Place]]) -> Place | None:
    """Return the row of an image, found by its place and the name of its file; the last of several."""
    key, name = image.key, image.path.rpartition("/")[2].casefold()
    drop = (key.plate, key.row + 1, key.column + 1, key.drop)
    found = [
        place
        for place in places.get((key.plate, key.inspection), ())
        if place.drop == drop and place.imagename.replace("\\", "/").rpartition("/")[2].casefold() == name
    ]
    return found[-1] if found else None


def _not_there(image: StoredImage, inspections: Collection[Inspection]) -> Refusal:
    key = image.key
    if (key.plate, key.inspection) in inspections:
        what = f"image of this name in well {key.well}, drop {key.drop}"
    else:
        what = "image"
    why = f"XtalTrak has no {what} of plate {key.plate}, inspection {key.inspection}; was it deleted there?"
    return Refusal(image_id=image.id, why=f"{image.path}: {why}")
