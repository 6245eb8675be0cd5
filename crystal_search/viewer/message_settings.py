"""How messages go out: the table ``[messages]`` of ``settings.toml``.

The mail server's password stands in no setting: it is read from a file of mode 0600, or from an environment variable,
when a message is sent.
"""

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from crystal_search.errors import ConfigError
from crystal_search.server.home import Home
from crystal_search.server.settings import MESSAGES as TABLE
from crystal_search.server.settings import check_known, check_value, read_toml
from crystal_search.server.stored_password import stored_password

LIMITS = {"smtp_port": (1, 65_535), "daily_hour": (0, 23), "timeout_seconds": (1, 600)}
TLS = ("starttls", "tls", "none")  #: how mail is kept secret on its way


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSettings:
    """How messages go out."""

    address: str = (
        ""  #: of the viewer, as browsers see it: ``https://plates.example.org``; empty: there are no messages
    )
    smtp_host: str = ""  #: of the mail server; empty: none is sent by mail
    smtp_port: int = 587
    smtp_tls: str = "starttls"
    smtp_user: str = ""  #: empty: the server wants no password
    sender: str = ""  #: address that mails are from
    password_file: str = ""  #: file that holds the password alone, mode 0600; relative to the settings' folder
    password_variable: str = ""  #: environment variable that holds it, in place of a file
    webhook: str = ""  #: address to which digests are posted as JSON; empty: to none
    daily_hour: int = 7  #: of the day, in the settings' time zone, at which daily digests go
    timeout_seconds: float = 30.0  #: a server that is silent for so long counts as away

    @property
    def ways(self) -> tuple[str, ...]:
        """By what messages can go."""
        return (*(("mail",) if self.smtp_host else ()), *(("webhook",) if self.webhook else ()))

    def password(self) -> str:
        """Return the mail server's password; empty where the settings say of none."""
        return stored_password(TABLE, file=self.password_file, variable=self.password_variable)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDesk:
    """How messages go, and the file of those who want them."""

    settings: MessageSettings
    path: Path


def message_desk(home: Home) -> MessageDesk | None:
    """Return where wishes of an installation are kept; None where no messages are sent.

    Raises
    ------
    ConfigError
        If the settings cannot be used.
    """
    settings = read_message_settings(home.settings)
    return MessageDesk(settings=settings, path=home.messages) if settings.address else None


def read_message_settings(path: Path) -> MessageSettings:
    """Return what the file of settings `path` says of messages; no address where it says nothing.

    Raises
    ------
    ConfigError
        If it names an unknown key, or gives a value that cannot be.
    """
    table = read_toml(path, "key", None).get(TABLE, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: {TABLE} must be a table, [{TABLE}], got {table!r}")
    check_known(path, f"key of [{TABLE}]", table, sorted(each.name for each in fields(MessageSettings)))
    for key, value in table.items():
        choices = TLS if key == "smtp_tls" else ()
        check_value(path, key, value, getattr(MessageSettings(), key), LIMITS.get(key), choices=choices)
    for key in ("address", "webhook"):
        if table.get(key):
            _check_address(path, key, table[key])
    if table.get("password_file"):
        table["password_file"] = os.path.abspath(path.parent / table["password_file"])
    settings = MessageSettings(**table)
    _check_whole(path, table, settings)
    return settings


def _check_address(path: Path, key: str, value: str) -> None:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise ConfigError(f"{path}: {key} of [{TABLE}] must be like 'https://name', without a user or a password")


def _check_whole(path: Path, table: dict[str, Any], settings: MessageSettings) -> None:
    if table and not (settings.address and settings.ways):
        raise ConfigError(f"{path}: [{TABLE}] must say address, and smtp_host or webhook")
    if settings.smtp_host and "@" not in settings.sender:
        raise ConfigError(f"{path}: [{TABLE}] must say as sender from which address mails are, got {settings.sender!r}")
    if settings.smtp_user and settings.smtp_tls == "none":
        raise ConfigError(f"{path}: [{TABLE}] would send a password that everybody can read; say smtp_tls")
