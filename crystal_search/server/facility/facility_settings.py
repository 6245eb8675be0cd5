"""What a facility's database is called and may be asked: the table ``[facility]`` of ``settings.toml``.

The password stands in no setting: it is read from a file that only this account may read, or from an environment
variable, when the database is opened, and goes nowhere but into the connection.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from crystal_search.errors import ConfigError
from crystal_search.server.settings import PASSWORD, check_known, check_value, read_toml
from crystal_search.server.stored_password import stored_password

LIMITS = {"poll_seconds": (1, 86_400), "timeout_seconds": (1, 3600)}
FACILITY = "facility"  #: the table's name


@dataclass(frozen=True, slots=True, kw_only=True)
class FacilitySettings:
    """How to reach a facility's database, and what is called otherwise there."""

    kind: str = ""  #: a name in ``facility_kinds``; empty: there is none
    url: str = ""  #: of the database, without a password: ``mariadb://user@host/ispyb``
    password_file: str = ""  #: file that holds the password alone, mode 0600; relative to the settings' folder
    password_variable: str = ""  #: environment variable that holds it, in place of a file
    push: bool = True  #: whether scores are given to it
    pictures: str = ""  #: path of framed pictures, with ``{plate}``, ``{inspection}``, ``{name}``; empty: none are put
    poll_seconds: float = 30.0  #: between two looks of ``watch``
    timeout_seconds: float = 30.0  #: a database that is silent for so long counts as away
    folders: Mapping[str, str] = field(default_factory=dict)  #: folder as the database calls it -> as this machine does
    schemas: Mapping[str, str] = field(default_factory=dict)  #: score schemas of ours there, as the kind says
    names: Mapping[str, str] = field(default_factory=dict)  #: tables and columns that a site calls otherwise
    channels: Mapping[str, str] = field(default_factory=dict)  #: types of images there -> channel, as the kind says
    outcomes: Mapping[str, str] = field(default_factory=dict)  #: classes in which people score there -> outcome
    options: Mapping[str, str] = field(default_factory=dict)  #: whatever else the kind asks


def read_facility_settings(path: Path) -> FacilitySettings:
    """Return what the file of settings `path` says of a facility's database; no kind where it says nothing.

    Raises
    ------
    ConfigError
        If it names an unknown key, gives a value that cannot be, or holds a password.
    """
    table = read_toml(path, "key", None).get(FACILITY, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: {FACILITY} must be a table, [{FACILITY}], got {table!r}")
    check_known(path, f"key of [{FACILITY}]", table, sorted(each.name for each in fields(FacilitySettings)))
    if PASSWORD.search(str(table.get("url", ""))):  # the message must not repeat it
        raise ConfigError(
            f"{path}: url of [{FACILITY}] holds a password; put it into a file, mode 0600, and say password_file"
        )
    for key, value in table.items():
        _check(path, key, value)
    if table.get("password_file"):
        table["password_file"] = os.path.abspath(path.parent / table["password_file"])
    settings = FacilitySettings(**table)
    if table and not (settings.kind and settings.url):
        raise ConfigError(f"{path}: [{FACILITY}] must say kind and url")
    return settings


def _check(path: Path, key: str, value: Any) -> None:
    default = getattr(FacilitySettings(), key)
    check_value(path, key, value, default, LIMITS.get(key))
    if isinstance(default, dict) and not all(isinstance(each, str) and each for each in value.values()):
        raise ConfigError(f"{path}: [{FACILITY}.{key}] must give a text for each name")


def password_of(settings: FacilitySettings) -> str:
    """Return the database's password; empty where the settings say of none.

    Raises
    ------
    ConfigError
        If the file may be read by others, or there is no such file or variable.
    """
    return stored_password(FACILITY, file=settings.password_file, variable=settings.password_variable)
