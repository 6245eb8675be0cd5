"""Every statement about what people said of images, one a function."""

from sqlalchemy import func, select

from crystal_search.server.imaging.schema import image, plate, score, score_taken_back
from crystal_search.server.imaging.sql_statements import Query, scores, stands


def newest_by_hand() -> Query:
    """Select the score that came last of people's, and was not taken back, of each image that they scored.

    People's scores are those without a work unit: the index of images and work units finds them, so that a database
    does not go through machines' rows, which are long and many.
    """
    last_first = (score.c.late, score.c.id.desc())
    age = func.row_number().over(partition_by=score.c.image_id, order_by=last_first).label("age")
    ranked = select(score.c.id, age).where(score.c.work_unit.is_(None), stands()).subquery()
    newest = select(ranked.c.id).where(ranked.c.age == 1)
    return scores().where(score.c.id.in_(newest))


def hand_counts(channel: str) -> Query:
    """Select how many images have which newest score by hand, by inspection, with the first and the last path."""
    last_first = (score.c.late, score.c.id.desc())
    age = func.row_number().over(partition_by=score.c.image_id, order_by=last_first).label("age")
    by_hand = select(score.c.image_id, score.c.outcome, age).where(score.c.work_unit.is_(None), stands()).subquery()
    place = (plate.c.barcode, image.c.inspection, by_hand.c.outcome)
    paths = (func.min(image.c.path).label("first_path"), func.max(image.c.path).label("last_path"))
    return (
        select(*place, func.count().label("images"), *paths)
        .select_from(by_hand.join(image, image.c.id == by_hand.c.image_id).join(plate))
        .where(by_hand.c.age == 1, image.c.channel == channel)
        .group_by(*place)
        .order_by(*place)
    )


def last_by_hand() -> Query:
    """Select the highest id of people's scores."""
    return select(func.max(score.c.id)).where(score.c.work_unit.is_(None))


def count_taken_back() -> Query:
    """Select how many scores were taken back."""
    return select(func.count()).select_from(score_taken_back)


def scored_by_several() -> Query:
    """Select the images of which more than one person has a score that stands."""
    by_hand = select(score.c.image_id).where(score.c.work_unit.is_(None), stands()).group_by(score.c.image_id)
    return by_hand.having(func.count(score.c.person.distinct()) > 1)
