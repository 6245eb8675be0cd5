"""The description of the viewer's API by OpenAPI 3.1, made of its addresses."""

import re
from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from crystal_search import __version__
from crystal_search.viewer.addresses import Address
from crystal_search.viewer.answers import Failure
from crystal_search.viewer.context import json_answer
from crystal_search.viewer.parameters import Parameter
from crystal_search.viewer.queue_kinds import QUEUE_KINDS
from crystal_search.viewer.schemas import Schema, schema_of

JSON = "application/json"
_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")
#: What stands between braces in a path.
PATH_PARTS: dict[str, tuple[str, Schema]] = {
    "plate": ("barcode of the plate", {"type": "string", "minLength": 1}),
    "image_id": ("number of the image", {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}),
    "queue": ("which list", {"type": "string", "enum": [*QUEUE_KINDS]}),
}


def get_openapi(request: Request) -> Response:
    """Answer with the description of the API."""
    return json_answer(request, description_of(request.app.state.addresses))


def description_of(addresses: Iterable[Address]) -> Schema:
    """Return the description of those of these addresses that programs ask for."""
    named: dict[str, Schema] = {}
    failure = schema_of(Failure, named)
    paths: dict[str, Schema] = {}
    for each in addresses:
        if each.is_api:
            paths.setdefault(each.plain_path, {})[each.method.lower()] = _operation(each, failure, named)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Crystal Search",
            "version": __version__,
            "description": "Plates, drops and scores of one installation.",
        },
        "paths": paths,
        "components": {"schemas": named},
    }


def _operation(address: Address, failure: Schema, named: dict[str, Schema]) -> Schema:
    told: Schema = {
        "operationId": address.endpoint.__name__,
        "summary": plain(address.says),
        "description": f"Needs the role `{address.needs}`.",
        "parameters": [*_path_parts(address), *map(_parameter, address.asks)],
        "responses": {
            str(address.status): {"description": "the answer", "content": _content(schema_of(address.gives, named))},
            "default": {"description": "an error", "content": _content(failure)},
        },
    }
    if address.method == "GET":
        told["responses"]["304"] = {"description": "the asker has it already, as If-None-Match says"}
    if address.takes is not None:
        told["requestBody"] = {"required": True, "content": _content(schema_of(address.takes, named))}
    return told


def plain(text: str) -> str:
    """Return Markdown without its links, which lead through our docs.

    >>> plain("a list [worth a look](#worth-a-look)")
    'a list worth a look'
    """
    return _LINK.sub(r"\1", text)


def _content(schema: Schema) -> Schema:
    return {JSON: {"schema": schema}}


def _path_parts(address: Address) -> list[Schema]:
    found = [(name, *PATH_PARTS[name]) for name in re.findall(r"\{(\w+)\}", address.plain_path)]
    return [
        {"name": name, "in": "path", "required": True, "description": meaning, "schema": schema}
        for name, meaning, schema in found
    ]


def _parameter(parameter: Parameter[Any]) -> Schema:
    default = "no" if parameter.default is False else parameter.default
    told = {} if default in (None, "") else {"default": default}
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.meaning,
        "schema": dict(parameter.schema) | told,
    }
