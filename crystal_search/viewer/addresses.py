"""What an address of the viewer is: who answers it, and all that its description says."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crystal_search.viewer.parameters import Parameter

Endpoint = Callable[[Request], Response] | Callable[[Request], Awaitable[Response]]

JSON, HTML = "application/json", "text/html"
#: What a description begins with, where an answer is no JSON.
KINDS = {HTML: "page: ", "text/csv": "CSV: ", "text/css": "CSS: "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address of the viewer."""

    path: str  #: as Starlette has it
    endpoint: Endpoint
    says: str  #: what it answers, in Markdown
    method: Literal["GET", "POST"] = "GET"
    gives: str = HTML  #: media type of the answer
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
    def route(self) -> Route:
        """The same for Starlette."""
        return Route(self.path, self.endpoint, methods=[self.method])


def table(addresses: tuple[Address, ...]) -> str:
    """Return the table of addresses in docs/viewer.md."""
    lines = ["| address | answer | parameters |", "|---|---|---|"]
    for each in addresses:
        asked = ", ".join(f"`{one.name}`" for one in each.asks) or "none"
        lines.append(f"| `{each.method} {each.plain_path}` | {KINDS.get(each.gives, '')}{each.says} | {asked} |")
    return "\n".join(lines) + "\n"
