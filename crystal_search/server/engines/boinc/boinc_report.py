"""What status tells of a BOINC project: its daemons, what there is to do, and who does it."""

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from crystal_search.errors import CrystalSearchError
from crystal_search.server.engines.boinc.boinc_database import BoincDatabase
from crystal_search.server.engines.boinc.project import Project, read_project
from crystal_search.server.engines.boinc.versions import Stock
from crystal_search.server.engines.engine import EngineReport, Waiting


def report(waiting: Waiting) -> EngineReport:
    """Return what the BOINC server has to do, who does it, and which daemons are dead; or why that is not known."""
    try:
        project = read_project(Path(waiting.settings.boinc_project))
        server = BoincDatabase(project)
        dead, load = dead_daemons(project), server.load()
        stock = Stock.of(server.versions(), waiting.models)
    except (CrystalSearchError, OSError) as error:
        return EngineReport(trouble=str(error), complaints=(str(error),))
    said = (*complaints(dead, load), *held_back(stock, waiting))
    return EngineReport(load=load, dead_daemons=tuple(dead), complaints=said)


def held_back(stock: Stock, waiting: Waiting) -> Iterator[str]:
    """Yield which work units wait for a version that can compute them, a sentence for each set of models."""
    for models, count in waiting.units.items():
        if trouble := stock.trouble(models):
            yield f"{count} work units wait: {trouble}"


def complaints(dead: Sequence[str], load: Mapping[str, int]) -> Iterator[str]:
    """Yield what somebody should look after, a sentence each."""
    if dead:
        yield f"daemons of the BOINC project do not run: {', '.join(dead)}; bin/start starts them"
    if load["unsent"] and not load["hosts_last_day"]:
        yield f"{load['unsent']} tasks wait, and no volunteer has asked for work since yesterday"


def dead_daemons(project: Project) -> list[str]:
    """Return the programs among the project's daemons that do not run on this host.

    Each leaves its process number in ``pid_HOST/PROGRAM.pid``.
    """
    folder = project.root / f"pid_{socket.gethostname().partition('.')[0]}"
    return [program for program in project.daemons if not _runs(folder / f"{program}.pid")]


def _runs(path: Path) -> bool:
    try:
        number = int(path.read_text(encoding="utf-8").strip())
        os.kill(number, 0)
    except (OSError, ValueError) as error:
        return isinstance(error, PermissionError)
    return True
