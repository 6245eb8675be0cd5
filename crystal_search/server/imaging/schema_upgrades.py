"""What brings an older imaging database to the newest version of the schema, step by step.

MariaDB commits after each change of a table, so every step there stands being begun again half-way. Rows of the
ledger are never changed, not even here: what an older version wrote is read as it is (`sql_rows.auto_score`).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from sqlalchemy import Connection, inspect, text

from crystal_search.model import ModelRef
from crystal_search.server.imaging.sql_rows import Values, digest_of, models_digest, time_text

Upgrade = Callable[[Connection], None]

_MODELS = "JSON, role, name and sha256 of each model, by role"
_DIGEST = "BLAKE2b of roles and sha256, 128 bit, in hex"
_FOUND = "JSON, the image''s score as the result file has it"
_SQLITE_RECIPE = """
CREATE TABLE recipe (
    id INTEGER NOT NULL,
    models TEXT NOT NULL,
    models_digest VARCHAR(32) NOT NULL,
    threshold DOUBLE NOT NULL,
    CONSTRAINT pk_recipe PRIMARY KEY (id),
    CONSTRAINT uq_recipe_models UNIQUE (models_digest, threshold)
)"""
_LESS_COLUMNS = (
    "ALTER TABLE recipe DROP COLUMN IF EXISTS classifier_name",
    "ALTER TABLE recipe DROP COLUMN IF EXISTS classifier_sha256",
    "ALTER TABLE recipe DROP COLUMN IF EXISTS drop_sha256",
)
_BEFORE_FILLING = {
    "postgresql": (
        "ALTER TABLE score ADD COLUMN found TEXT",
        f"COMMENT ON COLUMN score.found IS '{_FOUND}'",
        "ALTER TABLE recipe ADD COLUMN models TEXT, ADD COLUMN models_digest VARCHAR(32)",
        f"COMMENT ON COLUMN recipe.models IS '{_MODELS}'",
        f"COMMENT ON COLUMN recipe.models_digest IS '{_DIGEST}'",
    ),
    "mariadb": (
        f"ALTER TABLE score ADD COLUMN IF NOT EXISTS found TEXT COMMENT '{_FOUND}'",
        "ALTER TABLE recipe ADD COLUMN IF NOT EXISTS models TEXT",
        "ALTER TABLE recipe ADD COLUMN IF NOT EXISTS models_digest VARCHAR(32)",
    ),
}
_AFTER_FILLING = {
    "postgresql": (
        "ALTER TABLE recipe DROP CONSTRAINT uq_recipe_all",
        *_LESS_COLUMNS,
        "ALTER TABLE recipe ALTER COLUMN models SET NOT NULL, ALTER COLUMN models_digest SET NOT NULL",
        "ALTER TABLE recipe ADD CONSTRAINT uq_recipe_models UNIQUE (models_digest, threshold)",
    ),
    "mariadb": (
        "ALTER TABLE recipe DROP INDEX IF EXISTS uq_recipe_all",
        *_LESS_COLUMNS,
        f"ALTER TABLE recipe MODIFY models TEXT NOT NULL COMMENT '{_MODELS}'",
        f"ALTER TABLE recipe MODIFY models_digest VARCHAR(32) NOT NULL COMMENT '{_DIGEST}'",
        "ALTER TABLE recipe ADD UNIQUE INDEX IF NOT EXISTS uq_recipe_models (models_digest, threshold)",
    ),
}


def name_models_by_role(connection: Connection) -> None:
    """From version 1 to 2: a recipe names models by role, and a score is one JSON value; ids stay as they are."""
    if connection.dialect.name == "sqlite":
        _make_sqlite_recipes_anew(connection)
        return
    for statement in _BEFORE_FILLING[connection.dialect.name]:
        connection.execute(text(statement))
    if "classifier_name" in {column["name"] for column in inspect(connection).get_columns("recipe")}:
        for values in _recipes(connection):
            filling = "UPDATE recipe SET models = :models, models_digest = :models_digest WHERE id = :id"
            connection.execute(text(filling), values)
    for statement in _AFTER_FILLING[connection.dialect.name]:
        connection.execute(text(statement))


def _make_sqlite_recipes_anew(connection: Connection) -> None:
    """Replace table recipe, since SQLite drops no column that a constraint names; what refers to it stays."""
    recipes = _recipes(connection)
    connection.execute(text("PRAGMA defer_foreign_keys = ON"))
    connection.execute(text("ALTER TABLE score ADD COLUMN found TEXT"))
    connection.execute(text("DROP TABLE recipe"))
    connection.execute(text(_SQLITE_RECIPE))
    for values in recipes:
        filling = "INSERT INTO recipe (id, models, models_digest, threshold)"
        connection.execute(text(f"{filling} VALUES (:id, :models, :models_digest, :threshold)"), values)


def _recipes(connection: Connection) -> list[Values]:
    """Return version 1's recipes as version 2 has them.

    Recipes that differed in the classifier's name alone are one from now on: the last is, the others keep their scores.
    """
    query = "SELECT id, classifier_name, classifier_sha256, drop_sha256, threshold FROM recipe ORDER BY id DESC"
    taken: set[tuple[str, float]] = set()
    recipes = []
    for row in connection.execute(text(query)).all():
        models = (
            ModelRef(role="classifier", name=row.classifier_name, sha256=row.classifier_sha256),
            ModelRef(role="drop", sha256=row.drop_sha256),
        )
        digest = models_digest(models)
        if (digest, row.threshold) in taken:
            digest = digest_of(f"recipe {row.id} of version 1")
        taken.add((digest, row.threshold))
        told = json.dumps([asdict(each) for each in models])
        recipes.append({"id": row.id, "models": told, "models_digest": digest, "threshold": row.threshold})
    return recipes


_FILE_NOW = ("of the file when last read; else empty", "of the file then", "of the file then, ns since 1970")
_FILE_SCORED = ("of the file that it was made from; NULL when not known", "of that file", "of that file, ns since 1970")
_FILE_PACKED = ("of the file that was packed; NULL when it was not", "of that file", "of that file, ns since 1970")
_REMARKS = "a line for each thing that was overlooked or chosen in it"
#: Table, column, type, what else is said of it, comment.
_NEW_COLUMNS = (
    ("image", "arrived_at", "VARCHAR(27)", "DEFAULT '' NOT NULL", "UTC; imaged_at, or else when it came in"),
    ("image", "scores_before", "BIGINT", "DEFAULT 0 NOT NULL", "scores up to this id do not count"),
    ("image", "sha256", "VARCHAR(64)", "DEFAULT '' NOT NULL", _FILE_NOW[0]),
    ("image", "size_bytes", "BIGINT", "DEFAULT 0 NOT NULL", _FILE_NOW[1]),
    ("image", "mtime_ns", "BIGINT", "DEFAULT 0 NOT NULL", _FILE_NOW[2]),
    ("image", "remarks", "TEXT", "", "a line for each thing that was overlooked or chosen in it then"),
    ("image", "import_id", "BIGINT", "DEFAULT 0 NOT NULL", "the import that brought it; 0: not known"),
    ("score", "sha256", "VARCHAR(64)", "", _FILE_SCORED[0]),
    ("score", "size_bytes", "BIGINT", "", _FILE_SCORED[1]),
    ("score", "mtime_ns", "BIGINT", "", _FILE_SCORED[2]),
    ("score", "remarks", "TEXT", "", _REMARKS),
    ("work_unit_image", "sha256", "VARCHAR(64)", "", _FILE_PACKED[0]),
    ("work_unit_image", "size_bytes", "BIGINT", "", _FILE_PACKED[1]),
    ("work_unit_image", "mtime_ns", "BIGINT", "", _FILE_PACKED[2]),
    ("work_unit_image", "remarks", "TEXT", "", _REMARKS),
    ("work_unit_image", "released", "BOOLEAN", "DEFAULT false NOT NULL", "whether it no longer holds the image"),
)
#: Column, type, comment.
_POSTPONEMENT = (
    ("image_id", "BIGINT", ""),
    ("reason", "TEXT", "why there is no score yet"),
    ("tries", "INTEGER", "in vain so far, from 1"),
    ("since", "VARCHAR(27)", "UTC, of the first of them"),
    ("next_at", "VARCHAR(27)", "UTC; it is tried again, not before"),
    ("sha256", "VARCHAR(64)", "of the file that could not be decoded; else empty"),
)
_LAST_COMMENT = "of the last automatic score that counts; 0: none yet"


def tie_scores_to_files(connection: Connection) -> None:
    """From version 2 to 3: a score says which file it was made from, images may be put off, and a day is a day."""
    kind = connection.dialect.name
    there = {table: {each["name"] for each in inspect(connection).get_columns(table)} for table, *_ in _NEW_COLUMNS}
    for table, name, type_, rest, comment in _NEW_COLUMNS:
        if name not in there[table]:
            said = f"COMMENT '{comment}'" if kind == "mariadb" else ""
            connection.execute(text(f"ALTER TABLE {table} ADD COLUMN {name} {_type(kind, type_)} {rest} {said}"))
        _comment(connection, table, name, comment)
    connection.execute(text("UPDATE image SET arrived_at = imaged_at WHERE arrived_at = ''"))
    midnight = "imaged_at LIKE '____-__-__T00:00:00.000000Z'"  # names without a time were of midnight
    connection.execute(text(f"UPDATE image SET imaged_at = substr(imaged_at, 1, 10) WHERE {midnight}"))
    connection.execute(text("DROP INDEX IF EXISTS ix_image_waiting" + (" ON image" if kind == "mariadb" else "")))
    index = "ix_image_to_score ON image (channel, last_recipe_id, arrived_at, id)"
    connection.execute(text(f"CREATE INDEX IF NOT EXISTS {index}"))
    if kind == "mariadb":
        connection.execute(text(f"ALTER TABLE image MODIFY last_recipe_id BIGINT NOT NULL COMMENT '{_LAST_COMMENT}'"))
    _comment(connection, "image", "last_recipe_id", _LAST_COMMENT)
    _make_postponements(connection)


def _make_postponements(connection: Connection) -> None:
    kind = connection.dialect.name
    columns = [
        f"{name} {_type(kind, type_)} NOT NULL" + (f" COMMENT '{comment}'" if kind == "mariadb" and comment else "")
        for name, type_, comment in _POSTPONEMENT
    ]
    parts = [
        *columns,
        "CONSTRAINT pk_postponement PRIMARY KEY (image_id)",
        "CONSTRAINT fk_postponement_image_id FOREIGN KEY (image_id) REFERENCES image (id)",
    ]
    options = "ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_nopad_bin" if kind == "mariadb" else ""
    connection.execute(text(f"CREATE TABLE IF NOT EXISTS postponement ({', '.join(parts)}) {options}"))
    for name, _, comment in _POSTPONEMENT:
        if comment:
            _comment(connection, "postponement", name, comment)


def _type(kind: str, type_: str) -> str:
    return "INTEGER" if (kind, type_) == ("sqlite", "BIGINT") else type_


def _comment(connection: Connection, table: str, column: str, comment: str) -> None:
    """Say what a column holds, where that is said apart from the column."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"COMMENT ON COLUMN {table}.{column} IS '{comment}'"))


