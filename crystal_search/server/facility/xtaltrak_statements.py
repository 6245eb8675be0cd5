"""Every statement that goes to XtalTrak, one a function. Values are always bound.

Two of them change rows that are there. `change_own` changes scores of ours only: its condition names our account.
`count_drops` raises the counter of scored drops, which XtalTrak's own programs raise with every score. Nothing is
deleted.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Insert, Select, Table, Update, and_, bindparam, func, or_, select
from sqlalchemy import Sequence as NumberSequence

from crystal_search.server.facility.facility_rights import never
from crystal_search.server.facility.site_tables import identifier
from crystal_search.server.facility.xtaltrak_schema import XtalTrakTables

Query = Select[*tuple[Any, ...]]
Inspection = tuple[str, int]  #: barcode and number of an inspection
ESCAPE = "!"  #: stands before a sign of a pattern that means itself


def new_images(tables: XtalTrakTables, after: tuple[int, str], patterns: Collection[str], limit: int) -> Query:
    """Images that come after number and name, of the types that a site's patterns name, in this order."""
    image, inspection = tables.images.c, tables.inspections.c
    number, name = after
    query = (
        select(image.inspectid, image.imagename, *_place(tables), inspection.inspectdate)
        .join(tables.inspections, inspection.inspectid == image.inspectid)
        .where(image.inspectid >= number, or_(image.inspectid > number, image.imagename > name))
        .order_by(image.inspectid, image.imagename)
        .limit(limit)
    )
    return _of_types(query, image.imagename, patterns)


def images_of(tables: XtalTrakTables, numbers: Collection[int], patterns: Collection[str]) -> Query:
    """Images of some drops at an inspection, of the types that a site's patterns name."""
    image = tables.images.c
    query = select(image.inspectid, image.imagename).where(image.inspectid.in_(numbers))
    return _of_types(query.order_by(image.inspectid, image.imagename), image.imagename, patterns)


def new_scores(tables: XtalTrakTables, after: int, ours: str, limit: int) -> Query:
    """Scores by others than us with a number above `after`, in the order in which they came."""
    score, inspection = tables.scores.c, tables.inspections.c
    return (
        select(score.scoreid, score.inspectid, score.imagename, score.score, score.scoredate, score.scoredby)
        .add_columns(inspection.barcodeid, inspection.inspectnumber)
        .join(tables.inspections, inspection.inspectid == score.inspectid)
        .where(score.scoreid > after, _by_others(score.scoredby, ours))
        .order_by(score.scoreid)
        .limit(limit)
    )


def plates(tables: XtalTrakTables, barcodes: Collection[str]) -> Query | None:
    """Project of plates, and owner where the site has a column for it; None where it has no table of plates."""
    if tables.plates is None:
        return None
    plate = tables.plates.c
    columns = [plate.barcode, *([plate.owner] if "owner" in plate else [])]
    query: Query = select(*columns).where(plate.barcode.in_(barcodes)).order_by(plate.barcode)
    if tables.projects is not None:
        project = tables.projects.c
        query = query.add_columns(project.name.label("project"))
        query = query.outerjoin_from(tables.plates, tables.projects, project.project_id == plate.project_id)
    return query


def samples(tables: XtalTrakTables, barcodes: Collection[str]) -> Query | None:
    """Names of the samples that are in plates; None where the site lacks one of the tables."""
    if tables.plates is None or tables.drops is None or tables.samples is None:
        return None
    plate, drop, sample = tables.plates.c, tables.drops.c, tables.samples.c
    return (
        select(plate.barcode, sample.sample_name)
        .join(tables.drops, drop.fk_plate_id == plate.plate_id)
        .join(tables.samples, sample.sample_id == drop.fk_sample_id)
        .where(plate.barcode.in_(barcodes))
        .distinct()
        .order_by(plate.barcode, sample.sample_name)
    )


def lock_counters(tables: XtalTrakTables, inspections: Collection[Inspection]) -> Query | None:
    """Inspections of plates, locked until the transaction ends, so that no other program of ours scores them now."""
    if tables.counts is None:
        return None
    count = tables.counts.c
    query: Query = select(count.barcodeid, count.inspectnumber).where(_any_of(count, inspections))
    return query.order_by(count.barcodeid, count.inspectnumber).with_for_update()


def images_at(tables: XtalTrakTables, inspections: Collection[Inspection]) -> Query:
    """Every image of some inspections of plates, with its place and date."""
    image, inspection = tables.images.c, tables.inspections.c
    return (
        select(image.inspectid, image.imagename, *_place(tables), inspection.inspectdate)
        .join(tables.inspections, inspection.inspectid == image.inspectid)
        .where(_any_of(inspection, inspections))
        .order_by(image.inspectid, image.imagename)
    )


def first_by_others(tables: XtalTrakTables, barcodes: Collection[str], ours: str) -> Query:
    """When somebody else than us first scored each drop of plates, at whatever inspection."""
    score, inspection = tables.scores.c, tables.inspections.c
    drop = (inspection.barcodeid, inspection.i_row, inspection.col, inspection.subwell)
    return (
        select(*drop, func.min(score.scoredate).label("first_at"))
        .join(tables.inspections, inspection.inspectid == score.inspectid)
        .where(inspection.barcodeid.in_(barcodes), _by_others(score.scoredby, ours))
        .group_by(*drop)
        .order_by(*drop)
    )


