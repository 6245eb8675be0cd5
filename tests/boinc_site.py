"""A stand-in for a BOINC server: a project folder, tools that note their calls, and what its database would say."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crystal_search.errors import EngineError
from crystal_search.result import result_to_json
from crystal_search.server.engines.boinc.boinc_database import Job
from crystal_search.server.engines.boinc.boinc_engine import BoincEngine
from crystal_search.server.engines.boinc.boinc_failures import CLIENT_ERROR, FailedCopy
from crystal_search.server.engines.boinc.install import install
from crystal_search.server.engines.boinc.project import Project, read_project
from crystal_search.server.folders import unit_files
from crystal_search.server.installation import Installation
from crystal_search.server.services.create_work import create_work
from tests.fake_client import Plan, score
from tests.service_site import RECIPE, SETTINGS, site_at
from tests.unit.builders import packed, result_for

CONFIG = """<?xml version="1.0" ?>
<boinc>
    <config>
        <db_user>boincadm</db_user>
        <db_name>cs</db_name>
        <db_passwd>secret</db_passwd>
        <db_host>localhost</db_host>
        <uldl_dir_fanout>1024</uldl_dir_fanout>
        <master_url>http://lab.example/cs/</master_url>
        <download_dir>{root}/download</download_dir>
        <upload_dir>{root}/upload</upload_dir>
        <log_dir>{root}/log_lab</log_dir>
        <min_sendwork_interval>6</min_sendwork_interval>
    </config>
    <tasks/>
    <daemons>
        <daemon>
            <cmd>feeder -d 3 </cmd>
        </daemon>
        <daemon>
            <cmd>transitioner -d 3</cmd>
        </daemon>
    </daemons>
</boinc>
"""
PAGES = "<?php\nrequire_once('../inc/util.inc');\ndefine('PROJECT', 'Crystal Search');\n"
JOB = "demo-1_a1"
PROJECT_XML = "<boinc>\n    <platform>\n        <name>x86_64-pc-linux-gnu</name>\n    </platform>\n</boinc>\n"

#: Notes words and input of a tool in calls.jsonl; fails when a file called TOOL.fails is there.
TOOL = """#!{python}
import json, os, sys
from pathlib import Path
name = Path(sys.argv[0]).name
text = sys.stdin.read() if "--stdin" in sys.argv else ""
call = {{"tool": name, "words": sys.argv[1:], "text": text, "cwd": os.getcwd(), "user": os.environ.get("USER")}}
if Path("bin", name + ".fails").exists():
    sys.exit("the disk of the database is full")
with open("calls.jsonl", "a") as file:
    file.write(json.dumps(call) + "\\n")
"""


def made_project(root: Path) -> Project:
    """Make a project folder with tools that note their calls."""
    for name in ("bin", "download", "upload", "templates", "apps", "log_lab", "html/project"):
        (root / name).mkdir(parents=True)
    (root / "config.xml").write_text(CONFIG.format(root=root))
    (root / "project.xml").write_text(PROJECT_XML)
    (root / "html" / "project" / "project.inc").write_text(PAGES)
    for tool in ("create_work", "cancel_jobs", "xadd"):
        path = root / "bin" / tool
        path.write_text(TOOL.format(python=sys.executable))
        path.chmod(0o755)
    return read_project(root)


@dataclass
class Server:
    """What a BOINC server knows, from the calls of its tools and from what a test does to its jobs."""

    project: Project
    changed: dict[str, Job] = field(default_factory=dict)
    failed: dict[int, list[FailedCopy]] = field(default_factory=dict)  #: copies, by number of the job
    hurried: list[str] = field(default_factory=list)  #: jobs of which another copy was asked for
    away: bool = False

    @property
    def calls(self) -> list[dict[str, Any]]:
        path = self.project.root / "calls.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def created(self) -> list[str]:
        """Names of all jobs in the order in which they were created."""
        lines = [line for call in self.calls if call["tool"] == "create_work" for line in call["text"].splitlines()]
        return [shlex.split(line)[1] for line in lines]

    def jobs(self, names: Sequence[str]) -> dict[str, Job]:
        if self.away:
            raise EngineError("the BOINC server's database cs: it went away")
        known = {
            name: Job(id=number, name=name, error_mask=0, assimilated=False, in_progress=0)
            for number, name in enumerate(self.created, start=1)
        }
        return {name: job for name, job in (known | self.changed).items() if name in names}

    def change(self, name: str, **what: object) -> None:
        self.changed[name] = replace(self.jobs([name])[name], **what)  # type: ignore[arg-type]

    def failed_copies(self, job_id: int) -> list[FailedCopy]:
        return self.failed.get(job_id, [])

    def want_another_copy(self, job: Job) -> None:
        self.hurried.append(job.name)
        self.change(job.name, unsent=job.unsent + 1, extra=job.extra + 1)

    def fail(self, name: str, *exit_codes: int, error_mask: int = 2) -> None:
        """Give a job up after its copies ended with these codes of BOINC's clients, each on a host of its own."""
        self.change(name, assimilated=True, error_mask=error_mask)
        self.failed[self.changed[name].id] = [
            FailedCopy(name=f"{name}_{host}", host_id=host, outcome=CLIENT_ERROR, exit_status=code)
            for host, code in enumerate(exit_codes)
        ]


