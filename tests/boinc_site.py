"""A stand-in for a BOINC server: a project folder, tools that note their calls, and what its database would say."""

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crystal_search.errors import EngineError
from crystal_search.server.engines.boinc.boinc_database import Job
from crystal_search.server.engines.boinc.boinc_engine import BoincEngine
from crystal_search.server.engines.boinc.project import Project, read_project
from crystal_search.server.installation import Installation
from tests.service_site import SETTINGS, site_at

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
    said: dict[int, list[str]] = field(default_factory=dict)
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

    def troubles(self, job_id: int) -> list[str]:
        return self.said.get(job_id, [])


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
