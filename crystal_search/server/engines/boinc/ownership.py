"""Which home folder a BOINC project works for. It has one: its scripts hand every result to that home.

A second home would be robbed of its results, and both would submit work without end.
"""

import os

from crystal_search.errors import ConfigError
from crystal_search.files import write_whole
from crystal_search.server.engines.boinc.project import APP, Project
from crystal_search.server.home import Home

MARK = f"{APP}.home"  #: in the project's folder; holds the path of the home


def check_owner(project: Project, home: Home) -> None:
    """Refuse a home that is not the project's; a project that nobody has installed into yet has none.

    Raises
    ------
    ConfigError
        If the project works for another home.
    """
    owner = owner_of(project)
    if owner not in (None, _path(home)):
        raise ConfigError(
            f"the BOINC project in {project.root} works for {owner}, not for {_path(home)}; stop the services of the "
            "former (or was it moved here?), then: crystal-search boinc install --take-over"
        )


def claim(project: Project, home: Home, *, take_over: bool) -> list[str]:
    """Have the project work for a home; return what was changed, a sentence each.

    Raises
    ------
    ConfigError
        If it works for another one, unless that is to be taken over.
    """
    if not take_over:
        check_owner(project, home)
    if (owner := owner_of(project)) == _path(home):
        return []
    write_whole(project.root / MARK, f"{_path(home)}\n")
    former = f", no longer for {owner}: results of its jobs come here, and only those that are known here count"
    return [f"it works for {_path(home)}{former if owner else ''}"]


def owner_of(project: Project) -> str | None:
    """Return the path of the home that a project works for; None before anybody has installed into it."""
    try:
        return (project.root / MARK).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


def _path(home: Home) -> str:
    return os.path.abspath(home.path)
