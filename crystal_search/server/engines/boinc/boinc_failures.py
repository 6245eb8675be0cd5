"""How a copy of a job can end in vain, and what that says of its images.

Only a program that itself failed at a work unit was an attempt at it. Everything else is about a host, its user, the
network or this server: a copy that never came back or could not be downloaded says nothing about an image.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from crystal_search.exit_codes import BAD_MODEL, BAD_WORK_UNIT, USAGE

COULD_NOT_BE_SENT, CLIENT_ERROR, NO_REPLY, VALIDATE_ERROR, DETACHED = 2, 3, 4, 6, 7  #: result.outcome, in vain
STDERR_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class End:
    """One way to end in vain."""

    said: str  #: for people, after "a copy"; ``{code}`` stands for the exit code
    is_attempt: bool = False  #: whether it counts as an attempt at the work unit
    wants_version: bool = False  #: whether another version of the application would do it


OUTCOMES = {
    COULD_NOT_BE_SENT: End("could be sent to nobody"),
    NO_REPLY: End("never came back"),
    VALIDATE_ERROR: End("returned a result that was refused"),
    DETACHED: End("was given up: its host left the project"),
}

#: What an exit code means, of copies with the outcome CLIENT_ERROR. BOINC's own are in its lib/error_numbers.h,
#: Windows' in ntstatus.h; a program that a signal ended has the signal's number, 128 more when it left a core file.
EXITS = {
    **dict.fromkeys(range(-299, -99), End("was hindered: error {code} of BOINC's client")),
    **dict.fromkeys(range(192, 210), End("was ended by BOINC's client: exit code {code}")),
    -119: End("got a damaged file"),
    -120: End("got a file with a wrong signature"),
    -161: End("did not find a file"),
    -163: End("did not find a file"),
    -185: End("could not be started"),
    -186: End("could not download its files"),
    -187: End("could not upload its result"),
    -197: End("was aborted by its user"),
    -221: End("got a file of a wrong size"),
    -224: End("could not download a file: the server has none"),
    -226: End("was stopped a hundred times"),
    0: End("did not return its result"),
    USAGE: End("was started wrongly"),
    BAD_WORK_UNIT: End("could not read its work unit: the program is older", wants_version=True),
    BAD_MODEL: End("could not use its models", wants_version=True),
    126: End("could not be started"),
    127: End("could not be started"),
    132: End("runs on no such processor"),
    137: End("was killed"),
    143: End("was killed"),
    193: End("was ended by a signal", is_attempt=True),
    196: End("needed more disk than it may"),
    197: End("took longer than it may"),
    198: End("needed more memory than it may"),
    200: End("was not begun in time"),
    202: End("was cancelled by the server"),
    203: End("was aborted by its user"),
    209: End("was not done in time"),
    255: End("could not be unpacked"),
    -1073741801: End("had no memory"),
    -1073741795: End("runs on no such processor"),
    -1073741515: End("could not be started: a library is missing"),
    -1073741502: End("could not be started"),
}
FAILED_PROGRAM = End("ended with exit code {code}", is_attempt=True)  #: every other exit code

#: Bits of workunit.error_mask: why BOINC gave a job up.
MASKS = {
    1: "it could be sent to nobody",
    2: "too many copies failed",
    4: "no two results agree",
    8: "too many copies came to nothing",
    16: "it was cancelled",
    32: "no result could be chosen",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCopy:
    """A copy of a job that ended in vain."""

    name: str
    host_id: int
    outcome: int
    exit_status: int
    stderr: str = ""  #: what the program said last

    @property
    def end(self) -> End:
        """How it ended."""
        ends: Mapping[int, End] = EXITS if self.outcome == CLIENT_ERROR else OUTCOMES
        return ends.get(self.exit_status if self.outcome == CLIENT_ERROR else self.outcome, FAILED_PROGRAM)

    def __str__(self) -> str:
        what = f"a copy {self.end.said.format(code=self.exit_status)}\n{self.name} on host {self.host_id}"
        said = self.stderr.strip()[-STDERR_CHARACTERS:]
        return f"{what}; it said:\n{said}" if said else what


def given_up_because(error_mask: int) -> str:
    """Return why BOINC gave a job up.

    >>> given_up_because(12)
    'no two results agree, too many copies came to nothing'
    """
    known = [text for bit, text in MASKS.items() if error_mask & bit]
    return ", ".join(known) or "its result was lost on its way here"
