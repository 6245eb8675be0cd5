"""The lists of images that are worth a look: as JSON, and as a page that links to the drops."""

from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from crystal_search.viewer.context import json_answer, page, viewer_of
from crystal_search.viewer.json_records import Record, image_record
from crystal_search.viewer.parameters import number, words
from crystal_search.viewer.queue_kinds import QUEUE_KINDS
from crystal_search.viewer.queues import Key

FIRST = next(iter(QUEUE_KINDS))
IMAGER = words("imager", "of `teach`: whose images; by default those of the imager with the most", default="", most=100)
PAGE = number("page", "which page", default=1, most=1000)
PER_PAGE = number("per_page", "drops of a page", default=60, most=200)
ASKED = (IMAGER, PAGE, PER_PAGE)


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list is asked for."""

    number: int  #: of the page, from 1
    per_page: int


def get_queue(request: Request) -> Response:
    """Answer with a page of a list."""
    return json_answer(request, queue_value(request))


def get_queues_page(request: Request) -> Response:
    """Show a page of a list, the first kind where none is named."""
    kinds = [{"name": name, "title": kind.title} for name, kind in QUEUE_KINDS.items()]
    return page(request, "queues.html", {"queue": queue_value(request), "kinds": kinds})


def queue_value(request: Request) -> Record:
    """Return a page of the list that a request asks for."""
    viewer = viewer_of(request)
    name = request.path_params.get("queue", FIRST)
    if name not in QUEUE_KINDS:
        raise HTTPException(404, f"there is no list {name!r:.40}; choose from {', '.join(QUEUE_KINDS)}")
    kind, paging, named = QUEUE_KINDS[name], _paging(request), IMAGER.of(request)
    if viewer.queues is None:
        raise HTTPException(404, "this viewer shows no installation, and so has no lists")
    imagers = viewer.queues.imagers() if kind.by_imager else []
    imager = _imager(named, imagers) if kind.by_imager else ""
    listing = viewer.queues.get(Key(name, imager))
    start, count = (paging.number - 1) * paging.per_page, len(listing.entries)
    return {
        "queue": name,
        "title": kind.title,
        "meaning": kind.meaning,
        "imager": imager,
        "imagers": imagers,
        "is_current": listing.is_current,
        "why_empty": listing.why_empty,
        "images": count,
        "page": paging.number,
        "pages": -(-count // paging.per_page),
        "per_page": paging.per_page,
        "drops": [
            image_record(entry.image, viewer.thumbnails.version) | entry.told
            for entry in listing.entries[start : start + paging.per_page]
        ],
    }


def _imager(named: str, imagers: list[str]) -> str:
    """Return whose images are asked for: by default those of the imager with the most."""
    if named and named not in imagers:
        raise HTTPException(404, f"there are no features of an imager {named!r:.40}; choose from {', '.join(imagers)}")
    return named or next(iter(imagers), "")


def _paging(request: Request) -> Paging:
    return Paging(number=PAGE.of(request), per_page=PER_PAGE.of(request))