def note_since_when_images_wait(connection: Connection) -> None:
    """From version 3 to 4: an image says since when it waits; those that wait already do so from this moment on."""
    kind, comment = connection.dialect.name, "UTC; since when it waits to be scored"
    if "waits_since" not in {each["name"] for each in inspect(connection).get_columns("image")}:
        said = f"COMMENT '{comment}'" if kind == "mariadb" else ""
        connection.execute(text(f"ALTER TABLE image ADD COLUMN waits_since VARCHAR(27) DEFAULT '' NOT NULL {said}"))
    _comment(connection, "image", "waits_since", comment)
    filling = "UPDATE image SET waits_since = :now WHERE last_recipe_id = 0 AND waits_since = ''"
    connection.execute(text(filling), {"now": time_text(datetime.now(UTC))})
    index = "ix_image_waits_since ON image (channel, last_recipe_id, waits_since, id)"
    connection.execute(text(f"CREATE INDEX IF NOT EXISTS {index}"))


def make_room_for_facts(_: Connection) -> None:
    """From version 4 to 5: plates have owners, and wells conditions, in tables of their own, which `prepare` makes."""


def make_room_for_taking_back(_: Connection) -> None:
    """From version 5 to 6: scores can be taken back, in a table of its own, which `schema_preparing.prepare` makes."""


