"""Who asks the viewer for something, as every route sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import HTTPConnection

from crystal_search.viewer.people.roles import ANYBODY, allows

_KEY = "crystal_search.asker"  #: in a request's scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks, and what they may do."""

    name: str = ""  #: of whoever is signed in; empty where nobody is
    role: str = ANYBODY
    projects: tuple[str, ...] | None = None  #: only plates of these are shown; None: all are
    address: str = ""  #: where the request came from
    must_sign_in: bool = False  #: whether signing in would help

    def may(self, needed: str) -> bool:
        """Tell whether they may do what needs this role."""
        return allows(self.role, needed)

    @property
    def is_limited(self) -> bool:
        """Whether they see plates of some projects only."""
        return self.projects is not None

    @property
    def paced_as(self) -> str:
        """By what is counted how much they write."""
        return f"person {self.name}" if self.name else f"address {self.address}"


class SignIn(Protocol):
    """A way in which people make themselves known."""

    def asker(self, connection: HTTPConnection) -> Asker:
        """Return who asks; this may read a file, and runs beside the event loop."""


def asker_of(connection: HTTPConnection) -> Asker:
    """Return who asks, as the gate found it; nobody where a request never came to the gate."""
    found: Asker = connection.scope.get(_KEY, Asker())
    return found


def known_as(scope: Mapping[str, Any], asker: Asker) -> dict[str, Any]:
    """Return the scope of a request with who asks in it."""
    return dict(scope) | {_KEY: asker}
