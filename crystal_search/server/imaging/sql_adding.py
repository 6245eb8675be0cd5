"""Adding rows to the imaging database, each function inside a transaction that somebody else began."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Insert, Table

from crystal_search.server.imaging import schema
from crystal_search.server.imaging import sql_statements as statements
from crystal_search.server.imaging.adding_rules import batches, conflict
from crystal_search.server.imaging.imaging_database import Added, AutoScore, NewImage, Recipe, StoredImage, UnitRecord
from crystal_search.server.imaging.sql_rows import (
    Values,
    auto_values,
    digest_of,
    key_values,
    recipe_values,
    stored_image,
    time_text,
)
from crystal_search.server.imaging.sql_statements import InspectionKey
from crystal_search.wells import WellKey

BATCH = 500  #: rows a statement; five values each stay far below every database's limit


def add_images(connection: Connection, wanted: Sequence[NewImage]) -> Added:
    """Add the images that are not there yet, and count them at their inspections."""
    added = known = 0
    conflicts: list[str] = []
    for batch in batches(wanted, BATCH):
        plates = _plate_ids(connection, sorted({image.key.plate for image in batch}))
        there = _images_there(connection, batch, plates)
        keys = {image.path: image.key for image in there}
        paths = {image.key: image.path for image in there}
        new = []
        for image in batch:
            if trouble := conflict(image, keys.get(image.path), paths.get(image.key)):
                conflicts.append(trouble)
            elif image.path in keys:
                known += 1
            else:
                keys[image.path], paths[image.key] = image.key, image.path
                new.append(_image_values(image, plates[image.key.plate]))
        _insert(connection, schema.image, new)
        _count_images(connection, new)
        added += len(new)
    return Added(added=added, known=known, conflicts=tuple(conflicts))


def add_scores(connection: Connection, scores: Sequence[AutoScore]) -> int:
    """Add the automatic scores that are not there yet, and note them at their images and inspections."""
    wanted: dict[tuple[int, str], AutoScore] = {}
    for score in scores:
        wanted.setdefault((score.image_id, score.work_unit), score)
    there: set[tuple[int, str]] = set()
    for ids in batches(sorted({image_id for image_id, _ in wanted}), BATCH):
        there.update((row[0], row[1]) for row in connection.execute(statements.machine_scores_among(ids)))
    new = [score for key, score in wanted.items() if key not in there]
    recipes = {recipe: _recipe_id(connection, recipe) for recipe in {score.recipe for score in new}}
    _insert(connection, schema.score, [auto_values(score, recipes[score.recipe]) for score in new])
    for recipe, recipe_id in recipes.items():
        _note_scores(connection, [score for score in new if score.recipe == recipe], recipe_id)
    return len(new)


def add_unit(connection: Connection, unit: UnitRecord) -> bool:
    """Add a work unit with its images, or open it again when it was withdrawn; False when its name is taken."""
    if connection.execute(statements.opening_again(unit.name)).rowcount:
        return True
    if connection.scalar(statements.unit_by_name(unit.name)) is not None:
        return False
    values = {
        "name": unit.name,
        "recipe_id": _recipe_id(connection, unit.recipe),
        "created_at": time_text(unit.created_at),
        "state": unit.state,
        "reason": unit.reason,
    }
    unit_id = _insert_one(connection, schema.work_unit.insert().values(values))
    members = [
        {"work_unit_id": unit_id, "position": position, "image_id": image_id}
        for position, image_id in enumerate(unit.image_ids)
    ]
    _insert(connection, schema.work_unit_image, members)
    return True


def _insert(connection: Connection, table: Table, rows: Sequence[Values]) -> None:
    for batch in batches(rows, BATCH):
        connection.execute(table.insert(), batch)


def _insert_one(connection: Connection, statement: Insert) -> int:
    """Insert one row and return its id."""
    inserted = connection.execute(statement).inserted_primary_key
    return int(inserted[0]) if inserted else 0


def _recipe_id(connection: Connection, recipe: Recipe) -> int:
    """Return the id of a recipe, recorded now when it is new."""
    known = connection.scalar(statements.recipe_id(recipe))
    if known is not None:
        return int(known)
    return _insert_one(connection, schema.recipe.insert().values(recipe_values(recipe)))


def _plate_ids(connection: Connection, barcodes: Sequence[str]) -> dict[str, int]:
    """Return the id of each plate, recorded now when it is new."""
    ids = {row.barcode: row.id for row in connection.execute(statements.plate_ids(barcodes))}
    for barcode in barcodes:
        if barcode not in ids:
            ids[barcode] = _insert_one(connection, schema.plate.insert().values(barcode=barcode))
    return ids


def _images_there(connection: Connection, batch: Sequence[NewImage], plates: dict[str, int]) -> list[StoredImage]:
    """Return the images that have a path or a key of the batch."""
    rows = list(connection.execute(statements.images_by_path([image.path for image in batch])))
    keys: dict[str, list[WellKey]] = defaultdict(list)
    for image in batch:
        keys[image.key.plate].append(image.key)
    for plate, wanted in keys.items():
        rows += connection.execute(statements.images_by_key(plates[plate], wanted))
    return [stored_image(row) for row in rows]


def _image_values(image: NewImage, plate_id: int) -> Values:
    return key_values(image.key) | {
        "plate_id": plate_id,
        "path": image.path,
        "path_digest": digest_of(image.path),
        "imaged_at": time_text(image.imaged_at),
        "last_recipe_id": 0,
    }


def _count_images(connection: Connection, images: Sequence[Values]) -> None:
    counts = Counter[InspectionKey]((each["plate_id"], each["inspection"], each["channel"]) for each in images)
    if not counts:
        return
    plates = sorted({plate_id for plate_id, _, _ in counts})
    there = {tuple[Any, ...](row) for row in connection.execute(statements.inspection_keys(plates))}
    empty = {"images": 0, "scored": 0, "last_scored_at": ""}
    missing = [dict(zip(("plate_id", "number", "channel"), key, strict=True)) for key in counts if key not in there]
    _insert(connection, schema.inspection, [key | empty for key in missing])
    for key, count in sorted(counts.items()):
        connection.execute(statements.counting_images(key, count))


def _note_scores(connection: Connection, scores: Sequence[AutoScore], recipe_id: int) -> None:
    """Note new scores by one recipe at their images, and count those scored for the first time."""
    times: dict[int, str] = {}
    for score in scores:
        times[score.image_id] = max(times.get(score.image_id, ""), time_text(score.scored_at))
    members: dict[InspectionKey, list[int]] = defaultdict(list)
    for ids in batches(sorted(times), BATCH):
        for row in connection.execute(statements.inspections_of_images(ids)):
            members[row.plate_id, row.inspection, row.channel].append(row.id)
    for key, ids in sorted(members.items()):
        first = connection.execute(statements.first_scored(ids, recipe_id)).rowcount
        connection.execute(statements.scored_again(ids, recipe_id))
        connection.execute(statements.counting_scores(key, first, max(times[image_id] for image_id in ids)))
