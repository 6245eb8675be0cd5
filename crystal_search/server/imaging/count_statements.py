"""Statements on the counts of images and scores that stand at inspections, one a function.

Whoever changes scores only notes that something changed (`changes`); whoever lists plates counts anew where that is not
what was counted last. So counts are right whatever comes between, and nobody who scores waits for them.
"""

from collections.abc import Sequence

from sqlalchemy import Update, and_, bindparam, case, func, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from crystal_search.server.imaging.schema import image, inspection, score
from crystal_search.server.imaging.sql_statements import InspectionKey, Query, counts, stands

COUNTS = ("crystals", "crystals_by_hand", "disagreements")  #: the columns that are counted anew
_CHANGED = {"changes": inspection.c.changes + 1}


def inspection_keys(plate_ids: Sequence[int]) -> Query:
    """Select plate, number and channel of the inspections of these plates."""
    return select(inspection.c.plate_id, inspection.c.number, inspection.c.channel).where(
        inspection.c.plate_id.in_(plate_ids)
    )


def inspections_of_images(image_ids: Sequence[int]) -> Query:
    """Select for each of these images its inspection's plate, number and channel, and which scores count."""
    keys = (image.c.plate_id, image.c.inspection, image.c.channel)
    return select(image.c.id, *keys, image.c.sha256, image.c.last_recipe_id).where(image.c.id.in_(image_ids))


def counting_images(key: InspectionKey, count: int, newest_at: str = "") -> Update:
    """Count new images at their inspection, and note when the newest of them came."""
    newest = case((inspection.c.newest_at < newest_at, newest_at), else_=inspection.c.newest_at)
    return update(inspection).where(*_is(key)).values(images=inspection.c.images + count, newest_at=newest, **_CHANGED)


def counting_scores(key: InspectionKey, count: int, scored_at: str) -> Update:
    """Count images scored for the first time at their inspection, and note the newest score's time."""
    newest = case((inspection.c.last_scored_at < scored_at, scored_at), else_=inspection.c.last_scored_at)
    scored = inspection.c.scored + count
    return update(inspection).where(*_is(key)).values(scored=scored, last_scored_at=newest, **_CHANGED)


def noting_news(key: InspectionKey, now: str) -> Update:
    """Note that images of an inspection got their first score just now."""
    return update(inspection).where(*_is(key)).values(news_at=now)


def changed(limit: int) -> Query:
    """Select the newest inspections whose crystals are not counted as they are now, and which changes they saw."""
    keys = (inspection.c.plate_id, inspection.c.number, inspection.c.channel, inspection.c.changes)
    stale = inspection.c.counted != inspection.c.changes
    return select(*keys).where(stale).order_by(inspection.c.newest_at.desc()).limit(limit)


def answers_at(keys: Sequence[InspectionKey], readouts: Sequence[int]) -> Query:
    """Select how often which score of a machine that counts, and which of a person, stand last at the same image.

    Scores by recipes of `readouts` stand beside them, and are not counted.
    """
    auto, hand = score.alias("auto"), score.alias("hand")
    machines = (score.c.recipe_id.is_not(None), score.c.recipe_id.not_in(readouts))
    by_machine = select(func.max(score.c.id)).where(score.c.image_id == image.c.id, *machines, counts())
    by_person = (
        select(score.c.id)
        .where(score.c.image_id == image.c.id, score.c.person.is_not(None), stands())
        .order_by(score.c.late, score.c.id.desc())
        .limit(1)
    )
    told = (auto.c.outcome.label("machine"), auto.c.above_threshold, hand.c.outcome.label("person"))
    of = (inspection.c.plate_id, inspection.c.number, inspection.c.channel)
    return (
        select(*of, *told, func.count().label("images"))
        .select_from(inspection)
        .join(image, of_its_inspection())
        .outerjoin(auto, and_(auto.c.image_id == image.c.id, auto.c.id == by_machine.scalar_subquery(), counts(auto)))
        .outerjoin(hand, and_(hand.c.image_id == image.c.id, hand.c.id == by_person.scalar_subquery()))
        .where(at_any(keys))
        .group_by(*of, *told)
    )


def noting_counts() -> Update:
    """Note the counts of the inspection `of_plate`, `of_number`, `of_channel`, in the columns given with it."""
    names = {"plate_id": "of_plate", "number": "of_number", "channel": "of_channel"}
    return update(inspection).where(*(inspection.c[name] == bindparam(word) for name, word in names.items()))


def at_any(keys: Sequence[InspectionKey]) -> ColumnElement[bool]:
    """Tell whether an inspection is one of these."""
    return or_(*(and_(*_is(key)) for key in keys))


def of_its_inspection() -> ColumnElement[bool]:
    """Tell whether an image is of an inspection."""
    return and_(
        image.c.plate_id == inspection.c.plate_id,
        image.c.channel == inspection.c.channel,
        image.c.inspection == inspection.c.number,
    )


def _is(key: InspectionKey) -> tuple[ColumnElement[bool], ...]:
    plate_id, number, channel = key
    return inspection.c.plate_id == plate_id, inspection.c.number == number, inspection.c.channel == channel
