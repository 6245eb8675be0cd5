"""What an address can be asked: one record for each parameter, which reads it and describes it."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request

from crystal_search.hostile_json import UNPRINTABLE

Value = TypeVar("Value")
Other = TypeVar("Other")
Schema = Mapping[str, Any]  #: JSON Schema, as OpenAPI has it
MOST_DIGITS = 9
PRINTABLE = r"^[^\u0000-\u0008\u000b-\u001f\u007f]*$"  #: what `UNPRINTABLE` finds nothing in, in JSON Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter(Generic[Value]):
    """One thing that can be asked for behind the question mark of an address."""

    name: str
    meaning: str
    default: Value  #: what counts where nothing is asked for
    schema: Schema  #: what may be asked
    expected: str  #: the same for people
    read: Callable[[str], Value]  #: raises ValueError for what cannot be

    def of(self, request: Request) -> Value:
        """Return what a request asks for.

        Raises
        ------
        HTTPException
            400 if it cannot be.
        """
        text = request.query_params.get(self.name)
        if text is None:
            return self.default
        try:
            return self.read(text)
        except ValueError as error:
            raise HTTPException(400, f"{self.name} must be {self.expected}, got {text!r:.40}") from error


def parameter_table(parameters: Iterable[Parameter[Any]]) -> str:
    """Return parameters as a table of docs/api.md."""
    lines = ["| parameter | what it must be | meaning |", "|---|---|---|"]
    lines += [f"| `{each.name}` | {each.expected} | {each.meaning} |" for each in parameters]
    return "\n".join(lines) + "\n"


def number(
    name: str, meaning: str, *, default: Other, least: int = 1, most: int = 10**MOST_DIGITS - 1
) -> Parameter[int | Other]:
    """Return a parameter that is a whole number.

    >>> number("page", "which page", default=1, most=9).read("7")
    7
    """

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most):
            raise ValueError(text)
        return int(text)

    schema = {"type": "integer", "minimum": least, "maximum": most}
    expected = f"a number from {least} to {most}"
    return Parameter(name=name, meaning=meaning, default=default, schema=schema, expected=expected, read=read)


def amount(name: str, meaning: str, *, most: float) -> Parameter[float | None]:
    """Return a parameter that is a number above 0, with a point; None where it is not said.

    >>> amount("volume_nl", "", most=100).read("2.5")
    2.5
    """

    def read(text: str) -> float:
        found = float(text)
        if not 0 < found <= most:
            raise ValueError(text)
        return found

    schema = {"type": "number", "exclusiveMinimum": 0, "maximum": most}
    expected = f"a number above 0, at most {most:g}"
    return Parameter(name=name, meaning=meaning, default=None, schema=schema, expected=expected, read=read)


def words(name: str, meaning: str, *, default: Other, most: int) -> Parameter[str | Other]:
    """Return a parameter that is text of at most so many letters, each space of it one.

    >>> words("search", "", default="", most=20).read(" mx-1   Ada")
    'mx-1 Ada'
    """

    def read(text: str) -> str:
        if len(text) > most or UNPRINTABLE.search(text):
            raise ValueError(text)
        return " ".join(text.split())

    schema = {"type": "string", "maxLength": most, "pattern": PRINTABLE}
    return Parameter(
        name=name,
        meaning=meaning,
        default=default,
        schema=schema,
        expected=f"at most {most} printable letters",
        read=read,
    )


def key_of(name: str, meaning: str, *, default: Other, digits: int) -> Parameter[str | Other]:
    """Return a parameter that is so many hexadecimal digits, or empty.

    >>> key_of("recipe", "", default="", digits=4).read("00ff")
    '00ff'
    """

    def read(text: str) -> str:
        if text and not (len(text) == digits and set(text) <= set("0123456789abcdef")):
            raise ValueError(text)
        return text

    schema = {"type": "string", "pattern": f"^([0-9a-f]{{{digits}}})?$"}
    expected = f"{digits} hexadecimal digits"
    return Parameter(name=name, meaning=meaning, default=default, schema=schema, expected=expected, read=read)


def choice(name: str, meaning: str, *, default: Other, of: Collection[str]) -> Parameter[str | Other]:
    """Return a parameter that is one of several words.

    >>> choice("sort", "", default="plate", of=("plate", "owner")).read("owner")
    'owner'
    """

    def read(text: str) -> str:
        if text not in of:
            raise ValueError(text)
        return text

    expected = f"one of {', '.join(of)}"
    schema = {"type": "string", "enum": list(of)}
    return Parameter(name=name, meaning=meaning, default=default, schema=schema, expected=expected, read=read)


def share(name: str, meaning: str) -> Parameter[float | None]:
    """Return a parameter that is a number from 0 to 1.

    >>> share("auto_p_crystal_from", "").read("0.25")
    0.25
    """

    def read(text: str) -> float:
        value = float(text) if text.isascii() else math.nan
        if not 0 <= value <= 1:
            raise ValueError(text)
        return value

    schema = {"type": "number", "minimum": 0, "maximum": 1}
    expected = "a number from 0 to 1"
    return Parameter(name=name, meaning=meaning, default=None, schema=schema, expected=expected, read=read)


def moment(name: str, meaning: str) -> Parameter[datetime | None]:
    """Return a parameter that is a day or a time; one without a zone is in UTC.

    >>> moment("since", "").read("2026-01-31").isoformat()
    '2026-01-31T00:00:00+00:00'
    """

    def read(text: str) -> datetime:
        at = datetime.fromisoformat(text)
        try:
            return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
        except OverflowError as error:  # a zone of the first or last day of all
            raise ValueError(text) from error

    schema = {"anyOf": [{"type": "string", "format": each} for each in ("date", "date-time")]}
    expected = "a day or a time like 2026-01-31T12:00:00Z"
    return Parameter(name=name, meaning=meaning, default=None, schema=schema, expected=expected, read=read)


def yes(name: str, meaning: str) -> Parameter[bool]:
    """Return a parameter that is yes, or no, which it is by default.

    >>> yes("turned", "").read("yes")
    True
    """

    def read(text: str) -> bool:
        if text not in ("yes", "no"):
            raise ValueError(text)
        return text == "yes"

    schema = {"type": "string", "enum": ["yes", "no"]}
    return Parameter(name=name, meaning=meaning, default=False, schema=schema, expected="yes or no", read=read)
