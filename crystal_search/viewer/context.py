"""What every request can use, and the two kinds of answer: a page and a JSON value."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from crystal_search.server.imagers import Imagers
from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.server.readouts_in_use import IdleReadout
from crystal_search.server.services.readout_offers import Offer
from crystal_search.server.services.shown_scores import ShownScores
from crystal_search.viewer.compression import compressed
from crystal_search.viewer.json_records import Record
from crystal_search.viewer.message_settings import MessageDesk
from crystal_search.viewer.parameters import number, words
from crystal_search.viewer.people.asker import asker_of
from crystal_search.viewer.people.known_people import KnownPeople
from crystal_search.viewer.queues import QueueSource
from crystal_search.viewer.reading import Board, PlateReader
from crystal_search.viewer.thumbnails import Thumbnails

INSPECTION = number("inspection", "which inspection; by default the latest with images", default=None)
CHANNEL = words("channel", "which channel; by default visible light, where there is any", default="", most=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """What every request can use."""

    imaging: ImagingDatabase
    reader: PlateReader
    thumbnails: Thumbnails
    picture_makers: ThreadPoolExecutor  #: so many pictures are made at a time
    templates: Jinja2Templates
    outcomes: Sequence[Record]  #: what the pages show for every answer, colours as this facility wants them
    is_snapshot: bool  #: whether scores would be lost, and are not taken
    import_plan: Path | None  #: where the last plan of an import is
    sentinel: Path | None  #: where it is told how imagers are
    shown: Callable[[], ShownScores]  #: tells which of the machine's scores are shown
    offers: Callable[[], Sequence[Offer]]  #: fits of readouts that are worth while
    idle: Callable[[], Sequence[IdleReadout]]  #: readouts in use that score nothing
    imagers: Imagers  #: tells which imager took an image
    micrometres_per_pixel: Mapping[str, float]  #: of images as stored, by imager
    queues: QueueSource | None  #: lists of images that are worth a look; None without an installation
    messages: MessageDesk | None  #: how messages go to people; None where none are sent
    people: KnownPeople | None  #: who may sign in; None where nobody does


def viewer_of(request: Request) -> Viewer:
    """Return what this request can use; of people who see some projects only, no more than these."""
    state, projects = request.app.state, asker_of(request).projects
    viewer: Viewer = state.viewer if projects is None else state.limited.get(projects)
    return viewer


def board_of(request: Request) -> Board:
    """Return the plate, inspection and channel that a request asks for."""
    reader = viewer_of(request).reader
    return reader.board(request.path_params["plate"], INSPECTION.of(request), CHANNEL.of(request))


def page(request: Request, name: str, context: Mapping[str, Any], status: int = 200) -> Response:
    """Return a page, checked for news each time it is opened; where people sign in, no browser keeps it."""
    viewer = viewer_of(request)
    headers = {"Cache-Control": "no-store" if viewer.people else "no-cache"}
    told = dict(context) | {"asker": asker_of(request), "has_messages": viewer.messages is not None}
    return viewer.templates.TemplateResponse(request, name, told, status, headers)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A JSON value as it is sent."""

    body: bytes
    tag: str  #: what is another one when the value is
    small: bytes = b""  #: the body compressed, of a value that goes out to many; else empty


def encoded(value: Any) -> Encoded:
    """Return a JSON value as it is sent."""
    body = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return Encoded(body, f'"{hashlib.sha256(body).hexdigest()[:24]}"')


def encoded_for_many(value: Any) -> Encoded:
    """Return a JSON value as it is sent to many, also compressed."""
    told = encoded(value)
    return replace(told, small=compressed(told.body))


def json_answer(request: Request, value: Any) -> Response:
    """Return a JSON value, or 304 when the asker has the same one already."""
    return encoded_answer(request, encoded(value))


def encoded_answer(request: Request, told: Encoded) -> Response:
    """Return a JSON value that is encoded already, or 304 when the asker has the same one already."""
    headers = {"ETag": f"W/{told.tag}", "Cache-Control": "no-cache"}  # weak: compressed or not, it is the same value
    if told.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if told.small and "gzip" in request.headers.get("accept-encoding", ""):
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return Response(told.small, headers=headers, media_type="application/json")
    return Response(told.body, headers=headers, media_type="application/json")
