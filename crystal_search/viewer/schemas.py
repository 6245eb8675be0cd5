"""JSON Schema, as OpenAPI 3.1 has it, of what programs send and get: made of the records that tell it.

A field that is called as a column of docs/columns.md means what that column means, unless its record says otherwise.
"""

import types
from dataclasses import dataclass
from functools import partial
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from crystal_search.column import Kind
from crystal_search.columns import column_named
from crystal_search.errors import UnknownNameError

Schema = dict[str, Any]

RECORDS = "#/components/schemas/"  #: where records stand in a description

_PLAIN: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    types.NoneType: {"type": "null"},
    dict: {"type": "object"},
}
#: What cells of a kind of column are in JSON, where they are not empty.
_CELLS: dict[Kind, Schema] = {
    "text": {"type": "string"},
    "yes/no": {"type": "boolean"},
    "count": {"type": "integer"},
    "number": {"type": "number"},
    "share": {"type": "number", "minimum": 0, "maximum": 1},
    "percent": {"type": "number", "minimum": 0, "maximum": 100},
    "duration": {"type": "number", "minimum": 0},
    "time": {"type": "string", "format": "date-time"},
    "taken": {"type": "string"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a value must keep to, beside its type."""

    least: int | None = None
    most: int | None = None
    least_letters: int | None = None
    most_letters: int | None = None
    most_items: int | None = None
    pattern: str | None = None
    format: str | None = None  #: as JSON Schema calls it
    of: tuple[str, ...] | None = None  #: all that it may be

    @property
    def schema(self) -> Schema:
        """The same as JSON Schema has it.

        >>> Limits(least=0, most=1).schema
        {'minimum': 0, 'maximum': 1}
        """
        told = {
            "minimum": self.least,
            "maximum": self.most,
            "minLength": self.least_letters,
            "maxLength": self.most_letters,
            "maxItems": self.most_items,
            "pattern": self.pattern,
            "format": self.format,
            "enum": self.of and list(self.of),
        }
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """That a value is a row with columns of the vocabulary, where what is not known is null."""

    name: str  #: of the record
    meaning: str
    columns: tuple[str, ...]


def schema_of(kind: Any, named: dict[str, Schema]) -> Schema:
    """Return the schema of a type; those of the records in it are put into `named`, by name.

    >>> schema_of(list[int] | None, {})
    {'anyOf': [{'type': 'array', 'items': {'type': 'integer'}}, {'type': 'null'}]}
    """
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    if is_typeddict(kind):
        if kind.__name__ not in named:
            named[kind.__name__] = {}  # a record may hold others of its kind
            named[kind.__name__] = _record(kind, named)
        return {"$ref": f"{RECORDS}{kind.__name__}"}
    return _compound(get_origin(kind), get_args(kind), named)


def _compound(origin: Any, parts: tuple[Any, ...], named: dict[str, Schema]) -> Schema:
    inner = partial(schema_of, named=named)
    if origin is Annotated:
        row = next((note for note in parts[1:] if isinstance(note, Row)), None)
        return _row(row, named) if row else inner(parts[0]) | _told(parts[1:])
    if origin in (Required, NotRequired):
        return inner(parts[0])
    if origin is Literal:
        return {"type": "string", "enum": list(parts)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [inner(each) for each in parts]}
    if origin in (list, tuple):
        return {"type": "array", "items": inner(parts[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": inner(parts[1])}
    raise TypeError(f"no schema of {origin}; add it here")


def _told(notes: tuple[Any, ...]) -> Schema:
    """Return what annotations say: the meaning, and limits."""
    told: Schema = {}
    for note in notes:
        told |= note.schema if isinstance(note, Limits) else {"description": note}
    return told


def _record(kind: Any, named: dict[str, Schema]) -> Schema:
    hints = get_type_hints(kind, include_extras=True)
    members = {name: schema_of(each, named) for name, each in hints.items()}
    return {
        "type": "object",
        "description": str(kind.__doc__).splitlines()[0],
        "properties": {name: _meaning(name, member) | member for name, member in members.items()},
        "required": sorted(kind.__required_keys__),
        "additionalProperties": False,
    }


def _meaning(name: str, member: Schema) -> Schema:
    """Return what a field means that says nothing of itself: the column of that name; a record tells itself."""
    if "description" in member or "$ref" in member or "$ref" in member.get("items", {}):
        return {}
    try:
        return {"description": column_named(name).meaning}
    except UnknownNameError as error:
        raise UnknownNameError(f"{error}; or have the record say what it means") from error


def _row(row: Row, named: dict[str, Schema]) -> Schema:
    named[row.name] = {
        "type": "object",
        "description": row.meaning,
        "properties": {name: _cell(name) for name in row.columns},
        "required": list(row.columns),
        "additionalProperties": False,
    }
    return {"$ref": f"{RECORDS}{row.name}"}


def _cell(name: str) -> Schema:
    column = column_named(name)
    cell = dict(_CELLS[column.kind])
    return {"description": column.meaning} | cell | {"type": [cell["type"], "null"]}
