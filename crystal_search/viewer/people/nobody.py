"""Where no way of signing in is set: all roles for this machine's own browsers, looking only for everybody else."""

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from crystal_search.viewer.guard import LOOPBACK_NAMES, host_name
from crystal_search.viewer.people.asker import Asker
from crystal_search.viewer.people.person import Event
from crystal_search.viewer.people.roles import LEAST, MOST
from crystal_search.viewer.people.sign_in_settings import WRITES_PER_MINUTE

FROM_A_PROXY = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")  #: headers that proxies add


@dataclass(frozen=True, slots=True)
class NobodySignsIn:
    """Knows nobody by name.

    A proxy on this machine asks from this machine for others: what it passes on, by another name or with a header of
    proxies, is from the network.
    """

    listens_here: bool = True  #: whether only this machine reaches the viewer
    writes_per_minute: int = WRITES_PER_MINUTE

    def asker(self, connection: HTTPConnection) -> Asker:
        """Return who asks."""
        headers, address = connection.headers, connection.client.host if connection.client else ""
        is_here = (
            self.listens_here
            and host_name(headers.get("host", "")) in LOOPBACK_NAMES
            and not any(name in headers for name in FROM_A_PROXY)
        )
        return Asker(role=MOST if is_here else LEAST, address=address)

    def note(self, event: Event) -> None:
        """Keep nothing: who is known by no name leaves no trail."""
