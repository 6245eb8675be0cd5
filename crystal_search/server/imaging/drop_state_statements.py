"""The statements on the state of an inspection's drops, and on what was added to it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, CompoundSelect, FromClause, bindparam, func, literal, select, union_all

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

Rows = CompoundSelect[*tuple[Any, ...]]

#: Rows are only ever added to these: their number and the highest id change whenever one is.
ADDED_TO: Sequence[tuple[FromClause, Column[Any]]] = (
    (score, score.c.id),
    (image_comment, image_comment.c.id),
    (image_comment.join(comment_taken_back), comment_taken_back.c.comment_id),
    (image_mark, image_mark.c.id),
    (image_mark.join(mark_taken_back), mark_taken_back.c.mark_id),
)
COUNT, NEW = "count", "new"  #: what a row of `added_since` is


def state_of_drops(barcode: str, number: int, channel: str) -> Rows:
    """Select what was added to an inspection: of each table how many rows, and which one last; and what was noted.

    Whatever changes images, or takes scores back, is noted in the column ``changes``.
    """
    return union_all(*_state(barcode, number, channel)).order_by("place")


def added_since(barcode: str, number: int, channel: str) -> Rows:
    """Select the state of an inspection, and the image and id of each row beyond ``last_0``, ``last_1`` and so on.

    Of a machine's score also its recipe. It is one statement, so that rows are counted and read at one moment.
    """
    counts = [
        each.add_columns(literal(COUNT).label("what"), literal(0).label("recipe_id"))
        for each in _state(barcode, number, channel)
    ]
    where = of_inspection(barcode, number, channel)
    new = (_new(place, *table).where(*where) for place, table in enumerate(ADDED_TO))
    return union_all(*counts, *new)


def _state(barcode: str, number: int, channel: str) -> list[Query]:
    where = of_inspection(barcode, number, channel)
    of_this = (plate.c.barcode == barcode, inspection.c.number == number, inspection.c.channel == channel)
    noted = select(literal(-1).label("place"), inspection.c.images.label("rows"), inspection.c.changes.label("last"))
    added = (_added(place, *table).where(*where) for place, table in enumerate(ADDED_TO))
    return [noted.select_from(inspection.join(plate)).where(*of_this), *added]


def _added(place: int, table: FromClause, key: Column[Any]) -> Query:
    return select(literal(place), func.count(), func.max(key)).select_from(_with_plates(table))


def _new(place: int, table: FromClause, key: Column[Any]) -> Query:
    recipe_id = score.c.recipe_id if table is score else literal(0)
    new = select(literal(place), image.c.id, key, literal(NEW), recipe_id).select_from(_with_plates(table))
    return new.where(key > bindparam(f"last_{place}"))


def _with_plates(table: FromClause) -> FromClause:
    return table.join(image).join(plate, plate.c.id == image.c.plate_id)
