"""The likeliest crystals of all plates, and who has seen which plate, in SQL."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection

from crystal_search.server.imaging import best_statements as statements
from crystal_search.server.imaging import schema, sql_statements
from crystal_search.server.imaging.best_drops import BestImage, BestQuery
from crystal_search.server.imaging.sql_counts import SqlCounting
from crystal_search.server.imaging.sql_rows import AnyRow, time_of, time_text
from crystal_search.server.imaging.sql_transactions import insert, readouts_among_recipes, rows_of


class SqlBestDrops(SqlCounting):
    """`BestDrops` in SQL."""

    def best_images(self, query: BestQuery) -> list[BestImage]:
        """Return the images that are likeliest to show crystals, after finding them where scores changed."""
        self._count_some()

        def work(connection: Connection) -> list[BestImage]:
            recipes = readouts_among_recipes(connection).items()
            readouts = [recipe_id for recipe_id, sha256 in recipes if sha256 in query.readouts]
            return [_best(row) for row in connection.execute(statements.best_images(query, readouts))]

        return self._read("look for the best drops", work)

    def note_seen(self, person: str, plates: Collection[str], *, at: datetime) -> Sequence[str]:
        """Record that a person has looked at plates; return those of them that there are."""
        said = {"person": person, "seen_at": time_text(at)}

        def work(connection: Connection) -> list[str]:
            known = {row.barcode: row.id for row in rows_of(connection, sorted(plates), sql_statements.plate_ids)}
            insert(connection, schema.seen, [said | {"plate_id": plate_id} for plate_id in known.values()])
            return sorted(known)

        return self._write("note who has seen a plate", work)

    def note_looked(self, person: str, *, at: datetime) -> None:
        """Record that a person has looked through the best drops."""
        row = {"person": person, "seen_at": time_text(at), "plate_id": None}
        self._write("note who has looked", lambda connection: insert(connection, schema.seen, [row]))

    def last_looked(self, person: str) -> datetime | None:
        """Return when a person looked through the best drops last; None for never."""
        return time_of(self._read("see who has looked", lambda c: c.scalar(statements.last_looked(person))) or "")


def _best(row: AnyRow) -> BestImage:
    news_at = datetime.fromisoformat(row.news_at)
    return BestImage(image_id=row.image_id, p_crystal=row.p_crystal, news_at=news_at, seen=bool(row.seen))
