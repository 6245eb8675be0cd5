"""The page on which a person turns messages on and off, and the one that a link in a message leads to."""

import re
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from crystal_search.errors import UserError
from crystal_search.hostile_json import Reader, read_whole
from crystal_search.viewer.api import body_of
from crystal_search.viewer.context import page, viewer_of
from crystal_search.viewer.hand_scores import person_in
from crystal_search.viewer.json_records import Record
from crystal_search.viewer.message_settings import MessageDesk
from crystal_search.viewer.messages.digest import is_mail_address
from crystal_search.viewer.messages.subscriptions import OFTEN, Subscription, SubscriptionStore, Wish
from crystal_search.viewer.people.asker import asker_of

Made = TypeVar("Made")
MOST_PROJECTS, MOST_LETTERS = 100, 200
TOKEN = re.compile(r"[A-Za-z0-9_-]{20,100}")
MAIL_ADDRESS = re.compile(r"[^\s@<>,;:\"\\]{1,64}@[^\s@<>,;:\"\\]{1,255}")


class WishError(UserError):
    """The wish cannot be followed as it was sent."""


def desk_of(request: Request) -> MessageDesk:
    """Return where wishes are kept.

    Raises
    ------
    HTTPException
        404 where no messages are sent.
    """
    desk = viewer_of(request).messages
    if desk is None:
        raise HTTPException(404, "no messages are sent here (docs/messages.md)")
    return desk


def get_messages_page(request: Request) -> Response:
    """Show what whoever is signed in is told, and how they change it."""
    desk, name = desk_of(request), asker_of(request).name
    with closing(SubscriptionStore(desk.path)) as store:
        found = store.of(name) if name else None
    wish = wish_record(found) if found else None
    ways = desk.settings.ways
    return page(request, "messages.html", {"wish": wish, "ways": ways, "often": OFTEN, "data": {"signed_in": name}})


def get_stop_page(request: Request) -> Response:
    """Ask whether messages are to end; a program that opens links of mails ends none by that."""
    token = request.path_params["token"]
    with closing(SubscriptionStore(desk_of(request).path)) as store:
        found = store.with_token(token)
    return page(request, "stop_messages.html", {"found": found, "data": {"token": token}})


async def post_wish(request: Request) -> Response:
    """Follow a person's wish from now on."""
    desk, asker, imaging = desk_of(request), asker_of(request), viewer_of(request).imaging
    wish = await _read(request, lambda read: _wish(read, asker.name, desk.settings.ways))

    def work() -> Response:
        with closing(SubscriptionStore(desk.path)) as store:
            store.subscribe(wish, mark=imaging.last_entry(), now=datetime.now(UTC))
            found = store.of(wish.person)
        return JSONResponse(wish_record(found) if found else None)

    return await run_in_threadpool(work)


async def post_end(request: Request) -> Response:
    """End the messages of a person who asks for that themself."""
    desk, asker = desk_of(request), asker_of(request)
    person = await _read(request, lambda read: person_in(asker.name, read))
    return await run_in_threadpool(_end, desk, lambda store: store.of(person))


async def post_stop(request: Request) -> Response:
    """End messages by the token of their link; nobody signs in for that."""
    desk = desk_of(request)
    token = await _read(request, lambda read: read.text("token", limit=100, pattern=TOKEN))
    return await run_in_threadpool(_end, desk, lambda store: store.with_token(token))


def _end(desk: MessageDesk, which: Callable[[SubscriptionStore], Subscription | None]) -> Response:
    with closing(SubscriptionStore(desk.path)) as store:
        found = which(store)
        if found:
            store.end(found.id)
    return JSONResponse({"ended": found is not None})


async def _read(request: Request, make: Callable[[Reader], Made]) -> Made:
    if viewer_of(request).is_snapshot:
        raise HTTPException(403, "this is a snapshot of an installation that cannot be written")
    try:
        return read_whole(await body_of(request), "messages", WishError, make)
    except WishError as error:
        raise HTTPException(400, str(error)) from error


def _wish(read: Reader, signed_in: str, ways: tuple[str, ...]) -> Wish:
    person, way = person_in(signed_in, read), read.choice("way", ways)
    address = read.text("address", limit=320).strip()
    if way == "mail" and not (MAIL_ADDRESS.fullmatch(address) and is_mail_address(address)):
        read.fail("address", "one address of a mailbox, like ada@example.org", address)
    projects = tuple(" ".join(each.split()) for each in read.texts("projects", limit=MOST_PROJECTS))
    if any(not 1 <= len(each) <= MOST_LETTERS or not each.isprintable() for each in projects):
        read.fail("projects", f"names of 1 to {MOST_LETTERS} letters", projects)
    often = read.choice("often", OFTEN)
    return Wish(person=person, way=way, address=address if way == "mail" else "", projects=projects, often=often)


def wish_record(found: Subscription) -> Record:
    """Return what somebody is told."""
    wish = found.wish
    told = {name: getattr(wish, name) for name in ("person", "way", "address", "often")}
    return told | {"projects": list(wish.projects)}
