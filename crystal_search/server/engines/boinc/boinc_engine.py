"""The BOINC engine: hands work units to a BOINC server, and takes over what its assimilator has spooled.

What the server knows decides. A work unit is an input file and a job of the same name with the number of the attempt;
a job that is there is never submitted again, whoever died in between. A job that ended without leaving anything behind,
since a disk was full or somebody cancelled it, is followed by the next attempt.
"""

import hashlib
import logging
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from crystal_search.errors import EngineError
from crystal_search.files import write_whole
from crystal_search.result import RESULT_FILE
from crystal_search.server.engines.attempts import add_failure, failures, set_aside
from crystal_search.server.engines.boinc.boinc_database import BoincDatabase, Job, Jobs
from crystal_search.server.engines.boinc.ownership import check_owner
from crystal_search.server.engines.boinc.project import (
    APP,
    IN_TEMPLATE,
    OUT_TEMPLATE,
    Project,
    job_name,
    read_project,
    unit_of,
)
from crystal_search.server.engines.engine import HomeEngine
from crystal_search.server.folders import advance, discard
from crystal_search.server.home import Home
from crystal_search.server.settings import Settings
from crystal_search.server.unit_states import CANONICAL, WITH_RESULT, State, is_in, move, names_in, place_of

log = logging.getLogger(__name__)

ATTEMPT_SUFFIX = ".attempt"
RUNNING_MARK = "boinc"
FLOPS_PER_IMAGE = 2e9  #: what a PC of 5 GFLOPS does in the time that an image takes
FLOPS_BOUND = 1000.0  #: over the estimate; after that a client gives up
MAX_RESULT_BYTES = 10**8  #: of one uploaded file; the template allows less
STALE_S = 3600.0  #: after which nobody writes a spooled result any more
AT_ONCE = 500  #: jobs in one call of create_work


@dataclass(frozen=True, slots=True)
class Submission:
    """A work unit on its way to the server."""

    path: Path
    attempt: int

    @property
    def job(self) -> str:
        """What the server calls it."""
        return job_name(self.path.stem, self.attempt)

    @property
    def priority(self) -> int:
        """When it was packed, s since 1970: what was packed last goes first, an archive after new images."""
        try:
            return int(self.path.stat().st_mtime)
        except FileNotFoundError:
            return 0


def project_engine(home: Home, settings: Settings, models: Path) -> "BoincEngine":
    """Return the engine that feeds the project of the settings; volunteers have the models, from `staging`.

    Raises
    ------
    ConfigError
        If there is no such project, or it works for another home.
    """
    project = read_project(Path(settings.boinc_project))
    check_owner(project, home)
    return BoincEngine(home, settings, project, BoincDatabase(project))


