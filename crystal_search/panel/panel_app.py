"""The pages on which experts answer: one address for each of them, and nothing of anybody else behind it.

A page gets the pictures by their place in this expert's own order, so that neither a file name nor an address tells
where a picture is from, which are shown twice, or what anybody else, or a machine, says of it.
"""

import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any

from jinja2 import Environment, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from crystal_search.class_schemes import scheme_named
from crystal_search.errors import ImageError, UserError
from crystal_search.hostile_json import Reader, read_whole
from crystal_search.outcomes import NO_DROP, outcome_named
from crystal_search.panel.experts import AnswerSheet, invite, named, sheets_of
from crystal_search.panel.panel_set import CLASSES, PanelSet
from crystal_search.review.review_page import choices
from crystal_search.viewer.api import body_of
from crystal_search.viewer.guard import LOOPBACK_NAMES, SECURITY_HEADERS, Guard, check_may_write
from crystal_search.viewer.thumbnails import full_jpeg, shown_as

SCHEME = "groups-4"
#: Files of the pages by the name that they have in an address; those of the other room are its page's, too.
STATIC = {
    "crystal.svg": ("crystal_search.viewer", "static/crystal.svg", "image/svg+xml"),
    "page.css": ("crystal_search.review", "page.css", "text/css"),
    "choosing.js": ("crystal_search.review", "choosing.js", "text/javascript"),
    "panel.css": ("crystal_search.panel", "pages/panel.css", "text/css"),
    "panel.js": ("crystal_search.panel", "pages/panel.js", "text/javascript"),
    "enter.js": ("crystal_search.panel", "pages/enter.js", "text/javascript"),
}
NOT_KEPT = {"Cache-Control": "no-store"}


@dataclass(eq=False, slots=True, kw_only=True)
class Table:
    """What the pages are made from: the panel, and the answer sheets of those who sit at it."""

    folder: Path
    panel: PanelSet
    open_to_names: bool  #: whether who types a name may answer; only this machine's own user can
    sheets: dict[str, AnswerSheet] = field(default_factory=dict)  #: by token
    lock: Lock = field(default_factory=Lock)

    def look_again(self) -> None:
        """Read who was invited meanwhile."""
        with self.lock:
            self.sheets = {each.expert.token: each for each in sheets_of(self.folder, self.panel)} | self.sheets

    def sheet(self, token: str) -> AnswerSheet:
        """Return the answers of whoever was given a link.

        Raises
        ------
        HTTPException
            404 for a link that nobody was given.
        """
        if token not in self.sheets:
            self.look_again()
        for known, sheet in self.sheets.items():
            if secrets.compare_digest(known.encode(), token.encode()):
                return sheet
        raise HTTPException(404, "nobody was given this link; ask for yours again, and copy all of it")


def panel_app(
    folder: Path, panel: PanelSet, *, names: Collection[str] = LOOPBACK_NAMES, open_to_names: bool = False
) -> Starlette:
    """Return the pages of a panel as a web application.

    Parameters
    ----------
    folder, panel
        The panel's folder, and what it holds.
    names
        Host names that it answers to.
    open_to_names
        Whether the first page takes a typed name. Only for a service that nobody else reaches.

    Raises
    ------
    UserError
        If the answers in the folder are of another panel, or cannot be read.
    """
    table = Table(folder=folder, panel=panel, open_to_names=open_to_names)
    table.look_again()
    app = Starlette(
        routes=[
            Route("/", get_entrance),
            Route("/enter", post_enter, methods=["POST"]),
            Route("/static/{name}", get_static),
            Route("/expert/{token}/", get_expert_page),
            Route("/expert/{token}/picture/{place:int}", get_picture),
            Route("/expert/{token}/answer", post_answer, methods=["POST"]),
        ],
        middleware=[Middleware(Guard, names=names)],
        exception_handlers={HTTPException: show_http_error, Exception: show_other_error},
    )
    app.state.table = table
    return app


def table_of(request: Request) -> Table:
    """Return what this request can use."""
    table: Table = request.app.state.table
    return table


def class_choices() -> list[dict[str, str]]:
    """Return the classes that an expert chooses from, each with its key.

    >>> [(each["name"], each["key"]) for each in class_choices()]
    [('crystal', '1'), ('precipitate', '2'), ('other', '3'), ('clear', '4')]
    """
    return [
        each | {"name": str(outcome_named(each["name"]).group), "label": each["label"].title(), "letter": ""}
        for each in choices(scheme_named(SCHEME))
        if each["name"] != NO_DROP
    ]


