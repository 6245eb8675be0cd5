"""A route that answers those who have the role that it needs."""

from collections.abc import Callable
from typing import Any

from starlette import routing
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from crystal_search.viewer.guard import check_may_write
from crystal_search.viewer.people.asker import Asker, asker_of
from crystal_search.viewer.people.gate import READING


class RoleRoute(routing.Route):
    """An address, and who may ask there.

    Parameters
    ----------
    path, endpoint, method
        As Starlette has them.
    role
        The least of `roles.ROLES` that may ask.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], *, method: str, role: str) -> None:
        super().__init__(path, endpoint, methods=[method])
        self.writes = method not in READING
        self.role = role

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of somebody who may ask."""
        asker = asker_of(Request(scope))
        if not asker.may(self.role):
            raise _refusal(asker, self.role)
        if self.writes and scope["method"] in (self.methods or ()):
            check_may_write(Request(scope))
        await super().handle(scope, receive, send)


def _refusal(asker: Asker, needed: str) -> HTTPException:
    if asker.must_sign_in:
        return HTTPException(401, "sign in first")
    if asker.name:
        return HTTPException(403, f"{asker.name} has the role {asker.role}, and this needs {needed}")
    return HTTPException(
        403, "read-only: nobody signs in here, and so nobody writes but from the viewer's own machine (docs/sign-in.md)"
    )
