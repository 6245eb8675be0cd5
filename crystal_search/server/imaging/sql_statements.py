"""Statements on the imaging database, one a function; values are always bound.

Plain inserts are not here; `import_statements` and `waiting_statements` have those that only they need.

There is no statement that changes or deletes a score. What changes is the state of a work unit, and what is
noted at images and inspections so that big tables need not be searched.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Update,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)

from crystal_search.server.imaging.adding_rules import LONGEST_OFF
from crystal_search.server.imaging.imaging_database import Recipe
from crystal_search.server.imaging.schema import (
    image,
    inspection,
    plate,
    postponement,
    recipe,
    score,
    score_taken_back,
    work_unit,
    work_unit_image,
)
from crystal_search.server.imaging.sql_rows import (
    KEY_COLUMNS,
    VERSION_COLUMNS,
    digest_of,
    key_values,
    models_digest,
    time_text,
)
from crystal_search.wells import REMOVED, WellKey

Query = Select[*tuple[Any, ...]]
InspectionKey = tuple[int, int, str]  #: plate's id, number, channel

_RECIPE_COLUMNS = (recipe.c.models, recipe.c.threshold)
_MEMBER_COLUMNS = (work_unit_image.c.image_id, *(work_unit_image.c[name] for name in VERSION_COLUMNS))
_KEY = tuple(image.c[column] for column in KEY_COLUMNS)
NEWEST = (image.c.arrived_at.desc(), image.c.id.desc())


def counts(machine: FromClause = score) -> ColumnElement[bool]:
    """Tell whether a machine's score is of the picture that its image shows now, and was not taken back."""
    same_file = or_(machine.c.sha256.is_(None), image.c.sha256 == "", machine.c.sha256 == image.c.sha256)
    return and_(machine.c.id > image.c.scores_before, same_file)


def images() -> Query:
    """Select images with their plate's barcode: the rows that `sql_rows.stored_image` reads."""
    return _all_images().where(image.c.channel != REMOVED)


def _all_images() -> Query:
    """Select images, also those that were taken back."""
    return select(image, plate.c.barcode).join(plate)


def images_by_path(paths: Sequence[str]) -> Query:
    """Select the images with these paths."""
    return images().where(image.c.path_digest.in_([digest_of(path) for path in paths]))


def images_by_key(plate_id: int, keys: Sequence[WellKey]) -> Query:
    """Select the images of one plate with these keys."""
    wanted = [tuple(key_values(key).values()) for key in keys]
    return images().where(image.c.plate_id == plate_id, tuple_(*_KEY).in_(wanted))


def images_by_ids(image_ids: Sequence[int]) -> Query:
    """Select those of these images that there are, also those that were taken back."""
    return _all_images().where(image.c.id.in_(image_ids))


def scored_among(image_ids: Sequence[int], recipe_id: int) -> Query:
    """Select the ids of those of these images that have an automatic score by a recipe that counts."""
    return select(score.c.image_id).join(image).where(score.c.image_id.in_(image_ids), *_counts(recipe_id))


def _counts(recipe_id: int) -> tuple[ColumnElement[bool], ...]:
    """Tell whether a score by a recipe is of the picture that its image shows now, and was not taken back."""
    return score.c.recipe_id == recipe_id, counts()


def images_of_plate(barcode: str) -> Query:
    """Select all images of a plate, by inspection, channel, row, column, drop."""
    return images().where(plate.c.barcode == barcode).order_by(*_KEY)


def inspections_taken(barcode: str) -> Query:
    """Select of each inspection of a plate when its first image was taken, where that is known."""
    known = select(image.c.inspection, func.min(image.c.imaged_at).label("taken")).join(plate)
    there = (plate.c.barcode == barcode, image.c.channel != REMOVED, image.c.imaged_at != "")
    return known.where(*there).group_by(image.c.inspection)


def paths_among(paths: Sequence[str]) -> Query:
    """Select those of these paths that belong to an image."""
    return select(image.c.path).where(image.c.path_digest.in_([digest_of(path) for path in paths]))


def plate_ids(barcodes: Sequence[str]) -> Query:
    """Select barcode and id of these plates."""
    return select(plate.c.barcode, plate.c.id).where(plate.c.barcode.in_(barcodes))


def recipe_ids() -> Query:
    """Select the ids of all recipes."""
    return select(recipe.c.id)


def recipes() -> Query:
    """Select id, models and threshold of all recipes, of which there are few."""
    return select(recipe.c.id, *_RECIPE_COLUMNS)


