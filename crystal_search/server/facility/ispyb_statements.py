"""Every statement on ISPyB, one a function; nothing is deleted, and only what is ours is written."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Column,
    Insert,
    Select,
    Table,
    TextClause,
    column,
    func,
    literal,
    literal_column,
    select,
    table,
    text,
)
from sqlalchemy.dialects import mysql, sqlite

from crystal_search.server.facility.facility_rights import never
from crystal_search.server.facility.ispyb_schema import IspybTables

_ROUTINES = table("ROUTINES", column("ROUTINE_NAME"), column("ROUTINE_SCHEMA"), schema="information_schema")
_COLUMNS = table(
    "COLUMNS",
    *map(column, ("TABLE_SCHEMA", "TABLE_NAME", "COLUMN_NAME", "CHARACTER_SET_NAME")),
    schema="information_schema",
)
Query = Select[*tuple[Any, ...]]

SCORE_PROCEDURE, CRYSTAL_PROCEDURE = "upsert_sample_image_auto_score", "insert_subsample_for_image_full_path_v2"


def _giving(count: int) -> TextClause:
    """Call the procedure so often in one statement, since every answer takes its time."""
    calls = [f"CALL {SCORE_PROCEDURE}(:path_{n}, :schema_{n}, :class_{n}, :probability_{n});" for n in range(count)]
    return text(f"BEGIN NOT ATOMIC {' '.join(calls)} END")


#: Give classes of images their probabilities, by how many; a path, class or schema that is not there is refused.
GIVE_SCORES = {count: _giving(count) for count in (256, 64, 16, 4, 1)}
#: Adds a point, or a box by two corners, to an image; it always adds one.
ADD_CRYSTAL = text("CALL insert_subsample_for_image_full_path_v2(@id, :path, 'auto', :x1, :y1, :x2, :y2, NULL)")


def clock() -> Query:
    """Select what time it is there, in UTC."""
    return select(func.utc_timestamp(6))


def newest_id(tables: IspybTables) -> Query:
    """Select the highest id of an image."""
    return select(func.max(tables["BLSampleImage"].c.blsampleimageid))


def images_between(tables: IspybTables, after: int, upto: int | None, limit: int) -> Query:
    """Select images with ids above `after`, and at most `upto` where it is said, with plate, place and inspection."""
    image, sample, container = tables["BLSampleImage"], tables["BLSample"], tables["Container"]
    looked, kind = tables["ContainerInspection"], tables["InspectionType"]
    told = (
        image.c.blsampleimageid.label("id"),
        image.c.imagefullpath.label("path"),
        image.c.bltimestamp.label("taken"),
        sample.c.location,
        container.c.containerid.label("container"),
        container.c.barcode,
        container.c.code,
        container.c.containertype.label("type_name"),
        container.c.containertypeid.label("type_id"),
        looked.c.containerinspectionid.label("inspection"),
        kind.c.name.label("light"),
    )
    wanted = [image.c.blsampleimageid > after]
    if upto is not None:
        wanted.append(image.c.blsampleimageid <= upto)
    return (
        select(*told)
        .select_from(image)
        .outerjoin(sample, sample.c.blsampleid == image.c.blsampleid)
        .outerjoin(looked, looked.c.containerinspectionid == image.c.containerinspectionid)
        .outerjoin(container, container.c.containerid == sample.c.containerid)
        .outerjoin(kind, kind.c.inspectiontypeid == looked.c.inspectiontypeid)
        .where(*wanted)
        .order_by(image.c.blsampleimageid)
        .limit(limit)
    )


def container_types(tables: IspybTables) -> Query:
    """Select every type of plate."""
    return select(tables["ContainerType"])


def first_images(tables: IspybTables, containers: Sequence[int]) -> Query:
    """Select for each inspection of these plates that has images the first of them."""
    image, looked = tables["BLSampleImage"], tables["ContainerInspection"]
    first = func.min(image.c.blsampleimageid).label("first")
    joined = looked.join(image, image.c.containerinspectionid == looked.c.containerinspectionid)
    found = select(looked.c.containerid.label("container"), looked.c.containerinspectionid.label("inspection"), first)
    these = found.select_from(joined).where(looked.c.containerid.in_(containers))
    return these.group_by(looked.c.containerid, looked.c.containerinspectionid)


def scored_by_people(tables: IspybTables, after: int, upto: int) -> Query:
    """Select the images with ids above `after`, at most `upto`, that people scored."""
    image, score = tables["BLSampleImage"], tables["BLSampleImageScore"]
    told = (image.c.imagefullpath.label("path"), image.c.modifiedtimestamp, image.c.bltimestamp, score.c.name)
    scored = select(*told).join_from(image, score, score.c.blsampleimagescoreid == image.c.blsampleimagescoreid)
    return scored.where(image.c.blsampleimageid > after, image.c.blsampleimageid <= upto)


def proposals(tables: IspybTables, containers: Sequence[int]) -> Query:
    """Select plates with their owner's number, and the proposal of the session that they are of."""
    container, session, proposal = tables["Container"], tables["BLSession"], tables["Proposal"]
    told = (
        container.c.containerid.label("container"),
        container.c.ownerid.label("owner"),
        proposal.c.proposalid.label("proposal"),
        proposal.c.proposalcode.label("proposal_code"),
        proposal.c.proposalnumber.label("number"),
    )
    return (
        select(*told)
        .select_from(container)
        .outerjoin(session, session.c.sessionid == container.c.sessionid)
        .outerjoin(proposal, proposal.c.proposalid == session.c.proposalid)
        .where(container.c.containerid.in_(containers))
    )


