"""The list of plates: as JSON, and as a page."""

from dataclasses import asdict

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from crystal_search.errors import UnknownNameError
from crystal_search.server.imaging.plate_list import PlateLine, PlateQuery
from crystal_search.viewer.context import json_answer, number_asked, page, viewer_of
from crystal_search.viewer.json_records import Record, moment

PER_PAGE, MOST_PER_PAGE, MOST_PAGES = 100, 500, 1_000_000
MOST_LETTERS = 200  #: of a search


def get_plates(request: Request) -> Response:
    """Answer with a page of the list of plates."""
    return json_answer(request, plates_value(request))


def get_plates_page(request: Request) -> Response:
    """Show a page of the list of plates."""
    return page(request, "plates.html", {"data": plates_value(request) | {"outcomes": viewer_of(request).outcomes}})


def plates_value(request: Request) -> Record:
    """Return the page of the list of plates that a request asks for."""
    query = _query(request)
    try:
        listed = viewer_of(request).reader.list_plates(query)
    except UnknownNameError as error:
        raise HTTPException(400, str(error)) from error
    return {
        "search": query.search,
        "sort": query.sort,
        "turned": query.turned,
        "page": query.page,
        "pages": -(-listed.found // query.per_page),
        "per_page": query.per_page,
        "found": listed.found,
        "all": listed.all,
        "plates": [plate_record(line) for line in listed.plates],
    }


def plate_record(line: PlateLine) -> Record:
    """Return one line of the list of plates."""
    return asdict(line) | {name: moment(getattr(line, name)) for name in ("last_scored_at", "newest_at")}


def _query(request: Request) -> PlateQuery:
    asked = request.query_params
    search = " ".join(asked.get("search", "").split())
    if len(search) > MOST_LETTERS:
        raise HTTPException(400, f"search for at most {MOST_LETTERS} letters")
    return PlateQuery(
        search=search,
        sort=asked.get("sort") or PlateQuery().sort,
        turned=asked.get("turned") == "yes",
        page=number_asked(request, "page", default=1, most=MOST_PAGES),
        per_page=number_asked(request, "per_page", default=PER_PAGE, most=MOST_PER_PAGE),
    )
