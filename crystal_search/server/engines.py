"""The engine that the settings name."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crystal_search.server.engine import Engine
from crystal_search.server.installation import Installation
from crystal_search.server.local_engine import LocalEngine


@contextmanager
def opened_engine(site: Installation) -> Iterator[Engine]:
    """Give the engine of an installation, and close it at the end.

    Raises
    ------
    AnotherRunningError
        If another process has the engine.
    ConfigError
        If there is no BOINC project where the settings say.
    """
    if site.settings.engine == "local":
        with LocalEngine(site.home, site.settings, site.models) as local:
            yield local
        return
    from crystal_search.server.boinc.database import BoincDatabase
    from crystal_search.server.boinc.engine import BoincEngine
    from crystal_search.server.boinc.project import read_project

    project = read_project(Path(site.settings.boinc_project))
    with BoincEngine(site.home, site.settings, project, BoincDatabase(project)) as boinc:
        yield boinc
