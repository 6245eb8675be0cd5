"""Every statement of the list of plates, one a function."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.sql.selectable import FromClause

from crystal_search.server.imaging.inspection_list import InspectionQuery
from crystal_search.server.imaging.plate_list import TEXT_SORTS, PlateQuery
from crystal_search.server.imaging.schema import (
    cocktail,
    image,
    inspection,
    likely_crystal,
    plate,
    plate_fact,
    score,
    well_condition,
)
from crystal_search.server.imaging.sql_rows import time_text
from crystal_search.server.imaging.sql_statements import Query

_THERE = inspection.c.images > 0
_VISIBLE = inspection.c.channel == "visible"


def _sums() -> FromClause:
    """Select what is summed over the inspections of each plate."""
    counted = (
        func.sum(inspection.c.images).label("images"),
        func.sum(inspection.c.scored).label("scored"),
        func.max(inspection.c.last_scored_at).label("last_scored_at"),
        func.max(inspection.c.newest_at).label("newest_at"),
    )
    return select(inspection.c.plate_id, *counted).where(_THERE).group_by(inspection.c.plate_id).subquery("sums")


def _crystals() -> FromClause:
    """Select which visible inspection of each plate is the latest, and at most how many crystals people saw at one."""
    latest = func.max(inspection.c.number).label("number")
    by_hand = func.max(inspection.c.crystals_by_hand).label("crystals_by_hand")
    seen = select(inspection.c.plate_id, latest, by_hand).where(_THERE, _VISIBLE)
    return seen.group_by(inspection.c.plate_id).subquery("seen")


def _columns(
    sums: FromClause, seen: FromClause, latest: FromClause, best: FromClause
) -> dict[str, ColumnElement[object]]:
    """Return what a line of the list tells of a plate."""
    return {
        "plate": plate.c.barcode,
        **{name: func.coalesce(plate_fact.c[name], "") for name in ("project", "protein", "owner")},
        **{name: sums.c[name] for name in ("images", "scored", "last_scored_at", "newest_at")},
        "crystals": func.coalesce(latest.c.crystals, 0),
        "crystals_by_hand": func.coalesce(seen.c.crystals_by_hand, 0),
        "disagreements": func.coalesce(latest.c.disagreements, 0),
        "best": func.coalesce(best.c.p_crystal, -1.0),
    }


def _listed(query: PlateQuery) -> tuple[Query, tuple[ColumnElement[object], ...]]:
    """Select the plates that are asked for, and return by what they are sorted."""
    sums, seen, latest = _sums(), _crystals(), inspection.alias("latest")
    at_latest = and_(latest.c.plate_id == plate.c.id, latest.c.number == seen.c.number, latest.c.channel == "visible")
    best = likely_crystal.alias("likeliest")
    is_best = and_(
        best.c.plate_id == plate.c.id, best.c.number == seen.c.number, best.c.readout_id == 0, best.c.place == 1
    )
    columns = _columns(sums, seen, latest, best)
    by = columns[query.sort]
    is_text = query.sort in TEXT_SORTS
    order = func.lower(by) if is_text else by
    listed = (
        select(plate.c.id, *(each.label(name) for name, each in columns.items()))
        .add_columns(best.c.image_id, image.c.well_row, image.c.well_column, image.c.drop_number)
        .select_from(plate)
        .join(sums, sums.c.plate_id == plate.c.id)
        .outerjoin(plate_fact, plate_fact.c.plate_id == plate.c.id)
        .outerjoin(seen, seen.c.plate_id == plate.c.id)
        .outerjoin(latest, at_latest)
        .outerjoin(best, is_best)
        .outerjoin(image, image.c.id == best.c.image_id)
        .where(*_found(query))
    )
    return listed, (order.asc() if is_text != query.turned else order.desc(), plate.c.barcode)


def lines(query: PlateQuery) -> Query:
    """Select one page of the plates that are asked for, and how many are on all pages."""
    listed, order = _listed(query)
    counted = listed.add_columns(func.count().over().label("found")).order_by(*order)
    return counted.limit(query.per_page).offset((query.page - 1) * query.per_page)


def neighbours(barcode: str, query: PlateQuery) -> Query:
    """Select the barcodes of the plates that stand beside one among those that are asked for."""
    listed, order = _listed(query)
    beside = {"previous": func.lag, "next": func.lead}
    names = (function(plate.c.barcode).over(order_by=order).label(name) for name, function in beside.items())
    every = listed.with_only_columns(plate.c.barcode, *names).subquery("every")
    return select(every.c.previous, every.c.next).where(every.c.barcode == barcode)


def count_plates(query: PlateQuery) -> Query:
    """Select how many plates that have images are asked for."""
    there = select(inspection.c.plate_id).where(_THERE)
    found = select(func.count()).select_from(plate.outerjoin(plate_fact, plate_fact.c.plate_id == plate.c.id))
    return found.where(plate.c.id.in_(there), *_found(query))


def inspections_of(plate_ids: Sequence[int]) -> Query:
    """Select number and channel of the inspections of these plates that have images."""
    columns = (inspection.c.plate_id, inspection.c.number, inspection.c.channel)
    return select(*columns).where(inspection.c.plate_id.in_(plate_ids), _THERE)


def scored_until(barcodes: Sequence[str]) -> Query:
    """Select of these plates how many visible-light images are scored, the newest first, until their last one is."""
    waiting = inspection.c.images - inspection.c.scored
    newest_first = (inspection.c.newest_at.desc(), inspection.c.plate_id, inspection.c.number)
    until = func.sum(waiting).over(order_by=newest_first, rows=(None, 0)).label("until")
    counted = select(inspection.c.plate_id, until).where(_VISIBLE, waiting > 0).subquery("counted")
    found = select(plate.c.barcode, func.max(counted.c.until).label("until")).join(counted)
    return found.where(plate.c.barcode.in_(barcodes)).group_by(plate.c.barcode)


def last_scored(readouts: Sequence[int], limit: int) -> Query:
    """Select when the last automatic scores were made, but for those of readouts, among few of the last rows."""
    recent = select(func.max(score.c.id) - 10 * limit).scalar_subquery()
    by_machine = (score.c.recipe_id.is_not(None), score.c.recipe_id.not_in(readouts), score.c.id > recent)
    return select(score.c.scored_at).where(*by_machine).order_by(score.c.id.desc()).limit(limit)


def inspections_after(query: InspectionQuery) -> Query:
    """Select barcode, number and channel of inspections that have images, from where the list goes on."""
    wanted = [_THERE, inspection.c.channel == query.channel]
    if query.plate:
        wanted.append(plate.c.barcode == query.plate)
    if query.projects is not None:
        wanted.append(plate_fact.c.project.in_(query.projects))
    if query.since:
        wanted.append(inspection.c.newest_at >= time_text(query.since))
    if query.until:
        wanted.append(inspection.c.newest_at < time_text(query.until))
    if query.after:
        barcode, number = query.after
        further = and_(plate.c.barcode == barcode, inspection.c.number > number)
        wanted.append(or_(plate.c.barcode > barcode, further))
    return (
        select(plate.c.barcode, inspection.c.number, inspection.c.channel)
        .select_from(inspection.join(plate).outerjoin(plate_fact, plate_fact.c.plate_id == plate.c.id))
        .where(*wanted)
        .order_by(plate.c.barcode, inspection.c.number)
        .limit(query.limit)
    )


def _found(query: PlateQuery) -> list[ColumnElement[bool]]:
    """Return what holds of plates of these projects in which every word is found, in whatever letters."""
    words = [_holds(word) for word in query.search.casefold().split()]
    if query.projects is None:
        return words
    return [func.coalesce(plate_fact.c.project, "").in_(query.projects), *words]


def _holds(word: str) -> ColumnElement[bool]:
    cocktails = select(cocktail.c.id).where(cocktail.c.words.contains(word, autoescape=True))
    wells = select(well_condition.c.plate_id).where(well_condition.c.cocktail_id.in_(cocktails))
    return or_(
        func.lower(plate.c.barcode).contains(word, autoescape=True),
        plate_fact.c.words.contains(word, autoescape=True),
        plate.c.id.in_(wells),
    )
