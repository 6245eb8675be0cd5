"""Counting images and their scores at the inspections that the list of plates shows."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection

from crystal_search.server.imaging import best_statements, schema
from crystal_search.server.imaging import count_statements as statements
from crystal_search.server.imaging.count_rules import Answer, tallied
from crystal_search.server.imaging.sql_statements import InspectionKey
from crystal_search.server.imaging.sql_transactions import (
    SqlTransactions,
    insert,
    readouts_among_recipes,
    rows_of,
    update_rows,
)

NOTHING_NEW: Mapping[InspectionKey, str] = MappingProxyType({})
COUNTED = 20  #: inspections that are counted anew at a time, so that nobody waits who lists plates


def count_at(
    connection: Connection,
    images: Counter[InspectionKey],
    scored: Counter[InspectionKey],
    newest: Mapping[InspectionKey, str] = NOTHING_NEW,
) -> None:
    """Count so many images, and scored ones of them, more or less; inspections are recorded when they are new.

    `newest` says when the newest of the images came.
    """
    if not images:
        return
    plates = sorted({plate_id for plate_id, _, _ in images})
    there = {tuple[Any, ...](row) for row in connection.execute(statements.inspection_keys(plates))}
    empty = {"images": 0, "scored": 0, "last_scored_at": ""}
    missing = [dict(zip(("plate_id", "number", "channel"), key, strict=True)) for key in images if key not in there]
    insert(connection, schema.inspection, [key | empty for key in missing])
    for key, number in sorted(images.items()):
        connection.execute(statements.counting_images(key, number, newest.get(key, "")))
        if scored[key]:
            connection.execute(statements.counting_scores(key, scored[key], ""))


def touch(connection: Connection, image_ids: Collection[int]) -> None:
    """Note that what people say of these images changed."""
    rows = rows_of(connection, sorted(image_ids), statements.inspections_of_images)
    for key in sorted({(row.plate_id, row.inspection, row.channel) for row in rows}):
        connection.execute(statements.counting_scores(key, 0, ""))


class SqlCounting(SqlTransactions):
    """What counts anew where scores changed, before counts are read."""

    def count_crystals(self, limit: int) -> int:
        """Count crystals anew at `limit` inspections at most where scores changed; return at how many that was."""
        if changed := self._changed(limit):
            self._write("count crystals", lambda connection: count_anew(connection, limit))
        return changed

    def _count_some(self) -> None:
        if self._changed(COUNTED):
            self._write_unless_busy("count crystals", lambda connection: count_anew(connection, COUNTED))

    def _changed(self, limit: int) -> int:
        return len(self._read("look where scores changed", lambda c: c.execute(statements.changed(limit)).all()))


def count_anew(connection: Connection, limit: int) -> int:
    """Count crystals at `limit` inspections at most where scores changed; return at how many that was."""
    changes = {
        (row.plate_id, row.number, row.channel): row.changes for row in connection.execute(statements.changed(limit))
    }
    if not changes:
        return 0
    answers: dict[InspectionKey, list[Answer]] = defaultdict(list)
    readouts = [*readouts_among_recipes(connection)]
    for row in connection.execute(statements.answers_at(list(changes), readouts)):
        answer = (row.machine, row.above_threshold, row.person, row.images)
        answers[row.plate_id, row.number, row.channel].append(answer)
    rows = []
    for key, seen in changes.items():
        place = dict(zip(("of_plate", "of_number", "of_channel"), key, strict=True))
        counts = dict(zip(statements.COUNTS, tallied(answers[key]), strict=True))
        rows.append(place | counts | {"counted": seen})
    update_rows(connection, statements.noting_counts(), rows)
    _find_likeliest(connection, [key for key in changes if key[2] == "visible"], readouts)
    return len(rows)


def _find_likeliest(connection: Connection, keys: Sequence[InspectionKey], readouts: Sequence[int]) -> None:
    """Note the likeliest crystals of these inspections in place of those of before."""
    if keys:
        rows = [row._asdict() for row in connection.execute(best_statements.likeliest_at(keys, readouts))]
        connection.execute(best_statements.forgetting_likeliest(keys))
        insert(connection, schema.likely_crystal, rows)