def recipe_id(wanted: Recipe) -> Query:
    """Select the id of a recipe."""
    digest = models_digest(wanted.models)
    return select(recipe.c.id).where(recipe.c.models_digest == digest, recipe.c.threshold == wanted.threshold)


def images_to_score(recipe_id: int, channel: str, *, last_recipe_id: int, now: datetime, limit: int) -> Query:
    """Select images of a channel that are to be scored by the recipe, newest first.

    Only images whose last automatic score is by another recipe, `last_recipe_id`, or 0 for none: these lie in
    the wanted order in index ``ix_image_to_score``, and the images that are done are never looked at.
    """
    wanted = (image.c.last_recipe_id == last_recipe_id, *_waiting(recipe_id, channel, now))
    chosen = select(image.c.id).where(*wanted).order_by(*NEWEST).limit(limit).subquery()
    return images().join(chosen, chosen.c.id == image.c.id).order_by(*NEWEST)


def images_of_plate_to_score(recipe_id: int, channel: str, *, barcode: str, now: datetime, limit: int) -> Query:
    """Select such images of one plate, newest first."""
    waiting = images().where(plate.c.barcode == barcode, *_waiting(recipe_id, channel, now))
    return waiting.order_by(*NEWEST).limit(limit)


def count_unscored(channel: str) -> Query:
    """Select how many images of a channel have no automatic score: counted at inspections, of which there are few."""
    return select(func.sum(inspection.c.images - inspection.c.scored)).where(inspection.c.channel == channel)


def count_scored_before(recipe_id: int, channel: str) -> Query:
    """Select how many images of a channel have a last automatic score by a recipe: an index knows them."""
    return select(func.count()).where(image.c.channel == channel, image.c.last_recipe_id == recipe_id)


def newest_packed(recipe_id: int, channel: str) -> Query:
    """Select the newest image of a channel in an open unit of the recipe.

    It is looked for by its id alone, so that a database begins with the open units, which are few; with the plate's
    barcode beside it SQLite goes through all images.
    """
    held = select(image.c.id).select_from(_MEMBERS.join(image, work_unit_image.c.image_id == image.c.id))
    wanted = held.where(*_holds(recipe_id, "open"), image.c.channel == channel).order_by(*NEWEST).limit(1)
    return images().where(image.c.id == wanted.correlate(None).scalar_subquery())


def waits_longest(*, put_off: bool) -> Query:
    """Select since when that visible-light image waits that waits longest, but for those left out, and `put_off`."""
    left_out = exists().select_from(_MEMBERS).where(*_held_by("failed"))
    waiting = [image.c.channel == "visible", image.c.last_recipe_id == 0, ~left_out]
    if not put_off:
        waiting.append(~exists().where(postponement.c.image_id == image.c.id))
    return select(image.c.waits_since).where(*waiting).order_by(image.c.waits_since, image.c.id).limit(1)


