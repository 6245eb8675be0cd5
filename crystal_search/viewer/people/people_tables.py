"""The tables of ``people.sqlite``: who may sign in, who is signed in, tokens, and what happened."""

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

VERSION = 1  #: SQLite's ``user_version``

metadata = MetaData()


def _person() -> Column[str]:
    return Column("person", String(100), ForeignKey("person.name", ondelete="CASCADE"), nullable=False)


person = Table(
    "person",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("role", String(20), nullable=False),
    Column("projects", Text, comment="JSON, whose plates are shown; NULL: all plates"),
    Column("password", String(200), nullable=False, server_default="", comment="argon2; empty: none"),
    Column("subject", String(600), nullable=False, server_default="", comment="who it is at the OpenID provider"),
)
session = Table(
    "session",
    metadata,
    Column("digest", String(64), primary_key=True, comment="SHA-256 of the cookie"),
    _person(),
    Column("began_s", Float, nullable=False, comment="since 1970"),
    Column("seen_s", Float, nullable=False, comment="since 1970, to a minute"),
)
token = Table(
    "token",
    metadata,
    Column("id", Integer, primary_key=True),
    _person(),
    Column("label", String(100), nullable=False, comment="what it is for"),
    Column("role", String(20), nullable=False, comment="it may do what this role and its person's both may"),
    Column("digest", String(64), nullable=False, unique=True, comment="SHA-256 of the token"),
    Column("ends_s", Float, nullable=False, comment="since 1970"),
)
event = Table(
    "event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at_s", Float, nullable=False, comment="since 1970"),
    Column("kind", String(30), nullable=False),
    Column("person", String(100), nullable=False, comment="who did it; empty where nobody was known"),
    Column("address", String(60), nullable=False, comment="where the request came from; empty: the command line"),
    Column("about", String(300), nullable=False),
    Index("ix_event_person", "person", "id"),
)