def proteins(tables: IspybTables, containers: Sequence[int]) -> Query:
    """Select the proteins in these plates, with the proposals that they are of."""
    sample, crystal, protein = tables["BLSample"], tables["Crystal"], tables["Protein"]
    proposal = tables["Proposal"]
    told = (
        sample.c.containerid.label("container"),
        protein.c.acronym,
        protein.c.name,
        proposal.c.proposalid.label("proposal"),
        proposal.c.proposalcode.label("proposal_code"),
        proposal.c.proposalnumber.label("number"),
    )
    return (
        select(*told)
        .select_from(sample)
        .join(crystal, crystal.c.crystalid == sample.c.crystalid)
        .join(protein, protein.c.proteinid == crystal.c.proteinid)
        .outerjoin(proposal, proposal.c.proposalid == protein.c.proposalid)
        .where(sample.c.containerid.in_(containers))
        .distinct()
        .order_by(sample.c.containerid, protein.c.acronym)
    )


def persons(tables: IspybTables, people: Sequence[int]) -> Query:
    """Select the names of these people."""
    person = tables["Person"]
    names = (person.c.login, person.c.givenname, person.c.familyname)
    return select(person.c.personid.label("person"), *names).where(person.c.personid.in_(people))


def people_of_proposals(tables: IspybTables, numbers: Sequence[int]) -> Query:
    """Select who is on these proposals."""
    on = tables["ProposalHasPerson"]
    return select(on.c.proposalid.label("proposal"), on.c.personid.label("person")).where(on.c.proposalid.in_(numbers))


def screens(tables: IspybTables, containers: Sequence[int]) -> Query:
    """Select what is in the wells of these plates: a row for each component, by well."""
    container, screen, group = tables["Container"], tables["Screen"], tables["ScreenComponentGroup"]
    part, component = tables["ScreenComponent"], tables["Protein"]
    told = (
        container.c.containerid.label("container"),
        screen.c.name.label("screen"),
        group.c.position,
        component.c.name,
        component.c.acronym,
        part.c.concentration,
        part.c.ph,
    )
    return (
        select(*told)
        .select_from(container)
        .join(screen, screen.c.screenid == container.c.screenid)
        .join(group, group.c.screenid == screen.c.screenid)
        .outerjoin(part, part.c.screencomponentgroupid == group.c.screencomponentgroupid)
        .outerjoin(component, component.c.proteinid == part.c.componentid)
        .where(container.c.containerid.in_(containers), group.c.position.is_not(None))
        .order_by(container.c.containerid, group.c.position, part.c.screencomponentid)
    )


