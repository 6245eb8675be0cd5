"""What programs send to the viewer: one record each.

What is called as a column of docs/columns.md means the same; a record says only what that page does not.
"""

from typing import Annotated, NotRequired, TypedDict

from crystal_search.viewer.field_kinds import HandOutcome, Id, MarkKind, Person, Time
from crystal_search.viewer.hand_scores import MAX_COMMENT, MAX_PLATES, MAX_SIDE_PX, MAY_BE_EMPTY, SAYS_SOMETHING
from crystal_search.viewer.messages.messages_page import TOKEN
from crystal_search.viewer.parameters import PRINTABLE
from crystal_search.viewer.people.passwords import MOST
from crystal_search.viewer.people.person import MOST_LETTERS
from crystal_search.viewer.schemas import Limits

Barcode = Annotated[str, Limits(most_letters=MAX_PLATES, pattern=PRINTABLE)]


class ScoreByHand(TypedDict):
    """A score to be added."""

    image_id: Id
    outcome: HandOutcome
    person: Person
    comment: NotRequired[Annotated[str, Limits(most_letters=MAX_COMMENT, pattern=MAY_BE_EMPTY)]]


class NewComment(TypedDict):
    """A comment to be added."""

    image_id: Id
    person: Person
    text: Annotated[
        str, "what the person writes", Limits(least_letters=1, most_letters=MAX_COMMENT, pattern=SAYS_SOMETHING)
    ]


class NewMark(TypedDict):
    """A mark to be added."""

    image_id: Id
    person: Person
    kind: MarkKind
    place: NotRequired[
        Annotated[
            list[Annotated[int, Limits(least=0, most=MAX_SIDE_PX)]],
            "`[row, column]` or `[top, left, bottom, right]`, half-open, stored pixels; missing of a favourite",
        ]
    ]


class TakingBack(TypedDict):
    """A score, a comment or a mark to be taken back: one of them."""

    image_id: Id
    score_id: NotRequired[Annotated[Id, "the score's `id`"]]
    comment_id: NotRequired[Annotated[Id, "the comment's `id`"]]
    mark_id: NotRequired[Annotated[Id, "the mark's `id`"]]
    person: Person


class Credentials(TypedDict):
    """What somebody says who signs in."""

    name: Annotated[str, "of the account", Limits(least_letters=1, most_letters=MOST_LETTERS)]
    password: Annotated[str, "of the account", Limits(least_letters=1, most_letters=MOST)]


class WishForMessages(TypedDict):
    """What somebody wants to be told."""

    person: Person
    way: Annotated[str, "how it goes", Limits(of=("mail", "webhook"))]
    address: Annotated[str, "of a mailbox; empty for a webhook", Limits(most_letters=320)]
    projects: Annotated[list[str], "whose plates; none: all that the person may see"]
    often: Annotated[str, "when it goes", Limits(of=("daily", "at once"))]


class EndOfMessages(TypedDict):
    """Whose messages end."""

    person: Person


class StopOfMessages(TypedDict):
    """Which messages end."""

    token: Annotated[str, "of the link in a message", Limits(pattern=f"^{TOKEN.pattern}$")]


class Nothing(TypedDict):
    """An empty object."""


class SeenPlan(TypedDict):
    """Which plan of an import was seen."""

    made_at: Annotated[float, "the plan's, seconds since 1970"]


class Looking(TypedDict):
    """What a person has looked at."""

    as_of: NotRequired[Annotated[Time, "of what was seen; by default now"]]
    person: Person
    plates: NotRequired[Annotated[list[Barcode], f"{MAX_PLATES} at most", Limits(most_items=MAX_PLATES)]]
    through: NotRequired[Annotated[bool, "whether they have looked through Today, which begins there next time"]]
