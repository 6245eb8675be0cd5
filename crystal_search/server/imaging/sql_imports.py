"""Which import brought an image, taking images back, and following files that moved, in SQL."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection

from crystal_search.server.imaging import import_statements as statements
from crystal_search.server.imaging import schema
from crystal_search.server.imaging.adding_rules import batches
from crystal_search.server.imaging.sql_counts import count_at
from crystal_search.server.imaging.sql_rows import AnyRow, digest_of, stored_image, time_text
from crystal_search.server.imaging.sql_statements import InspectionKey
from crystal_search.server.imaging.sql_transactions import BATCH, SqlTransactions, insert, insert_one, rows_of
from crystal_search.server.imaging.stored_images import ImportRecord, NewImage, Removal, StoredImage
from crystal_search.server.imaging.waiting_statements import taking_up


class SqlImports(SqlTransactions):
    """`Imports` in SQL."""

    def begin_import(self, folder: str, person: str) -> int:
        """Record that an import of a folder begins, and return its number."""
        values = {"folder": folder, "person": person, "began_at": time_text(datetime.now(UTC))}
        return self._write("record an import", lambda c: insert_one(c, schema.import_run.insert().values(values)))

    def imports(self) -> list[ImportRecord]:
        """Return every import that brought images which are still there, the last first."""
        rows = self._read("read the imports", lambda c: c.execute(statements.imports()).all())
        return [
            ImportRecord(
                id=row.id,
                folder=row.folder,
                person=row.person,
                began_at=datetime.fromisoformat(row.began_at),
                images=row.images,
            )
            for row in rows
        ]

    def imported(self, import_id: int) -> list[StoredImage]:
        """Return the images that an import brought and that are still there."""
        rows = self._read("read an import", lambda c: c.execute(statements.images_of_import(import_id)).all())
        return [stored_image(row) for row in rows]

    def scored_by_hand(self, image_ids: Collection[int]) -> set[int]:
        """Return those of these images that a person has scored."""

        def work(connection: Connection) -> set[int]:
            return {row.image_id for row in rows_of(connection, image_ids, statements.scored_by_hand)}

        return self._read("look for scores by hand", work)

    def remove_images(self, image_ids: Collection[int], removal: Removal) -> int:
        """Take images back, and return the number of the removal; their scores stay in the ledger, unseen."""
        return self._write("take images back", lambda connection: _remove(connection, sorted(image_ids), removal))

    def removals(self) -> list[Removal]:
        """Return what was taken back, by whom, the last first."""
        rows = self._read("read the removals", lambda c: c.execute(statements.removals()).all())
        return [
            Removal(
                id=row.id,
                person=row.person,
                what=row.what,
                why=row.why,
                images=row.images,
                removed_at=datetime.fromisoformat(row.removed_at),
            )
            for row in rows
        ]

    def images_below(self, folder: str) -> list[StoredImage]:
        """Return the images whose files lie in a folder or in those inside it."""
        rows = self._read("look for a folder", lambda c: c.execute(statements.images_below(folder)).all())
        return [stored_image(row) for row in rows]

    def move_images(self, paths: Mapping[int, str]) -> None:
        """Note where the files of images are now."""

        def work(connection: Connection) -> None:
            for image_id, path in paths.items():
                connection.execute(statements.moving(image_id, path))

        self._write("follow files that moved", work)

    def move_removed(self, old: str, new: str) -> int:
        """Note of all images below the folder `old` that were taken back that their files are below `new` now."""

        def work(connection: Connection) -> int:
            rows = connection.execute(statements.removed_below(old)).all()
            for row in rows:
                for statement in statements.moving_removed(row.id, new + row.path[len(old) :]):
                    connection.execute(statement)
            return len(rows)

        return self._write("follow files that were taken back", work)


def _remove(connection: Connection, image_ids: Sequence[int], removal: Removal) -> int:
    rows = list(rows_of(connection, image_ids, statements.to_remove))
    values = {
        "removed_at": time_text(removal.removed_at),
        "person": removal.person,
        "what": removal.what,
        "why": removal.why,
        "images": len(rows),
    }
    number = insert_one(connection, schema.removal.insert().values(values))
    insert(connection, schema.removed_image, [_as_removed(row, number) for row in rows])
    _recount(connection, rows, -1)
    for row in rows:
        connection.execute(statements.hiding(row.id))
    for batch in batches([row.id for row in rows], BATCH):
        connection.execute(taking_up(batch))
    return number


def _as_removed(row: AnyRow, removal: int) -> dict[str, object]:
    return {
        "image_id": row.id,
        "removal_id": removal,
        "inspection": row.inspection,
        "channel": row.channel,
        "path_digest": row.path_digest,
        "returned_at": "",
    }


def brought_back(connection: Connection, images: Iterable[NewImage], plates: Mapping[str, int]) -> set[str]:
    """Show those of these images again that were taken back from the same place; return their paths."""
    wanted = {_wanted(each, plates[each.key.plate]): each.path for each in images}
    rows = rows_of(connection, [digest_of(path) for path in wanted.values()], statements.removed_with)
    now = time_text(datetime.now(UTC))
    back = {_place(row): row for row in rows if _place(row) in wanted}
    for row in back.values():
        place = {"number": row.inspection, "channel": row.channel, "path_digest": row.path_digest}
        connection.execute(statements.showing(row.id, now, **place))
        connection.execute(statements.no_longer_removed(row.id, now))
    _recount(connection, list(back.values()), 1)
    return {wanted[place] for place in back}


def _wanted(image: NewImage, plate_id: int) -> tuple[object, ...]:
    key = image.key
    return (digest_of(image.path), plate_id, key.row, key.column, key.drop, key.inspection, key.channel)


def _place(row: AnyRow) -> tuple[object, ...]:
    place = (row.path_digest, row.plate_id, row.well_row, row.well_column, row.drop_number)
    return (*place, row.inspection, row.channel)


def _recount(connection: Connection, rows: Iterable[AnyRow], sign: int) -> None:
    """Count images, and those of them that have a score, once more or once less at their inspections."""
    images, scored = Counter[InspectionKey](), Counter[InspectionKey]()
    for row in rows:
        images[row.plate_id, row.inspection, row.channel] += sign
        scored[row.plate_id, row.inspection, row.channel] += sign * (row.last_recipe_id != 0)
    count_at(connection, images, scored)
