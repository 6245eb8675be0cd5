"""What status tells of a BOINC project: its daemons, what there is to do, who does it, and what is the matter."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from crystal_search.errors import CrystalSearchError
from crystal_search.server.engines.boinc.app_versions import Stock
from crystal_search.server.engines.boinc.asking import is_mute
from crystal_search.server.engines.boinc.boinc_daemons import dead_daemons
from crystal_search.server.engines.boinc.boinc_database import BoincDatabase
from crystal_search.server.engines.boinc.ownership import owner_of
from crystal_search.server.engines.boinc.project import Project, read_project
from crystal_search.server.engines.boinc.scripts import ANSWER
from crystal_search.server.engines.engine import EngineReport, Waiting
from crystal_search.server.home import Home
from crystal_search.server.settings import Settings

LEAST_FREE_BYTES = 2_000_000_000  #: where volunteers' files come in
PATIENCE_S = 1_800  #: that a task may wait though volunteers ask
HOUR_S = 3_600

#: What each daemon leaves undone when it is stuck: a name of `boinc_load.MEASURED`, and what waits.
OVERDUE = {
    "transitioner": ("overdue_transitions", "work units wait for it"),
    "script_validator": ("overdue_validations", "work units wait to be validated"),
    "script_assimilator": ("overdue_assimilations", "results wait to be taken over"),
    "file_deleter": ("overdue_deletions", "uploaded files are no longer needed, and are still there"),
}


def report(waiting: Waiting) -> EngineReport:
    """Return what the BOINC server has to do, who does it, and which daemons are dead; or why that is not known."""
    settings = waiting.settings
    try:
        project = read_project(Path(settings.boinc_project))
        server = BoincDatabase(project)
        dead, load = dead_daemons(project), server.load()
        stock = Stock.of(server.versions(), waiting.models)
        free_bytes = shutil.disk_usage(project.upload_dir).free
    except (CrystalSearchError, OSError) as error:
        said = f"nothing is known of the BOINC project: {error}"
        return EngineReport(trouble=str(error), complaints=(said,))
    complaints = (
        *of_daemons(project, dead, load),
        *of_answers(project, dead),
        *of_volunteers(project, settings, load),
        *held_back(stock, waiting),
        *of_disk(project, free_bytes),
    )
    return EngineReport(load=load, dead_daemons=tuple(dead), complaints=complaints)


def held_back(stock: Stock, waiting: Waiting) -> Iterator[str]:
    """Yield which work units wait for a version that can compute them, a sentence for each set of models."""
    for models, count in waiting.units.items():
        if trouble := stock.trouble(models):
            yield f"{count} work units wait: {trouble}"


def of_daemons(project: Project, dead: Sequence[str], load: Mapping[str, int]) -> Iterator[str]:
    """Yield which daemons are dead, or run and leave undone what is theirs."""
    if dead:
        start = f"bin/start in {project.root} starts them, log_* says why they ended"
        yield f"daemons of the BOINC project do not run: {', '.join(dead)}; {start}"
    for program, (name, what) in OVERDUE.items():
        if load[name] and program in project.daemons and program not in dead:
            restart = f"see log_*/{program}.log, then bin/stop and bin/start in {project.root}"
            yield f"BOINC's {program} is stuck: {load[name]} {what}; {restart}"


def of_answers(project: Project, dead: Sequence[str]) -> Iterator[str]:
    """Yield that the daemon which answers the validator is stuck; the validator goes on without it, slowly."""
    home = owner_of(project)
    if home and ANSWER in project.daemons and ANSWER not in dead and is_mute(Home(Path(home))):
        restart = f"bin/stop and bin/start in {project.root}"
        yield f"{ANSWER} of the BOINC project is stuck, and each result takes seconds to check: {restart}"


def of_volunteers(project: Project, settings: Settings, load: Mapping[str, int]) -> Iterator[str]:
    """Yield why tasks wait that somebody could compute."""
    count, waits_s = load["unsent"], load["unsent_seconds"]
    wake = f"boinccmd --project {project.master_url} update on each PC"
    if not count:
        return
    if not load["hosts_last_day"]:
        yield f"{count} tasks wait, and no volunteer has asked for work since yesterday: start BOINC there, then {wake}"
    elif waits_s > HOUR_S and not load["hosts_last_hour"]:
        yield f"{count} tasks wait, and no volunteer has asked for an hour; after an outage they stay away: {wake}"
    elif waits_s > PATIENCE_S and (lonely := _lonely(settings, load)):
        yield f"{count} tasks wait: {lonely}"
    elif min(waits_s, load["nothing_sent_seconds"]) > PATIENCE_S and "feeder" in project.daemons:
        minutes = load["nothing_sent_seconds"] // 60
        why = "the feeder is stuck, or no version is for their platforms: see log_*/feeder.log and scheduler.log"
        yield f"{count} tasks wait, volunteers ask, and nothing was sent for {minutes} minutes: {why}"


def _lonely(settings: Settings, load: Mapping[str, int]) -> str:
    """Return why those who asked since yesterday are too few to agree with each other; nothing when they are not."""
    if settings.boinc_replication == "none":
        return ""
    if load["hosts_last_day"] < 2:
        return "two hosts must agree, and only one has asked since yesterday; add one, or set boinc_replication to none"
    if load["accounts_last_day"] < 2 and not settings.boinc_shared_account:
        why = "two accounts must agree, and all hosts that asked since yesterday belong to one"
        return f"{why}; if they are all yours, set boinc_shared_account = true and run boinc install"
    return ""


def of_disk(project: Project, free_bytes: int) -> Iterator[str]:
    """Yield that volunteers' files find no room."""
    if free_bytes < LEAST_FREE_BYTES:
        free = f"{free_bytes / 1e9:.1f} GB"
        yield f"the disk of {project.upload_dir} has {free} left: make room, or uploads are refused"
