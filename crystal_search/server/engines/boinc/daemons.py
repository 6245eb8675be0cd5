"""Which daemons of a BOINC project run."""

import os
import socket
import xml.etree.ElementTree as ET
from pathlib import Path

from crystal_search.errors import ConfigError
from crystal_search.server.engines.boinc.project import Project, texts_of


def dead_daemons(project: Project) -> list[str]:
    """Return the programs among the project's daemons that do not run on this host.

    Each leaves its process number in ``pid_HOST/PROGRAM.pid``.

    Raises
    ------
    ConfigError
        If ``config.xml`` cannot be read.
    """
    try:
        root = ET.parse(project.root / "config.xml").getroot()
    except (OSError, ET.ParseError) as error:
        raise ConfigError(f"{project.root / 'config.xml'} cannot be read: {error}") from error
    folder = project.root / f"pid_{socket.gethostname().partition('.')[0]}"
    programs = [words.split()[0] for words in texts_of(root, "daemons/daemon/cmd") if words]
    return [program for program in programs if not _runs(folder / f"{program}.pid")]


def _runs(path: Path) -> bool:
    try:
        number = int(path.read_text(encoding="utf-8").strip())
        os.kill(number, 0)
    except (OSError, ValueError) as error:
        return isinstance(error, PermissionError)
    return True
