"""The description of the API: of every address, and true of every answer (`tests.viewer_site.Client` looks at each)."""

import json
from pathlib import Path
from typing import Annotated

import httpx
import jsonschema_rs
import pytest

from crystal_search.columns import VOCABULARY
from crystal_search.errors import UnknownNameError
from crystal_search.viewer.app import viewer_app
from crystal_search.viewer.openapi import description_of
from crystal_search.viewer.routes import ADDRESSES
from crystal_search.viewer.schemas import Row, Schema, schema_of
from tests.described_answers import check_described
from tests.memory_imaging import MemoryImaging
from tests.viewer_site import Client

TOLD = description_of(ADDRESSES)


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(viewer_app(MemoryImaging(), tmp_path / "thumbnails"))


def test_every_address_for_programs_is_described_and_no_other(client: Client) -> None:
    told = client.get("/api/openapi.json").json()
    described = [(method.upper(), path) for path, methods in told["paths"].items() for method in methods]
    assert described == [(each.method, each.plain_path) for each in ADDRESSES if each.is_api]
    assert told["openapi"] == "3.1.0"


def test_operations_have_names_of_their_own() -> None:
    names = [each["operationId"] for methods in TOLD["paths"].values() for each in methods.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", TOLD["components"]["schemas"])
def test_every_record_is_a_schema_that_says_what_its_fields_mean(name: str) -> None:
    schema = TOLD["components"]["schemas"][name]
    jsonschema_rs.meta.validate(schema)
    for field, told in schema["properties"].items():
        assert "description" in told or "$ref" in told or "$ref" in told["items"], field


def test_the_page_tells_every_address_and_every_record(client: Client) -> None:
    page = client.get("/api").text
    for path, methods in TOLD["paths"].items():
        for method in methods:
            assert f"<code>{method.upper()} {path}</code>" in page
    for name in TOLD["components"]["schemas"]:
        assert f'<section id="{name}">' in page


@pytest.mark.parametrize(
    "answer", [{"status": 200}, {"drops": 1, "auto": {}, "manual": 0, "triage": {}, "more": 1}, {"drops": []}]
)
def test_an_answer_that_is_not_as_described_is_noticed(answer: object) -> None:
    request = httpx.Request("GET", "http://127.0.0.1/api/plate/P1/counts")
    with pytest.raises(jsonschema_rs.ValidationError):
        check_described(httpx.Response(200, content=json.dumps(answer), request=request))


def test_every_column_of_the_vocabulary_can_be_a_field() -> None:
    named: dict[str, Schema] = {}
    names = [each.name for part in VOCABULARY.values() for each in part if each.name.islower()]
    schema_of(Annotated[dict[str, object], Row(name="All", meaning="all", columns=tuple(names))], named)
    jsonschema_rs.meta.validate(named["All"])


def test_what_nobody_says_the_meaning_of_is_refused() -> None:
    with pytest.raises(TypeError, match="no schema of"):
        schema_of(set[int], {})
    with pytest.raises(UnknownNameError, match="no column 'colour'"):
        schema_of(Annotated[dict[str, object], Row(name="Odd", meaning="odd", columns=("colour",))], {})
