"""The pages: a plate, a drop, and errors."""

from collections.abc import Sequence
from dataclasses import asdict
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from crystal_search.errors import DatabaseError
from crystal_search.viewer.addresses import HTML, Address
from crystal_search.viewer.api import board_value, ledger_value
from crystal_search.viewer.context import board_of, page, viewer_of
from crystal_search.viewer.guard import SECURITY_HEADERS
from crystal_search.viewer.recipes import RECIPE
from crystal_search.viewer.sign_in_page import way_back


def get_plate_page(request: Request) -> Response:
    """Show every drop of a plate."""
    viewer, board = viewer_of(request), board_of(request)
    value = board_value(viewer, board, RECIPE.of(request))
    data = {"board": value, "outcomes": viewer.outcomes, "neighbours": asdict(viewer.reader.neighbours(board.plate))}
    return page(request, "plate.html", {"plate": board.plate, "data": data})


def get_drop_page(request: Request) -> Response:
    """Show one drop."""
    viewer = viewer_of(request)
    drop = ledger_value(viewer, request.path_params["image_id"])
    return page(request, "drop.html", {"drop": drop, "data": {"drop": drop, "outcomes": viewer.outcomes}})


def get_outcome_colours(request: Request) -> Response:
    """Answer with the frame colours as a style sheet."""
    rules = [
        f".is-{each['name']}{{--frame:{each['frame']};--ink:{each['ink']}}}" for each in viewer_of(request).outcomes
    ]
    return Response("\n".join(rules), media_type="text/css", headers={"Cache-Control": "no-cache"})


def show_http_error(request: Request, error: Exception) -> Response:
    """Show what is wrong with a request."""
    if not isinstance(error, HTTPException):
        raise error
    answer = _error(request, error.status_code, error.detail)
    answer.headers.update(error.headers or {})
    return answer


def show_database_error(request: Request, error: Exception) -> Response:
    """Show that the imaging database does not answer."""
    if not isinstance(error, DatabaseError):
        raise error
    return _error(request, 503, str(error))


def show_other_error(request: Request, _: Exception) -> Response:
    """Show that the viewer itself failed; the log says why. This answer goes round the guard."""
    answer = _error(request, 500, "the viewer failed here; its log says why")
    answer.headers.update(SECURITY_HEADERS)
    return answer


def _error(request: Request, status: int, message: str) -> Response:
    wants_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    wants_page = wants_page or _is_a_page(request)
    if status == 401 and wants_page:
        return RedirectResponse(f"/sign-in?{urlencode({'next': way_back(request)})}", 303)
    if wants_page:
        return page(request, "error.html", {"status": status, "message": message}, status)
    return JSONResponse({"status": status, "error": message}, status)


def _is_a_page(request: Request) -> bool:
    """Tell whether the address is one that people open; everything else is asked by programs."""
    addresses: Sequence[Address] = request.app.state.addresses
    found = (each for each in addresses if each.route.path_regex.match(request.url.path))
    return next((each.gives == HTML for each in found), False)
