"""What programs get from the viewer: one record each.

What is called as a column of docs/columns.md means the same; a record says only what that page does not.
"""

from typing import Annotated, NotRequired, TypedDict

from crystal_search.adaptation.rescoring import Answer
from crystal_search.columns import Cell
from crystal_search.viewer import score_table
from crystal_search.viewer.field_kinds import SHARE, Count, Id, MarkKind, Time
from crystal_search.viewer.schemas import Row
from crystal_search.viewer.score_answers import (
    EarlierAnswer,
    EarlierScore,
    ListedMachineScore,
    ListedPersonScore,
    MachineScore,
    PersonScore,
)
from crystal_search.viewer.tables.whole_tables import LEDGER_COLUMNS

DROP_ROW = Row(
    name="DropRow",
    meaning="An image and both kinds of score: the columns of a plate's table of scores; null: nothing to tell.",
    columns=score_table.COLUMNS,
)
SCORE_ROW = Row(
    name="ScoreRow",
    meaning="A person's or a machine's score: the columns of the table of the whole ledger; null: nothing to tell.",
    columns=LEDGER_COLUMNS,
)


LongestUm = Annotated[float | None, "`longest_px` in micrometres; null where there is none, or no scale is known"]


class Failure(TypedDict):
    """What every error is."""

    status: Annotated[int, "HTTP status"]
    error: Annotated[str, "what is wrong, and what to do"]


class MessagesWanted(TypedDict):
    """What somebody is told from now on."""

    person: Annotated[str, "who is told"]
    way: Annotated[str, "how it goes: `mail` or `webhook`"]
    address: Annotated[str, "of a mailbox; empty for a webhook"]
    projects: Annotated[list[str], "whose plates; none: all that the person may see"]
    often: Annotated[str, "when it goes: `daily` or `at once`"]


class MessagesEnded(TypedDict):
    """What came of it."""

    ended: Annotated[bool, "whether there were any to end"]


class SignedIn(TypedDict):
    """Who is signed in now."""

    person: Annotated[str, "the name of the account; empty: nobody"]


class Imported(TypedDict):
    """What an import did."""

    said: Annotated[str, "a sentence for people"]


class Image(TypedDict):
    """Which drop an image shows."""

    id: Annotated[int, "the `image_id`"]
    plate: str
    well: str
    row: int
    column: int
    drop: int
    inspection: int
    channel: str
    imaged_at: str | None
    version: Annotated[str, "what changes when the image file does; empty where it is not there"]


class Comment(TypedDict):
    """What a person wrote."""

    id: Annotated[int, "of the comment, by which it is taken back; 0: it came with a score, and stays"]
    person: str
    text: Annotated[str, "what the person wrote"]
    written_at: Annotated[Time, "when"]
    taken_back_at: Annotated[Time | None, "when its person took it back"]


class Mark(TypedDict):
    """What a person marked in an image, and did not take back."""

    id: Annotated[int, "of the mark, by which it is taken back"]
    person: str
    kind: MarkKind
    place: Annotated[list[int] | None, "as it was sent; null of a favourite"]
    marked_at: Annotated[Time, "when"]


class Drop(Image):
    """A drop with its newest scores."""

    auto: Annotated[MachineScore | None, "the machine's newest score that counts"]
    why_unscored: Annotated[str, "why there is none; empty where nobody has tried yet"]
    people: Annotated[list[PersonScore], "what each person said last and did not take back, the last first"]
    comments: list[Comment]
    marks: list[Mark]
    earlier: Annotated[EarlierScore | None, "where nobody scored this image, the newest of earlier inspections"]
    before: Annotated[EarlierAnswer | None, "what the machine said of the drop at the inspection before"]
    condition: NotRequired[str]
    condition_name: NotRequired[str]


class BoardDrop(Drop):
    """A drop of a plate."""

    triage: Answer | None
    longest_um: LongestUm


class Facts(TypedDict):
    """Whose a plate is; empty where nobody says so."""

    project: str
    protein: str
    owner: str
    people: Annotated[list[str], "others who have to do with the plate"]
    plate_type: str


class RecipeAtPlate(TypedDict):
    """A recipe by which drops were scored."""

    id: Annotated[str, "by which it is asked for"]
    classifier: Annotated[str, "what people call the classifier"]
    sha256: Annotated[str, "hash of the classifier's file"]
    first_look: Annotated[str | None, "what people call the model that looked before it; null: none did"]
    readout: str | None
    threshold: float


class Board(Facts):
    """One inspection of a plate."""

    plate: str
    inspections: Annotated[list[int], "all that the plate has"]
    channels: Annotated[list[str], "all that the plate has"]
    days: Annotated[dict[str, str], "by inspection, the day on which it began, by the robot's clock"]
    inspection: int
    channel: str
    images: Annotated[Count, "of this inspection"]
    scored: Annotated[Count, "of these, with an automatic score"]
    last_scored_at: Annotated[Time | None, "when the last of them was scored"]
    drops: list[BoardDrop]
    recipes: Annotated[
        list[RecipeAtPlate], "by which drops of this inspection have scores that count, the first one first"
    ]
    recipe: Annotated[str, "the `id` of the one whose scores these are; empty for the scores that count"]


class Counts(TypedDict):
    """How many drops of an inspection are in each group."""

    drops: Annotated[Count, "of the inspection"]
    auto: Annotated[dict[str, int], "by group, `unsure`, `no_drop`, `unreadable` or `unscored`: how many"]
    manual: Annotated[Count, "how many people scored"]
    triage: Annotated[dict[str, int], "by what a readout in use promises: how many"]


