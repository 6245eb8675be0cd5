"""A BOINC server of release 1.6 in memory: what its tools, scheduler, daemons and database do, on a clock that counts.

The engine meets it as it meets a real one: by `Project.run`, by what its database says, and by files in the folders of
the project. Our scripts are called as its daemons call them, in this process.
"""

import shlex
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from random import Random

from benchmarks.month.boinc_rows import Copy, Limits, Mask, Outcome, PlayedJob, Step, Where
from benchmarks.month.clock import Clock
from benchmarks.month.transitioner import transition
from benchmarks.month.validator import LATER, VALID, Validator
from crystal_search.errors import EngineError
from crystal_search.model import default_models, default_models_folder
from crystal_search.server.engines.boinc.app_versions import AppVersion, VolunteersModel
from crystal_search.server.engines.boinc.boinc_database import GONE_S, Job
from crystal_search.server.engines.boinc.boinc_failures import CLIENT_ERROR, OUTCOMES, FailedCopy
from crystal_search.server.engines.boinc.install import PURGE_DAYS, options
from crystal_search.server.engines.boinc.project import Project, spread
from crystal_search.server.engines.boinc.returned_results import EXIT_CODES, TOLERANCE, answer
from crystal_search.server.home import Home
from crystal_search.server.settings import Settings

DAY_S = 86_400.0
PURGE_S = PURGE_DAYS * DAY_S  #: after its files were deleted, a job is forgotten (db_purge)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedProject(Project):
    """A project whose tools are played."""

    server: "BoincServer"

    def run(self, tool: str, *words: str, text: str = "") -> str:
        """Do what a tool does."""
        return self.server.run(tool, *words, text=text)


