"""What went wrong in a database, said so that somebody can act on it, without passwords."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError

from crystal_search.errors import DatabaseError

#: Two writers met: SQLSTATE of PostgreSQL's deadlock and serialization failure, MariaDB's deadlock and lock timeout.
_TRY_AGAIN = ("40P01", "40001", 1213, 1205)


@contextmanager
def explained(engine: Engine, what: str) -> Iterator[None]:
    """Turn errors of SQLAlchemy and drivers into a `DatabaseError` that says `what` could not be done, and why.

    Raises
    ------
    DatabaseError
        If there was such an error within; passwords are left out of it.
    """
    try:
        yield
    except (SQLAlchemyError, UnicodeEncodeError, OverflowError) as error:
        url = engine.url.set(query={}).render_as_string(hide_password=True)  # a query may hold a password too
        message = f"imaging database {url}: cannot {what}: {_reason(engine, error)}; {_advice(error)}"
        raise DatabaseError(message) from error


def may_try_again(error: DBAPIError) -> bool:
    """Tell whether the same transaction may work when it is run once more."""
    if isinstance(error, IntegrityError):  # another writer added the same row a moment ago
        return True
    origin = error.orig
    code = getattr(origin, "sqlstate", None) or (origin.args[:1] or (None,))[0] if origin else None
    return code in _TRY_AGAIN


def _reason(engine: Engine, error: Exception) -> str:
    origin = getattr(error, "orig", None)
    reason = " ".join(str(origin or error).split()) or type(error).__name__
    password = engine.url.password
    return reason.replace(str(password), "***") if password else reason


def _advice(error: Exception) -> str:
    if isinstance(error, IntegrityError):
        return "the rows contradict those that are there, nothing was changed"
    if isinstance(error, OperationalError):
        return "check that it runs, that database_url in settings.toml is right, and that there is room on its disk"
    return "nothing was changed"
