"""Signing in and out."""

from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from crystal_search.errors import UserError
from crystal_search.hostile_json import UNPRINTABLE, Reader, read_whole
from crystal_search.viewer.api import body_of
from crystal_search.viewer.context import page, viewer_of
from crystal_search.viewer.parameters import words
from crystal_search.viewer.people.asker import asker_of, tell
from crystal_search.viewer.people.guesses import TooManyGuessesError
from crystal_search.viewer.people.known_people import KnownPeople
from crystal_search.viewer.people.passwords import MOST
from crystal_search.viewer.people.person import MOST_LETTERS

HOME = "/"
#: said at signing out: pictures of plates that the next person at this browser may not see are kept no longer
FORGET = {"Clear-Site-Data": '"cache"'}
MOST_BACK = 1300  #: bytes of the page that comes then: of a cookie that holds it browsers keep 4096 in all
NEXT = words("next", "which page of this viewer comes then", default=HOME, most=MOST_BACK)


class SignInRequestError(UserError):
    """Name and password cannot be taken as they were sent."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What somebody says who signs in."""

    name: str
    password: str


def people_of(request: Request) -> KnownPeople:
    """Return who may sign in.

    Raises
    ------
    HTTPException
        404 where nobody does.
    """
    people = viewer_of(request).people
    if people is None:
        raise HTTPException(404, "nobody signs in to this viewer (docs/sign-in.md)")
    return people


def page_of_ours(address: str) -> str:
    """Return an address below this viewer's own; the first page in place of any other.

    >>> page_of_ours("/plate/P1?sort=crystal"), page_of_ours("//evil.example"), page_of_ours("https://evil.example")
    ('/plate/P1?sort=crystal', '/', '/')
    """
    is_ours = address.startswith("/") and not address.startswith(("//", "/sign-in")) and "\\" not in address
    return address if is_ours and address.isprintable() and len(address.encode()) <= MOST_BACK else HOME


def way_back(request: Request) -> str:
    """Return what page is to come once somebody is signed in: the one asked for, as much of it as a cookie holds."""
    path, query = request.url.path, request.url.query
    for address in (f"{path}?{query}" if query else path, path):
        if len(address.encode()) <= MOST_BACK:
            return address
    return HOME


def get_sign_in_page(request: Request) -> Response:
    """Show how one signs in, or who is signed in."""
    people = people_of(request)
    following = page_of_ours(NEXT.of(request))
    context = {"kind": people.settings.kind, "meaning": people.kind.meaning, "data": {"next": following}}
    return page(request, "sign_in.html", context)


async def post_sign_in(request: Request) -> Response:
    """Begin a session for a person who has an account."""
    people, address = people_of(request), asker_of(request).address
    if people.settings.kind != "accounts":
        raise HTTPException(404, "nobody signs in with a password here")
    try:
        told = read_whole(await body_of(request), "signing in", SignInRequestError, _credentials)
        found = await run_in_threadpool(people.with_password, told.name, told.password, address)
    except SignInRequestError as error:
        raise HTTPException(400, str(error)) from error
    except TooManyGuessesError as error:
        raise HTTPException(429, str(error), {"Retry-After": str(error.wait_s)}) from error
    if found is None:
        known = await run_in_threadpool(people.store.person, told.name)
        tell(request, f"the password of {told.name}" if known else "a name of nobody")
        raise HTTPException(403, "there is nobody with this name and password")
    return await run_in_threadpool(begun, request, people, found.name, JSONResponse({"person": found.name}))


def begun(request: Request, people: KnownPeople, name: str, answer: Response) -> Response:
    """Return an answer that begins a session."""
    people.begin(answer, request, name)
    tell(request, people.settings.kind, kind="signed in", person=name)
    return answer


def post_sign_out(request: Request) -> Response:
    """End the session that the browser is in."""
    people, answer = people_of(request), JSONResponse({"person": ""}, headers=FORGET)
    people.end(answer, request)
    return answer


def _credentials(read: Reader) -> Credentials:
    told = {}
    for key, most in (("name", MOST_LETTERS), ("password", MOST)):
        value = read.take(key)
        if not isinstance(value, str) or not 1 <= len(value) <= most or UNPRINTABLE.search(value):
            read.fail(key, f"1 to {most} letters", "something else")  # a password is never said again
        told[key] = value
    return Credentials(**told)
