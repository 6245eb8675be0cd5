"""A password that stands in no setting: in a file that only this account may read, or in an environment variable."""

import os
import stat
from pathlib import Path

from crystal_search.errors import ConfigError

ONLY_OURS = 0o077  #: what a password's file must not allow: anything to the group, or to others


def stored_password(table: str, *, file: str, variable: str) -> str:
    """Return the password that the settings' table `table` means; empty where it names neither file nor variable.

    Raises
    ------
    ConfigError
        If it names both, the file may be read by others, or there is no such file or variable.
    """
    if file and variable:
        raise ConfigError(f"[{table}] says password_file and password_variable; keep one of them")
    if file:
        return password_in(Path(file))
    if not variable:
        return ""
    if variable not in os.environ:
        raise ConfigError(f"[{table}] says password_variable, but there is no {variable} here")
    return os.environ[variable]


def password_in(path: Path) -> str:
    """Return the password in a file.

    Raises
    ------
    ConfigError
        If it cannot be read, or others may read it, too.
    """
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode) or mode & ONLY_OURS:
                raise ConfigError(f"{path} holds a password, so others must not read it: chmod 0600 {path}")
            return file.read().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ConfigError(f"{path}: the password cannot be read: {reason}") from None
