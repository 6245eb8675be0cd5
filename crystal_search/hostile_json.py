"""Reading JSON that somebody else wrote: every field named, typed and bounded, every surprise refused."""

import json
import math
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from crystal_search.errors import CrystalSearchError

SHA256 = re.compile(r"[0-9a-f]{64}")
#: What no database and no file name takes: control characters but tab and newline, lone surrogates.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
ErrorType = type[CrystalSearchError]
Made = TypeVar("Made")


def loads(text: bytes, error_type: ErrorType) -> Any:
    """Return the JSON value in `text`.

    Raises
    ------
    CrystalSearchError
        Of `error_type`: not UTF-8, not JSON, NaN or infinity, a key twice, nested too deep, a huge number.
    """

    def refuse_constant(name: str) -> NoReturn:
        raise error_type(f"{name} is no number here")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            raise error_type("an object names a key twice")
        return members

    try:
        return json.loads(text.decode("utf-8"), parse_constant=refuse_constant, object_pairs_hook=unique)
    except RecursionError:
        raise error_type("the JSON is nested too deep") from None
    except ValueError as error:
        raise error_type(f"not JSON: {error}") from None


def printable(text: str) -> str:
    r"""Return the text with what no reader takes replaced by ``?``.

    >>> printable("cut\x00 off")
    'cut? off'
    """
    return UNPRINTABLE.sub("?", text)


def read_whole(text: bytes, where: str, error_type: ErrorType, make: "Callable[[Reader], Made]") -> Made:
    """Return what `make` makes of the JSON object in `text`, all of which it must read.

    Raises
    ------
    CrystalSearchError
        Of `error_type`, about `where`: as `loads` does, or a field is missing, unknown, or not as it must be, or
        `make` fails in any other way, for the text alone can make it fail.
    """
    with refusing(error_type, where):
        return Reader(loads(text, error_type), where, error_type).whole(make)


@contextmanager
def refusing(error_type: ErrorType, where: str) -> Iterator[None]:
    """Have whatever goes wrong within be an error of `error_type` about `where`: a stranger's file may do anything.

    Our own errors stay what they are, and so does a lack of memory, which says nothing about the file.

    >>> from crystal_search.errors import UserError
    >>> with refusing(UserError, "a.csv"):
    ...     [][1]
    Traceback (most recent call last):
    crystal_search.errors.UserError: a.csv: cannot be used (IndexError: 'list index out of range')
    """
    try:
        yield
    except (CrystalSearchError, MemoryError):
        raise
    except Exception as error:
        raise error_type(
            f"{where}: cannot be used ({type(error).__name__}: {printable(_short(str(error)))})"
        ) from error


