"""Scores by hand, comments and marks, and what is taken back: what a browser sends, checked before it is written.

Whoever is signed in says it under that name; others say their name.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from crystal_search.errors import UserError
from crystal_search.geometry import Box, Point
from crystal_search.hostile_json import Reader, read_whole
from crystal_search.server.imaging.comments import Comment
from crystal_search.server.imaging.imaging_database import ManualScore
from crystal_search.server.imaging.marks import KINDS, PLACED, Mark
from crystal_search.viewer.json_records import BY_HAND

MAX_BODY_BYTES = 20_000
MAX_PERSON, MAX_COMMENT = 100, 1000
MAX_PLATES = 200  #: said to be seen at a time
#: What nobody writes by hand, and what would let a name look like another one: control characters, and those that are
#: not seen or turn the direction of a line.
UNSAID = r"\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
MAY_BE_EMPTY, SAYS_SOMETHING = rf"^[^{UNSAID}]*$", rf"^[^{UNSAID}]*[^\s{UNSAID}][^{UNSAID}]*$"
SURROGATES = re.compile("[\ud800-\udfff]")  #: that stand alone; no database keeps them
MAX_SIDE_PX = 100_000
MAY_BE_TAKEN_BACK = ("score", "comment", "mark")
MAX_ID = 2**53 - 1  #: what a browser counts exactly


class ScoreRequestError(UserError):
    """The score, comment or mark cannot be taken as it was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakingBack:
    """That a person wants to take back a score, a comment or a mark."""

    image_id: int
    what: str  #: one of `MAY_BE_TAKEN_BACK`
    number: int  #: its id
    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """What a person has looked at."""

    person: str
    at: datetime  #: of what they saw
    plates: tuple[str, ...]
    through: bool  #: whether they have looked through Today


def read_score(body: bytes, signed_in: str = "") -> ManualScore:
    """Return the score in the JSON object `body`, given now.

    Raises
    ------
    ScoreRequestError
        If it is no such object; the message says what is wrong.

    >>> read_score(b'{"image_id": 7, "outcome": "clear", "person": "Ada"}').outcome
    'clear'
    """
    return read_whole(body, "score", ScoreRequestError, partial(_score, signed_in))


def _score(signed_in: str, read: Reader) -> ManualScore:
    return ManualScore(
        scored_at=datetime.now(UTC),
        image_id=read.integer("image_id", 1, MAX_ID),
        outcome=read.choice("outcome", BY_HAND),
        person=person_in(signed_in, read),
        comment=_text(read, "comment", at_least=0, at_most=MAX_COMMENT) if read.has("comment") else "",
    )


def read_taking_back(body: bytes, signed_in: str = "") -> TakingBack:
    """Return which score, comment or mark the JSON object `body` takes back.

    Raises
    ------
    ScoreRequestError
        If it is no such object; the message says what is wrong.

    >>> read_taking_back(b'{"image_id": 7, "score_id": 9, "person": "Ada"}').what
    'score'
    """
    return read_whole(body, "taking back", ScoreRequestError, partial(_taking_back, signed_in))


def _taking_back(signed_in: str, read: Reader) -> TakingBack:
    what = next((each for each in MAY_BE_TAKEN_BACK if read.has(f"{each}_id")), MAY_BE_TAKEN_BACK[0])
    return TakingBack(
        image_id=read.integer("image_id", 1, MAX_ID),
        what=what,
        number=read.integer(f"{what}_id", 1, MAX_ID),
        person=person_in(signed_in, read),
    )


def read_comment(body: bytes, signed_in: str = "") -> Comment:
    """Return the comment in the JSON object `body`, written now.

    Raises
    ------
    ScoreRequestError
        If it is no such object; the message says what is wrong.

    >>> read_comment(b'{"image_id": 7, "person": "Ada", "text": "tiny"}').text
    'tiny'
    """
    return read_whole(body, "comment", ScoreRequestError, partial(_comment, signed_in))


def _comment(signed_in: str, read: Reader) -> Comment:
    return Comment(
        written_at=datetime.now(UTC),
        image_id=read.integer("image_id", 1, MAX_ID),
        person=person_in(signed_in, read),
        text=_text(read, "text", at_least=1, at_most=MAX_COMMENT),
    )


def read_looking(body: bytes, signed_in: str = "") -> Looking:
    """Return what the JSON object `body` says that a person looked at.

    Raises
    ------
    ScoreRequestError
        If it is no such object; the message says what is wrong.

    >>> read_looking(b'{"plates": ["P1"], "as_of": "2026-01-31T12:00:00+00:00", "person": "Ada"}').plates
    ('P1',)
    """
    return read_whole(body, "looking", ScoreRequestError, partial(_looking, signed_in))


def _looking(signed_in: str, read: Reader) -> Looking:
    now = datetime.now(UTC)
    return Looking(
        person=person_in(signed_in, read),
        at=min(_time(read, "as_of"), now) if read.has("as_of") else now,
        plates=read.texts("plates", limit=MAX_PLATES) if read.has("plates") else (),
        through=read.boolean("through") if read.has("through") else False,
    )


def _time(read: Reader, key: str) -> datetime:
    text = read.text(key, limit=40)
    try:
        at = datetime.fromisoformat(text)
        in_utc = at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError):  # no time, or in a zone of the first or last day of all
        in_utc = None
    if in_utc is None:
        read.fail(key, "a time with its zone, as the answer had it", text)
    return in_utc


def read_mark(body: bytes, signed_in: str = "") -> Mark:
    """Return the mark in the JSON object `body`, made now.

    Raises
    ------
    ScoreRequestError
        If it is no such object; the message says what is wrong.

    >>> read_mark(b'{"image_id": 7, "kind": "pick", "place": [10, 20], "person": "Ada"}').place
    Point(row=10, column=20)
    """
    return read_whole(body, "mark", ScoreRequestError, partial(_mark, signed_in))


def _mark(signed_in: str, read: Reader) -> Mark:
    kind = read.choice("kind", KINDS)
    return Mark(
        marked_at=datetime.now(UTC),
        image_id=read.integer("image_id", 1, MAX_ID),
        person=person_in(signed_in, read),
        kind=kind,
        place=_place(read) if kind in PLACED else None,
    )


def _place(read: Reader) -> Point | Box:
    value = read.take("place")
    edges = value if isinstance(value, list) else []
    is_point, is_box = (len(edges) == len(each._fields) for each in (Point, Box))
    whole = all(type(each) is int and 0 <= each <= MAX_SIDE_PX for each in edges)
    if not whole or not (is_point or (is_box and edges[0] < edges[2] and edges[1] < edges[3])):
        read.fail("place", "[row, column], or [top, left, bottom, right] with something inside, in pixels", value)
    return Point(*edges) if is_point else Box(*edges)


def person_in(signed_in: str, read: Reader) -> str:
    """Return who says it: whoever is signed in, and nobody else."""
    if signed_in and not read.has("person"):
        return signed_in
    told = _text(read, "person", at_least=1, at_most=MAX_PERSON)
    if signed_in and told != signed_in:
        read.fail("person", f"{signed_in}, who is signed in,", told)
    return told


def _text(read: Reader, key: str, *, at_least: int, at_most: int) -> str:
    value = read.take(key)
    pattern = SAYS_SOMETHING if at_least else MAY_BE_EMPTY
    if (
        not isinstance(value, str)
        or len(value) > at_most
        or SURROGATES.search(value)
        or not re.fullmatch(pattern, value)
    ):
        read.fail(key, f"{at_least} to {at_most} printable characters", value)
    return value.strip()