class BoincEngine(HomeEngine):
    """Feeds one BOINC project; what volunteers have stays with them when it is closed."""

    def __init__(self, home: Home, settings: Settings, project: Project, jobs: Jobs) -> None:
        super().__init__(home, settings)
        self._project, self._jobs = project, jobs

    def step(self) -> None:
        """Submit, take over results, follow up what failed, withdraw what is wanted no more.

        Raises
        ------
        EngineError
            If the project's tools or database cannot be used.
        """
        attempts = {path.stem: self._attempt(path.stem) for path in self._queued if path.exists()}
        jobs = self._jobs.jobs([job_name(*each) for each in attempts.items()])
        self.take_over()
        missing, running = [], set()
        for path in self._queued:
            if (attempt := attempts.get(path.stem)) is None or is_in(self._home, path.stem, *WITH_RESULT):
                continue
            job = jobs.get(job_name(path.stem, attempt))
            if job is not None and job.in_progress:
                running.add(path.stem)
            if job is None:
                missing.append(Submission(path, attempt))
            elif job.assimilated and path.exists():
                missing += self._follow_up(path, attempt, job)
        self._mirror(running)
        self._submit(missing)
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

    def _attempt(self, name: str) -> int:
        """Return the number of the attempt at a work unit that is out, or would be the next."""
        try:
            return int(self._note(name).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return 1

    def _note(self, name: str) -> Path:
        """Return where the number of the attempt at a work unit is written down."""
        return self._home.submitted / f"{name}{ATTEMPT_SUFFIX}"

    def _follow_up(self, path: Path, attempt: int, job: Job) -> list[Submission]:
        """Return the next attempt at a work unit whose job is over without a result, or set the work unit aside."""
        again = [Submission(path, attempt + 1)]
        troubles = self._jobs.troubles(job.id) if job.error_mask else []
        if not job.error_mask and len(failures(self._home, path.stem)) < self._settings.attempts:
            log.warning("%s: its result was lost between BOINC and %s; once more", job.name, self._home.incoming)
            return again
        if job.is_lost and not troubles:
            log.warning("%s: nobody worked at it (error mask %d); once more", job.name, job.error_mask)
            return again
        if job.error_mask:
            for text in troubles or [f"{job.name} was given up by BOINC, error mask {job.error_mask}"]:
                add_failure(self._home, path.stem, text)
        log.warning("%s failed", job.name, extra={"action": "client_failed"})
        set_aside(self._home, path.stem)
        discard(self._home, self._note(path.stem))
        return []

    def _mirror(self, wanted: set[str]) -> None:
        """Keep a folder for each work unit that a volunteer has, as other engines do for their clients."""
        there = set(names_in(self._home, State.RUNNING))
        for name in wanted - there:
            place_of(self._home, name, State.RUNNING, RUNNING_MARK).mkdir()
        for name in there - wanted:
            move(self._home, name, State.RUNNING, State.GONE)

    def _submit(self, missing: list[Submission]) -> None:
        for start in range(0, len(missing), AT_ONCE):
            batch = [each for each in missing[start : start + AT_ONCE] if self._stage(each)]
            if batch:
                self._create(batch)

    def _stage(self, each: Submission) -> bool:
        """Put the input file where the server serves it from, with its MD5 beside it; False when it is gone."""
        target = self._project.place_of(f"{each.job}.zip")
        target.parent.mkdir(mode=0o2775, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        part.unlink(missing_ok=True)
        try:
            os.link(each.path, part)
        except FileNotFoundError:
            return False
        except OSError:  # another file system, or one without links
            shutil.copyfile(each.path, part)
        digest = hashlib.md5(part.read_bytes(), usedforsecurity=False).hexdigest()
        part.chmod(0o644)
        write_whole(target.with_name(f"{target.name}.md5"), f"{digest} {part.stat().st_size}\n")
        os.replace(part, target)
        return True

    def _create(self, batch: list[Submission]) -> None:
        """Create the jobs of one batch; the number of each attempt is written down first."""
        for each in batch:
            write_whole(self._note(each.path.stem), f"{each.attempt}\n")
        lines = [f"--wu_name {each.job} --priority {each.priority} {each.job}.zip\n" for each in batch]
        flops = FLOPS_PER_IMAGE * self._settings.images_per_unit
        self._project.run(
            "create_work",
            *("--appname", APP, "--wu_template", IN_TEMPLATE, "--result_template", OUT_TEMPLATE),
            *("--rsc_fpops_est", f"{flops:.0f}", "--rsc_fpops_bound", f"{flops * FLOPS_BOUND:.0f}", "--stdin"),
            text="".join(lines),
        )
        log.info("submitted %d work units", len(batch), extra={"action": "units_submitted"})

    def _withdraw(self) -> None:
        """Cancel the jobs of work units that are no longer wanted, and forget those that are done."""
        noted = [path.name.removesuffix(ATTEMPT_SUFFIX) for path in self._home.submitted.glob(f"*{ATTEMPT_SUFFIX}")]
        over = [name for name in noted if not is_in(self._home, name, State.QUEUED)]
        names = {job_name(name, self._attempt(name)): name for name in over}
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
