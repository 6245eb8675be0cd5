"""``crystal-search facility``: what comes from the facility's own database, and what goes to it (docs/facility.md).

`demo.facility_with_demo` is the module of the command; it adds ``facility demo``.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from crystal_search.errors import ConfigError, DatabaseError
from crystal_search.server.facility.facility_database import FacilityDatabase
from crystal_search.server.facility.facility_kinds import facility_kind, facility_name, open_facility
from crystal_search.server.facility.facility_settings import FacilitySettings, read_facility_settings
from crystal_search.server.home import Home
from crystal_search.server.installation import Installation, add_home_argument, opened, say
from crystal_search.server.locks import only_at_facility
from crystal_search.server.services.facility_exchange import check_folders, pull, push
from crystal_search.server.services.facility_pictures import placing
from crystal_search.server.services.facility_reports import (
    checked_lines,
    left_out,
    pull_line,
    push_line,
    state_lines,
)


def add_commands(parser: argparse.ArgumentParser) -> "argparse._SubParsersAction[argparse.ArgumentParser]":
    """Declare the commands, and return what takes more of them."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (command, purpose) in COMMANDS.items():
        inner = commands.add_parser(name, help=purpose, description=purpose)
        add_home_argument(inner)
        if again := AGAIN.get(name):
            inner.add_argument("--again", action="store_true", help=again)
        inner.set_defaults(run=command)
    return commands


@contextmanager
def _connected(arguments: argparse.Namespace) -> Iterator[tuple[Installation, FacilitySettings, FacilityDatabase]]:
    """Open the installation and the facility's database, for this process alone."""
    settings = _settings(arguments)
    facility_kind(settings)  # before a folder is made for what cannot be
    with opened(arguments.home) as site, only_at_facility(site.home), closing(open_facility(settings)) as facility:
        yield site, settings, facility


def _settings(arguments: argparse.Namespace) -> FacilitySettings:
    """Return what the settings say of a facility; a home that is mistyped is said to be none."""
    home = Home.at(arguments.home)
    return read_facility_settings(home.settings if home.settings.exists() else home.found().settings)


def _check(arguments: argparse.Namespace) -> None:
    settings = _settings(arguments)
    with closing(open_facility(settings)) as facility:
        found = facility.check()
    say("\n".join(checked_lines(found)))
    if found.missing:
        raise DatabaseError(f"{facility_name(settings)}: {len(found.missing)} missing, as said above")


def _pull(arguments: argparse.Namespace) -> None:
    with _connected(arguments) as (site, settings, facility):
        name = facility_name(settings)
        check_folders(site.imaging, facility, name, again=arguments.again)
        report = pull(site.imaging, facility, name, again=arguments.again)
    say(pull_line(report))
    if report.left_out:
        say("\n".join(["left out:", *left_out(report.left_out, verbose=arguments.verbose)]))


def _push(arguments: argparse.Namespace) -> None:
    with _connected(arguments) as (site, settings, facility):
        _check_takes_scores(settings)
        pictures = placing(site.home, settings)
        report = push(site.imaging, facility, facility_name(settings), pictures=pictures, again=arguments.again)
    say(push_line(report))
    if report.refused:
        say("\n".join(["refused, and tried again later:", *left_out(report.refused, verbose=arguments.verbose)]))


def _check_takes_scores(settings: FacilitySettings) -> None:
    kind = facility_kind(settings)
    if not kind.takes_scores:
        raise ConfigError(f"{kind.title} is only read, by design; its scores stay in our ledger")
    if not settings.push:
        raise ConfigError("the settings say push = false in [facility]; nothing is given to it")


def _report(arguments: argparse.Namespace) -> None:
    with opened(arguments.home, create=False) as site:
        name = facility_name(read_facility_settings(site.home.settings))
        state, refused = site.imaging.facility_state(name), site.imaging.pushes(name, refused=True)
    say("\n".join(state_lines(name, state, refused)))


AGAIN = {
    "pull": "look at everything once more, from the beginning",
    "push": "give also those that it refused before their time has come",
}
COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], None], str]] = {
    "check": (_check, "connect, tell what is missing, and what would be read and written; nothing is written"),
    "pull": (_pull, "take over new images, people's scores, conditions and owners of plates"),
    "push": (_push, "give it the scores that it was not given yet"),
    "report": (_report, "tell how far it was looked at, and which scores it refused"),
}