def make_room_for_comments(_: Connection) -> None:
    """From version 6 to 7: comments stand alone, in a table of their own, which `schema_preparing.prepare` makes."""


_PULLED_COLUMNS = (
    ("pulled_from", "VARCHAR(200) DEFAULT '' NOT NULL", "facility it came from; else empty"),
    ("late", "BOOLEAN DEFAULT false NOT NULL", "came after a newer one of a person"),
)


def keep_what_facilities_say_and_get(connection: Connection) -> None:
    """From version 7 to 8: a score says where it came from; what facilities got is in tables that `prepare` makes."""
    _add_columns(connection, "score", _PULLED_COLUMNS)


def _add_columns(connection: Connection, table: str, columns: Sequence[tuple[str, str, str]]) -> None:
    there = {each["name"] for each in inspect(connection).get_columns(table)}
    for name, type_, comment in columns:
        if name not in there:
            said = f"COMMENT '{comment}'" if connection.dialect.name == "mariadb" else ""
            connection.execute(text(f"ALTER TABLE {table} ADD COLUMN {name} {type_} {said}"))
        _comment(connection, table, name, comment)


#: Column, type, comment.
_COUNT_COLUMNS = (
    ("newest_at", "VARCHAR(27) DEFAULT '' NOT NULL", "UTC, when the newest of its images came"),
    ("changes", "INTEGER DEFAULT 0 NOT NULL", "how often what follows may have changed"),
    ("counted", "INTEGER DEFAULT -1 NOT NULL", "at which of these changes it was counted"),
    ("crystals", "INTEGER DEFAULT 0 NOT NULL", "drops with crystals by the machine"),
    ("crystals_by_hand", "INTEGER DEFAULT 0 NOT NULL", "drops with crystals by people"),
    ("disagreements", "INTEGER DEFAULT 0 NOT NULL", "drops about which they disagree"),
)


