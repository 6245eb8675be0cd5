"""How people sign in to the viewer: the table ``[sign_in]`` of ``settings.toml``."""

import ipaddress
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from crystal_search.errors import ConfigError
from crystal_search.server.settings import check_known, check_value, read_toml
from crystal_search.viewer.guard import LOOPBACK_NAMES
from crystal_search.viewer.people.roles import ROLES

TABLE = "sign_in"
LIMITS = {"idle_hours": (0.05, 8760), "most_hours": (0.05, 8760), "writes_per_minute": (1, 100_000)}
WRITES_PER_MINUTE = 300  #: a held key scores once
REFUSE = "refuse"  #: in place of the role of people who were not added


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInSettings:
    """How people sign in."""

    kind: str = ""  #: a name in ``sign_in_kinds``; empty: nobody signs in
    address: str = ""  #: of the viewer, as browsers see it: ``https://plates.example.org``
    unknown_people: str = REFUSE  #: role of those who sign in elsewhere and were not added here, or ``refuse``
    idle_hours: float = 12.0  #: a session that is not in use for so long is over
    most_hours: float = 168.0  #: and so is one that began so long ago
    writes_per_minute: int = WRITES_PER_MINUTE  #: more than so many a person are refused
    proxies: tuple[str, ...] = ()  #: addresses or networks of proxies that are believed
    header: str = ""  #: in which a proxy says who asks
    issuer: str = ""  #: of OpenID Connect; its ``/.well-known/openid-configuration`` says the rest
    client_id: str = ""  #: what the provider calls this viewer
    client_secret_file: str = ""  #: file that holds the secret alone, mode 0600; relative to the settings' folder
    claim: str = "preferred_username"  #: of the provider's answer, by which a person is called
    scopes: str = "openid profile email"  #: what the provider is asked for

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach the viewer by https."""
        return self.address.startswith("https://")

    @property
    def idle_s(self) -> float:
        """Seconds after which a session that is not in use is over."""
        return self.idle_hours * 3600

    @property
    def most_s(self) -> float:
        """Seconds after which any session is over."""
        return self.most_hours * 3600

    def believes(self, address: str) -> bool:
        """Tell whether a request from `address` is from a proxy that is believed."""
        try:
            asked = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(asked in ipaddress.ip_network(each) for each in self.proxies)


def read_sign_in_settings(path: Path) -> SignInSettings:
    """Return what the file of settings `path` says of signing in; no kind where it says nothing.

    Raises
    ------
    ConfigError
        If it names an unknown key, or gives a value that cannot be.
    """
    given = read_toml(path, "key", None)
    table = given.get(TABLE, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: {TABLE} must be a table, [{TABLE}], got {table!r}")
    check_known(path, f"key of [{TABLE}]", table, sorted(each.name for each in fields(SignInSettings)))
    if TABLE in given and not table.get("kind"):
        raise ConfigError(f"{path}: [{TABLE}] must say kind")
    if isinstance(proxies := table.get("proxies"), list):
        table["proxies"] = tuple(_network(path, each) for each in proxies)
    for key, value in table.items():
        choices = (REFUSE, *ROLES) if key == "unknown_people" else ()
        check_value(path, key, value, getattr(SignInSettings(), key), LIMITS.get(key), choices=choices)
    if table.get("client_secret_file"):
        table["client_secret_file"] = os.path.abspath(path.parent / table["client_secret_file"])
    settings = SignInSettings(**table)
    _check_addresses(path, settings)
    return settings


def _network(path: Path, value: Any) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise ConfigError(f"{path}: proxies of [{TABLE}] are addresses or networks, got {value!r}: {error}") from error


def _check_addresses(path: Path, settings: SignInSettings) -> None:
    for key, may_be_open in (("address", True), ("issuer", False)):
        if value := getattr(settings, key):
            parts = urlsplit(value)
            is_here = parts.hostname in LOOPBACK_NAMES
            schemes = ("https", "http") if may_be_open or is_here else ("https",)
            if parts.scheme not in schemes or not parts.hostname or parts.query or parts.fragment:
                raise ConfigError(f"{path}: {key} of [{TABLE}] must be like 'https://name', got {value!r}")
