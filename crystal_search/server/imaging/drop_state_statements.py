"""The statement on the state of an inspection's drops."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, CompoundSelect, FromClause, func, literal, select, union_all

from crystal_search.server.imaging.schema import (
    comment_taken_back,
    image,
    image_comment,
    image_mark,
    inspection,
    mark_taken_back,
    plate,
    score,
)
from crystal_search.server.imaging.sql_statements import Query, of_inspection

#: Rows are only ever added to these: their number and the highest id change whenever one is.
_ADDED_TO: Sequence[tuple[FromClause, Column[Any]]] = (
    (score, score.c.id),
    (image_comment, image_comment.c.id),
    (image_comment.join(comment_taken_back), comment_taken_back.c.comment_id),
    (image_mark, image_mark.c.id),
    (image_mark.join(mark_taken_back), mark_taken_back.c.mark_id),
)


def state_of_drops(barcode: str, number: int, channel: str) -> CompoundSelect[*tuple[Any, ...]]:
    """Select what was added to an inspection: of each table how many rows, and which one last; and what was noted.

    Whatever changes images, or takes scores back, is noted in the column ``changes``.
    """
    where = of_inspection(barcode, number, channel)
    of_this = (plate.c.barcode == barcode, inspection.c.number == number, inspection.c.channel == channel)
    noted = select(literal(-1).label("place"), inspection.c.images.label("rows"), inspection.c.changes.label("last"))
    added = (_added(place, *table).where(*where) for place, table in enumerate(_ADDED_TO))
    return union_all(noted.select_from(inspection.join(plate)).where(*of_this), *added).order_by("place")


def _added(place: int, table: FromClause, key: Column[Any]) -> Query:
    there = table.join(image).join(plate, plate.c.id == image.c.plate_id)
    return select(literal(place), func.count(), func.max(key)).select_from(there)
