"""Making the imaging database's tables, or bringing older ones to the newest version."""

from datetime import UTC, datetime

from sqlalchemy import Connection, inspect, select

from crystal_search.errors import SchemaError
from crystal_search.server.imaging import schema_upgrades
from crystal_search.server.imaging.ledger_guards import guard_ledger
from crystal_search.server.imaging.schema import metadata, schema_version
from crystal_search.server.imaging.schema_progress import told


def newest_version() -> int:
    """Return the schema version that this program works with."""
    return 1 + len(schema_upgrades.UPGRADES)


def prepare(connection: Connection) -> None:
    """Create the tables in an empty database, or bring older ones to the newest version.

    Call it inside a transaction, while no other process prepares the same database.

    Raises
    ------
    SchemaError
        If the database has a newer version than this program knows.
    """
    version = _version(connection)
    newest = newest_version()
    if version > newest:
        raise SchemaError(
            f"the imaging database has schema version {version}, this program knows {newest}; "
            "install the newest Crystal Search, or give it a database of its own"
        )
    if version == 0:
        _create(connection)
        _stamp(connection, newest)
        return
    for number, upgrade in enumerate(schema_upgrades.UPGRADES[version - 1 :], start=version + 1):
        with told(connection, number):
            upgrade(connection)
            metadata.create_all(connection)
            guard_ledger(connection)
        _stamp(connection, number)


def is_current(connection: Connection) -> bool:
    """Tell whether nothing needs to be prepared."""
    return _version(connection) == newest_version()


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table(schema_version.name):
        return 0
    versions = connection.scalars(select(schema_version.c.version)).all()
    return max(versions, default=0)


def _stamp(connection: Connection, version: int) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    connection.execute(schema_version.insert().values(version=version, applied_at=now))


def _create(connection: Connection) -> None:
    found = inspect(connection)
    if not found.has_table(schema_version.name):
        if taken := sorted(metadata.tables.keys() & set(found.get_table_names())):
            raise SchemaError(
                f"the database has tables {', '.join(taken)} that Crystal Search did not make; "
                "give it a database of its own"
            )
        schema_version.create(connection)  # first, so that whoever is killed here is known again
    metadata.create_all(connection)
    guard_ledger(connection)
