"""The engine that the settings name."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crystal_search.server.engines.engine import Engine
from crystal_search.server.engines.local_engine import LocalEngine
from crystal_search.server.installation import Installation


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
    from crystal_search.server.engines.boinc.boinc_database import BoincDatabase
    from crystal_search.server.engines.boinc.boinc_engine import BoincEngine
    from crystal_search.server.engines.boinc.project import read_project

    project = read_project(Path(site.settings.boinc_project))
    with BoincEngine(site.home, site.settings, project, BoincDatabase(project)) as boinc:
        yield boinc
