"""The imaging database in SQL: SQLite, PostgreSQL or MariaDB, opened by `open_imaging`."""

from sqlalchemy import URL

from crystal_search.server.imaging.sql_connection import connected
from crystal_search.server.imaging.sql_images import SqlImages
from crystal_search.server.imaging.sql_ledger import SqlLedger
from crystal_search.server.imaging.sql_units import SqlUnits


class SqlImaging(SqlImages, SqlLedger, SqlUnits):
    """An `ImagingDatabase` in SQL."""


def open_imaging(url: str | URL) -> SqlImaging:
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
