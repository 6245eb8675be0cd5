"""Passwords of local accounts, kept as argon2 hashes (RFC 9106, the second recommended choice: 64 MiB)."""

import threading
from functools import lru_cache
from typing import TYPE_CHECKING

from crystal_search.errors import ConfigError, UserError
from crystal_search.hostile_json import UNPRINTABLE

if TYPE_CHECKING:
    from argon2 import PasswordHasher

LEAST, MOST = 10, 1000  #: letters
AT_ONCE = threading.BoundedSemaphore(2)  #: each takes 64 MiB and a processor


def hashed(password: str) -> str:
    """Return what is kept of a password.

    Raises
    ------
    UserError
        If it is too short or too long, or has what no page of signing in takes.
    """
    if UNPRINTABLE.search(password):
        raise UserError("a password has letters, digits and signs, and no control characters")
    if not LEAST <= len(password) <= MOST:
        raise UserError(f"a password has {LEAST} to {MOST} letters, got {len(password)}")
    with AT_ONCE:
        return _hasher().hash(password)


def is_right(password: str, kept: str) -> bool:
    """Tell whether this is the password of which `kept` was kept; where nothing was, no takes as long."""
    from argon2.exceptions import VerificationError

    with AT_ONCE:
        try:
            return _hasher().verify(kept or _nobodys(), password[: MOST + 1]) and bool(kept)
        except VerificationError:
            return False


@lru_cache(maxsize=1)
def _nobodys() -> str:
    return _hasher().hash("of nobody")


@lru_cache(maxsize=1)
def _hasher() -> "PasswordHasher":
    try:
        from argon2 import PasswordHasher, profiles
    except ModuleNotFoundError:
        raise ConfigError("passwords need argon2: pip install 'crystal-search[sign-in]'") from None
    return PasswordHasher.from_parameters(profiles.RFC_9106_LOW_MEMORY)
