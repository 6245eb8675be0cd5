"""The nouns of ``people.sqlite``: a person, a token, something that happened."""

import hashlib
import secrets
import unicodedata
from dataclasses import dataclass

TOKEN_BEGINS = "cs_"  #: so that people and searches for leaked secrets know one when they see it
MOST_LETTERS = 100  #: of a name


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who may sign in."""

    name: str  #: stands beside their scores
    role: str  #: of `roles.ROLES`
    projects: tuple[str, ...] | None = None  #: only plates of these are shown; None: all are
    password: str = ""  #: argon2's hash; empty: none
    subject: str = ""  #: who it is at the OpenID provider; empty before they signed in there


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a program shows in place of a person."""

    id: int
    person: str
    label: str  #: what it is for
    role: str  #: it may do what this role and its person's both may
    ends_s: float  #: since 1970


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened."""

    kind: str
    person: str = ""  #: who did it; empty where nobody was known
    address: str = ""  #: where the request came from; empty: the command line
    about: str = ""
    at_s: float = 0.0  #: since 1970; filled by the store
    id: int = 0  #: filled by the store


def alike_as(name: str) -> str:
    """Return what two names share that people take for the same.

    >>> alike_as("Ada B") == alike_as("ＡDA  b")
    True
    """
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def new_secret() -> str:
    """Return what nobody guesses: 256 random bits."""
    return secrets.token_urlsafe(32)


def digest_of_secret(secret: str) -> str:
    """Return what is kept of a secret of 256 random bits; nobody finds the secret of it."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
