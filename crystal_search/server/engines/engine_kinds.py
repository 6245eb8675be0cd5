"""The engines that there are. Nothing outside this room knows any of them by name."""

from crystal_search.errors import ConfigError
from crystal_search.known_names import among
from crystal_search.server.engines.boinc.boinc_engine import project_engine
from crystal_search.server.engines.boinc.boinc_report import report
from crystal_search.server.engines.boinc.supplying import supply_models
from crystal_search.server.engines.engine import EngineKind
from crystal_search.server.engines.local_engine import LocalEngine
from crystal_search.server.settings import Settings

BOINC_PAUSE_S = 0.5  #: each step asks the server's database

ENGINES = {
    "local": EngineKind(
        title="this machine",
        start=LocalEngine,
        clients_here=True,
        overlays=True,
        when_still="see that `watch` or `work --forever` runs, and what it says last",
    ),
    "boinc": EngineKind(
        title="BOINC",
        start=project_engine,
        clients_here=False,
        overlays=False,
        when_still="see that `watch` runs, that volunteers ask for work, and what log_HOST of the BOINC project says",
        pause_s=BOINC_PAUSE_S,
        needs=("boinc_project",),
        report=report,
        supply_models=supply_models,
    ),
}


def engine_kind(settings: Settings) -> EngineKind:
    """Return what the engine that the settings name declares of itself.

    Raises
    ------
    UnknownNameError
        If there is no such engine.
    ConfigError
        If settings are missing that it needs.
    """
    kind = among(ENGINES, settings.engine, "engine", where="settings")
    if missing := [name for name in kind.needs if not getattr(settings, name)]:
        raise ConfigError(f"the settings' engine is {settings.engine}, so they must say {', '.join(missing)} too")
    return kind
