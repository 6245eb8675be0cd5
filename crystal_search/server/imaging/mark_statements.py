"""Every statement on what people mark in images, one a function."""

from collections.abc import Sequence

from sqlalchemy import Select, select

from crystal_search.server.imaging.schema import image, image_mark, mark_taken_back, plate
from crystal_search.server.imaging.sql_rows import Values
from crystal_search.server.imaging.sql_statements import Query, of_inspection


def marks_of_images(image_ids: Sequence[int]) -> Query:
    """Select what stands of what people marked in these images: the rows that `sql_marks.mark_of` reads."""
    return _standing().where(image_mark.c.image_id.in_(image_ids)).order_by(image_mark.c.image_id, image_mark.c.id)


def marks_of_inspection(barcode: str, number: int, channel: str) -> Query:
    """Select such rows of the images of one inspection of a plate in one channel."""
    there = of_inspection(barcode, number, channel)
    return _standing().join(image).join(plate).where(*there).order_by(image_mark.c.id)


def standing_mark(mark_id: int, person: str) -> Query:
    """Select a mark, if a person made it and did not take it back."""
    return _standing().where(image_mark.c.id == mark_id, image_mark.c.person == person)


def same_mark(values: Values) -> Select[tuple[int]]:
    """Select the mark that stands and says what the row `values` says, whenever it did."""
    same = [image_mark.c[name].is_not_distinct_from(value) for name, value in values.items() if name != "marked_at"]
    return _standing().with_only_columns(image_mark.c.id).where(*same).limit(1)


def _standing() -> Query:
    """Select marks that were not taken back."""
    return select(image_mark).outerjoin(mark_taken_back).where(mark_taken_back.c.mark_id.is_(None))
