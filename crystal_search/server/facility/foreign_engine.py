"""Connections to a facility's database: the driver that its kind wants, and an end to waiting."""

import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from crystal_search.errors import ConfigError
from crystal_search.server.facility.facility_settings import FacilitySettings
from crystal_search.server.facility.foreign_sql import begin_writing

#: What may stand before ``://``, the SQLAlchemy driver that it means, and what must be installed for it.
DRIVERS = {
    "mariadb": ("mariadb+pymysql", "crystal-search[mariadb]"),
    "mysql": ("mariadb+pymysql", "crystal-search[mariadb]"),
    "oracle": ("oracle+oracledb", "crystal-search[oracle]"),
    "mssql": ("mssql+pytds", "crystal-search[mssql]"),
    "sqlite": ("sqlite+pysqlite", "python"),
}


def foreign_engine(settings: FacilitySettings, password: str, *, database: str) -> Engine:
    """Return an engine on a facility's database; it connects when it is first asked something.

    Parameters
    ----------
    database
        What the kind of facility runs on: ``mariadb``, ``oracle`` or ``mssql``; a played site is ``sqlite``.

    Raises
    ------
    ConfigError
        If the URL is none, names another kind of database, or the driver is not installed.
    """
    kinds = (database, "sqlite") if database != "mariadb" else (database, "mysql", "sqlite")
    try:
        given = make_url(settings.url)
    except (ArgumentError, ValueError):  # the text of this error may hold a password
        raise ConfigError(f"url in [facility] is no URL; write it like {database}://user@host/name") from None
    kind = given.get_backend_name()
    if kind not in kinds:
        raise ConfigError(f"url in [facility] starts with {kind!r}; {settings.kind} is {' or '.join(kinds)}")
    driver, needed = DRIVERS[kind]
    url = given.set(drivername=driver)
    if password:
        url = url.set(password=password)
    arguments = _arguments(kind, settings.timeout_seconds)
    try:
        engine = create_engine(url, pool_pre_ping=kind != "sqlite", connect_args=arguments)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise ConfigError(f"{settings.kind} needs a driver that is not installed: pip install '{needed}'") from error
    if kind == "oracle":
        _end_calls(engine, settings.timeout_seconds)
    return begin_writing(engine)


def _arguments(kind: str, seconds: float) -> Mapping[str, Any]:
    """Return what a driver is told of how long to wait; SQL Server is told that we only read."""
    if kind == "oracle":
        return {"tcp_connect_timeout": seconds}
    if kind == "mssql":
        return {"login_timeout": seconds, "timeout": seconds, "readonly": True}
    if kind in ("mariadb", "mysql"):  # whatever the server is set to, no value is cut to what a column holds
        limits = dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), math.ceil(seconds))
        return limits | {"init_command": "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')"}
    return {"timeout": seconds}


def _end_calls(engine: Engine, seconds: float) -> None:
    """Have Oracle's driver give a call up that is not answered."""

    def limit(connection: Any, _record: object) -> None:
        connection.call_timeout = int(seconds * 1000)

    event.listen(engine, "connect", limit)
