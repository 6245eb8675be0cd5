"""Every statement that reads the imaging database, one a function; values are always bound.

There is no statement that changes or deletes a score, and the one that changes anything is `closing`.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Update, and_, exists, func, select, tuple_, update

from crystal_search.server.imaging import Recipe, WellKey
from crystal_search.server.schema import image, plate, recipe, score, work_unit, work_unit_image
from crystal_search.server.sql_rows import digest_of

Query = Select[*tuple[Any, ...]]

_RECIPE_COLUMNS = (
    recipe.c.classifier_name,
    recipe.c.classifier_sha256,
    recipe.c.drop_sha256,
    recipe.c.threshold,
)


def images() -> Query:
    """Select images with their plate's barcode: the rows that `sql_rows.stored_image` reads."""
    return select(image, plate.c.barcode).join(plate)


def image_by_id(image_id: int) -> Query:
    """Select one image."""
    return images().where(image.c.id == image_id)


def images_by_path(paths: Sequence[str]) -> Query:
    """Select the images with these paths."""
    return images().where(image.c.path_digest.in_([digest_of(path) for path in paths]))


def images_by_key(plate_id: int, keys: Sequence[WellKey]) -> Query:
    """Select the images of one plate with these keys."""
    columns = (image.c.inspection, image.c.channel, image.c.well_row, image.c.well_column, image.c.drop_number)
    wanted = [(key.inspection, key.channel, key.row, key.column, key.drop) for key in keys]
    return images().where(image.c.plate_id == plate_id, tuple_(*columns).in_(wanted))


def images_of_plate(barcode: str) -> Query:
    """Select all images of a plate, by inspection, channel, row, column, drop."""
    order = (image.c.inspection, image.c.channel, image.c.well_row, image.c.well_column, image.c.drop_number)
    return images().where(plate.c.barcode == barcode).order_by(*order)


def paths_among(paths: Sequence[str]) -> Query:
    """Select those of these paths that belong to an image."""
    return select(image.c.path).where(image.c.path_digest.in_([digest_of(path) for path in paths]))


def plate_ids(barcodes: Sequence[str]) -> Query:
    """Select barcode and id of these plates."""
    return select(plate.c.barcode, plate.c.id).where(plate.c.barcode.in_(barcodes))


def recipe_id(wanted: Recipe) -> Query:
    """Select the id of a recipe."""
    return select(recipe.c.id).where(
        recipe.c.classifier_sha256 == wanted.classifier_sha256,
        recipe.c.drop_sha256 == wanted.drop_sha256,
        recipe.c.threshold == wanted.threshold,
        recipe.c.classifier_name == wanted.classifier_name,
    )


def images_to_score(recipe_id: int, *, limit: int, barcode: str | None) -> Query:
    """Select visible-light images without a score by the recipe and in no open or failed unit of it, newest first.

    The newest are found along index ``ix_image_newest``; those of one plate along the key of table image.
    """
    wanted = and_(image.c.channel == "visible", ~_scored(recipe_id), ~_taken(recipe_id))
    if barcode is not None:
        of_plate = select(plate.c.id).where(plate.c.barcode == barcode).scalar_subquery()
        wanted = and_(wanted, image.c.plate_id == of_plate)
    newest = (image.c.imaged_at.desc(), image.c.id.desc())
    chosen = select(image.c.id).where(wanted).order_by(*newest).limit(limit).subquery()
    return images().join(chosen, chosen.c.id == image.c.id).order_by(*newest)


def _scored(recipe_id: int) -> ColumnElement[bool]:
    return exists().where(score.c.image_id == image.c.id, score.c.recipe_id == recipe_id)


def _taken(recipe_id: int) -> ColumnElement[bool]:
    units = work_unit_image.join(work_unit)
    return (
        exists()
        .select_from(units)
        .where(
            work_unit_image.c.image_id == image.c.id,
            work_unit.c.recipe_id == recipe_id,
            work_unit.c.state.in_(("open", "failed")),
        )
    )


def unit_by_name(name: str) -> Query:
    """Select the id of a work unit."""
    return select(work_unit.c.id).where(work_unit.c.name == name)


def units_with_images(state: str) -> Query:
    """Select the work units in a state, one row for each of their images, oldest unit first, images in their order."""
    return (
        select(work_unit, *_RECIPE_COLUMNS, work_unit_image.c.image_id)
        .join(recipe)
        .outerjoin(work_unit_image)
        .where(work_unit.c.state == state)
        .order_by(work_unit.c.created_at, work_unit.c.id, work_unit_image.c.position)
    )


def closing(name: str, state: str, reason: str) -> Update:
    """Mark one open work unit as done or failed; a closed one stays as it is."""
    open_one = update(work_unit).where(work_unit.c.name == name, work_unit.c.state == "open")
    return open_one.values(state=state, reason=reason)


def machine_scores_among(image_ids: Sequence[int]) -> Query:
    """Select image and work unit of every automatic score of these images."""
    return select(score.c.image_id, score.c.work_unit).where(
        score.c.image_id.in_(image_ids), score.c.work_unit.is_not(None)
    )


def scores() -> Query:
    """Select scores with their recipes: the rows that `sql_rows.score_of` reads."""
    return select(score, *_RECIPE_COLUMNS).outerjoin_from(score, recipe)


def scores_of_image(image_id: int) -> Query:
    """Select the ledger of one image, oldest first."""
    return scores().where(score.c.image_id == image_id).order_by(score.c.scored_at, score.c.id)


def images_of_inspection(barcode: str, inspection: int, channel: str) -> Query:
    """Select the images of one inspection of a plate in one channel, by row, column, drop."""
    order = (image.c.well_row, image.c.well_column, image.c.drop_number)
    return images().where(*_inspection(barcode, inspection, channel)).order_by(*order)


def newest_scores_of_inspection(barcode: str, inspection: int, channel: str) -> Query:
    """Select the newest score of each kind, a machine's and a person's, of each image of one inspection."""
    newest_first = (score.c.scored_at.desc(), score.c.id.desc())
    age = func.row_number().over(partition_by=(score.c.image_id, score.c.person.is_(None)), order_by=newest_first)
    ranked = (
        select(score.c.id, age.label("age"))
        .select_from(score.join(image).join(plate))
        .where(*_inspection(barcode, inspection, channel))
        .subquery()
    )
    return scores().join(ranked, ranked.c.id == score.c.id).where(ranked.c.age == 1)


def _inspection(barcode: str, inspection: int, channel: str) -> tuple[ColumnElement[bool], ...]:
    return plate.c.barcode == barcode, image.c.inspection == inspection, image.c.channel == channel


def image_counts() -> Query:
    """Count images plate by plate, inspection by inspection, channel by channel."""
    grouped = (plate.c.barcode, image.c.inspection, image.c.channel)
    return (
        select(plate.c.barcode, image.c.inspection, image.c.channel, func.count().label("images"))
        .select_from(image.join(plate))
        .group_by(*grouped)
    )


def score_counts() -> Query:
    """Count images with an automatic score plate by plate, with the time of the newest score."""
    return (
        select(
            plate.c.barcode,
            func.count(score.c.image_id.distinct()).label("scored"),
            func.max(score.c.scored_at).label("last_scored_at"),
        )
        .select_from(score.join(image).join(plate))
        .where(score.c.recipe_id.is_not(None))
        .group_by(plate.c.barcode)
    )
