"""What is done about a job that is over and left no result: the next attempt at its work unit, or the end of them."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from crystal_search.server.engines.attempts import add_failure, failures, set_aside
from crystal_search.server.engines.boinc.boinc_database import Job, Jobs
from crystal_search.server.engines.boinc.boinc_failures import FailedCopy, given_up_because
from crystal_search.server.home import Home

log = logging.getLogger(__name__)

#: How long after an attempt was submitted the next may be, s. After the last of them the work unit is set aside, also
#: if nothing is known against its images: one that takes every host down may not have them all, again and again. Only
#: where programs or models do not fit the work unit it goes on for ever, at the last of these distances.
NEXT_AFTER_S = (0.0, 0.0, 60.0, 600.0, 3_600.0, 3_600.0)


def is_due(note: Path, tries: int) -> bool:
    """Tell whether an attempt, noted in the file `note` as the one of this number, may be followed by another now."""
    try:
        age_s = time.time() - note.stat().st_mtime
    except FileNotFoundError:
        return True
    return not 0 <= age_s < NEXT_AFTER_S[min(tries, len(NEXT_AFTER_S)) - 1]  # a clock may be set back


def is_tried_again(home: Home, jobs: Jobs, job: Job, name: str, tries: int, *, most: int) -> bool:
    """Tell whether a work unit is submitted again whose job came to nothing; else it is set aside.

    Parameters
    ----------
    tries
        Attempts at it since it was queued, with this one.
    most
        Failures of the program itself after which it is set aside.
    """
    copies = jobs.failed_copies(job.id)
    known = {path.read_text(encoding="utf-8", errors="replace").strip() for path in failures(home, name)}
    for text in (str(copy) for copy in copies if copy.end.is_attempt):
        if text.strip() not in known:  # else this was noted before we were killed
            add_failure(home, name, text)
    why = given_up_because(job.error_mask)
    failed = len(failures(home, name))
    if failed < most and (tries <= len(NEXT_AFTER_S) or _want_version(copies)):
        log.warning("%s came to nothing: %s; once more", job.name, why)
        return True
    if failed < most:
        add_failure(home, name, "\n".join([f"jobs came to nothing again and again: {why}", *map(str, copies)]))
    log.warning("%s failed: %s", job.name, why, extra={"action": "client_failed"})
    set_aside(home, name)
    return False


def _want_version(copies: Sequence[FailedCopy]) -> bool:
    """Tell whether every copy ended for want of another version of the application, of which no image is the cause."""
    return bool(copies) and all(copy.end.wants_version for copy in copies)
