"""The engine: whatever has work units scored, and what it declares of itself. `engine_kinds` knows which there are.

An engine takes work units from the queue and brings each result into the state `returned` (`unit_states`); what it
does in between is its own business.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from crystal_search.model import Model, ModelRef
from crystal_search.model_card import ModelCard
from crystal_search.server.home import Home
from crystal_search.server.locks import FileLock
from crystal_search.server.settings import Settings

POLL_S = 0.02  #: between two steps of an engine whose clients run here


class Engine(Protocol):
    """What the services ask of an engine."""

    def submit(self, units: Iterable[Path]) -> None:
        """Take over these work unit files, the most urgent first; those taken over before are left alone."""

    def step(self) -> None:
        """Do what can be done without waiting: start, look after, collect results.

        Raises
        ------
        EngineError
            If no work unit can be scored until somebody repairs the engine.
        """

    def close(self) -> None:
        """Stop whatever runs; work units that are not done stay queued."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineReport:
    """What an engine tells of a server that it feeds."""

    load: dict[str, int] | None = None  #: what there is to do and who does it, counted; None if that is not known
    dead_daemons: tuple[str, ...] = ()  #: programs that should run and do not
    trouble: str = ""  #: why nothing is known
    complaints: tuple[str, ...] = ()  #: what somebody should look after, a sentence each


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What an engine is to report about: an installation, and the work units in it that have no result."""

    settings: Settings
    models: tuple[Path, ...]  #: folders of the models that it knows, those in use first
    units: Mapping[tuple[ModelRef, ...], int]  #: how many there are, by the models that they name


class SupplyModels(Protocol):
    """What brings models to an engine's clients before work units name them."""

    def __call__(
        self, home: Home, settings: Settings, models: Sequence[Model[ModelCard]], *, update: bool
    ) -> list[str]:
        """Return what was done, a sentence each.

        Parameters
        ----------
        update
            Whether to go as far as signing what clients get; else somebody does that elsewhere.

        Raises
        ------
        UserError
            If clients have not all of the models, and what is to be done.
        EngineError
            If the engine cannot do it.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineKind:
    """What an engine declares: all that anybody outside this room knows of it."""

    title: str  #: for people
    start: Callable[[Home, Settings, Path], Engine]  #: make it the home's engine; the folder is of the models in use
    clients_here: bool  #: ``workers`` clients on this machine, while it is open; else create-work hands over, and goes
    overlays: bool  #: whether pictures that clients draw come back
    when_still: str  #: what to look at when work is queued and nothing comes back
    pause_s: float = POLL_S  #: between two steps, while there is work
    needs: tuple[str, ...] = ()  #: settings without which it cannot be
    report: Callable[[Waiting], EngineReport] | None = None  #: what status tells beside what is in the home
    supply_models: SupplyModels | None = None  #: what brings models to clients that do not find them in the home


class HomeEngine:
    """What engines share: the lock of the home, and the work units that they took over."""

    def __init__(self, home: Home, settings: Settings) -> None:
        self._home, self._settings = home, settings
        self._lock = FileLock(home.engine_lock, "an engine")
        self._queued: list[Path] = []

    def submit(self, units: Iterable[Path]) -> None:
        """Take over these work unit files, the most urgent first; those taken over before are left alone."""
        self._queued = list(units)

    def close(self) -> None:
        """Let another engine have the home."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
