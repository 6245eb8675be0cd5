"""The lists of plates and of inspections, in SQL."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from crystal_search.server.imaging import count_statements, list_statements
from crystal_search.server.imaging.inspection_list import InspectionQuery, ListedInspection
from crystal_search.server.imaging.plate_list import BestDrop, Neighbours, PlateLine, PlatePage, PlateQuery
from crystal_search.server.imaging.sql_counts import SqlCounting
from crystal_search.server.imaging.sql_rows import AnyRow, time_of
from crystal_search.server.imaging.sql_transactions import readouts_among_recipes, rows_of
from crystal_search.wells import well_name


class SqlPlateList(SqlCounting):
    """`PlateList` and `InspectionList` in SQL."""

    def list_plates(self, query: PlateQuery) -> PlatePage:
        """Return one page of the plates that have images, after counting where scores changed."""
        query.checked()
        self._count_some()
        return self._read("list plates", lambda connection: _page(connection, query))

    def scored_until(self, plates: Collection[str]) -> dict[str, int]:
        """Return of those of these plates that wait how many images are scored until their last is."""

        def work(connection: Connection) -> dict[str, int]:
            found = rows_of(connection, sorted(plates), list_statements.scored_until)
            return {row.barcode: int(row.until) for row in found}

        return self._read("look what is scored before a plate", work)

    def last_scored(self, limit: int) -> list[datetime]:
        """Return when at most so many images got their last scores by no readout, the score that came last first."""

        def work(connection: Connection) -> list[datetime]:
            readouts = [*readouts_among_recipes(connection)]
            found = connection.scalars(list_statements.last_scored(readouts, limit))
            return [datetime.fromisoformat(each) for each in found]

        return self._read("look when scores came", work)

    def list_inspections(self, query: InspectionQuery) -> list[ListedInspection]:
        """Return inspections that have images, by barcode and number."""
        rows = self._read("list inspections", lambda c: c.execute(list_statements.inspections_after(query)).all())
        return [ListedInspection(plate=row.barcode, number=row.number, channel=row.channel) for row in rows]

    def neighbours(self, plate: str, query: PlateQuery) -> Neighbours:
        """Return which plates stand beside one in the list, whatever its page; none beside one that is not in it."""
        statement = list_statements.neighbours(plate, query.checked())
        row = self._read("look which plates are beside one", lambda c: c.execute(statement).first())
        return Neighbours(previous=row.previous, next=row.next) if row else Neighbours()


def _page(connection: Connection, query: PlateQuery) -> PlatePage:
    rows = connection.execute(list_statements.lines(query)).all()
    numbers, channels = defaultdict[int, set[int]](set), defaultdict[int, set[str]](set)
    for row in rows_of(connection, [row.id for row in rows], list_statements.inspections_of):
        numbers[row.plate_id].add(row.number)
        channels[row.plate_id].add(row.channel)
    plates = tuple(_line(row, numbers[row.id], channels[row.id]) for row in rows)
    everything = int(connection.scalar(list_statements.count_plates(replace(query, search=""))) or 0)
    found = rows[0].found if rows else 0
    if not rows and query.page > 1:  # beyond the last one, where no line tells
        found = int(connection.scalar(list_statements.count_plates(query)) or 0)
    return PlatePage(plates=plates, found=found, all=everything)


def _line(row: AnyRow, numbers: set[int], channels: set[str]) -> PlateLine:
    told: dict[str, Any] = {field.name: getattr(row, field.name, None) for field in fields(PlateLine)}
    times = {name: time_of(told[name]) for name in ("last_scored_at", "newest_at")}
    counts = {name: int(told[name]) for name in ("images", "scored", *count_statements.COUNTS)}
    seen = {"inspections": tuple(sorted(numbers)), "channels": tuple(sorted(channels))}
    return PlateLine(**told | times | counts | seen | {"best": _best(row)})


def _best(row: AnyRow) -> BestDrop | None:
    if row.image_id is None:
        return None
    well = well_name(row.well_row, row.well_column)
    return BestDrop(image_id=row.image_id, well=well, drop=row.drop_number, p_crystal=row.best)
