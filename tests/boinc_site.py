"""A stand-in for a BOINC server: a project folder, tools that note their calls, and what its database would say."""

import json
import os
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from crystal_search.card_file import card_to_json
from crystal_search.errors import EngineError
from crystal_search.model import CARD_SUFFIX, ModelRef, default_model
from crystal_search.model_card import ROLES, ModelCard
from crystal_search.result import result_to_json
from crystal_search.server.engines.boinc.app_versions import AppVersion, VolunteersModel
from crystal_search.server.engines.boinc.boinc_database import BoincDatabase, Job
from crystal_search.server.engines.boinc.boinc_engine import BoincEngine
from crystal_search.server.engines.boinc.boinc_failures import CLIENT_ERROR, FailedCopy
from crystal_search.server.engines.boinc.install import install
from crystal_search.server.engines.boinc.project import APP, Project, read_project
from crystal_search.server.folders import unit_files
from crystal_search.server.imaging.imaging_database import Recipe
from crystal_search.server.installation import Installation
from crystal_search.server.services.create_work import create_work
from tests.fake_client import Plan, score
from tests.service_site import RECIPE, SETTINGS, site_at
from tests.unit.builders import packed, result_for

LINUX, WINDOWS = "x86_64-pc-linux-gnu", "windows_x86_64"

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

#: Adds what was staged to the versions that the server knows, unless a file update_versions.idle is there: then it ends
#: well and adds nothing, as the real one does without a key.
UPDATE_VERSIONS = """#!{python}
import json, sys
from pathlib import Path
import xml.etree.ElementTree as ET
table = Path("versions.jsonl")
known = [json.loads(line) for line in table.read_text().splitlines()] if table.exists() else []
there = [(each["number"], each["platform"]) for each in known]
for path in sorted(Path("apps", "{app}").glob("*/*/version.xml")):
    version = (int(path.parts[2].replace(".", "")), path.parts[3])
    if version not in there and "--noconfirm" in sys.argv and not Path("bin", "update_versions.idle").exists():
        files = [each.text for each in ET.parse(path).getroot().iter("physical_name")]
        missing = [name for name in files if not (path.parent / name).exists()]
        if missing:
            sys.exit("missing " + missing[0])
        with table.open("a") as file:
            file.write(json.dumps({{"number": version[0], "platform": version[1], "files": files}}) + "\\n")
        print("App version added successfully")
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
    (root / "bin" / "update_versions").write_text(UPDATE_VERSIONS.format(python=sys.executable, app=APP))
    (root / "bin" / "update_versions").chmod(0o755)
    return read_project(root)


def known_versions(project: Project) -> list[AppVersion]:
    """Return all versions that the stand-in knows."""
    table = project.root / "versions.jsonl"
    rows = map(json.loads, table.read_text().splitlines() if table.exists() else ())
    return [AppVersion(**(row | {"files": frozenset(row["files"])})) for row in rows]


def versions_of(project: Project) -> list[AppVersion]:
    """Return the newest version of each platform that was not withdrawn."""
    known = sorted(known_versions(project), key=lambda each: (each.platform, each.number))
    newest = {each.platform: each for each in known if not (project.root / f"withdrawn-{each.number}").exists()}
    return list(newest.values())


def add_version(project: Project, number: int, models: Iterable[ModelRef], *, platform: str = LINUX) -> None:
    """Have the stand-in know a version that brings these models."""
    files = sorted({name for each in models for name in VolunteersModel.of(card_of(each)).file_names})
    with (project.root / "versions.jsonl").open("a") as file:
        file.write(json.dumps({"number": number, "platform": platform, "files": files}) + "\n")


@lru_cache
def card_of(model: ModelRef) -> ModelCard:
    """Return a card for a model of tests: that of the shipped model in its role, with its name and hash."""
    card = default_model(ROLES[model.role]).card
    return replace(card, name=model.name or "unnamed", file=f"{model.sha256[:8]}.onnx", sha256=model.sha256)


def know(folder: Path, recipe: Recipe) -> None:
    """Leave the cards of a recipe's models in a folder of models."""
    folder.mkdir(exist_ok=True)
    for model in recipe.models:
        (folder / f"{model.sha256[:8]}{CARD_SUFFIX}").write_text(card_to_json(card_of(model)))


