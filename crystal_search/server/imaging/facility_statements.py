"""Statements about facilities' own databases: how far they were looked at, which scores they were given."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Update, exists, func, literal, select, update

from crystal_search.server.imaging.schema import facility, image, pushed_score, score
from crystal_search.server.imaging.sql_rows import Values, time_text
from crystal_search.server.imaging.sql_statements import Query, scores

OVERLAP = 1000  #: ids before the last that was looked at, among which a slow transaction may still add a score


def facility_named(name: str) -> Query:
    """Select what is noted of a facility."""
    return select(facility).where(facility.c.name == name)


def count_refused(facility_id: int) -> Query:
    """Select how many scores a facility did not take that are given again."""
    return select(func.count()).where(pushed_score.c.facility_id == facility_id, pushed_score.c.next_at != "")


def marking(facility_id: int, **values: str | int) -> Update:
    """Note something of a facility."""
    return update(facility).where(facility.c.id == facility_id).values(values)


def looking_further(facility_id: int, score_id: int) -> Update:
    """Note that scores up to an id were looked at, unless later ones were already."""
    further = update(facility).where(facility.c.id == facility_id, facility.c.push_mark < score_id)
    return further.values(push_mark=score_id)


def scores_not_looked_at(facility_id: int, mark: int, readouts: Sequence[int], limit: int) -> Query:
    """Select automatic scores that were not looked at to be given to a facility, in the order in which they came.

    Those of recipes of `readouts` stand beside them, and are not given.
    """
    noted = exists().where(pushed_score.c.facility_id == facility_id, pushed_score.c.score_id == score.c.id)
    new = scores().add_columns(literal(0).label("tries"))
    wanted = (score.c.id > mark - OVERLAP, score.c.recipe_id.is_not(None), score.c.recipe_id.not_in(readouts), ~noted)
    return new.where(*wanted).order_by(score.c.id).limit(limit)


def newest_machine_score() -> Query:
    """Select the id of the automatic score that came last."""
    return select(score.c.id).where(score.c.recipe_id.is_not(None)).order_by(score.c.id.desc()).limit(1)


def scores_refused(facility_id: int, now: datetime, limit: int, before: datetime | None) -> Query:
    """Select automatic scores that a facility refused and is given again now, the one that waits longest first.

    Only those that were given last `before` a time, where one is said.
    """
    due = [pushed_score.c.facility_id == facility_id, pushed_score.c.next_at != ""]
    if before:
        due.append(pushed_score.c.pushed_at < time_text(before))
    again = scores().join(pushed_score, pushed_score.c.score_id == score.c.id).add_columns(pushed_score.c.tries)
    return again.where(*due, pushed_score.c.next_at <= time_text(now)).order_by(pushed_score.c.next_at).limit(limit)


def pushes_noted(facility_id: int, score_ids: Sequence[int]) -> Query:
    """Select those of these scores of which something is noted for a facility."""
    these = (pushed_score.c.facility_id == facility_id, pushed_score.c.score_id.in_(score_ids))
    return select(pushed_score.c.score_id).where(*these)


def waiting_of(facility_id: int, image_ids: Sequence[int]) -> Query:
    """Select the scores of these images that a facility is given again."""
    these = (pushed_score.c.facility_id == facility_id, pushed_score.c.image_id.in_(image_ids))
    return select(pushed_score.c.score_id, pushed_score.c.image_id).where(*these, pushed_score.c.next_at != "")


def noting_push(facility_id: int, score_id: int, values: Values) -> Update:
    """Note something of a score that a facility was given."""
    this = (pushed_score.c.facility_id == facility_id, pushed_score.c.score_id == score_id)
    return update(pushed_score).where(*this).values(values)


def pushes_of(facility_id: int, limit: int, *, refused: bool) -> Query:
    """Select the scores that a facility was given, or only those that it is given again, the last first."""
    told = select(pushed_score, image.c.path, score.c.outcome).select_from(
        pushed_score.join(score, score.c.id == pushed_score.c.score_id).join(image, image.c.id == score.c.image_id)
    )
    waiting = [pushed_score.c.next_at != ""] if refused else []
    return (
        told.where(pushed_score.c.facility_id == facility_id, *waiting)
        .order_by(pushed_score.c.score_id.desc())
        .limit(limit)
    )


def people_of(image_ids: Sequence[int]) -> Query:
    """Select people's scores of these images."""
    return scores().where(score.c.image_id.in_(image_ids), score.c.person.is_not(None)).order_by(score.c.id)
