"""The audit page: who signed in, what people did and what was refused, the last first."""

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from crystal_search.viewer.context import page
from crystal_search.viewer.parameters import Parameter, number, words
from crystal_search.viewer.people.person import MOST_LETTERS, Event
from crystal_search.viewer.sign_in_page import people_of

PER_PAGE = 100
MAX_ID = 2**53 - 1
PERSON = words("person", "only what this person did", default="", most=MOST_LETTERS)
BEFORE = number("before", "only what happened before the line of this number", default=MAX_ID, most=MAX_ID)
ASKED: tuple[Parameter[Any], ...] = (PERSON, BEFORE)


def get_audit_page(request: Request) -> Response:
    """Show what happened."""
    store, person = people_of(request).store, PERSON.of(request)
    found = store.events(before=BEFORE.of(request), count=PER_PAGE + 1, person=person)
    lines, more = found[:PER_PAGE], len(found) > PER_PAGE
    context = {
        "lines": [_line(each) for each in lines],
        "person": person,
        "all": store.count_events(person),
        "older": lines[-1].id if more else None,
        "is_first": BEFORE.of(request) == MAX_ID,
    }
    return page(request, "audit.html", context)


def _line(event: Event) -> dict[str, str]:
    at = datetime.fromtimestamp(event.at_s, UTC)
    told = {"kind": event.kind, "person": event.person, "address": event.address, "about": event.about}
    return told | {"at": f"{at:%Y-%m-%d %H:%M:%S}", "moment": at.isoformat(timespec="seconds")}
