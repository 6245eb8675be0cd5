"""Who asks the viewer for something, as every route sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import HTTPConnection

from crystal_search.viewer.people.person import Event
from crystal_search.viewer.people.roles import ANYBODY, allows

_ASKER, _TOLD = "crystal_search.asker", "crystal_search.told"  #: in a request's scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks, and what they may do."""

    name: str = ""  #: of whoever is signed in; empty where nobody is
    role: str = ANYBODY
    projects: tuple[str, ...] | None = None  #: only plates of these are shown; None: all are
    address: str = ""  #: where the request came from
    in_session: bool = False  #: whether they signed in here, and can sign out
    must_sign_in: bool = False  #: whether signing in would help
    failed: str = ""  #: what they showed in vain

    def may(self, needed: str) -> bool:
        """Tell whether they may do what needs this role."""
        return allows(self.role, needed)

    @property
    def paced_as(self) -> str:
        """By what is counted how much they write."""
        return f"person {self.name}" if self.name else f"address {self.address}"


class SignIn(Protocol):
    """A way in which people make themselves known; its methods may read and write files."""

    @property
    def writes_per_minute(self) -> int:
        """How often each may write."""

    def asker(self, connection: HTTPConnection) -> Asker:
        """Return who asks."""

    def note(self, event: Event) -> None:
        """Keep what happened."""


def asker_of(connection: HTTPConnection) -> Asker:
    """Return who asks, as the gate found it; nobody where a request never came to the gate."""
    found: Asker = connection.scope.get(_ASKER, Asker())
    return found


def known_as(scope: Mapping[str, Any], asker: Asker, told: dict[str, str]) -> dict[str, Any]:
    """Return the scope of a request with who asks in it, and where handlers tell what they did."""
    return dict(scope) | {_ASKER: asker, _TOLD: told}


def tell(request: HTTPConnection, about: str, **more: str) -> None:
    """Have the audit page say what a request did; `more` are fields of its `Event` that are not as ever.

    An empty kind keeps nothing, unless the request is refused.
    """
    request.scope.get(_TOLD, {}).update({"about": about} | more)
