"""The list of plates: as JSON, and as a page."""

from dataclasses import asdict
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from crystal_search.server.imaging.plate_list import SORTS, PlateLine, PlateQuery
from crystal_search.viewer.context import json_answer, page, viewer_of
from crystal_search.viewer.done_times import done_times
from crystal_search.viewer.json_records import Record, moment
from crystal_search.viewer.parameters import choice, number, words, yes

SEARCH = words("search", "words that must all occur", default="", most=200)
SORT = choice("sort", "by what the list is sorted", default=PlateQuery().sort, of=SORTS)
TURNED = yes("turned", "the other way round")
PAGE = number("page", "which page", default=1, most=1_000_000)
PER_PAGE = number("per_page", "plates of a page", default=100, most=500)
ASKED = (SEARCH, SORT, TURNED, PAGE, PER_PAGE)


def get_plates(request: Request) -> Response:
    """Answer with a page of the list of plates."""
    return json_answer(request, plates_value(request))


def get_plates_page(request: Request) -> Response:
    """Show a page of the list of plates."""
    return page(request, "plates.html", {"data": plates_value(request) | {"outcomes": viewer_of(request).outcomes}})


def plates_value(request: Request) -> Record:
    """Return the page of the list of plates that a request asks for."""
    query = _query(request)
    viewer = viewer_of(request)
    listed = viewer.reader.list_plates(query)
    done = done_times(viewer.imaging, listed.plates, datetime.now(UTC))
    return {
        "search": query.search,
        "sort": query.sort,
        "turned": query.turned,
        "page": query.page,
        "pages": -(-listed.found // query.per_page),
        "per_page": query.per_page,
        "found": listed.found,
        "all": listed.all,
        "plates": [plate_record(line) | {"done_at": moment(done.get(line.plate))} for line in listed.plates],
    }


def plate_record(line: PlateLine) -> Record:
    """Return one line of the list of plates."""
    return asdict(line) | {name: moment(getattr(line, name)) for name in ("last_scored_at", "newest_at")}


def _query(request: Request) -> PlateQuery:
    return PlateQuery(
        search=SEARCH.of(request),
        sort=SORT.of(request),
        turned=TURNED.of(request),
        page=PAGE.of(request),
        per_page=PER_PAGE.of(request),
    )
