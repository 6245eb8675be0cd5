"""Values in files that others wrote: each typed and bounded, every surprise refused with its place."""

import re
import reprlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from crystal_search.annotations.annotated_image import Corner, Ring
from crystal_search.errors import UserError
from crystal_search.formats.picture import MAX_SIDE_PX
from crystal_search.hostile_json import UNPRINTABLE, loads, printable, refusing

MAX_FILE_BYTES = 500_000_000
MAX_CORNER_PX = 1_000_000  #: how far away a corner may be
MAX_TEXT = 200  #: characters of a label, a person's name or a part of a path
_CONTROL = re.compile(
    f"[\n\t\ufffe\uffff]|{UNPRINTABLE.pattern}"
)  # the last two are no characters, XML has none of them


@contextmanager
def within(where: str) -> Iterator[None]:
    """Have whatever goes wrong within be a UserError that says `where`.

    >>> with within("a.json"):
    ...     text_in(7)
    Traceback (most recent call last):
    crystal_search.errors.UserError: a.json: a label must be a text of 1 to 200 characters, got 7
    """
    with refusing(UserError, where):
        try:
            yield
        except UserError as error:
            raise type(error)(f"{where}: {error}") from error


def bytes_in(path: Path) -> bytes:
    """Return what is in a file.

    Raises
    ------
    UserError
        If it cannot be read, or is larger than any such file.
    """
    try:
        if (size := path.stat().st_size) > MAX_FILE_BYTES:
            raise UserError(f"it has {size} bytes; at most {MAX_FILE_BYTES} are read: divide it")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read the file: {error.strerror}; name one that is there") from error


def json_in(path: Path) -> Any:
    """Return the JSON value in a file.

    Raises
    ------
    UserError
        If the file cannot be read, or is no JSON.
    """
    return loads(bytes_in(path), UserError)


def text_in(value: Any, what: str = "a label") -> str:
    """Return a text that says something, without spaces around it.

    >>> text_in(" crystal ")
    'crystal'

    Raises
    ------
    UserError
        If it is no text, an empty or an endless one, or has control characters.
    """
    text = value.strip() if isinstance(value, str) else ""
    if not 0 < len(text) <= MAX_TEXT or _CONTROL.search(text):
        raise UserError(f"{what} must be a text of 1 to {MAX_TEXT} characters, got {_short(value)}")
    return text


def name_in(value: Any) -> str:
    r"""Return the name of an image, relative to a folder that it cannot leave, with slashes.

    >>> name_in("day 3\\a.png"), name_in("./a.png")
    ('day 3/a.png', 'a.png')
    >>> name_in("../a.png")
    Traceback (most recent call last):
    crystal_search.errors.UserError: the image '../a.png' lies outside of the folder; name it by its place in it

    Raises
    ------
    UserError
        If it is no text, names nothing, or leads out of the folder.
    """
    if not isinstance(value, str):
        raise UserError(f"the name of an image must be a text, got {_short(value)}")
    path = PurePosixPath(value.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", value):
        raise UserError(f"the image {_short(value)} lies outside of the folder; name it by its place in it")
    return "/".join(text_in(part, "a part of an image's name") for part in path.parts) or _nothing(value)


def last_name_in(value: Any) -> str:
    r"""Return the name of an image without the folders before it, wherever they lie.

    >>> last_name_in("..\\pictures\\a.png")
    'a.png'

    Raises
    ------
    UserError
        If it is no text, or names nothing.
    """
    if not isinstance(value, str):
        raise UserError(f"the name of an image must be a text, got {_short(value)}")
    return name_in(PurePosixPath(value.replace("\\", "/")).name)


def _nothing(value: Any) -> str:
    raise UserError(f"an image must have a name, got {_short(value)}")


def number_in(value: Any, what: str, low: float = -MAX_CORNER_PX, high: float = MAX_CORNER_PX) -> float:
    """Return a finite number in [low, high].

    Raises
    ------
    UserError
        If it is none, or lies outside.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise UserError(f"{what} must be a number from {low:g} to {high:g}, got {_short(value)}")
    return float(value)


def whole_number_in(value: Any, what: str, low: int, high: int) -> int:
    """Return a whole number in [low, high]; 7.0 is one.

    Raises
    ------
    UserError
        If it is none, or lies outside.
    """
    number = number_in(value, what, low, high)
    if not number.is_integer():
        raise UserError(f"{what} must be a whole number, got {_short(value)}")
    return int(number)


def side_in(value: Any, what: str) -> int:
    """Return the height or the width of an image, px."""
    return whole_number_in(value, what, 1, MAX_SIDE_PX)


def corner_in(x: Any, y: Any) -> Corner:
    """Return a corner that a file tells column first."""
    return number_in(y, "the y of a corner"), number_in(x, "the x of a corner")


def ring_in(pairs: Sequence[tuple[Any, Any]], *, at_least: int = 3) -> Ring:
    """Return corners that a file tells as pairs, column first.

    >>> ring_in([(1, 0), (3, 0), (3, 2)])
    ((0.0, 1.0), (0.0, 3.0), (2.0, 3.0))

    Raises
    ------
    UserError
        If there are fewer than `at_least`, or a coordinate is no number.
    """
    ring = tuple(corner_in(x, y) for x, y in pairs)
    if len(ring) < at_least:
        raise UserError(f"an outline of {len(ring)} corners; it has at least {at_least}")
    return ring


def record_in(value: Any, what: str) -> dict[str, Any]:
    """Return an object of JSON.

    Raises
    ------
    UserError
        If it is none; the message calls it `what`.
    """
    if not isinstance(value, dict):
        raise UserError(f"{what} must be an object, got {_short(value)}")
    return value


def list_in(value: Any, what: str) -> list[Any]:
    """Return a list of JSON.

    Raises
    ------
    UserError
        If it is none; the message calls it `what`.
    """
    if not isinstance(value, list):
        raise UserError(f"{what} must be a list, got {_short(value)}")
    return value


_FEW = reprlib.Repr()
_FEW.maxstring = 80


def _short(value: Any) -> str:
    return printable(_FEW.repr(value))[:100]