def make_room_for_counts(connection: Connection) -> None:
    """From version 8 to 9: crystals are counted at inspections, which know when their newest image came."""
    _add_columns(connection, "inspection", _COUNT_COLUMNS)
    same = "image.plate_id = inspection.plate_id AND image.channel = inspection.channel"
    newest = f"SELECT max(arrived_at) FROM image WHERE {same} AND image.inspection = inspection.number"
    connection.execute(text(f"UPDATE inspection SET newest_at = COALESCE(({newest}), '') WHERE newest_at = ''"))


def make_room_for_marks(_: Connection) -> None:
    """From version 9 to 10: people mark places in images, and take back comments, in tables that `prepare` makes."""


_NEWS_COLUMN = ("news_at", "VARCHAR(27) DEFAULT '' NOT NULL", "UTC, when images got their first score last")


def make_room_for_best_drops(connection: Connection) -> None:
    """From version 10 to 11: inspections know when they had news, and their likeliest crystals, found anew."""
    _add_columns(connection, "inspection", (_NEWS_COLUMN,))
    connection.execute(text("UPDATE inspection SET news_at = last_scored_at WHERE news_at = ''"))
    connection.execute(text("CREATE INDEX IF NOT EXISTS ix_inspection_news_at ON inspection (channel, news_at)"))
    connection.execute(text("UPDATE inspection SET counted = -1 WHERE channel = 'visible'"))


#: Upgrades in order: the first brings version 1 to version 2. A new database gets the newest tables at once.
UPGRADES: tuple[Upgrade, ...] = (
    name_models_by_role,
    tie_scores_to_files,
    note_since_when_images_wait,
    make_room_for_facts,
    make_room_for_taking_back,
    make_room_for_comments,
    keep_what_facilities_say_and_get,
    make_room_for_counts,
    make_room_for_marks,
    make_room_for_best_drops,
)
