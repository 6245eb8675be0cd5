"""``crystal-search boinc``: Crystal Search in a BOINC project, versions of its program, invitations to volunteers."""

import argparse
from collections.abc import Callable
from pathlib import Path

from crystal_search.arguments import count
from crystal_search.errors import ConfigError
from crystal_search.server.engines.boinc.answering import answer_questions
from crystal_search.server.engines.boinc.install import install, set_replication
from crystal_search.server.engines.boinc.invitations import make_account
from crystal_search.server.engines.boinc.project import Project, read_project
from crystal_search.server.engines.boinc.staging import stage
from crystal_search.server.home import Home
from crystal_search.server.installation import add_home_argument, models_folder, say
from crystal_search.server.settings import Settings, read_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the commands."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    installing = commands.add_parser("install", help="application, templates, scripts and daemons")
    installing.set_defaults(boinc_command=_install)
    add_home_argument(installing)
    installing.add_argument("--take-over", action="store_true", help="though the project works for another home")
    inviting = commands.add_parser("invite", help="an account for a volunteer")
    inviting.set_defaults(boinc_command=_invite)
    add_home_argument(inviting)
    inviting.add_argument("mail", help="the volunteer's mail address, which names the account")
    staging = commands.add_parser("stage", help="a version of the program with the models in use")
    staging.set_defaults(boinc_command=_stage)
    add_home_argument(staging)
    staging.add_argument("program", type=Path, help="what make freeze has made")
    staging.add_argument("--number", type=count, help="of the version, 100 for 1.00 (default: the next)")
    answering = commands.add_parser("answer", help="the daemon that BOINC's validator asks; bin/start starts it")
    answering.set_defaults(boinc_command=_answer)
    add_home_argument(answering)


def run(arguments: argparse.Namespace) -> None:
    """Run the command that was chosen."""
    chosen: Callable[[argparse.Namespace], None] = arguments.boinc_command
    chosen(arguments)


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
    home, settings, project = _told(arguments)
    place = stage(project, arguments.program, models_folder(home, settings), number=arguments.number)
    say(f"{place} is staged; have it signed and sent: cd {project.root} && bin/update_versions")


def _answer(arguments: argparse.Namespace) -> None:
    answer_questions(Home.at(arguments.home))
