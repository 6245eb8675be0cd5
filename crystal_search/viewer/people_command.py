"""``crystal-search people``: who may sign in to the viewer, and what they may do."""

import argparse
import getpass
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from crystal_search.errors import UserError
from crystal_search.server.home import Home
from crystal_search.server.installation import add_home_argument, say
from crystal_search.server.stored_password import password_in
from crystal_search.viewer.messages.subscriptions import SubscriptionStore
from crystal_search.viewer.people.passwords import hashed
from crystal_search.viewer.people.people_store import PeopleStore
from crystal_search.viewer.people.person import MOST_LETTERS, Event, Person
from crystal_search.viewer.people.roles import LEAST, ROLES

DAY_S = 86_400
MOST_DAYS = 3650


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    for name, work, says, takes_person in _ACTIONS:
        action = actions.add_parser(name, help=says, description=says, allow_abbrev=False)
        action.set_defaults(work=work)
        add_home_argument(action)
        if takes_person:
            action.add_argument("person", help="name that stands beside their scores")
        _EXTRA.get(name, lambda _: None)(action)
    parser.epilog = "Passwords come from a prompt or a file, never from the command line. See docs/sign-in.md."


def run(arguments: argparse.Namespace) -> None:
    """Do what is asked for to the people of an installation."""
    with _store(arguments.home) as store:
        arguments.work(store, arguments)


@contextmanager
def _store(home: Path | None) -> Iterator[PeopleStore]:
    with closing(PeopleStore(Home.at(home).found().people)) as store:
        yield store


def _known(store: PeopleStore, name: str) -> Person:
    person = store.person(name)
    if person is None:
        raise UserError(f"there is no person {name}; crystal-search people list names all")
    return person


def _note(store: PeopleStore, about: str) -> None:
    store.note(Event(kind="people changed", person=getpass.getuser(), about=about))
    say(about)


def _add(store: PeopleStore, arguments: argparse.Namespace) -> None:
    name = arguments.person
    if name != " ".join(name.split()) or not name.isprintable() or not 1 <= len(name) <= MOST_LETTERS:
        raise UserError(f"a name has 1 to {MOST_LETTERS} printable letters and no spaces around, got {name!r}")
    store.add(Person(name=name, role=arguments.role))
    _note(store, f"{name} is added, with the role {arguments.role}")


def _role(store: PeopleStore, arguments: argparse.Namespace) -> None:
    store.set_role(arguments.person, arguments.role)
    _note(store, f"{arguments.person} has the role {arguments.role} from now on")


def _projects(store: PeopleStore, arguments: argparse.Namespace) -> None:
    projects = None if arguments.all else tuple(dict.fromkeys(arguments.only or ()))
    store.set_projects(arguments.person, projects)
    seen = "all projects" if projects is None else f"the projects {', '.join(projects)}" if projects else "no project"
    _note(store, f"{arguments.person} sees the plates of {seen} from now on")


def _password(store: PeopleStore, arguments: argparse.Namespace) -> None:
    person = _known(store, arguments.person)
    password = password_in(arguments.file) if arguments.file else _asked()
    store.set_password(person.name, hashed(password))
    _note(store, f"{person.name} has a new password, and is signed out everywhere")


def _asked() -> str:
    if not sys.stdin.isatty():
        raise UserError("a password is asked for at a terminal; elsewhere give --file, a file with mode 0600")
    password = getpass.getpass("Password: ")
    if password != getpass.getpass("Again: "):
        raise UserError("these are two passwords; nothing was changed")
    return password


def _token(store: PeopleStore, arguments: argparse.Namespace) -> None:
    person = _known(store, arguments.person)
    if not 1 <= arguments.days <= MOST_DAYS:
        raise UserError(f"--days must be from 1 to {MOST_DAYS}, got {arguments.days}")
    role = arguments.role or person.role
    secret = store.add_token(person.name, label=arguments.label, role=role, seconds=arguments.days * DAY_S)
    store.note(
        Event(kind="people changed", person=getpass.getuser(), about=f"a token of {person.name}: {arguments.label}")
    )
    say(secret)


def _revoke(store: PeopleStore, arguments: argparse.Namespace) -> None:
    if not store.revoke_token(arguments.number):
        raise UserError(f"there is no token {arguments.number}; crystal-search people tokens lists them")
    _note(store, f"token {arguments.number} is revoked")


def _list(store: PeopleStore, _: argparse.Namespace) -> None:
    for each in store.people():
        seen = "all projects" if each.projects is None else ", ".join(each.projects) or "no project"
        ways = [word for word, there in (("password", each.password), ("OpenID", each.subject)) if there]
        say(f"{each.name}  {each.role}  {seen}" + (f"  ({', '.join(ways)})" if ways else ""))


def _tokens(store: PeopleStore, _: argparse.Namespace) -> None:
    for each in store.tokens():
        until = datetime.fromtimestamp(each.ends_s, UTC)
        say(f"{each.id}  {each.person}  {each.role}  until {until:%Y-%m-%d}  {each.label}")


def _remove(store: PeopleStore, arguments: argparse.Namespace) -> None:
    person = _known(store, arguments.person)
    _end_messages(Home.at(arguments.home).found().messages, person.name)  # first: who is there can be removed again
    store.remove(person.name)
    _note(store, f"{person.name} is removed, signed out everywhere and gets no more messages; what they scored stays")


def _end_messages(path: Path, name: str) -> None:
    """End what a person is told, lest a later one of that name has it sent to the old address."""
    if not path.exists():
        return
    with closing(SubscriptionStore(path)) as store:
        if found := store.of(name):
            store.end(found.id)


def _add_role(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", choices=list(ROLES))


def _add_role_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--role", choices=list(ROLES), default=LEAST, help="default: %(default)s")


def _add_projects(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--only", action="append", metavar="PROJECT", help="may be given several times")
    which.add_argument("--all", action="store_true", help="plates of all projects, and of none")
    which.add_argument("--none", action="store_true", help="no plates")


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--file", type=Path, help="file that holds the password alone, mode 0600 (default: a prompt)")


def _add_token_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("label", help="what it is for")
    parser.add_argument("--role", choices=list(ROLES), help="at most the person's own, which is the default")
    parser.add_argument("--days", type=int, default=90, help="after which it is over (default %(default)s)")


def _add_number(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", type=int, help="of the token, as people tokens tells")


_ACTIONS = (
    ("add", _add, "let a person sign in", True),
    ("role", _role, "say what a person may do", True),
    ("projects", _projects, "say the plates of which projects a person sees", True),
    ("password", _password, "give a person of a local account a password", True),
    ("token", _token, "make a token for a program of a person, and print it", True),
    ("revoke", _revoke, "have a token count no more", False),
    ("list", _list, "list people", False),
    ("tokens", _tokens, "list tokens", False),
    ("remove", _remove, "let a person sign in no more", True),
)
_EXTRA = {
    "add": _add_role_option,
    "role": _add_role,
    "projects": _add_projects,
    "password": _add_file,
    "token": _add_token_options,
    "revoke": _add_number,
}
