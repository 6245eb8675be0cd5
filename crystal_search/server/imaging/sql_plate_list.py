"""The list of plates, in SQL."""

from collections import defaultdict
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection

from crystal_search.server.imaging import count_statements, list_statements
from crystal_search.server.imaging.count_rules import Answer, tallied
from crystal_search.server.imaging.plate_list import PlateLine, PlatePage, PlateQuery
from crystal_search.server.imaging.sql_rows import AnyRow, time_of
from crystal_search.server.imaging.sql_statements import InspectionKey
from crystal_search.server.imaging.sql_transactions import SqlTransactions, readouts_among_recipes, rows_of, update_rows

COUNTED = 20  #: inspections that are counted anew at a time, so that nobody waits who lists plates


class SqlPlateList(SqlTransactions):
    """`PlateList` in SQL."""

    def list_plates(self, query: PlateQuery) -> PlatePage:
        """Return one page of the plates that have images, after counting where scores changed."""
        query.checked()
        if self._changed(COUNTED):
            self._write_unless_busy("count crystals", lambda connection: count_anew(connection, COUNTED))
        return self._read("list plates", lambda connection: _page(connection, query))

    def count_crystals(self, limit: int) -> int:
        """Count crystals anew at `limit` inspections at most where scores changed; return at how many that was."""
        if changed := self._changed(limit):
            self._write("count crystals", lambda connection: count_anew(connection, limit))
        return changed

    def _changed(self, limit: int) -> int:
        return len(self._read("look where scores changed", lambda c: c.execute(count_statements.changed(limit)).all()))


def count_anew(connection: Connection, limit: int) -> int:
    """Count crystals at `limit` inspections at most where scores changed; return at how many that was."""
    changes = {
        (row.plate_id, row.number, row.channel): row.changes
        for row in connection.execute(count_statements.changed(limit))
    }
    if not changes:
        return 0
    answers: dict[InspectionKey, list[Answer]] = defaultdict(list)
    readouts = [*readouts_among_recipes(connection)]
    for row in connection.execute(count_statements.answers_at(list(changes), readouts)):
        answer = (row.machine, row.above_threshold, row.person, row.images)
        answers[row.plate_id, row.number, row.channel].append(answer)
    rows = []
    for key, seen in changes.items():
        place = dict(zip(("of_plate", "of_number", "of_channel"), key, strict=True))
        counts = dict(zip(count_statements.COUNTS, tallied(answers[key]), strict=True))
        rows.append(place | counts | {"counted": seen})
    update_rows(connection, count_statements.noting_counts(), rows)
    return len(rows)


def _page(connection: Connection, query: PlateQuery) -> PlatePage:
    rows = connection.execute(list_statements.lines(query)).all()
    numbers, channels = defaultdict[int, set[int]](set), defaultdict[int, set[str]](set)
    for row in rows_of(connection, [row.id for row in rows], list_statements.inspections_of):
        numbers[row.plate_id].add(row.number)
        channels[row.plate_id].add(row.channel)
    plates = tuple(_line(row, numbers[row.id], channels[row.id]) for row in rows)
    everything = int(connection.scalar(list_statements.count_plates("")) or 0)
    found = rows[0].found if rows else 0
    if not rows and query.page > 1:  # beyond the last one, where no line tells
        found = int(connection.scalar(list_statements.count_plates(query.search)) or 0)
    return PlatePage(plates=plates, found=found, all=everything)


def _line(row: AnyRow, numbers: set[int], channels: set[str]) -> PlateLine:
    told: dict[str, Any] = {field.name: getattr(row, field.name, None) for field in fields(PlateLine)}
    times = {name: time_of(told[name]) for name in ("last_scored_at", "newest_at")}
    counts = {name: int(told[name]) for name in ("images", "scored", *count_statements.COUNTS)}
    seen = {"inspections": tuple(sorted(numbers)), "channels": tuple(sorted(channels))}
    return PlateLine(**told | times | counts | seen)
