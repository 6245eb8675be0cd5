"""``crystal-search work``: the engine on its own, for as long as there is work or for good."""

import argparse
import time
from contextlib import closing

from crystal_search.errors import ConfigError
from crystal_search.server.engines.engine import POLL_S, Engine
from crystal_search.server.engines.engine_kinds import engine_kind
from crystal_search.server.home import Home
from crystal_search.server.installation import add_home_argument, models_folder, say
from crystal_search.server.interrupts import terminated_as_interrupt
from crystal_search.server.settings import read_settings
from crystal_search.server.unit_states import WITH_RESULT, State, is_in, names_in, newest_first

REST_S = 1.0  #: between two looks at an empty queue


def work(home: Home, engine: Engine, *, forever: bool = False) -> None:
    """Have the queued work units scored, the newest first, until each has its result."""
    while True:
        engine.submit(newest_first(home))
        engine.step()
        waiting = any(not is_in(home, name, *WITH_RESULT) for name in names_in(home, State.QUEUED))
        if not waiting and not forever:
            return
        time.sleep(POLL_S if waiting else REST_S)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_home_argument(parser)
    parser.add_argument("--forever", action="store_true", help="wait for more work when there is none left")


def run(arguments: argparse.Namespace) -> None:
    """Score what is queued.

    Raises
    ------
    ConfigError
        If the engine in use has no clients on this machine.
    """
    home = Home.at(arguments.home).made()
    settings = read_settings(home.settings)
    kind = engine_kind(settings)
    if not kind.clients_here:
        raise ConfigError(f"{home.settings}: engine is {settings.engine}; create-work and watch look after that one")
    with terminated_as_interrupt(), closing(kind.start(home, settings, models_folder(home, settings))) as engine:
        work(home, engine, forever=arguments.forever)
    waiting, failed = len(names_in(home, State.RETURNED)), len(names_in(home, State.SET_ASIDE))
    say(f"{waiting} results wait for validation; {failed} work units are set aside")