def frozen(folder: Path, platform: str = LINUX, content: str = "first") -> Path:
    """Write a program as `make freeze` calls it; the one for Windows is a zip file of a folder."""
    if not platform.startswith("windows"):
        path = folder / f"crystal-search-client_0.1.0_{platform}"
        path.write_text(f"#!/bin/sh\n# {content}\n")
        return path
    path = folder / f"crystal-search-client_0.1.0_{platform}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("crystal-search-client.exe", content)
        archive.writestr("lib/a/init.pyc", b"one")
        archive.writestr("lib/b/init.pyc", b"two")
    return path


@dataclass
class Server:
    """What a BOINC server knows, from the calls of its tools and from what a test does to its jobs."""

    project: Project
    changed: dict[str, Job] = field(default_factory=dict)
    failed: dict[int, list[FailedCopy]] = field(default_factory=dict)  #: copies, by number of the job
    hurried: list[str] = field(default_factory=list)  #: jobs of which another copy was asked for
    nobody_left: list[str] = field(default_factory=list)  #: jobs of which every host has had a copy
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

    def nobody_left_for(self, jobs: Sequence[Job]) -> list[Job]:
        return [job for job in jobs if job.name in self.nobody_left]

    def fail(self, name: str, *exit_codes: int, error_mask: int = 2) -> None:
        """Give a job up after its copies ended with these codes of BOINC's clients, each on a host of its own."""
        self.change(name, assimilated=True, error_mask=error_mask)
        self.failed[self.changed[name].id] = [
            FailedCopy(name=f"{name}_{host}", host_id=host, outcome=CLIENT_ERROR, exit_status=code)
            for host, code in enumerate(exit_codes)
        ]

    def versions(self) -> list[AppVersion]:
        if self.away:
            raise EngineError("the BOINC server's database cs: it went away")
        return versions_of(self.project)

    def highest_version(self) -> int:
        return max((each.number for each in known_versions(self.project)), default=0)


def used_server(root: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Return a server of a new project that commands ask in place of a database."""
    found = Server(made_project(root))
    monkeypatch.setattr(BoincDatabase, "jobs", lambda _, names: found.jobs(names))
    monkeypatch.setattr(BoincDatabase, "versions", lambda _: found.versions())
    monkeypatch.setattr(BoincDatabase, "highest_version", lambda _: found.highest_version())
    return found


@dataclass
class BoincSite:
    """An installation whose engine is a BOINC server."""

    site: Installation
    server: Server

    @property
    def models(self) -> Path:
        """Folder of the models that the engine knows, cards only."""
        return self.server.project.root.with_name("cards")

    @property
    def engine(self) -> BoincEngine:
        return BoincEngine(self.site.home, self.site.settings, self.server.project, self.server, self.models)

    def spool(self, name: str, data: bytes, *, number: int = 1) -> None:
        """Leave an uploaded file as the assimilator's script does."""
        folder = self.site.home.incoming / str(number)
        folder.mkdir(parents=True)
        (folder / name).write_bytes(data)


def boinc_site(folder: Path, *, images: int = 0) -> BoincSite:
    """Return an installation with so many images, and its BOINC server, on which the models of `RECIPE` are live."""
    project = made_project(folder / "project")
    settings = replace(SETTINGS, engine="boinc", boinc_project=str(project.root))
    place = BoincSite(site_at(folder, images=images, settings=settings), Server(project))
    know(place.models, RECIPE)
    add_version(project, 1, RECIPE.models)
    return place


def step(place: BoincSite, recipe: Recipe = RECIPE) -> None:
    """Pack what waits and keep the engine going once."""
    create_work(place.site, recipe)
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
