"""Every statement on what people wrote about images, one a function."""

from sqlalchemy import CompoundSelect, Select, select, union_all

from crystal_search.server.imaging.schema import image, image_comment, plate, score
from crystal_search.server.imaging.sql_statements import of_inspection


def comments_of_image(image_id: int) -> CompoundSelect[tuple[object, ...]]:
    """Select what people wrote about an image, also with scores: the rows that `sql_comments.comment_of` reads."""
    alone, with_scores = _told()
    return union_all(
        alone.where(image_comment.c.image_id == image_id),
        with_scores.where(score.c.image_id == image_id),
    )


def comments_of_inspection(barcode: str, number: int, channel: str) -> CompoundSelect[tuple[object, ...]]:
    """Select such rows of the images of one inspection of a plate."""
    alone, with_scores = _told()
    there = of_inspection(barcode, number, channel)
    return union_all(
        alone.select_from(image_comment.join(image).join(plate)).where(*there),
        with_scores.select_from(score.join(image).join(plate)).where(*there),
    )


def _told() -> tuple[Select[tuple[object, ...]], Select[tuple[object, ...]]]:
    """Return selects of comments that stand alone, and of those that came with scores."""
    alone = image_comment.c
    own = (alone.image_id, alone.person, alone.written_at, alone.text)
    given = (
        score.c.image_id,
        score.c.person,
        score.c.scored_at.label("written_at"),
        score.c.comment.label("text"),
    )
    with_scores = select(*given).where(score.c.work_unit.is_(None), score.c.comment != "")
    return select(*own), with_scores