@dataclass
class BoincSite:
    """An installation whose engine is a BOINC server."""

    site: Installation
    server: Server

    @property
    def engine(self) -> BoincEngine:
        return BoincEngine(self.site.home, self.site.settings, self.server.project, self.server)

    def spool(self, name: str, data: bytes, *, number: int = 1) -> None:
        """Leave an uploaded file as the assimilator's script does."""
        folder = self.site.home.incoming / str(number)
        folder.mkdir(parents=True)
        (folder / name).write_bytes(data)


def boinc_site(folder: Path, *, images: int = 0) -> BoincSite:
    """Return an installation with so many images, and its BOINC server."""
    project = made_project(folder / "project")
    settings = replace(SETTINGS, engine="boinc", boinc_project=str(project.root))
    return BoincSite(site_at(folder, images=images, settings=settings), Server(project))


def step(place: BoincSite) -> None:
    """Pack what waits and keep the engine going once."""
    create_work(place.site, RECIPE)
    with place.engine as engine:
        engine.submit(reversed(unit_files(place.site.home.queue)))
        engine.step()


def result_of(place: BoincSite, unit: Path, folder: Path) -> bytes:
    """Return the result that a good client gives."""
    folder.mkdir(exist_ok=True)
    score(unit, folder, Plan())
    result = json.loads((folder / "result.json").read_bytes())
    for image in result["images"]:
        image["overlay"] = None  # only one file is uploaded
    return json.dumps(result).encode()


def come_back(place: BoincSite, folder: Path, *, attempt: int = 1) -> None:
    """Have every queued work unit scored and assimilated by the server."""
    for number, path in enumerate(unit_files(place.site.home.queue), start=1):
        job = f"{path.stem}_a{attempt}"
        place.spool(f"{job}_0_r123456_0", result_of(place, path, folder / "made"), number=number)
        place.server.change(job, assimilated=True)


def install_into(place: BoincSite) -> list[str]:
    """Install; return what was changed."""
    return install(place.site.home, place.site.settings)


def call(place: BoincSite, script: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a daemon does: by the shell, from a folder beside bin, without an environment of ours."""
    root = place.server.project.root
    (root / "log_lab").mkdir(exist_ok=True)
    command = " ".join([f"../bin/{script}", *words])
    return subprocess.run(
        command, shell=True, cwd=root / "log_lab", env={"PATH": os.defpath}, capture_output=True, text=True, check=False
    )


def uploaded(place: BoincSite, data: bytes, name: str = f"{JOB}_0_r1804289383_0") -> str:
    """Put a file where volunteers' files go and return its path."""
    folder = place.server.project.root / "upload" / "1f"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    return str(folder / name)


def good(place: BoincSite) -> bytes:
    """Queue a work unit and return a good result for it."""
    unit = packed(place.site.home.queue / "demo-1.zip")
    return result_to_json(result_for(unit)).encode()


#: What strangers upload.
HOSTILE = {
    "nothing": b"",
    "garbage": bytes(range(256)) * 40,
    "deep": b"[" * 200_000,
    "a huge number": b'{"format": ' + b"9" * 5000 + b"}",
    "NaN": b'{"format": NaN}',
    "another format": b'{"format": "something else", "version": 1}',
    "an array": b"[]",
    "not UTF-8": b"\xff\xfe{}",
}
