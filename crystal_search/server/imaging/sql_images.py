"""The images of an imaging database in SQL."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection

from crystal_search.server.imaging import count_statements, schema
from crystal_search.server.imaging import sql_statements as statements
from crystal_search.server.imaging.adding_rules import arrival, batches, conflict
from crystal_search.server.imaging.import_statements import removed_with
from crystal_search.server.imaging.sql_counts import count_at, touch
from crystal_search.server.imaging.sql_imports import brought_back
from crystal_search.server.imaging.sql_rows import (
    Values,
    digest_of,
    key_values,
    stored_image,
    taken_of,
    taken_text,
    time_text,
    version_of,
    version_values,
)
from crystal_search.server.imaging.sql_statements import InspectionKey
from crystal_search.server.imaging.sql_transactions import (
    BATCH,
    SqlTransactions,
    insert,
    plate_ids_of,
    rows_of,
    update_rows,
)
from crystal_search.server.imaging.stored_images import Added, FileVersion, NewImage, StoredImage, Taken
from crystal_search.server.imaging.waiting_statements import taking_up
from crystal_search.wells import WellKey


class SqlImages(SqlTransactions):
    """`Images` in SQL."""

    def add_images(self, images: Iterable[NewImage], *, import_id: int = 0) -> Added:
        """Add the images that are not there yet, in one transaction; never change one that is."""
        wanted = list(images)
        return self._write("add images", lambda connection: _add_images(connection, wanted, import_id))

    def images(self, image_ids: Collection[int]) -> dict[int, StoredImage]:
        """Return by id those of these images that the database knows."""

        def work(connection: Connection) -> dict[int, StoredImage]:
            return {row.id: stored_image(row) for row in rows_of(connection, image_ids, statements.images_by_ids)}

        return self._read("read images", work)

    def plate_images(self, plate: str) -> list[StoredImage]:
        """Return every image of a plate, by inspection, channel, row, column, drop."""
        rows = self._read("read a plate's images", lambda c: c.execute(statements.images_of_plate(plate)).all())
        return [stored_image(row) for row in rows]

    def inspections_taken(self, plate: str) -> dict[int, Taken]:
        """Return by number when the first image of each inspection of a plate was taken, where that is known."""
        rows = self._read("read the days of a plate", lambda c: c.execute(statements.inspections_taken(plate)).all())
        return {row.inspection: taken_of(row.taken) for row in rows}

    def known_paths(self, paths: Sequence[str]) -> set[str]:
        """Return those of `paths` that are in the database."""
        return self._read("look up paths", lambda c: {row.path for row in rows_of(c, paths, statements.paths_among)})

    def removed_paths(self, paths: Sequence[str]) -> set[str]:
        """Return those of `paths` whose images were taken back, and did not come again since."""
        by_digest = {digest_of(path): path for path in paths}

        def work(connection: Connection) -> set[str]:
            return {by_digest[row.path_digest] for row in rows_of(connection, list(by_digest), removed_with)}

        return self._read("look for what was taken back", work)

    def images_read(self, *, below: int | None = None, limit: int) -> list[StoredImage]:
        """Return images whose files were read, the highest id first; only ids below `below`, if one is given.

        They are read to be packed, so an archive's millions that wait are not gone through.
        """

        def work(connection: Connection) -> list[StoredImage]:
            found: list[StoredImage] = []
            last = below
            while len(found) < limit and (ids := connection.scalars(statements.images_packed(last, limit)).all()):
                found += [stored_image(row) for row in rows_of(connection, ids, statements.images_read_among)]
                last = ids[-1]
            return found[:limit]

        return self._read("go through images", work)

    def note_versions(
        self, versions: Mapping[int, FileVersion], *, packed: Mapping[int, str] | None = None
    ) -> set[int]:
        """Note what the files of images hold now, in one transaction; `packed` says which work units were made of them.

        Return the images that show another picture than before: their automatic scores stay, but count no more.
        """
        return self._write("note files", lambda connection: _note_versions(connection, versions, packed or {}))


def _note_versions(connection: Connection, versions: Mapping[int, FileVersion], packed: Mapping[int, str]) -> set[int]:
    before = {row.id: version_of(row) for row in rows_of(connection, sorted(versions), statements.versions_of)}
    changed = {image_id for image_id, known in before.items() if known and known.sha256 != versions[image_id].sha256}
    new = [image_id for image_id, known in before.items() if known != versions[image_id]]
    noted = [{"of_image": each} | version_values(versions[each]) for each in new]
    update_rows(connection, statements.noting_version(), noted)
    touch(connection, new)
    members = [
        {"of_image": each, "of_unit": packed[each]} | version_values(versions[each])
        for each in before
        if each in packed
    ]
    update_rows(connection, statements.noting_packed(), members)
    discount(connection, changed)
    return changed


def discount(connection: Connection, image_ids: Collection[int]) -> None:
    """Have the automatic scores of images count no more, and let nothing hold up their next."""
    for batch in batches(sorted(image_ids), BATCH):
        counted = Counter[InspectionKey]()
        for row in connection.execute(count_statements.inspections_of_images(batch)):
            counted[row.plate_id, row.inspection, row.channel] += row.last_recipe_id != 0
        for key, count in sorted(counted.items()):
            connection.execute(count_statements.counting_scores(key, -count, ""))
        connection.execute(statements.discounting(batch, time_text(datetime.now(UTC))))
        connection.execute(statements.releasing(batch))
        connection.execute(taking_up(batch))


def _add_images(connection: Connection, wanted: Sequence[NewImage], import_id: int) -> Added:
    """Add the images that are not there yet, and count them at their inspections."""
    added = known = 0
    conflicts: list[str] = []
    for batch in batches(wanted, BATCH):
        plates = plate_ids_of(connection, sorted({image.key.plate for image in batch}))
        there = _images_there(connection, batch, plates)
        keys = {image.path: image.key for image in there}
        paths = {image.key: image.path for image in there}
        new: list[NewImage] = []
        for image in batch:
            if trouble := conflict(image, keys.get(image.path), paths.get(image.key)):
                conflicts.append(trouble)
            elif image.path in keys:
                known += 1
            else:
                keys[image.path], paths[image.key] = image.key, image.path
                new.append(image)
        _insert_images(connection, new, plates, import_id)
        added += len(new)
    return Added(added=added, known=known, conflicts=tuple(conflicts))


def _insert_images(connection: Connection, new: Sequence[NewImage], plates: Mapping[str, int], import_id: int) -> None:
    """Add images that are not there, as they were before they were taken back where they were there once."""
    back = brought_back(connection, new, plates)
    rows = [
        _image_values(image, plates[image.key.plate]) | {"import_id": import_id}
        for image in new
        if image.path not in back
    ]
    insert(connection, schema.image, rows)
    keys = [(each["plate_id"], each["inspection"], each["channel"]) for each in rows]
    newest = dict(sorted(zip(keys, (each["arrived_at"] for each in rows), strict=True)))
    count_at(connection, Counter(keys), Counter(), newest)


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
    now = datetime.now(UTC)
    return key_values(image.key) | {
        "plate_id": plate_id,
        "path": image.path,
        "path_digest": digest_of(image.path),
        "imaged_at": taken_text(image.imaged_at, day_only=image.day_only),
        "arrived_at": time_text(arrival(image, now)),
        "waits_since": time_text(now),
        "last_recipe_id": 0,
    }
