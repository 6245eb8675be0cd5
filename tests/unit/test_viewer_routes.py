"""Every address of the viewer is told once, and the page that lists them says the same."""

from pathlib import Path
from urllib.parse import urlencode

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route

from crystal_search.viewer.addresses import table
from crystal_search.viewer.app import viewer_app
from crystal_search.viewer.parameters import Parameter, choice, moment, number, share, words, yes
from crystal_search.viewer.routes import ADDRESSES
from tests.memory_imaging import MemoryImaging

PAGE = (Path(__file__).parents[2] / "docs" / "viewer.md").read_text(encoding="utf-8")


def test_the_page_lists_every_address_and_no_other() -> None:
    assert table(ADDRESSES) in PAGE, f"the table of docs/viewer.md must be:\n{table(ADDRESSES)}"


def test_the_viewer_answers_at_these_addresses_only(tmp_path: Path) -> None:
    app = viewer_app(MemoryImaging(), tmp_path / "thumbnails")
    routes = [route for route in app.routes if isinstance(route, Route)]
    assert [route.path for route in routes] == [each.path for each in ADDRESSES]


def test_no_address_is_told_twice() -> None:
    told = [(each.method, each.path) for each in ADDRESSES]
    assert len(set(told)) == len(told)


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        (number("page", "", default=1, most=500), "0"),
        (number("page", "", default=1, most=500), "501"),
        (number("page", "", default=1, most=500), "²"),
        (number("page", "", default=1, most=500), "9" * 5000),
        (words("search", "", default="", most=3), "abcd"),
        (words("search", "", default="", most=3), "a\0"),
        (share("least", ""), "1.5"),
        (share("least", ""), "nan"),
        (share("least", ""), "half"),
        (moment("since", ""), "last week"),
        (moment("since", ""), "2026-02-30"),
        (moment("since", ""), "0001-01-01T00:00:00+14:00"),
        (choice("sort", "", default="a", of=("a", "b")), "c"),
        (yes("turned", ""), "maybe"),
    ],
)
def test_what_cannot_be_asked_is_refused(parameter: Parameter[object], text: str) -> None:
    request = Request({"type": "http", "query_string": urlencode({parameter.name: text}).encode()})
    with pytest.raises(HTTPException, match=f"{parameter.name} must be .*, got "):
        parameter.of(request)
