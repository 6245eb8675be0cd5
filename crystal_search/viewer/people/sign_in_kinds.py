"""The ways in which people can sign in: a registry, by the name that ``kind`` of the settings gives."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from starlette.requests import HTTPConnection

from crystal_search.errors import ConfigError
from crystal_search.known_names import among
from crystal_search.viewer.people.person import MOST_LETTERS
from crystal_search.viewer.people.sign_in_settings import TABLE, SignInSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInKind:
    """A way of signing in."""

    needs: tuple[str, ...]  #: settings that must be given
    meaning: str  #: what people read on the page of signing in
    modules: tuple[str, ...] = ()  #: that must be installed
    told_by: Callable[[SignInSettings, HTTPConnection], str] | None = None  #: who every request says that asks

    def check_installed(self) -> None:
        """Refuse where something is not installed, as a ConfigError that says what.

        Raises
        ------
        ConfigError
            If something is missing; the message says how to install it.
        """
        if missing := [name for name in self.modules if find_spec(name) is None]:
            raise ConfigError(f"signing in so needs {', '.join(missing)}: pip install 'crystal-search[sign-in]'")


def told_by_header(settings: SignInSettings, connection: HTTPConnection) -> str:
    """Return who a proxy that is believed says that asks; empty where none does, or it says two things."""
    peer = connection.client.host if connection.client else ""
    told = connection.headers.getlist(settings.header)
    name = _utf_8(told[0]).strip() if len(told) == 1 and settings.believes(peer) else ""
    return name if name.isprintable() and len(name) <= MOST_LETTERS else ""


def _utf_8(header: str) -> str:
    """Return what a header says in UTF-8, though HTTP has it in ISO 8859-1; empty where it is no UTF-8."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return ""


SIGN_IN_KINDS = {
    "header": SignInKind(
        needs=("header", "proxies"),
        meaning="The proxy before this viewer signs people in, and it did not say who you are, or you were not added "
        "here. Whoever runs the viewer can help.",
        told_by=told_by_header,
    ),
    "openid": SignInKind(
        needs=("address", "issuer", "client_id"),
        meaning="Your organisation signs you in.",
        modules=("authlib", "httpx", "joserfc"),
    ),
    "accounts": SignInKind(
        needs=(),
        meaning="Whoever runs the viewer gives you a name and a password.",
        modules=("argon2",),
    ),
}


def sign_in_kind(settings: SignInSettings) -> SignInKind:
    """Return the way of signing in that the settings name.

    Raises
    ------
    UnknownNameError
        If there is no such way.
    ConfigError
        If a setting that it needs is missing.
    """
    kind = among(SIGN_IN_KINDS, settings.kind, "kind", where=f"[{TABLE}]")
    if missing := [key for key in kind.needs if not getattr(settings, key)]:
        raise ConfigError(f"[{TABLE}] of kind {settings.kind} must say {', '.join(missing)}")
    return kind