class Ingredient(TypedDict):
    """A part of a condition."""

    ingredient: str
    concentration: float | None
    concentration_unit: str
    ph: float | None
    role: str
    text: Annotated[str, "all of it, as people write it"]


class ImageLedger(Image, Facts):
    """An image and all its scores."""

    why_unscored: Annotated[str, "why there is no automatic score that counts; empty where nobody has tried yet"]
    ledger: Annotated[list[ListedMachineScore | ListedPersonScore], "every score, the newest first"]
    comments: list[Comment]
    marks: list[Mark]
    imager: Annotated[str, "which microscope took the image"]
    um_per_px: Annotated[float | None, "how large a stored pixel is, in micrometres; null where nobody says so"]
    condition: NotRequired[str]
    condition_name: NotRequired[str]
    condition_source: NotRequired[Annotated[str, "who says what is in the drop"]]
    ingredients: NotRequired[list[Ingredient]]


class Scores(TypedDict):
    """A part of the ledger of all images."""

    scores: list[Annotated[dict[str, Cell], SCORE_ROW]]
    next: Annotated[int, "what to ask for as `after` to go on, now or later"]
    is_last: Annotated[bool, "whether there is no later score yet"]


class Drops(TypedDict):
    """A part of the list of drops of all plates."""

    drops: list[Annotated[dict[str, Cell], DROP_ROW]]
    next: Annotated[str | None, "what to ask for as `after` to go on; null: there is no more"]


class Card(Drop):
    """One of the best drops, at the inspection at which it is likeliest to hold crystals."""

    project: str
    longest_um: LongestUm
    seen: Annotated[bool, "whether the person has looked at its plate since it had news, or has scored the drop"]


class Today(TypedDict):
    """The best drops of all plates that are new to a person."""

    person: Annotated[str, "who looks; empty: nobody said so"]
    days: Annotated[int | None, "as asked"]
    since: Annotated[Time, "after which an inspection had images with a first score"]
    last_looked: Annotated[Time | None, "when the person looked through Today last"]
    as_of: Annotated[Time, "when this was read; what is said to be seen goes by it"]
    plates: Annotated[list[str], "that are new to the person and of which all cards are listed"]
    more: Annotated[bool, "whether other plates are new as well: asked for by `after`, how many plates to pass over"]
    any_plates: Annotated[bool, "whether there are plates at all"]
    cards: Annotated[list[Card], "60 or so, of whole plates; those not seen first, the likeliest first"]


class Looked(TypedDict):
    """What was noted."""

    plates: Annotated[list[str], "those of the plates that there are"]


class Siblings(TypedDict):
    """The same drop at every inspection, in every channel."""

    drops: list[Drop]


class BestDrop(TypedDict):
    """The drop of an inspection that is likeliest to hold crystals."""

    image_id: Id
    well: str
    drop: int
    p_crystal: float


class PlateLine(TypedDict):
    """A plate as its list shows it."""

    plate: str
    project: str
    protein: str
    owner: str
    inspections: Annotated[list[int], "their numbers"]
    channels: Annotated[list[str], "that it has images of"]
    images: Annotated[Count, "how many there are"]
    scored: Annotated[Count, "of these, with an automatic score"]
    last_scored_at: Annotated[Time | None, "when the last of them was scored"]
    newest_at: Annotated[Time | None, "when the newest image was taken, or came in"]
    done_at: Annotated[Time | None, "when it will be scored, at the pace of the last scores; null: nobody knows"]
    crystals: Annotated[Count, "drops with crystals by the machine, at the latest inspection"]
    crystals_by_hand: Annotated[Count, "drops with crystals by people, at the inspection with the most"]
    disagreements: Annotated[Count, "drops about whose group they disagree, at the latest inspection"]
    best: Annotated[BestDrop | None, "the likeliest crystal by the shipped score, at the latest inspection"]


class Page(TypedDict):
    """A page of a list."""

    page: Annotated[int, "which one, from 1"]
    pages: Annotated[Count, "how many there are"]
    per_page: Annotated[int, "how many lines a page has"]


class Plates(Page):
    """A page of the list of plates."""

    search: Annotated[str, "as asked"]
    sort: Annotated[str, "as asked"]
    turned: Annotated[bool, "as asked"]
    found: Annotated[Count, "plates on all pages"]
    all: Annotated[Count, "plates that there are"]
    plates: list[PlateLine]


class QueueDrop(Image):
    """A drop that is worth a look."""

    machine: NotRequired[Annotated[str, "group by the machine"]]
    person: NotRequired[Annotated[str, "group by a person"]]
    second: NotRequired[Annotated[str, "group by the second opinion"]]
    said: NotRequired[Annotated[list[str], "why it is in the list, in lines for people"]]
    sure: NotRequired[Annotated[float, "probability of the machine's answer, or the less sure one of two", SHARE]]


class Queue(Page):
    """A page of a list of drops that are worth a look."""

    queue: Annotated[str, "its name"]
    title: Annotated[str, "for people"]
    meaning: Annotated[str, "for people"]
    imager: Annotated[str, "whose images; empty where the list is of all"]
    imagers: Annotated[list[str], "of whom there is such a list"]
    is_current: Annotated[bool, "whether it knows all that people have said; else a newer one is being made"]
    why_empty: Annotated[str, "why the list is empty, and what to do; empty where it is not"]
    images: Annotated[Count, "in the list"]
    drops: list[QueueDrop]
