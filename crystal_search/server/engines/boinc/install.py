"""Putting Crystal Search into a BOINC project: application, templates, scripts, daemons, settings of the server.

Installing again changes only what is not yet as it should be. ``config.xml`` is rewritten whole, and the former one
is kept.
"""

import os
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

from crystal_search.errors import ConfigError, EngineError
from crystal_search.files import write_whole
from crystal_search.server.engines.boinc.boinc_database import BoincDatabase
from crystal_search.server.engines.boinc.invitations import close_accounts
from crystal_search.server.engines.boinc.ownership import claim
from crystal_search.server.engines.boinc.project import APP, IN_TEMPLATE, OUT_TEMPLATE, Project, read_project
from crystal_search.server.engines.boinc.scripts import ANSWER, ASSIMILATE, CHECK, COMPARE, scripts
from crystal_search.server.home import Home
from crystal_search.server.settings import Settings

MEMORY_BYTES, DISK_BYTES = 1_000_000_000, 2_000_000_000  #: at most, of one work unit on a volunteer's PC
MAX_ERRORS = 2  #: one more, and a work unit is given up; each has a host of its own
PURGE_DAYS = 30  #: after which the server forgets a job; its result is in our archive and ledger
SCRIPT_MODE = 0o755

#: Of the server: see each in docs/boinc.md.
OPTIONS = {
    "one_result_per_host_per_wu": "1",
    "dont_generate_upload_certificates": "0",
    "ignore_upload_certificates": "0",
    "maintenance_delay": "60",
    "resend_lost_results": "1",
    "max_wus_in_progress": "4",
    "max_wus_to_send": "8",
    "min_sendwork_interval": "1",
    "daily_result_quota": "5000",
    "report_max": "200",
}

#: Daemons that every project has, made quicker than every 5 s; what is urgent goes first.
QUICKER = ("feeder -d 3 -priority_order --sleep_interval 1", "transitioner -d 3 --sleep_interval 1")

#: Daemons that keep a project small for years, unless it has its own: files, then rows of the database.
SWEEPERS = ("file_deleter -d 2", f"db_purge -d 2 --app {APP} --min_age_days {PURGE_DAYS} --no_archive --sleep 3600")


def install(home: Home, settings: Settings, *, take_over: bool = False) -> list[str]:
    """Put everything into the project that `settings` names, except for versions of the program (`staging`).

    Return what was changed in it, a sentence each.

    Parameters
    ----------
    take_over
        Whether the project may have worked for another home.

    Raises
    ------
    ConfigError
        If there is no such project, or it works for another home.
    EngineError
        If a tool of the project fails.
    """
    project = read_project(Path(settings.boinc_project))
    home.made()
    return [
        *claim(project, home, take_over=take_over),
        *_templates(project, settings),
        *_scripts(project, home, settings),
        *_application(project),
        *_config(project, settings),
        *close_accounts(project),
    ]


def input_template(settings: Settings) -> str:
    """Return the template of a work unit."""
    quorum = 2 if settings.boinc_replication == "quorum" else 1
    numbers = {
        "min_quorum": quorum,
        "target_nresults": quorum,
        "max_error_results": MAX_ERRORS,
        "max_total_results": 2 * quorum + MAX_ERRORS + 1,
        "max_success_results": 2 * quorum + 1,
        "rsc_memory_bound": MEMORY_BYTES,
        "rsc_disk_bound": DISK_BYTES,
    }
    lines = "".join(f"        <{name}>{value}</{name}>\n" for name, value in numbers.items())
    return (
        "<input_template>\n    <file_info>\n        <number>0</number>\n    </file_info>\n    <workunit>\n"
        "        <file_ref>\n            <file_number>0</file_number>\n            <open_name>unit.zip</open_name>\n"
        f"            <copy_file/>\n        </file_ref>\n{lines}    </workunit>\n</input_template>\n"
    )


def output_template(settings: Settings) -> str:
    """Return the template of a result."""
    size = 200_000 * (settings.images_per_unit + 1)
    return (
        "<output_template>\n    <file_info>\n        <name><OUTFILE_0/></name>\n        <generated_locally/>\n"
        f"        <upload_when_present/>\n        <max_nbytes>{size}</max_nbytes>\n        <url><UPLOAD_URL/></url>\n"
        "    </file_info>\n    <result>\n        <file_ref>\n            <file_name><OUTFILE_0/></file_name>\n"
        "            <open_name>result.json</open_name>\n            <copy_file/>\n        </file_ref>\n"
        "        <report_immediately/>\n    </result>\n"
        "</output_template>\n"
    )


def _templates(project: Project, settings: Settings) -> list[str]:
    texts = {IN_TEMPLATE: input_template(settings), OUT_TEMPLATE: output_template(settings)}
    return [f"wrote {name}" for name, text in texts.items() if _put(project.root / name, text)]


def _scripts(project: Project, home: Home, settings: Settings) -> list[str]:
    changes = []
    for name, text in scripts(home, settings.boinc_tolerance).items():
        path = project.root / "bin" / name
        if _put(path, text):
            changes.append(f"wrote bin/{name}")
        path.chmod(SCRIPT_MODE)
    return changes


