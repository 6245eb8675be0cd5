"""What a BOINC server's validator does with one work unit: sched/validator.cpp and validate_util2.cpp of release 1.6.

The scripts that sched/script_validator.cpp starts are the functions behind them, called in this process.
"""

from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path

from benchmarks.month.boinc_rows import Checked, Copy, Mask, Outcome, PlayedJob, Step, Where

LATER_S = 6 * 3600.0
VALID, LATER = 0, 3  #: exit codes of a script; all others are "invalid", or "not the same"

Script = Callable[[Sequence[Path]], int]


class LaterError(Exception):
    """A script answered "later"."""


class Validator:
    """Checks and compares what came back."""

    def __init__(self, check: Script, compare: Script, place_of: Callable[[Copy], Path]) -> None:
        self._check, self._compare, self._place_of = check, compare, place_of

    def handle(self, job: PlayedJob, now_s: float) -> None:
        """Find the canonical result, or see whether a copy that came later says the same."""
        job.need_validate = False
        if job.canonical:
            self._stragglers(job, job.canonical, now_s)
            return
        viable = [copy for copy in job.copies if copy.is_viable]
        if len(viable) < job.limits.min_quorum:
            return
        if self._set(viable, job):
            job.look_at_s = min(job.look_at_s, now_s + LATER_S)
        if job.canonical:
            _found(job)
        else:
            _no_consensus(job, viable, now_s)

    def _stragglers(self, job: PlayedJob, canonical: Copy, now_s: float) -> None:
        for copy in job.copies:
            if copy.outcome is not Outcome.SUCCESS or copy.checked not in (Checked.NOT_YET, Checked.INCONCLUSIVE):
                continue
            try:
                self._pair(copy, canonical)
            except LaterError:
                job.look_at_s = min(job.look_at_s, now_s + LATER_S)
                return
            job.look_at_s = now_s

    def _pair(self, copy: Copy, canonical: Copy) -> None:
        if not (self._is_valid(copy) and self._is_valid(canonical)):
            copy.outcome, copy.checked = Outcome.VALIDATE_ERROR, Checked.INVALID
        else:
            copy.checked = Checked.VALID if self._agree(copy, canonical) else Checked.INVALID

    def _set(self, viable: Sequence[Copy], job: PlayedJob) -> bool:
        """Look for a result that half of the quorum and one more agree with; tell whether to ask again later."""
        good, again = [], False
        for copy in viable:
            try:
                valid = self._is_valid(copy)
            except LaterError:
                again = True
                continue
            if valid:
                good.append(copy)
            else:
                copy.outcome, copy.checked = Outcome.VALIDATE_ERROR, Checked.INVALID
        if len(good) < job.limits.min_quorum:
            return again
        try:
            for copy in good:
                same = [copy is other or self._agree(copy, other) for other in good]
                if sum(same) >= job.limits.min_quorum // 2 + 1:
                    for other, agrees in zip(good, same, strict=True):
                        other.checked = Checked.VALID if agrees else Checked.INVALID
                    job.canonical = copy
                    return again
        except LaterError:
            return True
        return again

    def _is_valid(self, copy: Copy) -> bool:
        return _answer(self._check([self._place_of(copy)]))

    def _agree(self, one: Copy, other: Copy) -> bool:
        return _answer(self._compare([self._place_of(one), self._place_of(other)]))


def _answer(code: int) -> bool:
    if code == LATER:
        raise LaterError
    return code == VALID


def _found(job: PlayedJob) -> None:
    job.look_at_s, job.assimilated = inf, Step.READY
    for copy in job.copies:
        if copy.where is Where.UNSENT:
            copy.ends(Outcome.NOT_NEEDED)


def _no_consensus(job: PlayedJob, viable: Sequence[Copy], now_s: float) -> None:
    for copy in viable:
        if copy.is_viable and copy.checked is Checked.NOT_YET:
            copy.checked = Checked.INCONCLUSIVE
        elif not copy.is_viable:
            job.look_at_s = now_s
    left = sum(copy.is_viable for copy in viable)
    if left > job.limits.max_success_results:
        job.mask |= Mask.SUCCESSES
        job.look_at_s = now_s
    if left >= job.target:
        job.target = left + 1
        job.look_at_s = now_s
