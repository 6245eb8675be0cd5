"""The page that tells what programs can ask, send and get: the description of the API as people read it."""

from typing import Any

from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response

from crystal_search.viewer.context import page
from crystal_search.viewer.openapi import JSON, description_of
from crystal_search.viewer.schemas import RECORDS, Schema


def get_api_page(request: Request) -> Response:
    """Show every address of the API, and every record."""
    told = description_of(request.app.state.addresses)
    operations = [
        _operation(method, path, each) for path, methods in told["paths"].items() for method, each in methods.items()
    ]
    records = [
        {"name": name, "meaning": each["description"], "fields": _fields(each)}
        for name, each in sorted(told["components"]["schemas"].items())
    ]
    return page(request, "api.html", {"operations": operations, "records": records})


def _operation(method: str, path: str, told: Schema) -> dict[str, Any]:
    answer = next(each for status, each in told["responses"].items() if status.startswith("2"))
    sent = told.get("requestBody")
    return {
        "address": f"{method.upper()} {path}",
        "says": said(f"{told['summary']}. {told['description']}"),
        "fields": [(each["name"], kind_of(each["schema"]), said(each["description"])) for each in told["parameters"]],
        "sends": kind_of(sent["content"][JSON]["schema"]) if sent else "",
        "gets": kind_of(answer["content"][JSON]["schema"]),
    }


def _fields(record: Schema) -> list[tuple[str, Markup, Markup]]:
    return [
        (name, kind_of(each), said(each.get("description", ""))) for name, each in record.get("properties", {}).items()
    ]


def said(text: str) -> Markup:
    """Return Markdown's code as markup.

    >>> said("its `id` < 7")
    Markup('its <code>id</code> &lt; 7')
    """
    parts = (
        Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in enumerate(text.split("`"))
    )
    return Markup("").join(parts)


def kind_of(schema: Schema) -> Markup:
    """Return what a schema admits, in words, its records linked.

    >>> kind_of({"type": ["number", "null"], "minimum": 0, "maximum": 1})
    Markup('number from 0 to 1 or null')
    """
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(RECORDS)
        return Markup('<a href="#{0}">{0}</a>').format(name)
    if "anyOf" in schema:
        return Markup(" or ").join(map(kind_of, schema["anyOf"]))
    if "items" in schema:
        return Markup("list of {}").format(kind_of(schema["items"]))
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return Markup(" or ").join([_bounded(names[0], schema), *map(escape, names[1:])])


def _bounded(name: str, schema: Schema) -> Markup:
    if "enum" in schema:
        return Markup(", ").join(Markup("<code>{}</code>").format(each) for each in schema["enum"])
    bounds = [f" {word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
    longest = f" of at most {schema['maxLength']} letters" if "maxLength" in schema else ""
    name = {"date": "day", "date-time": "time"}.get(schema.get("format", ""), name)
    return escape(name + "".join(bounds) + longest)
