"""What brings an older imaging database to the newest version of the schema, step by step.

MariaDB commits after each change of a table, so every step there stands being begun again half-way. Rows of the
ledger are never changed, not even here: what an older version wrote is read as it is (`sql_rows.auto_score`).
"""

import json
from collections.abc import Callable
from dataclasses import asdict

from sqlalchemy import Connection, inspect, text

from crystal_search.model import ModelRef
from crystal_search.server.imaging.sql_rows import Values, digest_of, models_digest

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


#: Upgrades in order: the first brings version 1 to version 2. A new database gets the newest tables at once.
UPGRADES: tuple[Upgrade, ...] = (name_models_by_role,)
