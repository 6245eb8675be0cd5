"""Every statement on the likeliest crystals, and on who has seen what, one a function."""

from collections.abc import Sequence

from sqlalchemy import Delete, and_, case, delete, func, or_, select, true

from crystal_search.outcomes import GROUPS, Group
from crystal_search.server.imaging.best_drops import KEPT, BestQuery
from crystal_search.server.imaging.count_statements import at_any, of_its_inspection
from crystal_search.server.imaging.json_numbers import json_number
from crystal_search.server.imaging.schema import image, inspection, likely_crystal, plate_fact, score, seen
from crystal_search.server.imaging.sql_rows import time_text
from crystal_search.server.imaging.sql_statements import InspectionKey, Query, counts

_CRYSTAL = GROUPS.index(Group.CRYSTAL)


def likeliest_at(keys: Sequence[InspectionKey], readouts: Sequence[int]) -> Query:
    """Select the likeliest crystals of these inspections, by the recipe of each of `readouts`, and by the others, 0."""
    readout = case((score.c.recipe_id.in_(readouts), score.c.recipe_id), else_=0)
    age = func.row_number().over(partition_by=(score.c.image_id, readout), order_by=score.c.id.desc())
    last = (
        select(inspection.c.plate_id, inspection.c.number, score.c.id, readout.label("readout_id"), age.label("age"))
        .select_from(inspection)
        .join(image, of_its_inspection())
        .join(score, score.c.image_id == image.c.id)
        .where(at_any(keys), score.c.recipe_id.is_not(None), counts())
        .subquery("last")
    )
    peak = func.coalesce(
        json_number(score.c.found, "group_peaks", _CRYSTAL), json_number(score.c.group_peaks, _CRYSTAL)
    )
    of = (last.c.plate_id, last.c.number, last.c.readout_id)
    told = (
        select(*of, score.c.image_id, peak.label("p_crystal"))
        .select_from(last.join(score, score.c.id == last.c.id))
        .where(last.c.age == 1)
        .subquery("told")
    )
    partition = (told.c.plate_id, told.c.number, told.c.readout_id)
    place = func.row_number().over(partition_by=partition, order_by=(told.c.p_crystal.desc(), told.c.image_id))
    ranked = select(told, place.label("place")).where(told.c.p_crystal.is_not(None)).subquery("ranked")
    return select(ranked).where(ranked.c.place <= KEPT)


def forgetting_likeliest(keys: Sequence[InspectionKey]) -> Delete:
    """Forget the likeliest crystals of these inspections, which are found anew."""
    own = (and_(likely_crystal.c.plate_id == plate, likely_crystal.c.number == number) for plate, number, _ in keys)
    return delete(likely_crystal).where(or_(*own))


def best_images(query: BestQuery, readouts: Sequence[int]) -> Query:
    """Select the likeliest crystals where there was news, of plates unseen by a person first, each plate whole."""
    found = _likely_images(query, readouts).subquery("found")
    plate_best = func.max(found.c.p_crystal).over(partition_by=(found.c.plate_id, found.c.seen)).label("plate_best")
    beside = select(found, plate_best).subquery("beside")
    order = (beside.c.seen, beside.c.plate_best.desc(), beside.c.plate_id)
    ranked = select(beside, func.dense_rank().over(order_by=order).label("place")).subquery("ranked")
    first = func.rank().over(order_by=ranked.c.place).label("first")  # of its plate, among the images
    placed = select(ranked, first).where(ranked.c.place > query.after).subquery("placed")
    return (
        select(placed.c.image_id, placed.c.p_crystal, placed.c.news_at, placed.c.seen)
        .where(placed.c.first <= query.limit)
        .order_by(placed.c.seen, placed.c.p_crystal.desc(), placed.c.news_at.desc(), placed.c.image_id)
    )


def _likely_images(query: BestQuery, readouts: Sequence[int]) -> Query:
    """Select the likeliest crystals where there was news, each image once, and whether its plate was seen since."""
    looked = select(func.max(seen.c.seen_at)).where(
        seen.c.person == query.person, seen.c.plate_id == inspection.c.plate_id
    )
    was_seen = case((func.coalesce(looked.scalar_subquery(), "") >= inspection.c.news_at, 1), else_=0).label("seen")
    likely = likely_crystal.c
    at = and_(likely.plate_id == inspection.c.plate_id, likely.number == inspection.c.number)
    projects = plate_fact.c.project.in_(query.projects or ())
    of_these = inspection.c.plate_id.in_(select(plate_fact.c.plate_id).where(projects))
    said = (
        select(inspection.c.plate_id, likely.image_id, likely.p_crystal, inspection.c.news_at, was_seen)
        .select_from(inspection.join(likely_crystal, at).join(image, image.c.id == likely.image_id))
        .where(
            inspection.c.channel == "visible",
            inspection.c.news_at > time_text(query.since),
            image.c.channel == "visible",
            likely.p_crystal >= query.least,
        )
        .where(likely.readout_id.in_([0, *readouts]), of_these if query.projects is not None else true())
        .subquery("said")
    )
    once = (said.c.plate_id, said.c.image_id, said.c.news_at, said.c.seen)
    return select(*once, func.max(said.c.p_crystal).label("p_crystal")).group_by(*once)


def last_looked(person: str) -> Query:
    """Select when a person looked through the best drops last."""
    return select(func.max(seen.c.seen_at)).where(seen.c.person == person, seen.c.plate_id.is_(None))
