"""What a BOINC server's database has in its tables workunit and result, with the numbers of db/boinc_db_types.h."""

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from math import inf


class Where(IntEnum):
    """``result.server_state``."""

    UNSENT = 2
    IN_PROGRESS = 4
    OVER = 5


class Outcome(IntEnum):
    """``result.outcome``."""

    NONE = 0
    SUCCESS = 1
    CLIENT_ERROR = 3
    NO_REPLY = 4
    NOT_NEEDED = 5
    VALIDATE_ERROR = 6


class Checked(IntEnum):
    """``result.validate_state``."""

    NOT_YET = 0
    VALID = 1
    INVALID = 2
    NO_CHECK = 3
    INCONCLUSIVE = 4
    TOO_LATE = 5


class Mask(IntFlag):
    """``workunit.error_mask``."""

    NONE = 0
    ERRORS = 2
    SUCCESSES = 4
    TOTAL = 8
    CANCELLED = 16


class Step(IntEnum):
    """``assimilate_state`` and ``file_delete_state``."""

    NOT_YET = 0
    READY = 1
    DONE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the template of a work unit says."""

    min_quorum: int
    target_nresults: int
    max_error_results: int
    max_total_results: int
    max_success_results: int
    delay_bound: int  #: s


@dataclass(eq=False, slots=True, kw_only=True)
class Copy:
    """A row of table result."""

    name: str
    job: "PlayedJob"
    where: Where = Where.UNSENT
    outcome: Outcome = Outcome.NONE
    checked: Checked = Checked.NOT_YET
    files: Step = Step.NOT_YET
    host: int = 0
    account: int = 0
    sent_s: float = 0.0
    deadline_s: float = 0.0
    exit_status: int = 0

    @property
    def upload(self) -> str:
        """What its file is called."""
        return f"{self.name}_r{self.job.id}_0"

    @property
    def is_viable(self) -> bool:
        """Whether it came back and was not found invalid."""
        return self.outcome is Outcome.SUCCESS and self.checked is not Checked.INVALID

    def ends(self, outcome: Outcome) -> None:
        """Be over."""
        self.where, self.outcome = Where.OVER, outcome


@dataclass(eq=False, slots=True, kw_only=True)
class PlayedJob:
    """A row of table workunit."""

    id: int
    name: str
    file: str  #: in the download folder
    limits: Limits
    priority: int
    target: int  #: results wanted; grows when two do not agree, or one is late
    copies: list[Copy] = field(default_factory=list)
    mask: Mask = Mask.NONE
    canonical: Copy | None = None
    need_validate: bool = False
    assimilated: Step = Step.NOT_YET
    files: Step = Step.NOT_YET
    look_at_s: float = 0.0  #: ``transition_time``
    over_at_s: float = inf  #: when its files were deleted
