"""Whether what the viewer answers, and is sent, is what its description says."""

from functools import cache

import httpx
import jsonschema_rs
from starlette.convertors import register_url_convertor

from crystal_search.viewer.app import ImageIdConvertor
from crystal_search.viewer.openapi import JSON, description_of
from crystal_search.viewer.routes import ADDRESSES

register_url_convertor("image_id", ImageIdConvertor())
PATHS = [(each.method, each.route.path_regex, each.plain_path) for each in ADDRESSES if each.is_api]


@cache
def validator(method: str, path: str, status: str) -> jsonschema_rs.Validator:
    """Return what looks at the answers of an address that have a status."""
    told = description_of(ADDRESSES)
    answer = told["paths"][path][method.lower()]["responses"][status]
    return jsonschema_rs.validator_for(answer["content"][JSON]["schema"] | {"components": told["components"]})


@cache
def request_validator(path: str) -> jsonschema_rs.Validator:
    """Return what looks at what is sent to an address."""
    told = description_of(ADDRESSES)
    sent = told["paths"][path]["post"]["requestBody"]
    return jsonschema_rs.validator_for(sent["content"][JSON]["schema"] | {"components": told["components"]})


def check_described(answer: httpx.Response) -> None:
    """Raise an error if an answer of the API is not as it is described."""
    method, path = answer.request.method, answer.request.url.path
    told = [plain for one, pattern, plain in PATHS if one == method and pattern.match(path)]
    if not told or answer.status_code == 304:
        return
    status = str(answer.status_code) if answer.status_code < 400 else "default"
    validator(method, told[0], status).validate(answer.json())
