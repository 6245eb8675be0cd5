"""What an address of the viewer is: who answers it, and all that its description says."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response

from crystal_search.viewer.parameters import Parameter
from crystal_search.viewer.people.gate import READING
from crystal_search.viewer.people.role_route import RoleRoute
from crystal_search.viewer.people.roles import ANYBODY, LEAST, MOST

Endpoint = Callable[[Request], Response] | Callable[[Request], Awaitable[Response]]

HTML = "text/html"
#: What a description begins with, where an answer is no JSON.
KINDS = {HTML: "page: ", "text/csv": "CSV: ", "text/css": "CSS: "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address of the viewer."""

    path: str  #: as Starlette has it
    endpoint: Endpoint
    says: str  #: what it answers, in Markdown
    method: Literal["GET", "POST"] = "GET"
    gives: Any = HTML  #: media type of the answer, or, where that is JSON, its record
    takes: Any = None  #: record of what is sent as JSON, where something is
    status: int = 200  #: of an answer that is no error
    role: str | None = None  #: the least of `people.roles.ROLES` that may ask; what changes something names it
    asks: tuple[Parameter[Any], ...] = ()

    @property
    def plain_path(self) -> str:
        """The path as people write it.

        >>> Address(path="/drop/{image_id:image_id}", endpoint=print, says="").plain_path
        '/drop/{image_id}'
        """
        return re.sub(r"\{(\w+):\w+\}", r"{\1}", self.path)

    @property
    def is_api(self) -> bool:
        """Whether programs ask for it."""
        return self.path.startswith("/api/")

    @property
    def needs(self) -> str:
        """The role that is needed; where none is named the least, or the highest for what changes something."""
        if self.role is not None:
            return self.role
        return LEAST if self.method in READING else MOST

    @property
    def route(self) -> RoleRoute:
        """The same for Starlette."""
        return RoleRoute(self.path, self.endpoint, method=self.method, role=self.needs)


def table(addresses: tuple[Address, ...]) -> str:
    """Return the table of addresses in docs/viewer.md."""
    lines = ["| address | answer | parameters |", "|---|---|---|"]
    for each in addresses:
        asked = ", ".join(f"`{one.name}`" for one in each.asks) or "none"
        says = (
            KINDS.get(each.gives, "")
            + each.says
            + (f"; for `{each.needs}`" if each.needs not in (ANYBODY, LEAST) else "")
        )
        lines.append(f"| `{each.method} {each.plain_path}` | {says} | {asked} |")
    return "\n".join(lines) + "\n"
