"""People who may sign in, and browsers of theirs, for tests of the viewer."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.viewer.app import viewer_app
from crystal_search.viewer.people.known_people import KnownPeople
from crystal_search.viewer.people.openid_provider import OpenIdProvider
from crystal_search.viewer.people.people_store import PeopleStore
from crystal_search.viewer.people.person import Person
from crystal_search.viewer.people.sign_in_settings import SignInSettings
from tests.viewer_site import Client

NOW_S = 1_800_000_000.0
COOKIE = "crystal-search"
PEOPLE = {"Lea": "look", "Ada": "score", "Cleo": "curate", "Root": "administer"}


@dataclass
class Clock:
    """Seconds since 1970 that tests turn."""

    now_s: float = NOW_S

    def __call__(self) -> float:
        return self.now_s


@dataclass(frozen=True)
class PeopleSite:
    """A viewer to which people sign in."""

    app: Starlette
    store: PeopleStore
    clock: Clock
    known: KnownPeople

    def client(self, person: str = "") -> Client:
        """Return the browser of a person who is signed in; by default of nobody."""
        cookie = {"cookie": f"{COOKIE}={self.store.begin_session(person)}"} if person else {}
        return Client(self.app, always=cookie)

    def sign_in(self, name: str, password: str, **headers: str) -> httpx.Response:
        """Sign in with a password."""
        told = json.dumps({"name": name, "password": password}).encode()
        return self.client().post("/api/sign-in", told, **headers)

    def events(self) -> list[tuple[str, str, str]]:
        """Return kind, person and what is said of everything that happened, the first first."""
        happened = self.store.events(before=2**62, count=100)
        return [(each.kind, each.person, each.about) for each in happened[::-1]]


@contextmanager
def people_site(
    imaging: ImagingDatabase, folder: Path, *, provider: OpenIdProvider | None = None, **settings: Any
) -> Iterator[PeopleSite]:
    """Give a viewer to which people sign in, one of each role; by default with accounts."""
    clock = Clock()
    with closing(PeopleStore(folder / "people.sqlite", clock=clock)) as store:
        for name, role in PEOPLE.items():
            store.add(Person(name=name, role=role))
        known = KnownPeople(SignInSettings(**{"kind": "accounts"} | settings), store, provider)
        yield PeopleSite(viewer_app(imaging, folder / "thumbnails", sign_in=known), store, clock, known)
