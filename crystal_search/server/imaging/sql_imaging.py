"""The imaging database in SQL: SQLite, PostgreSQL or MariaDB, opened by `open_imaging`.

Every method is one transaction: it happens wholly or, when the process is killed, not at all.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError

from crystal_search.outcomes import NO_DROP, outcome_named
from crystal_search.server.imaging import schema
from crystal_search.server.imaging import sql_statements as statements
from crystal_search.server.imaging.adding_rules import batches
from crystal_search.server.imaging.imaging_database import (
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
)
from crystal_search.server.imaging.sql_adding import BATCH, add_images, add_scores, add_unit
from crystal_search.server.imaging.sql_connection import connected
from crystal_search.server.imaging.sql_errors import explained, may_try_again
from crystal_search.server.imaging.sql_rows import (
    auto_score,
    known_time_of,
    manual_score,
    manual_values,
    recipe_of,
    score_of,
    stored_image,
    time_of,
)

ATTEMPTS = 5  #: of a transaction that meets another writer

Answer = TypeVar("Answer")


def open_imaging(url: str | URL) -> "SqlImaging":
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
        return self._write("add images", lambda connection: add_images(connection, wanted))

    def image(self, image_id: int) -> StoredImage | None:
        """Return one image."""
        row = self._read("read an image", lambda c: c.execute(statements.image_by_id(image_id)).one_or_none())
        return stored_image(row) if row else None

    def images(self, image_ids: Collection[int]) -> dict[int, StoredImage]:
        """Return by id those of these images that the database knows."""

        def work(connection: Connection) -> dict[int, StoredImage]:
            found: dict[int, StoredImage] = {}
            for batch in batches(image_ids, BATCH):
                found.update((row.id, stored_image(row)) for row in connection.execute(statements.images_by_ids(batch)))
            return found

        return self._read("read images", work)

    def scored(self, image_ids: Collection[int], recipe: Recipe) -> set[int]:
        """Return those of these images that have an automatic score by `recipe`."""

        def work(connection: Connection) -> set[int]:
            recipe_id = connection.scalar(statements.recipe_id(recipe)) or 0
            found: set[int] = set()
            for batch in batches(image_ids, BATCH):
                found.update(connection.scalars(statements.scored_among(batch, recipe_id)))
            return found

        return self._read("look up scores", work)

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

    def images_without_score(
        self, recipe: Recipe, *, limit: int, plate: str | None = None, channel: str = "visible"
    ) -> list[StoredImage]:
        """Return images of a channel with no score by `recipe` and in no open or failed unit of it, newest first."""

        def work(connection: Connection) -> list[StoredImage]:
            recipe_id = connection.scalar(statements.recipe_id(recipe)) or 0
            if plate is not None:
                query = statements.images_of_plate_to_score(recipe_id, channel, barcode=plate, limit=limit)
                return [stored_image(row) for row in connection.execute(query)]
            others = {0, *connection.scalars(statements.recipe_ids())} - {recipe_id or None}
            found: dict[int, StoredImage] = {}  # an image that is scored meanwhile may be met twice
            for other in others:
                query = statements.images_to_score(recipe_id, channel, last_recipe_id=other, limit=limit)
                found.update((row.id, stored_image(row)) for row in connection.execute(query))
            return sorted(found.values(), key=_age)[:limit]

        return self._read("look for images without a score", work)

    def oldest_unscored(self) -> datetime | None:
        """Return when the visible-light image was taken that has waited longest for its first automatic score."""
        return time_of(self._read("look for the oldest image", lambda c: c.scalar(statements.oldest_unscored())) or "")

    def add_unit(self, unit: UnitRecord) -> bool:
        """Record a work unit with its images, or open it again when it was withdrawn; False when its name is taken."""
        return self._write(f"record work unit {unit.name}", lambda connection: add_unit(connection, unit))

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
        """Close an open work unit as done, failed or withdrawn; one that is closed stays as it is."""
        if state not in CLOSED:
            raise ValueError(f"a work unit is closed as {' or '.join(CLOSED)}, got {state!r}")
        self._write(f"close work unit {name}", lambda c: c.execute(statements.closing(name, state, reason)))

    def add_auto_scores(self, scores: Iterable[AutoScore]) -> int:
        """Add scores to the ledger in one transaction; return how many were new (by image and work unit)."""
        wanted = list(scores)
        return self._write("add automatic scores", lambda connection: add_scores(connection, wanted))

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
        rows = self._read("read the plates", lambda c: c.execute(statements.inspections()).all())
        parts = defaultdict(list)
        for row in rows:
            parts[row.barcode].append(row)
        return [_summary(barcode, parts[barcode]) for barcode in sorted(parts)]

    def drops(self, plate: str, *, inspection: int, channel: str = "visible") -> list[DropScores]:
        """Return the images of one inspection of a plate with the scores that came last, by row, column, drop."""
        where = (plate, inspection, channel)

        def work(connection: Connection) -> list[DropScores]:
            images = [stored_image(row) for row in connection.execute(statements.images_of_inspection(*where))]
            newest = connection.execute(statements.newest_scores_of_inspection(*where)).all()
            auto = {row.image_id: auto_score(row) for row in newest if row.person is None}
            manual = {row.image_id: manual_score(row) for row in newest if row.person is not None}
            return [DropScores(image=image, auto=auto.get(image.id), manual=manual.get(image.id)) for image in images]

        return self._read(f"read plate {plate}", work)

    def ledger(self, image_id: int) -> list[AutoScore | ManualScore]:
        """Return every score of an image, in the order in which they came, whatever the clocks said."""
        rows = self._read("read the ledger", lambda c: c.execute(statements.scores_of_image(image_id)).all())
        return [score_of(row) for row in rows]


def _age(image: StoredImage) -> tuple[float, int]:
    return (-image.imaged_at.timestamp() if image.imaged_at else math.inf), -image.id


def _summary(barcode: str, parts: Sequence[Any]) -> PlateSummary:
    return PlateSummary(
        plate=barcode,
        inspections=tuple(sorted({row.number for row in parts})),
        channels=tuple(sorted({row.channel for row in parts})),
        images=sum(row.images for row in parts),
        scored=sum(row.scored for row in parts),
        last_scored_at=time_of(max(row.last_scored_at for row in parts)),
    )
