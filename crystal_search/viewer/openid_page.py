"""Signing in at an OpenID provider: where a browser leaves for it, and where it comes back."""

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from crystal_search.errors import UserError
from crystal_search.viewer.people.asker import tell
from crystal_search.viewer.people.known_people import KnownPeople
from crystal_search.viewer.people.openid_answer import Beginning, Identity, OpenIdError
from crystal_search.viewer.people.person import Person
from crystal_search.viewer.people.sign_in_settings import REFUSE
from crystal_search.viewer.sign_in_page import NEXT, begun, page_of_ours, people_of

if TYPE_CHECKING:
    from crystal_search.viewer.people.openid_provider import OpenIdProvider

PATIENCE_S = 600  #: for which a browser may be at the provider


def get_openid_start(request: Request) -> Response:
    """Send a browser to the provider."""
    people, provider = _provider(request)
    try:
        address, began = provider.begin(page_of_ours(NEXT.of(request)))
    except OpenIdError as error:
        raise HTTPException(502, str(error)) from error
    answer = RedirectResponse(address, 303, {"Cache-Control": "no-store"})
    people.keep(answer, _cookie(people), began.text(), seconds=PATIENCE_S)
    return answer


def get_openid_answer(request: Request) -> Response:
    """Begin a session for whoever comes back from the provider."""
    people, provider = _provider(request)
    try:
        began = Beginning.of(request.cookies.get(_cookie(people), ""))
        person = _person(people, provider.identity(began, request.query_params))
    except OpenIdError as error:
        tell(request, str(error))
        raise HTTPException(403, str(error)) from error
    answer = RedirectResponse(page_of_ours(began.following), 303, {"Cache-Control": "no-store"})
    people.drop(answer, _cookie(people))
    return begun(request, people, person.name, answer)


def _provider(request: Request) -> tuple[KnownPeople, "OpenIdProvider"]:
    people = people_of(request)
    if people.provider is None:
        raise HTTPException(404, "nobody signs in at a provider here")
    return people, people.provider


def _cookie(people: KnownPeople) -> str:
    return f"{people.cookie}-openid"


def _person(people: KnownPeople, identity: Identity) -> Person:
    """Return the person who signs in, who is from now on the provider's subject and no other of the same name."""
    known = people.store.person(identity.name)
    if known is None and people.settings.unknown_people != REFUSE:
        known = Person(name=identity.name, role=people.settings.unknown_people, subject=identity.subject)
        try:
            people.store.add(known)
        except UserError as error:
            raise OpenIdError(str(error)) from error
    if known is None:
        raise OpenIdError(f"{identity.name} was not added here; whoever runs the viewer can do so")
    if not people.store.tie(known.name, identity.subject):
        raise OpenIdError(f"another {identity.name} signs in here; whoever runs the viewer can help")
    return known
