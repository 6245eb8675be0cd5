"""Who may sign in, who is signed in, tokens, and what happened: the file ``people.sqlite`` of a home.

Of sessions, tokens and passwords only hashes are kept.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from sqlalchemy import Delete

from crystal_search.errors import UserError
from crystal_search.viewer.own_file import OwnFile
from crystal_search.viewer.people import people_statements as statements
from crystal_search.viewer.people import people_tables as tables
from crystal_search.viewer.people.person import (
    TOKEN_BEGINS,
    Event,
    Person,
    Token,
    alike_as,
    digest_of_secret,
    new_secret,
)

SEEN_EVERY_S = 60.0  #: that a session is in use is noted so often


class PeopleStore:
    """People, their sessions and tokens, and what happened; safe to use from several threads and processes.

    Parameters
    ----------
    path
        The file; it is made where there is none, for this account alone.
    clock
        s since 1970, for tests.

    Raises
    ------
    DatabaseError
        If it cannot be used; every method raises this too.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._file = OwnFile(path, tables.metadata, tables.VERSION)

    def close(self) -> None:
        """Give back connections."""
        self._file.close()

    def person(self, name: str) -> Person | None:
        """Return a person; None where nobody is called so."""
        with self._file.transaction("look for a person") as connection:
            row = connection.execute(statements.person_called(name)).first()
        return _person(row) if row else None

    def people(self) -> list[Person]:
        """Return everybody, by name."""
        with self._file.transaction("list people") as connection:
            return [_person(row) for row in connection.execute(statements.all_people())]

    def alike(self, name: str) -> str:
        """Return who is there whom people would take this name for; empty where nobody is."""
        wanted = alike_as(name)
        return next((each.name for each in self.people() if alike_as(each.name) == wanted), "")

    def add(self, person: Person) -> None:
        """Add a person.

        Raises
        ------
        UserError
            If somebody is called so already, or would be taken for somebody else.
        """
        if taken := self.alike(person.name):
            raise UserError(f"{person.name} would be taken for {taken}, who is there already; choose another name")
        with self._file.transaction("add a person") as connection:
            connection.execute(tables.person.insert().values(_values(person)))

    def set_role(self, name: str, role: str) -> None:
        """Say what a person may do."""
        self._change(name, {"role": role})

    def set_projects(self, name: str, projects: tuple[str, ...] | None) -> None:
        """Say the plates of which projects a person sees; None: of all."""
        self._change(name, {"projects": _projects_text(projects)})

    def set_password(self, name: str, password: str) -> None:
        """Keep a person's hash, and end their sessions."""
        self._change(name, {"password": password}, statements.ending_all(name))

    def tie(self, name: str, subject: str) -> bool:
        """Tie a person to who it is at the OpenID provider; return whether they are, for they may be tied already."""
        with self._file.transaction("tie a person to a subject") as connection:
            return connection.execute(statements.tying(name, subject)).rowcount > 0

    def _change(self, name: str, values: Mapping[str, object], *then: Delete) -> None:
        """Change what is named alone: somebody else may change the rest meanwhile."""
        with self._file.transaction("change a person") as connection:
            if not connection.execute(statements.changing(name, values)).rowcount:
                raise UserError(f"there is no person {name}; crystal-search people list names all")
            for statement in then:
                connection.execute(statement)

    def remove(self, name: str) -> None:
        """Remove a person with their sessions and tokens; what they scored stays.

        Raises
        ------
        UserError
            If there is no such person.
        """
        if self.person(name) is None:
            raise UserError(f"there is no person {name}; crystal-search people list names all")
        with self._file.transaction("remove a person") as connection:
            connection.execute(statements.removing(name))

    def begin_session(self, name: str) -> str:
        """Return the secret of a new session."""
        secret, now = new_secret(), self._clock()
        row = {"digest": digest_of_secret(secret), "person": name, "began_s": now, "seen_s": now}
        with self._file.transaction("begin a session") as connection:
            connection.execute(tables.session.insert().values(row))
        return secret

    def in_session(self, secret: str, *, most_s: float, idle_s: float) -> Person | None:
        """Return whose session has this secret; None where there is none, or it is over."""
        digest, now = digest_of_secret(secret), self._clock()
        with self._file.transaction("look for a session") as connection:
            row = connection.execute(statements.session_of(digest)).first()
            if row is None or now - row.began_s >= most_s or now - row.seen_s >= idle_s:
                return None
            if now - row.seen_s >= SEEN_EVERY_S:
                connection.execute(statements.seeing(digest, now))
                connection.execute(statements.ending_old(now - most_s, now - idle_s))
            return _person(row)

    def end_session(self, secret: str) -> None:
        """End a session, if there is one."""
        with self._file.transaction("end a session") as connection:
            connection.execute(statements.ending(digest_of_secret(secret)))

    def add_token(self, name: str, *, label: str, role: str, seconds: float) -> str:
        """Return a new token of a person, which is told only now."""
        secret = TOKEN_BEGINS + new_secret()
        row = {"person": name, "label": label, "role": role, "digest": digest_of_secret(secret)}
        with self._file.transaction("make a token") as connection:
            connection.execute(tables.token.insert().values(row | {"ends_s": self._clock() + seconds}))
        return secret

    def with_token(self, secret: str) -> tuple[Person, str] | None:
        """Return whose token this is, and its role; None where there is none, or it is over."""
        with self._file.transaction("look for a token") as connection:
            row = connection.execute(statements.token_of(digest_of_secret(secret))).first()
        return (_person(row), row.token_role) if row and self._clock() < row.ends_s else None

    def tokens(self) -> list[Token]:
        """Return every token, the first one first."""
        with self._file.transaction("list tokens") as connection:
            rows = connection.execute(statements.all_tokens()).all()
        return [Token(**{each.name: getattr(row, each.name) for each in fields(Token)}) for row in rows]

    def revoke_token(self, token_id: int) -> bool:
        """Remove a token; return whether there was one."""
        with self._file.transaction("revoke a token") as connection:
            return connection.execute(statements.revoking(token_id)).rowcount > 0

    def note(self, happened: Event) -> None:
        """Keep that something happened, now."""
        row = asdict(happened) | {
            "at_s": self._clock(),
            "about": happened.about[:300],
            "address": happened.address[:60],
        }
        del row["id"]
        with self._file.transaction("note what happened") as connection:
            connection.execute(tables.event.insert().values(row))

    def events(self, *, before: int, count: int, person: str = "") -> list[Event]:
        """Return what happened, the last first: so many with ids below `before`, of one person if one is named."""
        with self._file.transaction("read what happened") as connection:
            rows = connection.execute(statements.last_events(before, count, person)).all()
        return [Event(**{each.name: getattr(row, each.name) for each in fields(Event)}) for row in rows]

    def count_events(self, person: str = "") -> int:
        """Return how many things happened."""
        with self._file.transaction("count what happened") as connection:
            return int(connection.scalar(statements.count_events(person)) or 0)


def _person(row: Any) -> Person:
    told = {each.name: getattr(row, each.name) for each in fields(Person)}
    projects = tuple(json.loads(row.projects)) if row.projects is not None else None
    return Person(**told | {"projects": projects})


def _values(person: Person) -> dict[str, object]:
    return asdict(person) | {"projects": _projects_text(person.projects)}


def _projects_text(projects: tuple[str, ...] | None) -> str | None:
    return json.dumps(projects) if projects is not None else None
