"""The ledger of all images for programs, part by part: scores are added at its end, and none ever changes its place."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from crystal_search.server.imaging.imaging_database import LedgerEntry
from crystal_search.viewer.context import json_answer, viewer_of
from crystal_search.viewer.drops_api import check_known, in_json
from crystal_search.viewer.hand_scores import MAX_ID
from crystal_search.viewer.parameters import Parameter, number
from crystal_search.viewer.people.asker import asker_of
from crystal_search.viewer.tables.whole_tables import LEDGER_COLUMNS, entry_row

AFTER = number("after", "only scores that came after the one with this `score_id`", default=0, least=0, most=MAX_ID)
PER_PAGE = number("per_page", "scores of a part at most", default=100, most=500)
ASKED: tuple[Parameter[Any], ...] = (AFTER, PER_PAGE)


def get_scores(request: Request) -> Response:
    """Answer with a part of the ledger."""
    check_known(request, ASKED)
    viewer, after, most = viewer_of(request), AFTER.of(request), PER_PAGE.of(request)
    entries = viewer.imaging.ledger_entries(after=after, limit=most + 1)
    part = entries[:most]
    rows = [in_json(entry_row(each, viewer.reader), LEDGER_COLUMNS) for each in _seen_by(request, part)]
    told = {"scores": rows, "next": part[-1].id if part else after, "is_last": len(entries) <= most}
    return json_answer(request, told)


def _seen_by(request: Request, entries: list[LedgerEntry]) -> list[LedgerEntry]:
    """Return those of plates that whoever asks may see."""
    projects = asker_of(request).projects
    if projects is None:
        return entries
    facts = viewer_of(request).imaging.plate_facts({each.image.key.plate for each in entries})
    seen = {plate for plate, known in facts.items() if known.project in projects}
    return [each for each in entries if each.image.key.plate in seen]
