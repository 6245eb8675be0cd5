"""Who asks, where people sign in: by a token, by what a proxy says, or by the session that a browser's cookie names."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection
from starlette.responses import Response

from crystal_search.viewer.people.asker import Asker
from crystal_search.viewer.people.guesses import Guesses
from crystal_search.viewer.people.passwords import is_right
from crystal_search.viewer.people.people_store import PeopleStore
from crystal_search.viewer.people.person import TOKEN_BEGINS, Event, Person
from crystal_search.viewer.people.roles import lesser
from crystal_search.viewer.people.sign_in_kinds import SignInKind, sign_in_kind
from crystal_search.viewer.people.sign_in_settings import REFUSE, SignInSettings

if TYPE_CHECKING:
    from crystal_search.viewer.people.openid_provider import OpenIdProvider

COOKIE = "crystal-search"
ENOUGH_HOPS = 20  #: of a list of proxies


@dataclass(frozen=True, slots=True)
class KnownPeople:
    """Knows people by what they signed in with."""

    settings: SignInSettings
    store: PeopleStore
    provider: "OpenIdProvider | None" = None  #: where people sign in whose kind that is
    kind: SignInKind = field(init=False)
    guesses: Guesses = field(default_factory=Guesses)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", sign_in_kind(self.settings))

    def asker(self, connection: HTTPConnection) -> Asker:
        """Return who asks."""
        address = self.address_of(connection)
        kind, _, secret = connection.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and secret.startswith(TOKEN_BEGINS):  # others are a proxy's own
            return self._with_token(secret, address)
        person = self._known(connection)
        if person is None:
            return Asker(address=address, must_sign_in=True)
        return replace(_asker(person, address), in_session=not self.kind.told_by)

    @property
    def writes_per_minute(self) -> int:
        """How often each may write."""
        return self.settings.writes_per_minute

    def note(self, event: Event) -> None:
        """Keep what happened."""
        self.store.note(event)

    def _with_token(self, secret: str, address: str) -> Asker:
        found = self.store.with_token(secret)
        if found is None:
            return Asker(address=address, must_sign_in=True, failed="a token that is none, or is over")
        person, role = found
        return _asker(person, address, lesser(person.role, role))

    def _known(self, connection: HTTPConnection) -> Person | None:
        if self.kind.told_by:
            return self.person_called(self.kind.told_by(self.settings, connection))
        secret = connection.cookies.get(self.cookie, "")
        if not secret:
            return None
        return self.store.in_session(secret, most_s=self.settings.most_s, idle_s=self.settings.idle_s)

    def person_called(self, name: str) -> Person | None:
        """Return the person whom somebody else vouches for; None where they may not come in.

        An unknown name that would be taken for a person's is nobody's: under it that person would be limited no more.
        """
        if not name:
            return None
        known = self.store.person(name)
        if known or self.settings.unknown_people == REFUSE or self.store.alike(name):
            return known
        return Person(name=name, role=self.settings.unknown_people)

    def with_password(self, name: str, password: str, address: str) -> Person | None:
        """Return the person whose name and password these are; None where they are nobody's.

        Raises
        ------
        TooManyGuessesError
            If it was tried too often of late.
        """
        self.guesses.count(name, address)
        person = self.store.person(name)
        return person if is_right(password, person.password if person else "") else None

    def address_of(self, connection: HTTPConnection) -> str:
        """Return where a request came from: before proxies that are believed."""
        hops = [each.strip() for each in connection.headers.get("x-forwarded-for", "").split(",")[-ENOUGH_HOPS:]]
        address = connection.client.host if connection.client else ""
        while hops and hops[-1] and self.settings.believes(address):
            address = hops.pop()
        return address

    @property
    def cookie(self) -> str:
        """The name of the cookie; over https one that no other host, and nothing without https, can set."""
        return f"__Host-{COOKIE}" if self.settings.is_secure else COOKIE

    def begin(self, response: Response, connection: HTTPConnection, name: str) -> None:
        """Have an answer begin a session, in place of the one that the browser was in."""
        self.store.end_session(connection.cookies.get(self.cookie, ""))
        self.keep(response, self.cookie, self.store.begin_session(name), seconds=int(self.settings.most_s))

    def end(self, response: Response, connection: HTTPConnection) -> None:
        """Have an answer end the session that the browser is in."""
        self.store.end_session(connection.cookies.get(self.cookie, ""))
        self.drop(response, self.cookie)

    def keep(self, response: Response, cookie: str, value: str, *, seconds: int) -> None:
        """Have a browser keep a cookie, out of reach for programs of pages and for other sites."""
        secure = self.settings.is_secure
        response.set_cookie(cookie, value, max_age=seconds, secure=secure, httponly=True, samesite="lax")

    def drop(self, response: Response, cookie: str) -> None:
        """Have a browser drop a cookie."""
        response.delete_cookie(cookie, secure=self.settings.is_secure, httponly=True, samesite="lax")


def _asker(person: Person, address: str, role: str | None = None) -> Asker:
    return Asker(name=person.name, role=role or person.role, projects=person.projects, address=address)
