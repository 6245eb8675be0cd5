"""Reports of plates and projects: pages that are made to be printed, and slides."""

from collections.abc import Sequence
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from crystal_search.errors import UserError
from crystal_search.outcomes import GROUPS, NO_DROP, UNREADABLE, UNSURE
from crystal_search.viewer.context import page, viewer_of
from crystal_search.viewer.frame_colours import UNSCORED
from crystal_search.viewer.json_records import Record
from crystal_search.viewer.parameters import words
from crystal_search.viewer.reports.plate_report import MOST_PLATES, BestDrop, PlateReport, plate_report, plates_of
from crystal_search.viewer.reports.slides import drop_lines, slides

PROJECT = words("project", "whose plates", default="", most=200)
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"

BY_PEOPLE = {str(group): str(group) for group in GROUPS} | {NO_DROP: "no drop"}  #: columns, with their heads
BY_MACHINE = BY_PEOPLE | {UNREADABLE: "unreadable", UNSURE: "unsure", UNSCORED: "not scored"}


def get_plate_report(request: Request) -> Response:
    """Show the report of a plate."""
    plate = request.path_params["plate"]
    return _page(request, f"Plate {plate}", _of_plate(request), f"/plate/{quote(plate, safe='')}/report.pptx")


def get_project_report(request: Request) -> Response:
    """Show the report of a project."""
    found = _of_project(request)
    return _page(request, f"Project {PROJECT.of(request)}", found, f"/report.pptx?{request.url.query}")


async def get_plate_slides(request: Request) -> Response:
    """Answer with the slides of a plate."""
    return await run_in_threadpool(
        lambda: _slides(request, f"Plate {request.path_params['plate']}", _of_plate(request))
    )


async def get_project_slides(request: Request) -> Response:
    """Answer with the slides of a project."""
    return await run_in_threadpool(lambda: _slides(request, f"Project {PROJECT.of(request)}", _of_project(request)))


def _of_plate(request: Request) -> list[PlateReport]:
    return [plate_report(viewer_of(request).reader, request.path_params["plate"])]


def _of_project(request: Request) -> list[PlateReport]:
    project, reader = PROJECT.of(request), viewer_of(request).reader
    if not project:
        raise HTTPException(400, "name a project by project=")
    plates = plates_of(reader, project)
    if not plates:
        raise HTTPException(404, f"no plate is of a project {project!r:.60}")
    return [plate_report(reader, plate) for plate in plates[:MOST_PLATES]]


def _page(request: Request, title: str, reports: Sequence[PlateReport], slides_at: str) -> Response:
    version = viewer_of(request).thumbnails.version
    told = [
        {
            "report": report,
            "best": [_drop_record(best) | {"version": version(best.drop.image)} for best in report.best],
        }
        for report in reports
    ]
    columns = {"by_machine": BY_MACHINE, "by_people": BY_PEOPLE}
    shown = {"title": title, "plates": told, "slides_at": slides_at, "most_plates": MOST_PLATES}
    return page(request, "report.html", shown | columns)


def _drop_record(best: BestDrop) -> Record:
    image = best.drop.image
    return {"id": image.id, "well": image.key.well, "drop": image.key.drop, "lines": drop_lines(best)}


def _slides(request: Request, title: str, reports: Sequence[PlateReport]) -> Response:
    try:
        content = slides(title, reports, viewer_of(request).thumbnails.full)
    except UserError as error:
        raise HTTPException(501, str(error)) from error
    name = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in title)
    headers = {"Content-Disposition": f'attachment; filename="{name}.pptx"', "Cache-Control": "no-cache"}
    return Response(content, headers=headers, media_type=PPTX)
