"""What fields of records for programs can be, where that is more than a type."""

from typing import Annotated

from crystal_search.outcomes import NO_DROP, OUTCOME_NAMES, UNREADABLE
from crystal_search.server.imaging.marks import KINDS
from crystal_search.viewer.hand_scores import MAX_ID, MAX_PERSON, SAYS_SOMETHING
from crystal_search.viewer.json_records import BY_HAND
from crystal_search.viewer.schemas import Limits

SHARE = Limits(least=0, most=1)
Id = Annotated[int, Limits(least=1, most=MAX_ID)]
Count = Annotated[int, Limits(least=0)]
Time = Annotated[str, Limits(format="date-time")]
Outcome = Annotated[str, Limits(of=(*OUTCOME_NAMES, NO_DROP, UNREADABLE))]
HandOutcome = Annotated[str, Limits(of=BY_HAND)]
MarkKind = Annotated[str, "what is marked", Limits(of=KINDS)]
Person = Annotated[
    str,
    "who says it; where people sign in, whoever is signed in, or left out",
    Limits(least_letters=1, most_letters=MAX_PERSON, pattern=SAYS_SOMETHING),
]
