"""Counting images and their scores at the inspections that the list of plates shows."""

from collections import Counter
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection

from crystal_search.server.imaging import count_statements as statements
from crystal_search.server.imaging import schema
from crystal_search.server.imaging.sql_statements import InspectionKey
from crystal_search.server.imaging.sql_transactions import insert, rows_of

NOTHING_NEW: Mapping[InspectionKey, str] = MappingProxyType({})


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
