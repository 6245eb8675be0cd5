"""Every statement that goes to Rock Maker, one a function. All of them read; values are always bound."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal, or_, select

from crystal_search.server.facility.rockmaker_schema import RockMakerTables

Query = Select[*tuple[Any, ...]]
FOCUS = "ef"  #: the type of the image that is put together of all depths


def new_images(tables: RockMakerTables, after: int, limit: int) -> Query:
    """Extended-focus images with a number above `after`, in this order."""
    image = tables["Image"].c
    return _images(tables).where(image.id > after).order_by(image.id).limit(limit)


def images_of(tables: RockMakerTables, drops: Collection[int], batches: Collection[int]) -> Query:
    """Extended-focus images of some drops in some batches."""
    image, drop, batch = tables["Image"].c, tables["WellDrop"].c, tables["ImageBatch"].c
    return _images(tables).where(drop.id.in_(drops), batch.id.in_(batches)).order_by(image.id)


def batches(tables: RockMakerTables, plates: Collection[int]) -> Query:
    """Batches of plates, the oldest first: their order makes the numbers of inspections."""
    batch, task, made = tables["ImageBatch"], tables["ImagingTask"], tables["ExperimentPlate"]
    return (
        select(made.c.plateid, batch.c.id)
        .join(task, task.c.experimentplateid == made.c.id)
        .join(batch, batch.c.imagingtaskid == task.c.id)
        .where(made.c.plateid.in_(plates))
        .order_by(made.c.plateid, batch.c.id)
    )


def new_scores(tables: RockMakerTables, after: int, limit: int) -> Query:
    """People's scores with a number above `after`, in this order."""
    score, known, group = (tables[name] for name in ("ImageBatchWellDropScore", "WellDropScore", "WellDropScoreGroup"))
    query = (
        select(score.c.id, score.c.welldropid, score.c.imagebatchid, known.c.name)
        .join(known, known.c.id == score.c.welldropscoreid)
        .join(group, group.c.id == known.c.welldropscoregroupid)
        .where(score.c.id > after)
    )
    if "isautoscore" in group.c:
        query = query.where(or_(group.c.isautoscore.is_(None), group.c.isautoscore == literal(0)))
    return query.order_by(score.c.id).limit(limit)


def owners(tables: RockMakerTables, plates: Collection[int]) -> Query:
    """Person, project and type of plates; the project is the folder in which the experiment is."""
    plate, made, person, type_ = (tables[name] for name in ("Plate", "Experiment", "Users", "Containers"))
    node, above = tables["TreeNode"].alias("node"), tables["TreeNode"].alias("above")
    return (
        select(
            plate.c.id, person.c.name.label("person"), above.c.name.label("project"), type_.c.name.label("container")
        )
        .join(made, made.c.id == plate.c.experimentid)
        .outerjoin(person, person.c.id == made.c.userid)
        .outerjoin(node, node.c.id == made.c.treenodeid)
        .outerjoin(above, above.c.id == node.c.parentid)
        .outerjoin(type_, type_.c.id == made.c.containerid)
        .where(plate.c.id.in_(plates))
        .order_by(plate.c.id)
    )


def ingredients(tables: RockMakerTables, plates: Collection[int]) -> Query:
    """Ingredients that were pipetted into the wells of plates, in the order of the layers."""
    well, layer, part = (tables[name] for name in ("Well", "WellLayer", "WellLayerIngredient"))
    stock, chemical, kind, role = (
        tables[name] for name in ("IngredientStock", "Ingredient", "IngredientIngredientType", "IngredientType")
    )
    return (
        select(well.c.plateid, well.c.rowletter, well.c.columnnumber, chemical.c.longname, part.c.concentration)
        .add_columns(stock.c.concentrationunits, part.c.ph, role.c.name.label("role"))
        .join(layer, layer.c.wellid == well.c.id)
        .join(part, part.c.welllayerid == layer.c.id)
        .join(stock, stock.c.id == part.c.ingredientstockid)
        .join(chemical, chemical.c.id == stock.c.ingredientid)
        .outerjoin(kind, kind.c.id == part.c.ingredientingredienttypeid)
        .outerjoin(role, role.c.id == kind.c.ingredienttypeid)
        .where(well.c.plateid.in_(plates))
        .order_by(well.c.plateid, well.c.wellnumber, layer.c.id, part.c.id)
    )


def may_change(tables: RockMakerTables) -> Query:
    """Whether the account could change plates, which it must not: 1 if so."""
    return select(func.has_perms_by_name(literal(tables["Plate"].fullname), literal("OBJECT"), literal("UPDATE")))


def newest(tables: RockMakerTables, limit: int) -> Query:
    """Look at the images that came last."""
    return _images(tables).order_by(tables["Image"].c.id.desc()).limit(limit)


def _images(tables: RockMakerTables) -> Query:
    """Extended-focus images with all that says where they belong and where their files are."""
    image, result, region = tables["Image"].c, tables["CaptureResult"].c, tables["Region"].c
    drop, well, version = tables["WellDrop"].c, tables["Well"].c, tables["CaptureProfileVersion"].c
    return (
        select(*_told(tables))
        .select_from(tables["Image"])
        .join(tables["ImageType"], tables["ImageType"].c.id == image.imagetypeid)
        .join(tables["ImageStore"], tables["ImageStore"].c.id == image.imagestoreid)
        .join(tables["CaptureResult"], result.id == image.captureresultid)
        .join(tables["Region"], region.id == result.regionid)
        .join(tables["WellDrop"], drop.id == region.welldropid)
        .join(tables["Well"], well.id == drop.wellid)
        .join(tables["Plate"], tables["Plate"].c.id == well.plateid)
        .join(tables["CaptureProfileVersion"], version.id == result.captureprofileversionid)
        .join(tables["CaptureProfile"], tables["CaptureProfile"].c.id == version.captureprofileid)
        .join(tables["ImageBatch"], tables["ImageBatch"].c.id == result.imagebatchid)
        .join(tables["ImagingTask"], tables["ImagingTask"].c.id == tables["ImageBatch"].c.imagingtaskid)
        .where(tables["ImageType"].c.shortname == FOCUS)
    )


def _told(tables: RockMakerTables) -> Sequence[ColumnElement[Any]]:
    """Columns that say where an image belongs and where its file is."""
    well, drop, profile = tables["Well"].c, tables["WellDrop"].c, tables["CaptureProfile"].c
    return (
        tables["Image"].c.id,
        tables["Plate"].c.id.label("plate"),
        tables["Plate"].c.barcode,
        well.wellnumber,
        well.rowletter,
        well.columnnumber,
        drop.id.label("welldrop"),
        drop.dropnumber,
        tables["Region"].c.id.label("region"),
        tables["ImageBatch"].c.id.label("batch"),
        profile.id.label("profile"),
        profile.name.label("profile_name"),
        tables["ImageType"].c.shortname,
        tables["ImageStore"].c.basepath,
        tables["ImagingTask"].c.dateimaged,
    )
