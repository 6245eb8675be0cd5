"""Scores by hand: what a browser sends, checked before it goes to the ledger."""

from dataclasses import dataclass
from typing import Any

from crystal_search.errors import UserError
from crystal_search.hostile_json import loads
from crystal_search.viewer.records import BY_HAND

MAX_BODY_BYTES = 20_000
MAX_PERSON, MAX_COMMENT = 100, 1000
FIELDS = {"image_id", "outcome", "person", "comment"}


class ScoreRequestError(UserError):
    """The score cannot be taken as it was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRequest:
    """A person's score as the browser sends it."""

    image_id: int
    outcome: str  #: one of BY_HAND
    person: str
    comment: str = ""


def read_score(body: bytes) -> ScoreRequest:
    """Return the score in the JSON object `body`.

    Raises
    ------
    ScoreRequestError
        If it is no such object; the message says what is wrong.

    >>> read_score(b'{"image_id": 7, "outcome": "clear", "person": "Ada"}').outcome
    'clear'
    """
    fields = loads(body, ScoreRequestError)
    if not isinstance(fields, dict) or not {"image_id", "outcome", "person"} <= fields.keys() <= FIELDS:
        raise ScoreRequestError("expected an object with image_id, outcome, person, and perhaps comment")
    image_id = fields["image_id"]
    if type(image_id) is not int or not 0 < image_id < 2**53:
        raise ScoreRequestError(f"image_id must be the number of an image, got {image_id!r:.40}")
    if fields["outcome"] not in BY_HAND:
        raise ScoreRequestError(f"outcome must be one of {', '.join(BY_HAND)}, got {fields['outcome']!r:.40}")
    return ScoreRequest(
        image_id=image_id,
        outcome=fields["outcome"],
        person=_text("person", fields["person"], at_least=1, at_most=MAX_PERSON),
        comment=_text("comment", fields.get("comment", ""), at_least=0, at_most=MAX_COMMENT),
    )


def _text(name: str, value: Any, *, at_least: int, at_most: int) -> str:
    text = value.strip() if isinstance(value, str) else None
    if text is None or not at_least <= len(text) <= at_most or not text.isprintable():
        raise ScoreRequestError(f"{name} must be {at_least} to {at_most} printable characters")
    return text
