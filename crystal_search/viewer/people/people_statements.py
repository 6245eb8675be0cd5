"""Every statement about ``people.sqlite``, one a function."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Delete, Select, Update, delete, func, select, update

from crystal_search.viewer.people.people_tables import event, person, session, token

Query = Select[Any]


def person_called(name: str) -> Query:
    """Select one person."""
    return select(person).where(person.c.name == name)


def all_people() -> Query:
    """Select everybody, by name."""
    return select(person).order_by(person.c.name)


def changing(name: str, values: Mapping[str, object]) -> Update:
    """Change what is said of a person."""
    return update(person).where(person.c.name == name).values(dict(values))


def tying(name: str, subject: str) -> Update:
    """Say who a person is at the OpenID provider, unless somebody else is already."""
    free = person.c.subject.in_(("", subject))
    return update(person).where(person.c.name == name, free).values(subject=subject)


def removing(name: str) -> Delete:
    """Remove a person, and with them their sessions and tokens."""
    return delete(person).where(person.c.name == name)


def session_of(digest: str) -> Query:
    """Select a session and its person."""
    return (
        select(session.c.began_s, session.c.seen_s, person).join_from(session, person).where(session.c.digest == digest)
    )


def seeing(digest: str, now_s: float) -> Update:
    """Note that a session is in use."""
    return update(session).where(session.c.digest == digest).values(seen_s=now_s)


def ending(digest: str) -> Delete:
    """End a session."""
    return delete(session).where(session.c.digest == digest)


def ending_all(name: str) -> Delete:
    """End every session of a person."""
    return delete(session).where(session.c.person == name)


def ending_old(began_before_s: float, seen_before_s: float) -> Delete:
    """End the sessions that are too old, or were not in use for too long."""
    return delete(session).where((session.c.began_s < began_before_s) | (session.c.seen_s < seen_before_s))


def token_of(digest: str) -> Query:
    """Select a token and its person."""
    of_token = (token.c.ends_s, token.c.role.label("token_role"))
    return select(*of_token, person).join_from(token, person).where(token.c.digest == digest)


def all_tokens() -> Query:
    """Select every token, the first one first."""
    return select(token).order_by(token.c.id)


def revoking(token_id: int) -> Delete:
    """Remove a token."""
    return delete(token).where(token.c.id == token_id)


def last_events(before: int, count: int, who: str) -> Query:
    """Select what happened, the last first, from below an id on; of one person where one is named."""
    found = select(event).where(event.c.id < before).order_by(event.c.id.desc()).limit(count)
    return found.where(event.c.person == who) if who else found


def count_events(who: str) -> Query:
    """Select how many things happened."""
    found = select(func.count()).select_from(event)
    return found.where(event.c.person == who) if who else found
