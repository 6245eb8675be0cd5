"""Every statement on what people wrote about images, one a function."""

from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, literal_column, null, select, union_all

from crystal_search.server.imaging.schema import comment_taken_back, image, image_comment, plate, score
from crystal_search.server.imaging.sql_statements import Query, of_inspection

Rows = CompoundSelect[*tuple[Any, ...]]


def comments_of_image(image_id: int) -> Rows:
    """Select what people wrote about an image, also with scores: the rows that `sql_comments.comment_of` reads."""
    alone, with_scores = _alone(), _with_scores()
    return union_all(
        alone.select_from(image_comment.outerjoin(comment_taken_back)).where(image_comment.c.image_id == image_id),
        with_scores.where(score.c.image_id == image_id),
    )


def comments_of_inspection(barcode: str, number: int, channel: str) -> Rows:
    """Select such rows of the images of one inspection of a plate, without what was taken back."""
    there = of_inspection(barcode, number, channel)
    alone = _alone().select_from(image_comment.outerjoin(comment_taken_back).join(image).join(plate))
    return union_all(
        alone.where(*there, comment_taken_back.c.comment_id.is_(None)),
        _with_scores().select_from(score.join(image).join(plate)).where(*there),
    )


def standing_comment(comment_id: int, person: str) -> Query:
    """Select which image a comment is about, if a person wrote it and did not take it back."""
    mine = select(image_comment.c.image_id).select_from(image_comment.outerjoin(comment_taken_back))
    stands = comment_taken_back.c.comment_id.is_(None)
    return mine.where(image_comment.c.id == comment_id, image_comment.c.person == person, stands)


def _alone() -> Query:
    """Return a select of comments that stand alone."""
    own = image_comment.c
    return select(own.id, own.image_id, own.person, own.written_at, own.text, comment_taken_back.c.taken_back_at)


def _with_scores() -> Query:
    """Return a select of comments that came with scores."""
    given: tuple[ColumnElement[Any], ...] = (
        literal_column("0").label("id"),
        score.c.image_id,
        score.c.person,
        score.c.scored_at.label("written_at"),
        score.c.comment.label("text"),
        null().label("taken_back_at"),
    )
    return select(*given).where(score.c.work_unit.is_(None), score.c.comment != "")
