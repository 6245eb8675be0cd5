"""Work units on their way to a BOINC server: their jobs, and their files where the server serves them from."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from crystal_search.files import write_whole
from crystal_search.server.engines.boinc.project import APP, IN_TEMPLATE, OUT_TEMPLATE, Project, job_name
from crystal_search.server.settings import Settings

FLOPS_PER_IMAGE = 2e9  #: what a PC of 5 GFLOPS does in the time that an image takes
FLOPS_BOUND = 1000.0  #: over the estimate; after that a client gives up
TODAY_S = 86_400.0  #: images that came since then are of today, all others of an archive


@dataclass(frozen=True, slots=True)
class Submission:
    """A work unit on its way to the server, or there."""

    path: Path
    attempt: int  #: its number among all jobs of this work unit
    first: int = 1  #: number of the first of them since it was queued; a former time in the queue does not count

    @property
    def tries(self) -> int:
        """The attempts at it since it was queued, with this one."""
        return self.attempt - self.first + 1

    @classmethod
    def noted(cls, path: Path, note: Path) -> Self:
        """Return what was written down of the work unit in the file `path`; the first attempt when nothing was.

        Former versions wrote the number of the attempt alone.
        """
        try:
            attempt, first = [*map(int, note.read_text(encoding="utf-8").split()), 1][:2]
        except (FileNotFoundError, ValueError):
            return cls(path, 1)
        return cls(path, attempt, first)

    def write(self, note: Path) -> None:
        """Write down which attempt it is."""
        write_whole(note, f"{self.attempt} {self.first}\n")

    @property
    def job(self) -> str:
        """What the server calls it."""
        return job_name(self.path.stem, self.attempt)

    @property
    def priority(self) -> int:
        """When its newest image came, s since 1970: what came last goes first, an archive after new images."""
        try:
            return int(self.path.stat().st_mtime)
        except FileNotFoundError:
            return 0

    @property
    def is_of_today(self) -> bool:
        """Whether somebody may wait for its images."""
        return abs(time.time() - self.priority) < TODAY_S

    def deadline_s(self, settings: Settings) -> int:
        """Return how long a volunteer may take for it before it goes out to another."""
        hours = settings.boinc_deadline_hours if self.is_of_today else settings.boinc_archive_deadline_hours
        return round(3600 * hours)


def put_in_place(project: Project, each: Submission) -> bool:
    """Put the input file where the server serves it from, with its MD5 beside it; False when it is gone."""
    target = project.place_of(f"{each.job}.zip")
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


def is_in_place(project: Project, each: Submission) -> bool:
    """Tell whether the server has the input file to serve, and its MD5."""
    target = project.place_of(f"{each.job}.zip")
    return target.exists() and target.with_name(f"{target.name}.md5").exists()


def create_jobs(project: Project, settings: Settings, batch: Iterable[Submission]) -> None:
    """Have the server create the jobs of work units whose files are in place.

    Raises
    ------
    EngineError
        If its tool fails.
    """
    flops = FLOPS_PER_IMAGE * settings.images_per_unit
    of_deadline: dict[int, list[Submission]] = {}
    for each in batch:
        of_deadline.setdefault(each.deadline_s(settings), []).append(each)
    for deadline_s, jobs in of_deadline.items():  # a deadline holds for all jobs of one call
        project.run(
            "create_work",
            *("--appname", APP, "--wu_template", IN_TEMPLATE, "--result_template", OUT_TEMPLATE),
            *("--rsc_fpops_est", f"{flops:.0f}", "--rsc_fpops_bound", f"{flops * FLOPS_BOUND:.0f}"),
            *("--delay_bound", f"{deadline_s}", "--stdin"),
            text="".join(f"--wu_name {each.job} --priority {each.priority} {each.job}.zip\n" for each in jobs),
        )
