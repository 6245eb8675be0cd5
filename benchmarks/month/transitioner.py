"""What a BOINC server's transitioner does with one work unit: sched/transitioner.cpp of release 1.6, `handle_wu`."""

from math import inf

from benchmarks.month.boinc_rows import Checked, Copy, Mask, Outcome, PlayedJob, Step, Where

SAFETY_S = 10 * 86_400.0


def transition(job: PlayedJob, now_s: float) -> None:
    """Take note of what became of a job's copies, make those that are missing, give up, or clear away."""
    for copy in job.copies:
        if copy.where is Where.IN_PROGRESS and copy.deadline_s < now_s:
            copy.ends(Outcome.NO_REPLY)
    successes = sum(copy.is_viable for copy in job.copies)
    _ask_validator(job, successes)
    needed = _needed(job, successes)
    if job.mask:
        _give_up(job)
    elif job.canonical is None:
        for _ in range(needed):
            job.copies.append(Copy(name=f"{job.name}_{len(job.copies)}", job=job))
    if job.assimilated is Step.DONE:
        _clear_away(job)
    job.look_at_s = _next_look(job, now_s)


def _ask_validator(job: PlayedJob, successes: int) -> None:
    gone = job.canonical is not None and job.canonical.files is Step.DONE
    for copy in job.copies:
        if copy.outcome is Outcome.SUCCESS and copy.checked is Checked.NOT_YET:
            if gone:
                copy.checked = Checked.TOO_LATE
            elif successes >= job.limits.min_quorum:
                job.need_validate = True


def _needed(job: PlayedJob, successes: int) -> int:
    """Return how many more copies to make; too many errors, or copies, end the job."""
    waiting = sum(copy.where is not Where.OVER for copy in job.copies)
    errors = sum(copy.outcome in (Outcome.CLIENT_ERROR, Outcome.VALIDATE_ERROR) for copy in job.copies)
    if errors > job.limits.max_error_results:
        job.mask |= Mask.ERRORS
    needed = max(0, job.target - waiting - successes)
    allowed = job.limits.max_total_results - len(job.copies)
    if allowed < 0 or (allowed == 0 and needed):
        job.mask |= Mask.TOTAL
    return min(needed, max(0, allowed))


def _give_up(job: PlayedJob) -> None:
    for copy in job.copies:
        if copy.where is Where.UNSENT:
            copy.ends(Outcome.NOT_NEEDED)
        elif copy.outcome is Outcome.SUCCESS and copy.checked in (Checked.NOT_YET, Checked.INCONCLUSIVE):
            copy.checked = Checked.NO_CHECK
    if job.assimilated is Step.NOT_YET:
        job.assimilated = Step.READY


def _clear_away(job: PlayedJob) -> None:
    """Have the input file deleted when all is over, and outputs when nobody compares with them any more."""
    over = all(
        copy.where is Where.OVER and not (copy.outcome is Outcome.SUCCESS and copy.checked is Checked.NOT_YET)
        for copy in job.copies
    )
    if over and job.files is Step.NOT_YET:
        job.files = Step.READY
    for copy in job.copies:
        checked = copy.outcome is Outcome.SUCCESS and copy.checked is not Checked.NOT_YET
        done = checked or copy.outcome is Outcome.CLIENT_ERROR
        if done and copy.files is Step.NOT_YET and (over or copy is not job.canonical):
            copy.files = Step.READY


def _next_look(job: PlayedJob, now_s: float) -> float:
    over = job.canonical is not None or bool(job.mask)
    deadlines = [copy.deadline_s + 1 for copy in job.copies if copy.where is Where.IN_PROGRESS]
    return min([*deadlines, inf if over else now_s + max(SAFETY_S, 1.5 * job.limits.delay_bound)])