def _waiting(recipe_id: int, channel: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    scored = exists().where(score.c.image_id == image.c.id, *_counts(recipe_id))
    taken = exists().select_from(_MEMBERS).where(*_holds(recipe_id, "open", "failed"))
    until = postponement.c.next_at
    waits = and_(until > time_text(now), until <= time_text(now + LONGEST_OFF))  # as `adding_rules.waits` says
    put_off = exists().where(postponement.c.image_id == image.c.id, waits)
    return image.c.channel == channel, ~scored, ~taken, ~put_off


_MEMBERS = work_unit_image.join(work_unit)


def _holds(recipe_id: int, *states: str) -> tuple[ColumnElement[bool], ...]:
    """Tell whether a work unit of a recipe, in one of these states, holds an image."""
    return work_unit.c.recipe_id == recipe_id, *_held_by(*states)


def _held_by(*states: str) -> tuple[ColumnElement[bool], ...]:
    """Tell whether a work unit in one of these states holds an image."""
    held = work_unit_image.c.image_id == image.c.id
    return held, work_unit_image.c.released.is_(False), work_unit.c.state.in_(states)


def units_named(names: Sequence[str]) -> Query:
    """Select name, id and state of those work units that there are."""
    return select(work_unit.c.name, work_unit.c.id, work_unit.c.state).where(work_unit.c.name.in_(names))


def count_units(state: str) -> Query:
    """Select how many work units are in a state."""
    return select(func.count()).select_from(work_unit).where(work_unit.c.state == state)


def units_in(state: str) -> Query:
    """Select the names of the work units in a state with their recipes, oldest first."""
    there = select(work_unit.c.name, *_RECIPE_COLUMNS).join(recipe).where(work_unit.c.state == state)
    return there.order_by(work_unit.c.created_at, work_unit.c.id)


def units_with_images(state: str, last: int) -> Query:
    """Select the last work units in a state, one row for each of their images, oldest unit first, images in order."""
    newest = (work_unit.c.created_at.desc(), work_unit.c.id.desc())
    chosen = select(work_unit.c.id).where(work_unit.c.state == state).order_by(*newest).limit(last).subquery()
    return (
        select(work_unit, *_RECIPE_COLUMNS, *_MEMBER_COLUMNS)
        .join(recipe)
        .join(chosen, chosen.c.id == work_unit.c.id)
        .outerjoin(work_unit_image)
        .order_by(work_unit.c.created_at, work_unit.c.id, work_unit_image.c.position)
    )


def units_moved(names: Sequence[str], source: str, target: str, reason: str = "") -> Update:
    """Bring work units from state `source` to `target`; those in another state stay as they are."""
    there = update(work_unit).where(work_unit.c.name.in_(names), work_unit.c.state == source)
    return there.values(state=target, reason=reason)


def machine_scores_among(image_ids: Sequence[int]) -> Query:
    """Select image and work unit of every automatic score of these images."""
    return select(score.c.image_id, score.c.work_unit).where(
        score.c.image_id.in_(image_ids), score.c.work_unit.is_not(None)
    )


def scores() -> Query:
    """Select scores with their recipes, and whether they count: the rows that `sql_rows.score_of` reads."""
    told = (*_RECIPE_COLUMNS, score_taken_back.c.taken_back_at, counts().label("counts"))
    return select(score, *told).select_from(score.outerjoin(recipe).outerjoin(score_taken_back).join(image))


def scores_of_image(image_id: int) -> Query:
    """Select the ledger of one image in the order in which scores came; clocks may differ."""
    return scores().where(score.c.image_id == image_id).order_by(score.c.id)


def images_of_inspection(barcode: str, number: int, channel: str) -> Query:
    """Select the images of one inspection of a plate in one channel, by row, column, drop."""
    return images().where(*of_inspection(barcode, number, channel)).order_by(*_KEY)


def newest_scores(there: Sequence[ColumnElement[bool]], readouts: Sequence[int], others: Sequence[int]) -> Query:
    """Select the scores that came last of each image of which that holds, the last first: of machines, of each person.

    And of each recipe of `readouts`; those of recipes among `others` are left out, and those that were taken back.
    Machines are nobody, so that all of them but readouts are one in the partition. Of theirs one that counts comes
    before any other: the score of a former picture may come late.
    """
    last_first = (score.c.late, case((counts(), 0), else_=1), score.c.id.desc())
    readout = case((score.c.recipe_id.in_(readouts), score.c.recipe_id), else_=0)
    age = func.row_number().over(partition_by=(score.c.image_id, score.c.person, readout), order_by=last_first)
    wanted = or_(score.c.recipe_id.is_(None), score.c.recipe_id.not_in(others))
    ranked = (
        select(score.c.id, age.label("age"))
        .select_from(score.join(image).join(plate))
        .where(*there, wanted, stands())
        .subquery()
    )
    return scores().join(ranked, ranked.c.id == score.c.id).where(ranked.c.age == 1).order_by(*last_first)


def recipes_of_inspection(barcode: str, number: int, channel: str) -> Query:
    """Select the recipes by which images of one inspection of a plate have a score that counts."""
    used = (
        select(score.c.recipe_id)
        .select_from(score.join(image).join(plate))
        .where(*of_inspection(barcode, number, channel), score.c.recipe_id.is_not(None), counts())
    )
    return recipes().where(recipe.c.id.in_(used)).order_by(recipe.c.id)


def scores_of_inspection_by(recipe_id: int, barcode: str, number: int, channel: str) -> Query:
    """Select the scores by a recipe of the images of one inspection of a plate that count, the last one last."""
    wanted = (*of_inspection(barcode, number, channel), score.c.recipe_id == recipe_id, counts())
    return scores().join(plate, plate.c.id == image.c.plate_id).where(*wanted).order_by(score.c.id)


def stands() -> ColumnElement[bool]:
    """Tell whether a score was not taken back."""
    return ~exists().where(score_taken_back.c.score_id == score.c.id)


def last_that_stands(score_id: int, person: str) -> Query:
    """Select the last score that a person gave the image of a score, and did not take back."""
    this = select(score.c.image_id).where(score.c.id == score_id).scalar_subquery()
    own = select(score.c.id).where(score.c.image_id == this, score.c.person == person, stands())
    return own.order_by(score.c.late, score.c.id.desc()).limit(1)


def image_of_score(score_id: int) -> Query:
    """Select which image a score is of."""
    return select(score.c.image_id).where(score.c.id == score_id)


def of_inspection(barcode: str, number: int, channel: str) -> tuple[ColumnElement[bool], ...]:
    """Return what holds of the images of one inspection of a plate, in one channel."""
    return plate.c.barcode == barcode, image.c.inspection == number, image.c.channel == channel


def among(image_ids: Sequence[int]) -> tuple[ColumnElement[bool], ...]:
    """Return what holds of these images."""
    return (image.c.id.in_(image_ids),)


def inspections(barcode: str | None) -> Query:
    """Select every inspection of every plate, or of one, in every channel that has images, with its counts."""
    there = select(inspection, plate.c.barcode).join(plate).where(inspection.c.images > 0)
    return (there if barcode is None else there.where(plate.c.barcode == barcode)).order_by(plate.c.barcode)


def images_packed(below: int | None, limit: int) -> Query:
    """Select the ids of images that were ever packed, the highest first, only those below `below` if one is given."""
    image_id = work_unit_image.c.image_id
    wanted = select(image_id).group_by(image_id).order_by(image_id.desc()).limit(limit)
    return wanted if below is None else wanted.where(image_id < below)


def images_read_among(image_ids: Sequence[int]) -> Query:
    """Select those of these images whose files were read, the highest id first."""
    return images().where(image.c.id.in_(image_ids), image.c.sha256 != "").order_by(image.c.id.desc())


def versions_of(image_ids: Sequence[int]) -> Query:
    """Select what is noted of the files of these images."""
    return select(image.c.id, *(image.c[name] for name in VERSION_COLUMNS)).where(image.c.id.in_(image_ids))


def noting_version() -> Update:
    """Note which file the image `of_image` has, in whatever columns are given with it."""
    return update(image).where(image.c.id == bindparam("of_image"))


def noting_packed() -> Update:
    """Note of which file of the image `of_image` the work unit `of_unit` was packed, in whatever columns are given."""
    this = select(work_unit.c.id).where(work_unit.c.name == bindparam("of_unit")).scalar_subquery()
    member = update(work_unit_image).where(work_unit_image.c.work_unit_id == this)
    return member.where(work_unit_image.c.image_id == bindparam("of_image"))


def discounting(image_ids: Sequence[int], now: str) -> Update:
    """Have the automatic scores that these images have now count no more; they wait for another one since `now`."""
    last = select(func.max(score.c.id)).where(score.c.image_id == image.c.id, score.c.recipe_id.is_not(None))
    before = func.coalesce(last.scalar_subquery(), image.c.scores_before)
    values = {"last_recipe_id": 0, "scores_before": before, "waits_since": now}
    return update(image).where(image.c.id.in_(image_ids)).values(values)


def releasing(image_ids: Sequence[int]) -> Update:
    """Have work units that failed no longer hold these images."""
    failed = select(work_unit.c.id).where(work_unit.c.state == "failed")
    members = update(work_unit_image).where(work_unit_image.c.image_id.in_(image_ids))
    return members.where(work_unit_image.c.work_unit_id.in_(failed)).values(released=True)


def releasing_others(unit: str, image_ids: Sequence[int]) -> Update:
    """Have a work unit hold none but these images."""
    this = select(work_unit.c.id).where(work_unit.c.name == unit).scalar_subquery()
    others = update(work_unit_image).where(work_unit_image.c.work_unit_id == this)
    return others.where(work_unit_image.c.image_id.not_in(image_ids)).values(released=True)


def first_scored(image_ids: Sequence[int], recipe_id: int) -> Update:
    """Note the recipe at those of these images that have no automatic score yet."""
    unscored = update(image).where(image.c.id.in_(image_ids), image.c.last_recipe_id == 0)
    return unscored.values(last_recipe_id=recipe_id)


def scored_again(image_ids: Sequence[int], recipe_id: int) -> Update:
    """Note the recipe at those of these images whose last automatic score is by another one."""
    others = update(image).where(image.c.id.in_(image_ids), image.c.last_recipe_id != recipe_id)
    return others.values(last_recipe_id=recipe_id)
