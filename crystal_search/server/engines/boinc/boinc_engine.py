"""The BOINC engine: hands work units to a BOINC server, and takes over what its assimilator has spooled.

What the server knows decides. A work unit is an input file and a job of the same name with the number of the attempt;
a job that is there is never submitted again, whoever died in between. A job that ended without leaving anything behind,
since a disk was full or somebody cancelled it, is followed by the next attempt.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from crystal_search.errors import EngineError
from crystal_search.files import at_once
from crystal_search.result import RESULT_FILE
from crystal_search.server.engines.boinc.boinc_database import BoincDatabase, Job, Jobs
from crystal_search.server.engines.boinc.following_up import is_due, is_tried_again
from crystal_search.server.engines.boinc.live_models import LiveModels
from crystal_search.server.engines.boinc.ownership import check_owner
from crystal_search.server.engines.boinc.project import Project, job_name, read_project, unit_of
from crystal_search.server.engines.boinc.submissions import Submission, create_jobs, is_in_place, put_in_place
from crystal_search.server.engines.engine import HomeEngine
from crystal_search.server.folders import advance, discard
from crystal_search.server.home import Home
from crystal_search.server.settings import Settings
from crystal_search.server.unit_states import CANONICAL, WITH_RESULT, State, is_in, move, names_in, place_of

log = logging.getLogger(__name__)

ATTEMPT_SUFFIX = ".attempt"
RUNNING_MARK = "boinc"
MAX_RESULT_BYTES = 10**8  #: of one uploaded file; the template allows less
STALE_S = 3600.0  #: after which nobody writes a spooled result any more
LOOK_S = 60.0  #: between two looks whether the server still has the files of jobs that are out
AT_ONCE = 500  #: jobs in one call of create_work
MOST_JOBS = 500  #: of one work unit that the server still knows; they are purged after a month


def project_engine(home: Home, settings: Settings, models: Path) -> "BoincEngine":
    """Return the engine that feeds the project of the settings; volunteers have the models, from `staging`.

    Raises
    ------
    ConfigError
        If there is no such project, or it works for another home.
    """
    project = read_project(Path(settings.boinc_project))
    check_owner(project, home)
    return BoincEngine(home, settings, project, BoincDatabase(project), models)


class BoincEngine(HomeEngine):
    """Feeds one BOINC project; what volunteers have stays with them when it is closed."""

    def __init__(self, home: Home, settings: Settings, project: Project, jobs: Jobs, models: Path) -> None:
        super().__init__(home, settings)
        self._project, self._jobs = project, jobs
        self._next_look_s = 0.0  # on the monotonic clock
        self._models = LiveModels(home, models, jobs)

    def step(self) -> None:
        """Submit, take over results, follow up what failed, hurry what waits, withdraw what is wanted no more.

        Raises
        ------
        EngineError
            If the project's tools or database cannot be used.
        """
        noted = {path.stem: self._noted(path) for path in self._queued if path.exists()}
        jobs = self._jobs.jobs([each.job for each in noted.values()])
        self.take_over()
        held, out = [], []
        for path in self._queued:
            if (each := noted.get(path.stem)) is None or is_in(self._home, path.stem, *WITH_RESULT):
                continue
            job = jobs.get(each.job)
            if job is not None and not job.assimilated:
                out.append((each, job))
            else:
                held.append((each, job))
        computable, missing = self._models.computable([each.path for each, _ in held]), []
        for each, job in held:
            if each.path in computable:
                missing += self._follow_up(each, job) if job else [each]
        self._mirror({each.path.stem for each, job in out if job.in_progress})
        self._submit(missing)
        self._look_after(out)
        self._withdraw()

    def take_over(self) -> int:
        """Move what the assimilator has spooled to the returned results; return how many came."""
        count = 0
        for folder in sorted(self._home.incoming.iterdir()):
            if folder.name.startswith("."):
                if time.time() - folder.lstat().st_mtime > STALE_S:
                    discard(self._home, folder)  # its writer was killed, and was called again since
                continue
            try:
                count += self._take(folder)
            except ValueError as error:
                log.warning("%s is not ours: %s", folder, error)
                advance(self._home, folder, self._home.refused / f"boinc-{folder.name}")
        return count

    def _take(self, folder: Path) -> bool:
        if folder.is_file():  # the end of a job in vain; the database tells more
            log.warning("BOINC gave up: %s", folder.read_text(encoding="utf-8", errors="replace").strip()[:300])
            folder.unlink()
            return False
        files = [path for path in folder.iterdir() if path.is_file() and not path.is_symlink()]
        if len(files) != 1:
            raise ValueError(f"{len(files)} files, expected one")
        name, _ = unit_of(files[0].name)
        if files[0].stat().st_size > MAX_RESULT_BYTES:
            raise ValueError(f"{files[0].stat().st_size} bytes")
        if files[0].name != RESULT_FILE:
            files[0].rename(folder / RESULT_FILE)
        return move(self._home, name, State.RUNNING, State.RETURNED, at=folder)

    def _noted(self, path: Path) -> Submission:
        """Return which attempt at a work unit is out, or would be the next."""
        return Submission.noted(path, self._note(path.stem))

    def _note(self, name: str) -> Path:
        """Return where the attempt at a work unit is written down."""
        return self._home.submitted / f"{name}{ATTEMPT_SUFFIX}"

    def _follow_up(self, each: Submission, job: Job) -> list[Submission]:
        """Return the next attempt at a work unit whose job is over without a result, when there is to be one now."""
        name = each.path.stem
        if not self._note(name).exists():
            return self._begin_anew(each)
        if not is_due(self._note(name), each.tries):
            return []
        if is_tried_again(self._home, self._jobs, job, name, each.tries, most=self._settings.attempts):
            return [replace(each, attempt=each.attempt + 1)]
        discard(self._home, self._note(name))
        return []

    def _begin_anew(self, each: Submission) -> list[Submission]:
        """Return the first attempt at a work unit that was set aside before: the server knows its jobs of that time."""
        numbers = range(each.attempt, MOST_JOBS)
        known = self._jobs.jobs([job_name(each.path.stem, number) for number in numbers])
        free = next((number for number in numbers if job_name(each.path.stem, number) not in known), MOST_JOBS)
        return [replace(each, attempt=free, first=free)]

    def _mirror(self, wanted: set[str]) -> None:
        """Keep a folder for each work unit that a volunteer has, as other engines do for their clients."""
        there = set(names_in(self._home, State.RUNNING))
        for name in wanted - there:
            place_of(self._home, name, State.RUNNING, RUNNING_MARK).mkdir()
        for name in there - wanted:
            move(self._home, name, State.RUNNING, State.GONE)

    def _submit(self, missing: Sequence[Submission]) -> None:
        """Submit work units; their files and the number of each attempt are on the disk first."""
        for start in range(0, len(missing), AT_ONCE):
            tried = missing[start : start + AT_ONCE]
            batch = [each for each, is_ready in zip(tried, at_once(self._made_ready, tried), strict=True) if is_ready]
            if batch:
                create_jobs(self._project, self._settings, batch)
                log.info("submitted %d work units", len(batch), extra={"action": "units_submitted"})

    def _made_ready(self, each: Submission) -> bool:
        """Put a file where the server serves it and write down which attempt this is; False when the file is gone."""
        if not put_in_place(self._project, each):
            return False
        each.write(self._note(each.path.stem))
        return True

    def _look_after(self, out: Sequence[tuple[Submission, Job]]) -> None:
        """Look after the jobs that are out: images of today that wait for one host, and what is seldom amiss."""
        for each, job in out:
            if each.is_of_today and self._waits_for_one_host(job):
                self._jobs.want_another_copy(job)
                log.info("%s goes to one host more: the last was sent it %d s ago", job.name, job.silent_s)
        if time.monotonic() >= self._next_look_s:
            self._next_look_s = time.monotonic() + LOOK_S
            self._mend(out)

    def _mend(self, out: Sequence[tuple[Submission, Job]]) -> None:
        """Put back the files that the server has lost, and end the jobs that nobody is left for: others may follow."""
        for each, job in out:
            if not is_in_place(self._project, each) and put_in_place(self._project, each):
                log.warning("%s: the server had lost its file", job.name)
        for job in self._jobs.nobody_left_for([job for _, job in out]):
            log.warning("%s: every host has had it", job.name)
            self._project.run("cancel_jobs", "--name", job.name)

    def _waits_for_one_host(self, job: Job) -> bool:
        patience_s = 60 * self._settings.boinc_patience_minutes
        is_silent = job.in_progress and not job.unsent and job.silent_s > patience_s
        is_open = not (job.error_mask or job.to_validate or job.to_transition)
        return bool(is_silent and is_open and job.extra < self._settings.boinc_extra_copies)

    def _withdraw(self) -> None:
        """Cancel the jobs of work units that are no longer wanted, and forget those that are done."""
        noted = [path.name.removesuffix(ATTEMPT_SUFFIX) for path in self._home.submitted.glob(f"*{ATTEMPT_SUFFIX}")]
        over = [name for name in noted if not is_in(self._home, name, State.QUEUED)]
        names = {self._noted(place_of(self._home, name, State.QUEUED)).job: name for name in over}
        jobs = self._jobs.jobs(list(names))
        for job, name in names.items():
            known = jobs.get(job)
            if known and not known.assimilated and not known.error_mask and not is_in(self._home, name, *CANONICAL):
                try:
                    self._project.run("cancel_jobs", "--name", job)
                except EngineError as error:
                    log.warning("%s cannot be cancelled: %s", job, error)
                    continue
                log.info("cancelled %s, which is wanted no more", job)
            discard(self._home, self._note(name))