def scores_of(tables: XtalTrakTables, numbers: Collection[int]) -> Query:
    """Every score of some drops at an inspection, ours and others'."""
    score = tables.scores.c
    return (
        select(score.scoreid, score.inspectid, score.imagename, score.score, score.scoredate, score.scoredby)
        .where(score.inspectid.in_(numbers))
        .order_by(score.scoreid)
    )


def add_score(tables: XtalTrakTables, sequence: str) -> Insert:
    """Add a score, with the sequence's next number, or one more than the highest where there is no sequence."""
    score = tables.scores.c
    if sequence:
        number = _next_number(tables, sequence)
    else:
        other = tables.scores.alias()
        number = select(func.coalesce(func.max(other.c.scoreid), 0) + 1).scalar_subquery()
    columns = (score.inspectid, score.imagename, score.score, score.scoredate, score.scoredby)
    return (
        tables.scores.insert()
        .inline()
        .values({score.scoreid: number} | {each: bindparam(each.key) for each in columns})
    )


def change_own(tables: XtalTrakTables) -> Update:
    """Give a score of ours another number and date; a row with another name on it is not changed."""
    score = tables.scores.c
    ours = and_(score.scoreid == bindparam("own_scoreid"), score.scoredby == bindparam("own_scoredby"))
    return tables.scores.update().where(ours).values(score=bindparam("score"), scoredate=bindparam("scoredate"))


def count_drops(table: Table) -> Update:
    """Raise the number of drops with a score of an inspection of a plate."""
    count = table.c
    of_plate = and_(count.barcodeid == bindparam("of_plate"), count.inspectnumber == bindparam("of_number"))
    more = func.coalesce(count.dropscorecount, 0) + bindparam("drops")
    return table.update().where(of_plate).values(dropscorecount=more)


def may_add(tables: XtalTrakTables, sequence: str) -> Insert:
    """Add no score, so as to find out whether one may be added, with a number of the sequence."""
    score = tables.scores.c
    number = _next_number(tables, sequence) if sequence else score.scoreid
    columns = (score.inspectid, score.imagename, score.score, score.scoredate, score.scoredby)
    nothing = select(number, *columns).where(never())
    return tables.scores.insert().from_select([score.scoreid, *columns], nothing, include_defaults=False)


def may_change(tables: XtalTrakTables) -> Update:
    """Change no score, so as to find out whether one may be changed."""
    score = tables.scores.c
    return tables.scores.update().where(never()).values(score=score.score, scoredate=score.scoredate)


def may_count(table: Table) -> Update:
    """Raise no counter, so as to find out whether one may be raised."""
    return table.update().where(never()).values(dropscorecount=table.c.dropscorecount)


def newest_images(tables: XtalTrakTables, limit: int) -> Query:
    """Look at the images that came last, of whatever type."""
    image, inspection = tables.images.c, tables.inspections.c
    return (
        select(image.inspectid, image.imagename, *_place(tables))
        .join(tables.inspections, inspection.inspectid == image.inspectid)
        .order_by(image.inspectid.desc(), image.imagename)
        .limit(limit)
    )


def _next_number(tables: XtalTrakTables, sequence: str) -> ColumnElement[int]:
    return NumberSequence(identifier(sequence, "the sequence"), schema=tables.scores.schema).next_value()


def _place(tables: XtalTrakTables) -> tuple[ColumnElement[Any], ...]:
    inspection = tables.inspections.c
    return inspection.barcodeid, inspection.inspectnumber, inspection.i_row, inspection.col, inspection.subwell


def _by_others(scored_by: ColumnElement[str], ours: str) -> ColumnElement[bool]:
    return or_(scored_by.is_(None), scored_by != ours)


def _any_of(columns: Any, inspections: Collection[Inspection]) -> ColumnElement[bool]:
    numbers: dict[str, list[int]] = {}
    for barcode, number in sorted(inspections):
        numbers.setdefault(barcode, []).append(number)
    return or_(
        *(and_(columns.barcodeid == barcode, columns.inspectnumber.in_(found)) for barcode, found in numbers.items())
    )


def _of_types(query: Query, name: ColumnElement[str], patterns: Collection[str]) -> Query:
    if any(set(pattern) == {"*"} for pattern in patterns):
        return query
    return query.where(or_(*(func.lower(name).like(_like(each), escape=ESCAPE) for each in patterns)))


def _like(pattern: str) -> str:
    """Return a shell's pattern as SQL has it.

    >>> _like("*_HF?99*")
    '%!_hf_99%'
    """
    signs = {"*": "%", "?": "_", "%": f"{ESCAPE}%", "_": f"{ESCAPE}_", ESCAPE: ESCAPE * 2}
    return "".join(signs.get(sign, sign) for sign in pattern.lower())
