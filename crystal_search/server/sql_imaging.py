"""The imaging database in SQL: SQLite, PostgreSQL or MariaDB, opened by `open_imaging`.

Every method is one transaction: it happens wholly or, when the process is killed, not at all.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Insert, Table
from sqlalchemy.exc import DBAPIError

from crystal_search.outcomes import NO_DROP, outcome_named
from crystal_search.server import schema
from crystal_search.server import sql_statements as statements
from crystal_search.server.adding import batches, conflict
from crystal_search.server.imaging import (
    CLOSED,
    Added,
    AutoScore,
    DropScores,
    ManualScore,
    NewImage,
    PlateSummary,
    Recipe,
    StoredImage,
    UnitRecord,
    WellKey,
)
from crystal_search.server.sql_engine import connected
from crystal_search.server.sql_errors import explained, may_try_again
from crystal_search.server.sql_rows import (
    auto_score,
    auto_values,
    digest_of,
    key_values,
    known_time_of,
    manual_score,
    manual_values,
    recipe_of,
    score_of,
    stored_image,
    time_of,
    time_text,
)

BATCH = 500  #: rows a statement; five values each stay far below every database's limit
ATTEMPTS = 5  #: of a transaction that meets another writer

Answer = TypeVar("Answer")


def open_imaging(url: str) -> "SqlImaging":
    """Return the imaging database at a SQLAlchemy `url`, its tables created or upgraded where needed.

    Raises
    ------
    ConfigError
        If the URL is none, names another kind of database, or the driver is not installed.
    SchemaError
        If the database has a newer schema than this program.
    DatabaseError
        If it cannot be reached or used.
    """
    return SqlImaging(connected(url))


class SqlImaging:
    """An `ImagingDatabase` in SQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(writes=True)

    def close(self) -> None:
        """Give back connections."""
        self._engine.dispose()

    def _read(self, what: str, work: Callable[[Connection], Answer]) -> Answer:
        with explained(self._engine, what), self._engine.begin() as connection:
            return work(connection)

    def _write(self, what: str, work: Callable[[Connection], Answer]) -> Answer:
        """Run `work` in one transaction, again when another writer came between."""
        with explained(self._engine, what):
            for _ in range(ATTEMPTS - 1):
                try:
                    with self._writer.begin() as connection:
                        return work(connection)
                except DBAPIError as error:
                    if not may_try_again(error):
                        raise
            with self._writer.begin() as connection:
                return work(connection)

    def add_images(self, images: Iterable[NewImage]) -> Added:
        """Add the images that are not there yet, in one transaction; never change one that is."""
        wanted = list(images)
        return self._write("add images", lambda connection: _add_images(connection, wanted))

    def image(self, image_id: int) -> StoredImage | None:
        """Return one image."""
        row = self._read("read an image", lambda c: c.execute(statements.image_by_id(image_id)).one_or_none())
        return stored_image(row) if row else None

    def plate_images(self, plate: str) -> list[StoredImage]:
        """Return every image of a plate, by inspection, channel, row, column, drop."""
        rows = self._read("read a plate's images", lambda c: c.execute(statements.images_of_plate(plate)).all())
        return [stored_image(row) for row in rows]

    def known_paths(self, paths: Sequence[str]) -> set[str]:
        """Return those of `paths` that are in the database."""

        def work(connection: Connection) -> set[str]:
            found: set[str] = set()
            for batch in batches(paths, BATCH):
                found.update(connection.scalars(statements.paths_among(batch)))
            return found

        return self._read("look up paths", work)

    def images_without_score(self, recipe: Recipe, *, limit: int, plate: str | None = None) -> list[StoredImage]:
        """Return visible-light images with no score by `recipe` and in no open or failed unit of it, newest first."""

        def work(connection: Connection) -> list[StoredImage]:
            known = connection.scalar(statements.recipe_id(recipe))
            query = statements.images_to_score(known or 0, limit=limit, barcode=plate)
            return [stored_image(row) for row in connection.execute(query)]

        return self._read("look for images without a score", work)

    def add_unit(self, unit: UnitRecord) -> bool:
        """Record a work unit with its images; False when the name is there already."""

        def work(connection: Connection) -> bool:
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

        return self._write(f"record work unit {unit.name}", work)

    def units(self, state: str) -> list[UnitRecord]:
        """Return the work units in `state`, oldest first."""
        rows = self._read("read work units", lambda c: c.execute(statements.units_with_images(state)).all())
        units = []
        for _, grouped in groupby(rows, key=lambda row: row.id):
            members = list(grouped)
            first = members[0]
            unit = UnitRecord(
                name=first.name,
                recipe=recipe_of(first),
                image_ids=tuple(row.image_id for row in members if row.image_id is not None),
                created_at=known_time_of(first.created_at),
                state=first.state,
                reason=first.reason,
            )
            units.append(unit)
        return units

    def close_unit(self, name: str, state: str, reason: str = "") -> None:
        """Mark an open work unit as done or failed; one that is closed stays as it is."""
        if state not in CLOSED:
            raise ValueError(f"a work unit is closed as {' or '.join(CLOSED)}, got {state!r}")
        self._write(f"close work unit {name}", lambda c: c.execute(statements.closing(name, state, reason)))

    def add_auto_scores(self, scores: Iterable[AutoScore]) -> int:
        """Add scores to the ledger in one transaction; return how many were new (by image and work unit)."""
        wanted = {(score.image_id, score.work_unit): score for score in reversed(list(scores))}

        def work(connection: Connection) -> int:
            there: set[tuple[int, str]] = set()
            for ids in batches(sorted({image_id for image_id, _ in wanted}), BATCH):
                there.update((row[0], row[1]) for row in connection.execute(statements.machine_scores_among(ids)))
            new = [score for key, score in reversed(wanted.items()) if key not in there]
            recipes = {recipe: _recipe_id(connection, recipe) for recipe in {score.recipe for score in new}}
            _insert(connection, schema.score, [auto_values(score, recipes[score.recipe]) for score in new])
            return len(new)

        return self._write("add automatic scores", work)

    def add_manual_score(self, score: ManualScore) -> None:
        """Add a person's score to the ledger.

        Raises
        ------
        UnknownNameError
            If the outcome is none.
        """
        if score.outcome != NO_DROP:
            outcome_named(score.outcome)
        row = manual_values(score)
        self._write("add a person's score", lambda c: c.execute(schema.score.insert().values(row)))

    def plates(self) -> list[PlateSummary]:
        """Return every plate, by barcode."""

        def work(connection: Connection) -> list[PlateSummary]:
            scored = {row.barcode: row for row in connection.execute(statements.score_counts())}
            parts = defaultdict(list)
            for row in connection.execute(statements.image_counts()):
                parts[row.barcode].append(row)
            return [_summary(barcode, parts[barcode], scored.get(barcode)) for barcode in sorted(parts)]

        return self._read("read the plates", work)

    def drops(self, plate: str, *, inspection: int, channel: str = "visible") -> list[DropScores]:
        """Return the images of one inspection of a plate with their newest scores, by row, column, drop."""
        where = (plate, inspection, channel)

        def work(connection: Connection) -> list[DropScores]:
            images = [stored_image(row) for row in connection.execute(statements.images_of_inspection(*where))]
            newest = connection.execute(statements.newest_scores_of_inspection(*where)).all()
            auto = {row.image_id: auto_score(row) for row in newest if row.person is None}
            manual = {row.image_id: manual_score(row) for row in newest if row.person is not None}
            return [DropScores(image=image, auto=auto.get(image.id), manual=manual.get(image.id)) for image in images]

        return self._read(f"read plate {plate}", work)

    def ledger(self, image_id: int) -> list[AutoScore | ManualScore]:
        """Return every score of an image, oldest first."""
        rows = self._read("read the ledger", lambda c: c.execute(statements.scores_of_image(image_id)).all())
        return [score_of(row) for row in rows]


def _insert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
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
    values = {
        "classifier_name": recipe.classifier_name,
        "classifier_sha256": recipe.classifier_sha256,
        "drop_sha256": recipe.drop_sha256,
        "threshold": recipe.threshold,
    }
    return _insert_one(connection, schema.recipe.insert().values(values))


def _add_images(connection: Connection, wanted: Sequence[NewImage]) -> Added:
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
        added += len(new)
    return Added(added=added, known=known, conflicts=tuple(conflicts))


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


def _image_values(image: NewImage, plate_id: int) -> dict[str, Any]:
    return key_values(image.key) | {
        "plate_id": plate_id,
        "path": image.path,
        "path_digest": digest_of(image.path),
        "imaged_at": time_text(image.imaged_at),
    }


def _summary(barcode: str, parts: Sequence[Any], scored: Any) -> PlateSummary:
    return PlateSummary(
        plate=barcode,
        inspections=tuple(sorted({row.inspection for row in parts})),
        channels=tuple(sorted({row.channel for row in parts})),
        images=sum(row.images for row in parts),
        scored=scored.scored if scored else 0,
        last_scored_at=time_of(scored.last_scored_at) if scored else None,
    )
