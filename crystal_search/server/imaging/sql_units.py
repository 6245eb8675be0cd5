"""The work units of an imaging database in SQL, and the images that wait for one."""

from collections.abc import Collection
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter

from sqlalchemy import Connection

from crystal_search.server.imaging import schema
from crystal_search.server.imaging import sql_statements as statements
from crystal_search.server.imaging.adding_rules import batches
from crystal_search.server.imaging.imaging_database import ALL, CLOSED, Recipe, UnitRecord
from crystal_search.server.imaging.sql_rows import AnyRow, Values, recipe_of, stored_image, time_text, version_of
from crystal_search.server.imaging.sql_transactions import (
    BATCH,
    SqlTransactions,
    insert,
    recipe_id_of,
    rows_of,
)
from crystal_search.server.imaging.stored_images import StoredImage


class SqlUnits(SqlTransactions):
    """`Units` in SQL."""

    def images_without_score(
        self, recipe: Recipe, *, limit: int, plate: str | None = None, channel: str = "visible"
    ) -> list[StoredImage]:
        """Return images of a channel that are to be scored by `recipe`, the newest first.

        These have no score by it that counts, are in no open or failed unit of it, and are not postponed. An image
        without a date is as new as its import.
        """
        now = datetime.now(UTC)

        def work(connection: Connection) -> list[StoredImage]:
            recipe_id = connection.scalar(statements.recipe_id(recipe)) or 0
            if plate is not None:
                query = statements.images_of_plate_to_score(recipe_id, channel, barcode=plate, now=now, limit=limit)
                return [stored_image(row) for row in connection.execute(query)]
            others = {0, *connection.scalars(statements.recipe_ids())} - {recipe_id or None}
            found: dict[int, tuple[tuple[str, int], StoredImage]] = {}  # one scored meanwhile may be met twice
            for other in others:
                query = statements.images_to_score(recipe_id, channel, last_recipe_id=other, now=now, limit=limit)
                rows = connection.execute(query)
                found.update((row.id, ((row.arrived_at, row.id), stored_image(row))) for row in rows)
            return [image for _, image in sorted(found.values(), key=itemgetter(0), reverse=True)[:limit]]

        return self._read("look for images without a score", work)

    def count_to_score(self, recipe: Recipe, *, channel: str = "visible") -> int:
        """Return how many images of a channel have a last automatic score of another recipe, or none."""

        def work(connection: Connection) -> int:
            recipe_id = connection.scalar(statements.recipe_id(recipe))
            others = set(connection.scalars(statements.recipe_ids())) - {recipe_id}
            queries = [statements.count_scored_before(other, channel) for other in others]
            return sum(int(connection.scalar(query) or 0) for query in (statements.count_unscored(channel), *queries))

        return self._read("count images without a score", work)

    def newest_packed(self, recipe: Recipe, *, channel: str = "visible") -> StoredImage | None:
        """Return the newest image of a channel in an open unit of `recipe`."""

        def work(connection: Connection) -> StoredImage | None:
            recipe_id = connection.scalar(statements.recipe_id(recipe)) or 0
            row = connection.execute(statements.newest_packed(recipe_id, channel)).first()
            return stored_image(row) if row else None

        return self._read("look for the newest image in work", work)

    def add_units(self, units: Collection[UnitRecord]) -> set[str]:
        """Record work units with their images, or open those again that were withdrawn, in one transaction.

        Return the names of these; nothing happens to a work unit whose name is taken.
        """
        return self._write("record work units", lambda connection: _add_units(connection, units))

    def count_units(self, state: str) -> int:
        """Return how many work units are in `state`."""
        return int(self._read("count work units", lambda c: c.scalar(statements.count_units(state))) or 0)

    def units(self, state: str, *, last: int = ALL) -> list[UnitRecord]:
        """Return the work units in `state`, oldest first; of more than `last` those that were made last."""
        rows = self._read("read work units", lambda c: c.execute(statements.units_with_images(state, last)).all())
        units = []
        for _, grouped in groupby(rows, key=lambda row: row.id):
            members = list(grouped)
            first = members[0]
            held = [row for row in members if row.image_id is not None]
            versions = tuple(version_of(row) for row in held)
            unit = UnitRecord(
                name=first.name,
                recipe=recipe_of(first),
                image_ids=tuple(row.image_id for row in held),
                versions=versions if any(versions) else (),
                created_at=datetime.fromisoformat(first.created_at),
                state=first.state,
                reason=first.reason,
            )
            units.append(unit)
        return units

    def unit_recipes(self, state: str) -> dict[str, Recipe]:
        """Return by name the recipes of the work units in `state`, oldest first; images are not looked at."""
        rows = self._read("read work units", lambda c: c.execute(statements.units_in(state)).all())
        return {row.name: recipe_of(row) for row in rows}

    def known_units(self, names: Collection[str]) -> set[str]:
        """Return those of `names` that are work units of this database, in whatever state."""
        if not names:
            return set()

        def work(connection: Connection) -> set[str]:
            return {row.name for row in rows_of(connection, sorted(names), statements.units_named)}

        return self._read("look up work units", work)

    def close_unit(self, name: str, state: str, reason: str = "", *, left_out: Collection[int] | None = None) -> None:
        """Close an open work unit as done, failed or withdrawn; one that is closed stays as it is.

        The images of one that failed are not packed again: those in `left_out`, or all for None.

        Raises
        ------
        ValueError
            If `state` is none in which a work unit is closed.
        """

        def work(connection: Connection) -> None:
            moved = connection.execute(statements.units_moved([name], "open", state, reason)).rowcount
            if moved and left_out is not None:
                connection.execute(statements.releasing_others(name, sorted(left_out)))

        if state not in CLOSED:
            raise ValueError(f"a work unit is closed as {' or '.join(CLOSED)}, got {state!r}")
        self._write(f"close work unit {name}", work)

    def finish_units(self, names: Collection[str]) -> None:
        """Close open work units as done, in one transaction; those that are closed stay as they are."""

        def work(connection: Connection) -> None:
            for batch in batches(names, BATCH):
                connection.execute(statements.units_moved(batch, "open", "done"))

        self._write("close work units", work)


def _add_units(connection: Connection, units: Collection[UnitRecord]) -> set[str]:
    """Add work units with their images, or open those again that were withdrawn; return the names of these."""
    there = _units_named(connection, units)
    withdrawn = [name for name, row in there.items() if row.state == "withdrawn"]
    for batch in batches(withdrawn, BATCH):
        connection.execute(statements.units_moved(batch, "withdrawn", "open"))
    new = [unit for unit in units if unit.name not in there]
    recipes = {recipe: recipe_id_of(connection, recipe) for recipe in {unit.recipe for unit in new}}
    insert(connection, schema.work_unit, [_unit_values(unit, recipes[unit.recipe]) for unit in new])
    made = _units_named(connection, new)
    members = [
        {"work_unit_id": made[unit.name].id, "position": position, "image_id": image_id}
        for unit in new
        for position, image_id in enumerate(unit.image_ids)
    ]
    insert(connection, schema.work_unit_image, members)
    return {*withdrawn, *made}


def _units_named(connection: Connection, units: Collection[UnitRecord]) -> dict[str, AnyRow]:
    """Return name, id and state of those of these work units that the database knows, by name."""
    return {row.name: row for row in rows_of(connection, [unit.name for unit in units], statements.units_named)}


def _unit_values(unit: UnitRecord, recipe_id: int) -> Values:
    return {
        "name": unit.name,
        "recipe_id": recipe_id,
        "created_at": time_text(unit.created_at),
        "state": unit.state,
        "reason": unit.reason,
    }
