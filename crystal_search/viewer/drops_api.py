"""The drops of all plates for programs, part by part."""

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from crystal_search.columns import Cell
from crystal_search.outcomes import GROUPS, NO_DROP, OUTCOME_NAMES, UNREADABLE
from crystal_search.server.imaging.imaging_database import DropScores
from crystal_search.server.imaging.inspection_list import InspectionQuery
from crystal_search.viewer.context import Viewer, json_answer, viewer_of
from crystal_search.viewer.drop_walk import MOST_LETTERS, Bookmark, Part, Wanted, bookmark_of, part_of
from crystal_search.viewer.json_records import BY_HAND
from crystal_search.viewer.parameters import Parameter, choice, moment, number, share, words, yes
from crystal_search.viewer.score_table import COLUMNS, score_rows
from crystal_search.wells import CHANNELS

PER_PAGE = number("per_page", "rows of a part at most", default=100, most=500)
AFTER: Parameter[Bookmark | None] = Parameter(
    name="after",
    meaning="where to go on: `next` of the part before",
    default=None,
    schema={"type": "string", "maxLength": MOST_LETTERS},
    expected="`next` of an answer, as it is",
    read=bookmark_of,
)
PLATE = words("plate", "only of this plate", default="", most=100)
PROJECT = words("project", "only of plates of this project", default="", most=1000)
IMAGER = words("imager", "only those of this imager", default="", most=100)
CHANNEL = choice("channel", "how they were taken", default=CHANNELS[0], of=CHANNELS)
SINCE = moment("since", "only of inspections whose newest image was taken then or later")
UNTIL = moment("until", "only of inspections whose newest image was taken before then")
#: Each is called as the field of `Wanted` that it fills.
WANTED: tuple[Parameter[Any], ...] = (
    choice("auto_outcome", "only these by the machine", default="", of=(*OUTCOME_NAMES, NO_DROP, UNREADABLE)),
    choice("auto_group", "only these by the machine", default="", of=[str(each) for each in GROUPS]),
    yes("auto_above_threshold", "only those whose group reached the threshold"),
    share("auto_p_crystal_from", "only those with at least this `auto_p_crystal`"),
    choice("manual_outcome", "only these by the person who scored last", default="", of=BY_HAND),
    choice("manual_group", "only these by the person who scored last", default="", of=[str(each) for each in GROUPS]),
)
ASKED: tuple[Parameter[Any], ...] = (SINCE, UNTIL, PLATE, PROJECT, IMAGER, CHANNEL, *WANTED, AFTER, PER_PAGE)


def get_drops(request: Request) -> Response:
    """Answer with a part of the drops of all plates."""
    check_known(request, ASKED)
    viewer = viewer_of(request)
    part = part_of(
        viewer.imaging,
        viewer.reader.unkept_drops,
        _inspections(request),
        _wanted(request, viewer),
        begin=AFTER.of(request),
        most=PER_PAGE.of(request),
    )
    following = part.bookmark.text if part.bookmark else None
    return json_answer(request, {"drops": _rows(viewer, part), "next": following})


def check_known(request: Request, parameters: tuple[Parameter[Any], ...]) -> None:
    """Refuse what cannot be asked here: a filter that is misspelt would find everything.

    Raises
    ------
    HTTPException
        400.
    """
    known = [each.name for each in parameters]
    if unknown := sorted(request.query_params.keys() - set(known)):
        raise HTTPException(400, f"no parameter {unknown[0]!r:.40}; choose from {', '.join(known)}")


def _inspections(request: Request) -> InspectionQuery:
    project = PROJECT.of(request)
    return InspectionQuery(
        channel=CHANNEL.of(request),
        plate=PLATE.of(request),
        projects=(project,) if project else None,
        since=SINCE.of(request),
        until=UNTIL.of(request),
    )


def _wanted(request: Request, viewer: Viewer) -> Callable[[DropScores], bool]:
    wanted = Wanted(**{each.name: each.of(request) for each in WANTED})
    imager, imagers = IMAGER.of(request), viewer.shown().imagers
    return lambda drop: wanted.has(drop) and imager in ("", imagers.of(drop.image))


def _rows(viewer: Viewer, part: Part) -> list[dict[str, Cell]]:
    rows: list[dict[str, Cell]] = []
    for board, found in groupby(part.drops, key=itemgetter(0)):
        drops = [drop for _, drop in found]
        told = score_rows(drops, viewer.reader.about(board.plate), viewer.reader.triage(board))
        rows += [in_json(row, COLUMNS) for row in told]
    return rows


def in_json(row: Mapping[str, Cell], columns: Iterable[str]) -> dict[str, Cell]:
    """Return the cells of a row as programs get them: null where there is nothing to tell.

    >>> in_json({"plate": "P1", "comment": ""}, ("plate", "comment", "person"))
    {'plate': 'P1', 'comment': None, 'person': None}
    """
    return {name: None if row.get(name) == "" else row.get(name) for name in columns}