def get_entrance(request: Request) -> Response:
    """Show where to type a name, or that one needs a link."""
    table = table_of(request)
    return _page("enter.html", {"panel": table.panel.name, "open": table.open_to_names})


async def post_enter(request: Request) -> Response:
    """Answer with the address of whoever typed a name."""
    check_may_write(request)
    table = table_of(request)
    if not table.open_to_names:
        raise HTTPException(403, "here everybody has a link of their own; ask for yours")
    body = await body_of(request)
    return await run_in_threadpool(_entered, table, body)


def _entered(table: Table, body: bytes) -> Response:
    try:
        name = named(read_whole(body, "name", UserError, lambda read: read.text("name")))
        with table.lock:
            experts = invite(table.folder, [name])
    except UserError as error:
        raise HTTPException(400, str(error)) from error
    token = next(each.token for each in experts if each.name.casefold() == name.casefold())
    return JSONResponse({"address": f"/expert/{token}/"}, headers=NOT_KEPT)


def get_expert_page(request: Request) -> Response:
    """Show an expert's own page."""
    table = table_of(request)
    sheet = table.sheet(request.path_params["token"])
    data = {
        "classes": class_choices(),
        "places": len(sheet.shown),
        "answers": {place: each.answer for place, each in sheet.answers.items()},
    }
    return _page("panel.html", {"panel": table.panel.name, "expert": sheet.expert.name, "data": data})


def get_picture(request: Request) -> Response:
    """Answer with the picture at a place of an expert's order."""
    table = table_of(request)
    sheet, place = table.sheet(request.path_params["token"]), request.path_params["place"]
    if not 0 <= place < len(sheet.shown):
        raise HTTPException(404, f"there are {len(sheet.shown)} places")
    path = table.folder / table.panel.images[sheet.shown[place]].file
    try:
        data = path.read_bytes()
        media_type = shown_as(data[:64])
        content = data if media_type else full_jpeg(data)
    except (OSError, ImageError) as error:
        raise HTTPException(422, f"the picture at place {place + 1} cannot be read") from error
    return Response(content, media_type=media_type or "image/jpeg", headers={"Cache-Control": "private, max-age=86400"})


async def post_answer(request: Request) -> Response:
    """Keep an answer; say so once it is on the disk."""
    check_may_write(request)
    sheet = await run_in_threadpool(table_of(request).sheet, request.path_params["token"])
    body = await body_of(request)
    return await run_in_threadpool(_answered, sheet, body)


def _answered(sheet: AnswerSheet, body: bytes) -> Response:
    def read(reader: Reader) -> tuple[int, str]:
        return reader.integer("place", 0, len(sheet.shown) - 1), reader.choice("answer", CLASSES)

    try:
        place, answer = read_whole(body, "answer", UserError, read)
    except UserError as error:
        raise HTTPException(400, str(error)) from error
    return JSONResponse({"answered": sheet.put(place, answer)}, 201, headers=NOT_KEPT)


def get_static(request: Request) -> Response:
    """Answer with a style sheet or a script."""
    if request.path_params["name"] not in STATIC:
        raise HTTPException(404, "there is no such file")
    package, name, media_type = STATIC[request.path_params["name"]]
    return Response((files(package) / name).read_bytes(), media_type=media_type, headers={"Cache-Control": "no-cache"})


def _page(name: str, context: Mapping[str, Any], status: int = 200) -> Response:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    # Inside of a script only "<" could end it, or open a comment.
    environment.filters["script"] = lambda value: json.dumps(value).replace("<", "\\u003c")
    source = (files("crystal_search.panel") / "pages" / name).read_text(encoding="utf-8")
    return HTMLResponse(environment.from_string(source).render(context), status, headers=NOT_KEPT)


def show_http_error(request: Request, error: Exception) -> Response:
    """Say what is wrong with a request, as a page to who opened one."""
    if not isinstance(error, HTTPException):
        raise error
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        return _page("wrong.html", {"message": error.detail}, error.status_code)
    return JSONResponse({"status": error.status_code, "error": error.detail}, error.status_code)


def show_other_error(request: Request, error: Exception) -> Response:
    """Say that the service itself failed; the log says why. This answer goes round the guard."""
    return JSONResponse({"status": 500, "error": "this failed here; the log says why"}, 500, headers=SECURITY_HEADERS)