def score_classes(tables: IspybTables) -> Query:
    """Select every class of automatic scores with its schema, and whether that is enabled."""
    schema, one = tables["BLSampleImageAutoScoreSchema"], tables["BLSampleImageAutoScoreClass"]
    told = (
        schema.c.schemaname.label("schema"),
        schema.c.enabled,
        one.c.scoreclass.label("name"),
        one.c.blsampleimageautoscoreclassid.label("id"),
    )
    of = one.c.blsampleimageautoscoreschemaid == schema.c.blsampleimageautoscoreschemaid
    return select(*told).select_from(schema.outerjoin(one, of))


def images_called(tables: IspybTables, paths: Sequence[str]) -> Query:
    """Select the images with these paths, or with paths that ISPyB holds for the same."""
    image = tables["BLSampleImage"]
    told = (
        image.c.blsampleimageid.label("id"),
        image.c.blsampleid.label("sample"),
        image.c.imagefullpath.label("path"),
    )
    return select(*told).where(image.c.imagefullpath.in_(paths))


def probabilities_of(tables: IspybTables, images: Sequence[int], classes: Sequence[int]) -> Query:
    """Select the probabilities that these images have of these classes."""
    has = tables["BLSampleImage_has_AutoScoreClass"]
    told = (has.c.blsampleimageid.label("image"), has.c.blsampleimageautoscoreclassid.label("of"), has.c.probability)
    return select(*told).where(has.c.blsampleimageid.in_(images), has.c.blsampleimageautoscoreclassid.in_(classes))


def giving_scores(tables: IspybTables, dialect: str) -> Insert:
    """Give images probabilities of classes: add rows, or change those that are there of the same class."""
    adding: Insert = _adding_or_changing(tables, dialect)
    return adding


def may_give(tables: IspybTables, dialect: str) -> Insert:
    """Give nothing: tells whether rows may be added and changed."""
    has = tables["BLSampleImage_has_AutoScoreClass"]
    nothing = select(*has.c).where(never())
    adding: Insert = _adding_or_changing(tables, dialect)
    return adding.from_select([each.key for each in has.c], nothing)


def may_add(table: Table) -> Insert:
    """Add nothing to a table: tells whether rows may be added."""
    adding: Insert = table.insert().from_select([each.key for each in table.c], select(*table.c).where(never()))
    return adding


def _adding_or_changing(tables: IspybTables, dialect: str) -> Any:
    has = tables["BLSampleImage_has_AutoScoreClass"]
    if dialect == "sqlite":
        keys = [has.c.blsampleimageid, has.c.blsampleimageautoscoreclassid]
        row = sqlite.insert(has)
        return row.on_conflict_do_update(index_elements=keys, set_={has.c.probability: row.excluded.probability})
    added = mysql.insert(has)
    return added.on_duplicate_key_update(probability=added.inserted.probability)


def procedures_there(names: Sequence[str]) -> Query:
    """Select those of these procedures that the account knows of, since it may call them."""
    told = _ROUTINES.c.ROUTINE_NAME
    return select(told.label("name")).where(func.database() == _ROUTINES.c.ROUTINE_SCHEMA, told.in_(names))


def charset_of(name: Column[Any]) -> Query:
    """Select in which character set the texts of a column are kept."""
    columns = _COLUMNS.c
    of = literal(str(name.table.description)) == columns.TABLE_NAME
    this = literal(str(name.name)) == columns.COLUMN_NAME
    return select(columns.CHARACTER_SET_NAME).where(of, this, literal_column("DATABASE()") == columns.TABLE_SCHEMA)


def crystals_of(tables: IspybTables, images: Sequence[int]) -> Query:
    """Select the points and boxes of these images that a program found."""
    sub, first = tables["BLSubSample"], tables["Position"].alias("first")
    second = tables["Position"].alias("second")
    told = (
        sub.c.blsubsampleid.label("id"),
        sub.c.blsampleimageid.label("image"),
        first.c.posx.label("x1"),
        first.c.posy.label("y1"),
        second.c.posx.label("x2"),
        second.c.posy.label("y2"),
    )
    return (
        select(*told)
        .select_from(sub)
        .join(first, first.c.positionid == sub.c.positionid)
        .outerjoin(second, second.c.positionid == sub.c.position2id)
        .where(sub.c.blsampleimageid.in_(images), sub.c.source == literal("auto"))
    )
