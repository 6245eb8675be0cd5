"""A BOINC project on this machine: its folder, its settings, its tools."""

import hashlib
import os
import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crystal_search.errors import ConfigError, EngineError

APP = "crystal_search"  #: the application's name in the project
IN_TEMPLATE, OUT_TEMPLATE = f"templates/{APP}_in", f"templates/{APP}_out"
RESULT_NAME = re.compile(r"(?P<unit>[A-Za-z0-9][A-Za-z0-9_-]{0,99})_a(?P<attempt>[0-9]{1,6})_[0-9]{1,6}_r[0-9]+_[0-9]+")
TOOL_PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What ``config.xml`` of a project says."""

    root: Path
    download_dir: Path
    upload_dir: Path
    fanout: int  #: folders among which files of `download_dir` and `upload_dir` are spread
    master_url: str
    db_name: str
    db_user: str
    db_password: str
    db_host: str
    daemons: tuple[str, ...]  #: programs that run as long as it does
    poll_s: float = 0.0  #: after which clients ask again that have nothing to report; 0: when they like
    one_copy_per_user: bool = False  #: of a job, on whatever host; else one a host

    def place_of(self, name: str) -> Path:
        """Return where the server looks for an input file called `name`."""
        return self.download_dir / spread(name, self.fanout) / name

    def run(self, tool: str, *words: str, text: str = "") -> str:
        """Run a tool of the project in its folder and return what it says.

        Raises
        ------
        EngineError
            If it is not there, fails, or does not end.
        """
        environment = os.environ | {"USER": os.environ.get("USER") or "boinc"}
        try:
            done = subprocess.run(
                [str(self.root / "bin" / tool), *words],
                cwd=self.root,
                input=text,
                env=environment,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TOOL_PATIENCE_S,
                umask=0o002,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineError(f"{tool} of the BOINC project in {self.root} cannot be run: {error}") from error
        said = f"{done.stdout}{done.stderr}".strip()
        if done.returncode:
            raise EngineError(f"{tool} of the BOINC project ended with code {done.returncode}: {said[-2000:]}")
        return said


def spread(name: str, fanout: int) -> str:
    """Return the folder of a file: seven digits of its name's MD5, counted from the second, modulo `fanout`, in hex.

    >>> spread("input", 1024)
    '30a'
    """
    digits = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[1:8]
    return f"{int(digits, 16) % fanout:x}" if fanout else "."


def unit_of(file_name: str) -> tuple[str, int]:
    """Return the work unit, and the attempt at it, that an uploaded file is about.

    >>> unit_of("plate-1-0123456789abcdef_a2_0_r1804289383_0")
    ('plate-1-0123456789abcdef', 2)

    Raises
    ------
    ValueError
        If no upload of ours is called so.
    """
    if not (found := RESULT_NAME.fullmatch(file_name)):
        raise ValueError(f"{file_name[:200]!r} is no name of a result")
    return found["unit"], int(found["attempt"])


def job_name(unit: str, attempt: int) -> str:
    """Return what the server calls an attempt at a work unit."""
    return f"{unit}_a{attempt}"


def read_project(root: Path) -> Project:
    """Return the project in the folder `root`.

    Raises
    ------
    ConfigError
        If there is none, or its ``config.xml`` cannot be used.
    """
    path = root / "config.xml"
    try:
        tree = ET.parse(path).getroot()
    except (OSError, ET.ParseError) as error:
        raise ConfigError(f"{root} holds no BOINC project: {error}; make one first (docs/boinc.md)") from error
    if (config := tree.find("config")) is None:
        raise ConfigError(f"{path} has no <config> in <boinc>")
    told = {each.tag: (each.text or "").strip() for each in config}
    if not (told.get("uldl_dir_fanout") or "0").isdigit():
        raise ConfigError(f"{path}: <uldl_dir_fanout> must be a whole number, got {told['uldl_dir_fanout']!r}")
    needed = ("db_name", "db_user", "download_dir", "upload_dir", "master_url")
    if missing := [name for name in needed if not told.get(name)]:
        raise ConfigError(f"{path} lacks <{missing[0]}>")
    commands = [(each.text or "").split() for each in tree.findall("daemons/daemon/cmd")]
    return Project(
        root=root,
        download_dir=Path(told["download_dir"]),
        upload_dir=Path(told["upload_dir"]),
        fanout=int(told.get("uldl_dir_fanout") or 0),
        master_url=told["master_url"],
        db_name=told["db_name"],
        db_user=told["db_user"],
        db_password=told.get("db_passwd", ""),
        db_host=told.get("db_host") or "localhost",
        daemons=tuple(words[0] for words in commands if words),
        poll_s=_number(path, "next_rpc_delay", told),
        one_copy_per_user=told.get("one_result_per_user_per_wu") == "1",
    )


def _number(path: Path, name: str, told: Mapping[str, str]) -> float:
    try:
        return float(told.get(name) or 0)
    except ValueError as error:
        raise ConfigError(f"{path}: <{name}> must be a number, got {told[name]!r}") from error
