"""The page that shows what an import would do, and the button that does it.

Which folder it is comes from the plan that ``import --dry-run`` or ``watch`` left in the home folder, never from a
request.
"""

import json
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from crystal_search.errors import UserError
from crystal_search.server.importing.import_command import summary
from crystal_search.server.importing.import_images import import_settled
from crystal_search.server.importing.plan import PLAN_VERSION, naming_in
from crystal_search.viewer.api import body_of
from crystal_search.viewer.context import Viewer, page, viewer_of
from crystal_search.wells import well_name

MAX_DRAWN = 60  #: plates on the page
MAX_LISTED = 200  #: files on the page


def get_import_page(request: Request) -> Response:
    """Show the last plan, drawn as plates."""
    viewer = viewer_of(request)
    plan = _plan(viewer)
    if plan is None:
        return page(request, "import.html", {"plan": None})
    boards = [each | {"lines": _lines(each)} for each in plan["inspections"][:MAX_DRAWN]]
    context = {"plan": plan, "boards": boards, "left_out": plan["left_out"][:MAX_LISTED]}
    data = {"made_at": plan["made_at"], "outcomes": viewer.outcomes}
    return page(request, "import.html", context | {"conflicts": plan["conflicts"][:MAX_LISTED], "data": data})


def _lines(inspection: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a plate, each with its letter and the drops of each well."""
    rows, columns = range(inspection["rows"]), range(inspection["columns"])
    names = [[well_name(row, column) for column in columns] for row in rows]
    return [
        {"letter": line[0].rstrip("0123456789"), "wells": [(name, inspection["drops"].get(name, ())) for name in line]}
        for line in names
    ]


async def post_import(request: Request) -> Response:
    """Import the folder of the plan that the asker has seen, and answer with what was done."""
    viewer = viewer_of(request)
    if viewer.is_snapshot:
        raise HTTPException(403, "this is a snapshot of an installation that cannot be written: nothing is imported")
    plan = _plan(viewer)
    try:
        seen = json.loads(await body_of(request))["made_at"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise HTTPException(400, "say which plan was seen: {'made_at': ...}") from error
    if plan is None or plan["made_at"] != seen:
        raise HTTPException(409, "there is another plan by now; look at it first")
    return JSONResponse({"said": await run_in_threadpool(_imported, viewer, plan)})


def _imported(viewer: Viewer, plan: dict[str, Any]) -> str:
    home = viewer.import_plan.parent if viewer.import_plan else Path()
    try:
        report = import_settled(
            Path(plan["folder"]), viewer.imaging, naming_in(plan), leave_out=[home], again=plan.get("again", False)
        )
    except UserError as error:
        raise HTTPException(409, str(error)) from error
    viewer.reader.forget()
    return summary(report)


def _plan(viewer: Viewer) -> dict[str, Any] | None:
    """Return the last plan; None where there is none that this program reads."""
    try:
        plan = json.loads(viewer.import_plan.read_text(encoding="utf-8")) if viewer.import_plan else None
    except (OSError, ValueError):
        return None
    return plan if isinstance(plan, dict) and plan.get("format_version") == PLAN_VERSION else None