def _put(path: Path, text: str) -> bool:
    """Write a file unless it says that already; tell whether it was written."""
    try:
        if path.read_text(encoding="utf-8") == text:
            return False
    except (OSError, UnicodeDecodeError):
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)
    return True


def _application(project: Project) -> list[str]:
    """Name the application in ``project.xml``, and have the server's database know it."""
    path = project.root / "project.xml"
    tree = _parsed(path)
    root = tree.getroot()
    if any((name.text or "").strip() == APP for name in root.findall("app/name")):
        return []
    app = ET.SubElement(root, "app")
    ET.SubElement(app, "name").text = APP
    ET.SubElement(app, "user_friendly_name").text = "Crystal Search"
    _rewrite(path, tree)
    project.run("xadd")
    return [f"added the application {APP}"]


def options(settings: Settings) -> dict[str, str]:
    """Return the server's options that are ours to set."""
    return OPTIONS | {
        "one_result_per_user_per_wu": "0" if settings.boinc_shared_account else "1",
        "next_rpc_delay": f"{settings.boinc_poll_seconds:g}",
    }


def _config(project: Project, settings: Settings) -> list[str]:
    """Set the server's options and daemons in ``config.xml``."""
    path = project.root / "config.xml"
    tree = _parsed(path)
    root = tree.getroot()
    config, daemons = root.find("config"), root.find("daemons")
    if config is None:
        raise ConfigError(f"{path} has no <config> in <boinc>")
    if daemons is None:
        daemons = ET.SubElement(root, "daemons")
    changes = [f"set <{name}> to {value}" for name, value in options(settings).items() if _set(config, name, value)]
    changes += [f"added the daemon {words}" for words in _daemons() if _add_daemon(daemons, words)]
    changes += [f"added the daemon {words}" for words in SWEEPERS if _add_missing(daemons, words)]
    changes += [f"set the daemon {words}" for words in QUICKER if _change(daemons, words)]
    if changes:
        _rewrite(path, tree)
    return changes


def _daemons() -> tuple[str, ...]:
    """Return our daemons; their scripts are named without tokens, since then they are called with all paths."""
    return (
        ANSWER,
        f"script_validator -d 3 --app {APP} --sleep_interval 1 --init_script {CHECK} --compare_script {COMPARE}",
        f"script_assimilator -d 3 --app {APP} --sleep_interval 1 --script {ASSIMILATE}",
    )


def _set(config: ET.Element, name: str, value: str) -> bool:
    found = config.find(name)
    if found is None:
        found = ET.SubElement(config, name)
    if (found.text or "").strip() == value:
        return False
    found.text = value
    return True


def _add_daemon(daemons: ET.Element, words: str) -> bool:
    """Add a daemon of ours, in place of what it was before."""
    if any((each.text or "").split() == words.split() for each in daemons.findall("daemon/cmd")):
        return False
    for old in daemons.findall("daemon"):
        told = (old.findtext("cmd") or "").split()
        if told[:1] == words.split()[:1] and APP in told:
            daemons.remove(old)
    ET.SubElement(ET.SubElement(daemons, "daemon"), "cmd").text = words
    return True


def _add_missing(daemons: ET.Element, words: str) -> bool:
    """Add a daemon unless one of that program is there, whatever its words."""
    program = words.split(maxsplit=1)[0]
    if any((each.text or "").split()[:1] == [program] for each in daemons.findall("daemon/cmd")):
        return False
    ET.SubElement(ET.SubElement(daemons, "daemon"), "cmd").text = words
    return True


def _change(daemons: ET.Element, words: str) -> bool:
    """Give a daemon that is there other words."""
    program = words.split(maxsplit=1)[0]
    for each in daemons.findall("daemon/cmd"):
        told = (each.text or "").split()
        if told[:1] == [program] and told != words.split():
            each.text = words
            return True
    return False


def _parsed(path: Path) -> "ET.ElementTree[ET.Element]":
    """Return an XML file, with its comments."""
    try:
        return ET.parse(path, ET.XMLParser(target=ET.TreeBuilder(insert_comments=True)))
    except (OSError, ET.ParseError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


def _rewrite(path: Path, tree: "ET.ElementTree[ET.Element]") -> None:
    """Write an XML file anew, and keep the former one beside it."""
    ET.indent(tree, "    ")
    shutil.copy2(path, path.with_name(f"{path.name}.before-{APP}"))
    mode, mask = path.stat().st_mode, os.umask(0o077)  # config.xml holds a password
    try:
        write_whole(path, ET.tostring(tree.getroot(), encoding="unicode") + "\n")
        path.chmod(mode)
    finally:
        os.umask(mask)


def set_replication(project: Project, settings: Settings) -> str:
    """Tell in words how to switch adaptive replication on, which lives in the server's database.

    Raises
    ------
    EngineError
        If BOINC's database refuses; the message has the statement for its owner.
    """
    number = 2 if settings.boinc_replication == "adaptive" else 0
    sql = f"UPDATE app SET target_nresults = {number} WHERE name = '{APP}'"
    try:
        with BoincDatabase(project).cursor() as cursor:
            cursor.execute(sql)
    except EngineError as error:
        raise EngineError(f"{error}; as the database's owner say: {sql}") from error
    return f"app.target_nresults is {number}"
