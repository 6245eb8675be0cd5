"""``crystal-search boinc``: Crystal Search in a BOINC project, versions of its program, invitations to volunteers."""

import argparse
from pathlib import Path

from crystal_search.arguments import count
from crystal_search.errors import ConfigError
from crystal_search.model import default_models
from crystal_search.server.engines.boinc.answering import answer_questions
from crystal_search.server.engines.boinc.app_versions import Stock
from crystal_search.server.engines.boinc.boinc_database import BoincDatabase
from crystal_search.server.engines.boinc.boinc_report import held_back
from crystal_search.server.engines.boinc.install import install, set_replication
from crystal_search.server.engines.boinc.invitations import make_account
from crystal_search.server.engines.boinc.ownership import check_owner
from crystal_search.server.engines.boinc.project import Project, read_project
from crystal_search.server.engines.boinc.supplying import supply
from crystal_search.server.home import Home
from crystal_search.server.installation import add_home_argument, opened, say
from crystal_search.server.models_in_use import named_by_open_units, units_waiting
from crystal_search.server.settings import Settings, read_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the commands."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    installing = commands.add_parser("install", help="application, templates, scripts and daemons")
    installing.set_defaults(run=_install)
    add_home_argument(installing)
    installing.add_argument("--take-over", action="store_true", help="though the project works for another home")
    inviting = commands.add_parser("invite", help="an account for a volunteer")
    inviting.set_defaults(run=_invite)
    add_home_argument(inviting)
    inviting.add_argument("mail", help="the volunteer's mail address, which names the account")
    staging = commands.add_parser("stage", help="versions of the program with the models in use, signed and live")
    staging.set_defaults(run=_stage)
    add_home_argument(staging)
    staging.add_argument(
        "program",
        type=Path,
        nargs="*",
        help="what make freeze has made, a file for each platform (default: as live)",
    )
    staging.add_argument("--number", type=count, help="of the version, 100 for 1.00 (default: the next)")
    staging.add_argument("--no-update", action="store_true", help="only stage: the files are signed elsewhere")
    answering = commands.add_parser("answer", help="the daemon that BOINC's validator asks; bin/start starts it")
    answering.set_defaults(run=_answer)
    add_home_argument(answering)


def _told(arguments: argparse.Namespace) -> tuple[Home, Settings, Project]:
    home = Home.at(arguments.home)
    settings = read_settings(home.settings)
    if not settings.boinc_project:
        raise ConfigError(f'{home.settings} must say engine = "boinc" and boinc_project = "/its/folder"')
    return home.made(), settings, read_project(Path(settings.boinc_project))


def _install(arguments: argparse.Namespace) -> None:
    home, settings, project = _told(arguments)
    for line in install(home, settings, take_over=arguments.take_over):
        say(line)
    say(set_replication(project, settings))
    say(f"{project.root} has Crystal Search; stage the program next, then start the project: bin/start")


def _invite(arguments: argparse.Namespace) -> None:
    _, _, project = _told(arguments)
    key = make_account(project, arguments.mail, arguments.mail.partition("@")[0])
    say(f"on each of the volunteer's PCs: boinccmd --project_attach {project.master_url} {key}")


def _stage(arguments: argparse.Namespace) -> None:
    home, _, project = _told(arguments)
    check_owner(project, home)
    server, update = BoincDatabase(project), not arguments.no_update
    with opened(home.path) as site:
        models, held = [*default_models(site.models), *named_by_open_units(site)], units_waiting(site)
    done = supply(project, server, models, arguments.program, number=arguments.number, update=update)
    for line in (*done, *held_back(Stock.of(server.versions(), held.models), held)):
        say(line)


def _answer(arguments: argparse.Namespace) -> None:
    answer_questions(Home.at(arguments.home))