class BoincServer:
    """One project, its application and its jobs."""

    def __init__(
        self, project: Project, home: Home, settings: Settings, *, clock: Clock, random: Random, spool_full: float
    ) -> None:
        told = {field.name: getattr(project, field.name) for field in fields(Project)}
        self.project = PlayedProject(**told, server=self)
        self._home, self._clock, self._random, self._spool_full = home, clock, random, spool_full
        check, compare = partial(_script, "check", home), partial(_script, f"compare={TOLERANCE}", home)
        self._validator = Validator(check, compare, self.upload_of)
        models = default_models(default_models_folder())
        names = frozenset[str]().union(*(VolunteersModel.of(model.card).file_names for model in models))
        self._version = AppVersion(number=1, platform="x86_64-pc-linux-gnu", files=names)
        told = options(settings)
        self._per_account = told["one_result_per_user_per_wu"] == "1"
        self.per_processor = int(told["max_wus_in_progress"])
        self._asked: dict[tuple[int, int], float] = {}  #: when, by host and account, those that were ever sent work
        self.away = False  #: whether database and scheduler do not answer
        self._jobs: dict[str, PlayedJob] = {}
        self._count = 0
        self.copies_sent = self.outvoted = self.given_up = 0

    # What the engine asks

    def run(self, tool: str, *words: str, text: str = "") -> str:
        """Do what a tool of the project does."""
        self._must_be_there()
        told = _options(words)
        if tool == "create_work":
            for line in text.splitlines():
                *options, file = shlex.split(line)
                self._create(told | _options(options), file)
        elif tool == "cancel_jobs":
            job = self._jobs[told["name"]]
            job.mask |= Mask.CANCELLED
            job.look_at_s = self._clock.now_s
        return ""

    def jobs(self, names: Sequence[str]) -> dict[str, Job]:
        """Return by name those of these jobs that the server knows."""
        self._must_be_there()
        return {name: self._told(self._jobs[name]) for name in names if name in self._jobs}

    def failed_copies(self, job_id: int) -> list[FailedCopy]:
        """Return the copies of a job that ended in vain."""
        self._must_be_there()
        copies = next(job.copies for job in self._jobs.values() if job.id == job_id)
        return [
            FailedCopy(name=copy.name, host_id=copy.host, outcome=copy.outcome, exit_status=copy.exit_status)
            for copy in copies
            if copy.outcome in (CLIENT_ERROR, *OUTCOMES)
        ]

    def want_another_copy(self, job: Job) -> None:
        """Have a job sent to one host more, as the engine's statement does."""
        known = self._jobs[job.name]
        if known.target - known.limits.min_quorum == job.extra and not known.mask and known.canonical is None:
            known.target += 1
            more = {name: getattr(known.limits, name) + 1 for name in ("max_total_results", "max_success_results")}
            known.limits, known.look_at_s = replace(known.limits, **more), self._clock.now_s

    def nobody_left_for(self, jobs: Sequence[Job]) -> list[Job]:
        """Return those of these jobs of which every host has had a copy, while another waits to be sent."""
        able = [who for who, asked_s in self._asked.items() if self._clock.now_s - asked_s < GONE_S]
        count = len({account for _, account in able}) if self._per_account else len(able)
        waiting = [job for job in jobs if job.unsent and job.over and not job.in_progress and not job.error_mask]
        known = [(job, self._jobs[job.name]) for job in waiting]
        return [
            job
            for job, row in known
            if row.limits.min_quorum <= count and all(self._had(row, host, account) for host, account in able)
        ]

    def versions(self) -> list[AppVersion]:
        """Return one version, which brings the shipped models."""
        self._must_be_there()
        return [self._version]

    def _told(self, job: PlayedJob) -> Job:
        out = [copy for copy in job.copies if copy.where is Where.IN_PROGRESS]
        return Job(
            id=job.id,
            name=job.name,
            error_mask=int(job.mask),
            assimilated=job.assimilated is Step.DONE,
            in_progress=len(out),
            unsent=sum(copy.where is Where.UNSENT for copy in job.copies),
            over=sum(copy.where is Where.OVER and copy.host > 0 for copy in job.copies),
            to_validate=job.need_validate,
            silent_s=int(self._clock.now_s - max((copy.sent_s for copy in out), default=self._clock.now_s)),
            extra=job.target - job.limits.min_quorum,
        )

    def _must_be_there(self) -> None:
        if self.away:
            raise EngineError("the BOINC server is away")

    def _create(self, told: dict[str, str], file: str) -> None:
        name = told["wu_name"]
        if name in self._jobs:
            raise EngineError(f"create_work: Duplicate entry {name!r}")
        if not self.project.place_of(file).exists():
            raise EngineError(f"create_work: {file} is not in the download folder")
        unit = ET.parse(self.project.root / told["wu_template"]).getroot().find("workunit")
        numbers = told | {each.tag: each.text or "" for each in (unit if unit is not None else ())}
        limits = Limits(**{field.name: int(numbers[field.name]) for field in fields(Limits)})
        self._count += 1
        self._jobs[name] = PlayedJob(
            id=self._count,
            name=name,
            file=file,
            limits=limits,
            priority=int(told["priority"]),
            target=limits.target_nresults,
            look_at_s=self._clock.now_s,
        )

    # What volunteers ask

    def upload_of(self, copy: Copy) -> Path:
        """Return where the file of a copy is uploaded to."""
        return self.project.upload_dir / spread(copy.upload, self.project.fanout) / copy.upload

    def send(self, host: int, account: int, most: int) -> list[Copy]:
        """Hand out copies, urgent ones first, at most one of each job to a host, or to an account."""
        if self.away:
            return []
        unsent = [copy for job in self._jobs.values() for copy in job.copies if copy.where is Where.UNSENT]
        unsent.sort(key=lambda copy: (-copy.job.priority, copy.job.id))
        sent: list[Copy] = []
        for copy in unsent:
            if len(sent) == most:
                break
            if not self._had(copy.job, host, account):
                copy.where, copy.host, copy.account = Where.IN_PROGRESS, host, account
                copy.sent_s, copy.deadline_s = self._clock.now_s, self._clock.now_s + copy.job.limits.delay_bound
                copy.job.look_at_s = min(copy.job.look_at_s, copy.deadline_s + 1)
                sent.append(copy)
        if sent or (host, account) in self._asked:
            self._asked[host, account] = self._clock.now_s
        self.copies_sent += len(sent)
        return sent

    def _had(self, job: PlayedJob, host: int, account: int) -> bool:
        given = [copy for copy in job.copies if copy.host]
        return any(copy.account == account if self._per_account else copy.host == host for copy in given)

    def report(self, copy: Copy, exit_status: int) -> bool:
        """Take note of how a copy ended, also when it is late; False when the server does not answer."""
        if self.away:
            return False
        late = copy.where is Where.OVER and copy.outcome is Outcome.NO_REPLY
        if copy.where is Where.IN_PROGRESS or late:
            copy.ends(Outcome.CLIENT_ERROR if exit_status else Outcome.SUCCESS)
            copy.exit_status = exit_status
            copy.job.look_at_s = self._clock.now_s
        return True

    # What the daemons do

    def daemons(self) -> None:
        """Let transitioner, validator, assimilator, file deleter and db_purge work until nothing is left to do."""
        if self.away:
            return
        now_s = self._clock.now_s
        while due := [job for job in self._jobs.values() if job.look_at_s <= now_s]:
            for job in due:
                transition(job, now_s)
                if job.need_validate:
                    self._validate(job)
                if job.assimilated is Step.READY:
                    self._assimilate(job)
                self._delete_files(job)
        for name in [job.name for job in self._jobs.values() if job.over_at_s + PURGE_S < now_s]:
            del self._jobs[name]

    def _validate(self, job: PlayedJob) -> None:
        before = sum(copy.is_viable for copy in job.copies)
        self._validator.handle(job, self._clock.now_s)
        self.outvoted += before - sum(copy.is_viable for copy in job.copies)

    def _assimilate(self, job: PlayedJob) -> None:
        """Do what the assimilator's script does (`install.ASSIMILATE_SCRIPT`)."""
        if job.canonical is None:
            self.given_up += 1
            text = f"error mask {int(job.mask)}, {job.name}, work unit {job.id}, batch 0\n"
            (self._home.incoming / f"error-{job.id}").write_text(text, encoding="utf-8")
        elif self._random.random() >= self._spool_full:
            folder = self._home.incoming / str(job.id)
            folder.mkdir()
            shutil.copy(self.upload_of(job.canonical), folder)
        job.assimilated, job.look_at_s = Step.DONE, self._clock.now_s

    def _delete_files(self, job: PlayedJob) -> None:
        for copy in job.copies:
            if copy.files is Step.READY:
                self.upload_of(copy).unlink(missing_ok=True)
                copy.files = Step.DONE
        if job.files is Step.READY:
            place = self.project.place_of(job.file)
            for path in (place, place.with_name(f"{place.name}.md5")):
                path.unlink(missing_ok=True)
            job.files, job.over_at_s = Step.DONE, self._clock.now_s


def _options(words: Sequence[str]) -> dict[str, str]:
    """Return what options say, by their names without dashes."""
    pairs = zip(words, [*words[1:], ""], strict=True)
    return {one.lstrip("-"): "" if other.startswith("--") else other for one, other in pairs if one.startswith("--")}


def _script(what: str, home: Home, paths: Sequence[Path]) -> int:
    """Return the exit code of a script (`scripts`): all but a clear answer is "later"."""
    try:
        word = answer([what, str(home.path), *map(str, paths)]).word
    except Exception:
        return LATER
    return VALID if EXIT_CODES[word] == VALID else 1