class Reader:
    """One JSON object, read field by field; `whole` refuses what was not asked for."""

    def __init__(self, value: Any, where: str, error_type: ErrorType) -> None:
        if not isinstance(value, dict):
            raise error_type(f"{where}: expected an object, got {type(value).__name__}")
        self._members: dict[str, Any] = dict(value)
        self._where = where
        self._error_type = error_type

    def fail(self, key: str, expected: str, got: Any) -> NoReturn:
        """Raise the error of this reader's type about one field."""
        raise self._error_type(f"{self._where}: {key} must be {expected}, got {_short(got)}")

    def has(self, key: str) -> bool:
        """Tell whether an optional field is there."""
        return key in self._members

    def take(self, key: str) -> Any:
        """Return the raw value of a field that must be there."""
        if key not in self._members:
            raise self._error_type(f"{self._where}: {key} is missing")
        return self._members.pop(key)

    def format(self, name: str, newest: int) -> int:
        """Refuse any other format, and versions that are newer than `newest`; return the version."""
        if (got := self.take("format")) != name:
            self.fail("format", repr(name), got)
        return self.integer("version", 1, newest)

    def text(self, key: str, *, limit: int = 1000, pattern: re.Pattern[str] | None = None) -> str:
        """Return a string of at most `limit` characters that matches all of `pattern`."""
        value = self.take(key)
        self._check_text(key, value, limit)
        if pattern and not pattern.fullmatch(value):
            self.fail(key, f"like {pattern.pattern}", value)
        return str(value)

    def optional_text(self, key: str, *, limit: int) -> str | None:
        """Return a string of 1 to `limit` characters, or None for null."""
        value = self.take(key)
        if value is None:
            return None
        self._check_text(key, value, limit)
        if not value:
            self.fail(key, "null or a text that says something", value)
        return str(value)

    def _check_text(self, key: str, value: Any, limit: int) -> None:
        if not isinstance(value, str) or len(value) > limit:
            self.fail(key, f"a text of at most {limit} characters", value)
        if not value.isprintable() and UNPRINTABLE.search(value):  # the first is stricter, and quick
            self.fail(key, "a text without control characters", value)

    def sha256(self, key: str) -> str:
        """Return 64 hexadecimal digits."""
        return self.text(key, pattern=SHA256)

    def optional_sha256(self, key: str) -> str | None:
        """Return 64 hexadecimal digits, or None for null."""
        text = self.optional_text(key, limit=64)
        if text is not None and not SHA256.fullmatch(text):
            self.fail(key, f"null or like {SHA256.pattern}", text)
        return text

    def choice(self, key: str, choices: Iterable[str]) -> str:
        """Return one of `choices`."""
        allowed = tuple(choices)
        value = self.take(key)
        if not isinstance(value, str) or value not in allowed:
            self.fail(key, f"one of {', '.join(allowed)}", value)
        return value

    def texts(self, key: str, *, limit: int) -> tuple[str, ...]:
        """Return a list of at most `limit` strings."""
        value = self.items(key, limit=limit, what="texts")
        for each in value:
            self._check_text(key, each, limit)
        return tuple(value)

    def integer(self, key: str, low: int, high: int) -> int:
        """Return a whole number in [low, high]."""
        return self._whole_number(key, self.take(key), low, high)

    def optional_integer(self, key: str, low: int, high: int) -> int | None:
        """Return a whole number in [low, high], or None for null."""
        value = self.take(key)
        return None if value is None else self._whole_number(key, value, low, high)

    def _whole_number(self, key: str, value: Any, low: int, high: int) -> int:
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())  # 7.0 is 7 in JSON
        if not whole or isinstance(value, bool) or not low <= value <= high:
            self.fail(key, f"a whole number from {low} to {high}", value)
        return int(value)

    def number(self, key: str, low: float, high: float) -> float:
        """Return a finite number in [low, high]."""
        return self._bounded(key, self.take(key), low, high)

    def optional_number(self, key: str, low: float, high: float) -> float | None:
        """Return a finite number in [low, high], or None for null."""
        value = self.take(key)
        return None if value is None else self._bounded(key, value, low, high)

    def numbers(self, key: str, *, count: int, low: float, high: float) -> tuple[float, ...]:
        """Return a list of exactly `count` finite numbers in [low, high]."""
        value = self.take(key)
        if not isinstance(value, list) or len(value) != count:
            self.fail(key, f"a list of {count} numbers", value)
        if value and {*map(type, value)} == {float} and low <= min(value) and max(value) <= high:
            return tuple(value)  # none is NaN, which `loads` refuses
        return tuple(self._bounded(key, each, low, high) for each in value)

    def _bounded(self, key: str, value: Any, low: float, high: float) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            self.fail(key, f"a number from {low:g} to {high:g}", value)
        if not math.isfinite(value):
            self.fail(key, "finite", value)
        return float(value)

    def boolean(self, key: str) -> bool:
        """Return true or false."""
        value = self.take(key)
        if not isinstance(value, bool):
            self.fail(key, "true or false", value)
        return value

    def items(self, key: str, *, limit: int, what: str) -> list[Any]:
        """Return a list of at most `limit` values, raw; `what` says what they are to be."""
        value = self.take(key)
        if not isinstance(value, list) or len(value) > limit:
            self.fail(key, f"a list of at most {limit} {what}", value)
        return value

    def optional(self, key: str, make: "Callable[[Reader], Made]") -> Made | None:
        """Return what `make` makes of a whole object, or None for null."""
        value = self.take(key)
        return None if value is None else self._inside(key, value).whole(make)

    def object(self, key: str, make: "Callable[[Reader], Made]") -> Made:
        """Return what `make` makes of a whole object."""
        return self._inside(key, self.take(key)).whole(make)

    def objects(self, key: str, make: "Callable[[Reader], Made]", *, limit: int) -> tuple[Made, ...]:
        """Return what `make` makes of each of at most `limit` whole objects."""
        values = self.items(key, limit=limit, what="objects")
        return tuple(self._inside(f"{key}[{n}]", each).whole(make) for n, each in enumerate(values))

    def _inside(self, key: str, value: Any) -> "Reader":
        return Reader(value, f"{self._where}.{key}", self._error_type)

    def whole(self, make: "Callable[[Reader], Made]") -> Made:
        """Return what `make` makes of this object, and refuse members that it did not ask for."""
        made = make(self)
        if self._members:
            raise self._error_type(f"{self._where}: unknown {_short(', '.join(sorted(self._members)))}")
        return made


_FEW = reprlib.Repr()  # also of what nests deeper than `repr` itself can follow
_FEW.maxlist = _FEW.maxdict = _FEW.maxlevel = 20
_FEW.maxstring = 200


def _short(value: Any) -> str:
    text = _FEW.repr(value) if not isinstance(value, int) or abs(value) < 10**30 else "a huge number"
    return text if len(text) <= 80 else text[:77] + "..."
