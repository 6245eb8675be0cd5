"""Which work units may go to a BOINC server: those that name models which every volunteer gets."""

import logging
from collections.abc import Sequence
from pathlib import Path

from crystal_search.errors import WorkUnitError
from crystal_search.model import ModelRef
from crystal_search.server.engines.boinc.app_versions import Stock
from crystal_search.server.engines.boinc.boinc_database import Jobs
from crystal_search.server.home import Home
from crystal_search.server.unit_states import State, move
from crystal_search.work_unit import read_work_unit

log = logging.getLogger(__name__)


class LiveModels:
    """Asks the server which models are live, and remembers which of them the work units that wait name."""

    def __init__(self, home: Home, models: Path, server: Jobs) -> None:
        self._home, self._folders, self._server = home, (models, home.models), server
        self._named: dict[Path, tuple[ModelRef, ...]] = {}
        self._told: set[str] = set()

    def computable(self, paths: Sequence[Path]) -> set[Path]:
        """Return those of the queued work units that every volunteer can compute; nobody is given the others.

        Raises
        ------
        EngineError
            If the server's database cannot be reached.
        """
        named = {path: self._named.get(path) or self._read(path) for path in paths}
        self._named = {path: models for path, models in named.items() if models}
        if not self._named:
            return set()
        stock = Stock.of(self._server.versions(), self._folders)
        troubles = {models: stock.trouble(models) for models in set(self._named.values())}
        told = {trouble for trouble in troubles.values() if trouble}
        for trouble in told - self._told:
            log.warning("work units wait: %s", trouble, extra={"action": "units_wait"})
        self._told = told
        return {path for path, models in self._named.items() if not troubles[models]}

    def _read(self, path: Path) -> tuple[ModelRef, ...]:
        """Return the models that a work unit names; none if it is gone, or damaged: then it is packed again."""
        try:
            return read_work_unit(path).models
        except WorkUnitError as error:
            if path.exists():
                log.warning("%s is packed again: %s", path.stem, error)
                move(self._home, path.stem, State.QUEUED, State.GONE)
            return ()
