"""The outcomes of a crystallization experiment: one table for names, score numbers, groups and frames.

Names and score numbers are those of Table 1 in Thielmann et al. (2023); the frame colours are those of its
Figure 1 where it shows them. No colour speaks alone: every outcome has a letter that says the same.
"""

from dataclasses import dataclass
from enum import StrEnum

from crystal_search.known_names import among


class Group(StrEnum):
    """The four groups that people compare, in order of priority."""

    CRYSTAL = "crystal"
    PRECIPITATE = "precipitate"
    OTHER = "other"
    CLEAR = "clear"


GROUPS = tuple(Group)  #: from high to low priority (Thielmann 2023, section 3.1)
THRESHOLD = 0.85  #: c of the same section, which a group's best chop must reach


@dataclass(frozen=True, slots=True)
class Outcome:
    """One of the 13 classes of an image or a chop."""

    name: str  #: stable identifier, in files and columns
    score_number: int  #: XtalTrak's score number
    group: Group  #: what it counts as in the ranked score
    label: str  #: what people read
    letter: str  #: what the frame says without colour
    frame: str  #: frame colour, ``#rrggbb``


RED, BLUE, MAGENTA, GREY, WHITE = "#e02020", "#2f6fe4", "#d030c8", "#8c8c8c", "#ffffff"

#: All outcomes in class order: the order of every probability vector, from high to low priority.
OUTCOMES = (
    Outcome("crystal_harvestable", 23, Group.CRYSTAL, "Crystals, harvestable", "H", RED),
    Outcome("crystal_bad_form", 22, Group.CRYSTAL, "Crystals, bad form", "B", RED),
    Outcome("crystal_overnucleated", 21, Group.CRYSTAL, "Crystals, overnucleated", "O", RED),
    Outcome("precipitate", 13, Group.PRECIPITATE, "Precipitate", "P", BLUE),
    Outcome("precipitate_bad", 12, Group.PRECIPITATE, "Precipitate, bad", "D", BLUE),
    Outcome("precipitate_good", 11, Group.PRECIPITATE, "Precipitate, good", "G", BLUE),
    Outcome("null_experiment", 34, Group.OTHER, "Null experiment", "N", MAGENTA),
    Outcome("other", 33, Group.OTHER, "Other", "U", MAGENTA),
    Outcome("spherulites", 32, Group.OTHER, "Spherulites", "S", MAGENTA),
    Outcome("phase_separation", 31, Group.OTHER, "Phase separation", "L", MAGENTA),
    Outcome("clear", 1, Group.CLEAR, "Clear", "C", GREY),
    Outcome("clear_with_features", 2, Group.CLEAR, "Clear with other features", "F", GREY),
    Outcome("rim", 1, Group.CLEAR, "Rim", "R", WHITE),
)

OUTCOME_NAMES = tuple(outcome.name for outcome in OUTCOMES)
CHOPS_ONLY = "rim"  #: the one outcome that no whole image has
IMAGE_OUTCOMES = tuple(name for name in OUTCOME_NAMES if name != CHOPS_ONLY)  #: those that a whole image can have
BY_NAME = {outcome.name: outcome for outcome in OUTCOMES}
CLASSES = {group: tuple(n for n, outcome in enumerate(OUTCOMES) if outcome.group is group) for group in GROUPS}

#: The well's own answer when no drop was found; not a class, so no network gives it a probability.
NO_DROP = "no_drop"

#: The keys by which people say what an image shows, in the order of IMAGE_OUTCOMES: characters, not places of keys.
KEYS = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "c", "v")
NO_DROP_KEY = "x"

#: What summaries count a score as in which no group reached the threshold: it names only the likeliest.
UNSURE = "unsure"

#: The ledger's answer for an image that no client can read.
UNREADABLE = "unreadable"


def outcome_named(name: str) -> Outcome:
    """Return the outcome called `name`.

    Raises
    ------
    UnknownNameError
        If there is none; the message lists those there are.

    >>> outcome_named("spherulites").score_number
    32
    """
    return among(BY_NAME, name, "outcome")


def group_of(answer: str) -> Group | None:
    """Return the group of an outcome; None for an answer that is none, as `NO_DROP`.

    >>> group_of("spherulites"), group_of("no_drop")
    (<Group.OTHER: 'other'>, None)
    """
    return BY_NAME[answer].group if answer in BY_NAME else None


def classes_of(group: Group) -> tuple[int, ...]:
    """Return the positions of a group's outcomes in every probability vector.

    >>> classes_of(Group.PRECIPITATE)
    (3, 4, 5)
    """
    return CLASSES[group]
