"""Counting images and their scores at the inspections that the list of plates shows."""

from collections import Counter
from typing import Any

from sqlalchemy import Connection

from crystal_search.server.imaging import schema
from crystal_search.server.imaging import sql_statements as statements
from crystal_search.server.imaging.sql_statements import InspectionKey
from crystal_search.server.imaging.sql_transactions import insert


def count_at(connection: Connection, images: Counter[InspectionKey], scored: Counter[InspectionKey]) -> None:
    """Count so many images, and scored ones of them, more or less; inspections are recorded when they are new."""
    if not images:
        return
    plates = sorted({plate_id for plate_id, _, _ in images})
    there = {tuple[Any, ...](row) for row in connection.execute(statements.inspection_keys(plates))}
    empty = {"images": 0, "scored": 0, "last_scored_at": ""}
    missing = [dict(zip(("plate_id", "number", "channel"), key, strict=True)) for key in images if key not in there]
    insert(connection, schema.inspection, [key | empty for key in missing])
    for key, number in sorted(images.items()):
        connection.execute(statements.counting_images(key, number))
        if scored[key]:
            connection.execute(statements.counting_scores(key, scored[key], ""))
