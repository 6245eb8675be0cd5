"""What the imaging database keeps of a facility's own: how far it was looked at, and which scores it was given.

A facility's schema has no place for models, thresholds and history, so the record of what was given, when, by which
recipe, and what was refused for which reason, is ours.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledScore:
    """A person's score, as a facility's database has it."""

    path: str  #: of the image, as this machine calls it
    person: str  #: who gave it; what the facility calls people in general where it does not say
    outcome: str  #: an outcome's name or ``no_drop``
    scored_at: datetime  #: UTC, time-zone aware


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledScores:
    """What `add_pulled_scores` did."""

    added: int
    known: int = 0  #: there already, or saying what their person's last from there said
    unknown: tuple[str, ...] = ()  #: paths that no image has


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """That a facility was given a score, or did not take it."""

    score_id: int
    image_id: int
    refused: str = ""  #: why it was not taken, a sentence; empty when it was
    tries: int = 1  #: how often it was given
    again: bool = True  #: whether one that was refused is given again


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedScore:
    """What is known of a score that a facility was given."""

    score_id: int
    path: str  #: of its image
    outcome: str
    pushed_at: datetime  #: when it was given last; UTC, time-zone aware
    refused: str  #: why it was not taken; empty when it was
    tries: int  #: how often it was given
    next_at: datetime | None  #: when it is given again; None when it is not


@dataclass(frozen=True, slots=True, kw_only=True)
class FacilityState:
    """How far a facility's database was looked at."""

    pull_mark: str = ""  #: where the next pull begins; empty before the first
    pulled_at: datetime | None = None  #: of the last pull; UTC
    pushed_at: datetime | None = None  #: of the last push of anything; UTC
    refused: int = 0  #: scores that it did not take and that are given again
