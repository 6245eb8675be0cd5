"""What the BOINC server's own database says."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from crystal_search.errors import EngineError
from crystal_search.server.engines.boinc.project import APP, Project

if TYPE_CHECKING:
    import pymysql

UNSENT, IN_PROGRESS = 2, 4  #: result.server_state
SUCCESS, CLIENT_ERROR, NO_REPLY, VALIDATE_ERROR = 1, 3, 4, 6  #: result.outcome
ASSIMILATED = 2  #: workunit.assimilate_state
COULD_NOT_BE_SENT, CANCELLED = 1, 16  #: bits of workunit.error_mask that say nothing about the work
AT_ONCE = 1000  #: names in one query
STDERR_CHARACTERS = 2000
DAY_S = 86_400

_OURS = f"appid = (SELECT id FROM app WHERE name = '{APP}')"
_LAST_DAY = f"received_time > UNIX_TIMESTAMP() - {DAY_S}"

#: What a server has to do, and who does it: the rows that are counted.
COUNTED = {
    "unsent": f"result WHERE {_OURS} AND server_state = {UNSENT}",
    "in_progress": f"result WHERE {_OURS} AND server_state = {IN_PROGRESS}",
    "to_validate": f"workunit WHERE {_OURS} AND need_validate = 1",
    "to_assimilate": f"workunit WHERE {_OURS} AND assimilate_state = 1",
    "errors_last_day": f"result WHERE {_OURS} AND outcome IN ({CLIENT_ERROR}, {VALIDATE_ERROR}) AND {_LAST_DAY}",
    "successes_last_day": f"result WHERE {_OURS} AND outcome = {SUCCESS} AND {_LAST_DAY}",
    "hosts_last_day": f"host WHERE rpc_time > UNIX_TIMESTAMP() - {DAY_S}",
    "hosts": "host",
    "users": "user",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A work unit as the BOINC server knows it."""

    id: int
    name: str
    error_mask: int
    assimilated: bool
    in_progress: int  #: copies that volunteers have

    @property
    def is_lost(self) -> bool:
        """Whether it came to nothing for a reason that lies in no image: nobody to send it to, or cancelled."""
        return bool(self.error_mask & (COULD_NOT_BE_SENT | CANCELLED))


class Jobs(Protocol):
    """What the engine asks of the server's database."""

    def jobs(self, names: Sequence[str]) -> dict[str, Job]:
        """Return by name those of these jobs that the server knows."""

    def troubles(self, job_id: int) -> list[str]:
        """Return what went wrong with each copy of a job that failed."""


class BoincDatabase:
    """The server's MariaDB or MySQL, by the credentials in the project's ``config.xml``."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def jobs(self, names: Sequence[str]) -> dict[str, Job]:
        """Return by name those of these jobs that the server knows."""
        found: dict[str, Job] = {}
        with self.cursor() as cursor:
            for start in range(0, len(names), AT_ONCE):
                chunk = names[start : start + AT_ONCE]
                marks = ", ".join(["%s"] * len(chunk))
                cursor.execute(
                    "SELECT w.id, w.name, w.error_mask, w.assimilate_state, "
                    f"(SELECT COUNT(*) FROM result r WHERE r.workunitid = w.id AND r.server_state = {IN_PROGRESS}) "
                    f"FROM workunit w WHERE w.name IN ({marks})",
                    chunk,
                )
                for number, name, mask, state, running in cursor.fetchall():
                    found[name] = Job(
                        id=number, name=name, error_mask=mask, assimilated=state == ASSIMILATED, in_progress=running
                    )
        return found

    def troubles(self, job_id: int) -> list[str]:
        """Return what went wrong with each copy of a job that failed."""
        with self.cursor() as cursor:
            cursor.execute(
                "SELECT name, hostid, outcome, exit_status, stderr_out FROM result "
                "WHERE workunitid = %s AND outcome IN (%s, %s, %s) ORDER BY id",
                (job_id, CLIENT_ERROR, NO_REPLY, VALIDATE_ERROR),
            )
            return [_trouble(*row) for row in cursor.fetchall()]

    def load(self) -> dict[str, int]:
        """Return how much the server has to do and who does it, by the names of COUNTED."""
        query = ", ".join(f"(SELECT COUNT(*) FROM {what})" for what in COUNTED.values())
        with self.cursor() as cursor:
            cursor.execute(f"SELECT {query}")
            return dict(zip(COUNTED, cursor.fetchone(), strict=True))

    @contextmanager
    def cursor(self) -> "Iterator[pymysql.cursors.Cursor]":
        """Give a cursor, whose changes stay, on a connection of its own: engines wait longer than connections live.

        Raises
        ------
        EngineError
            If the database cannot be reached or does not answer as a BOINC server's does.
        """
        try:
            import pymysql
        except ModuleNotFoundError as error:
            raise EngineError("the BOINC engine needs pymysql: pip install 'crystal-search[mariadb]'") from error
        try:
            connection = pymysql.connect(**self._where(), connect_timeout=20, read_timeout=120, autocommit=True)
            try:
                with connection.cursor() as cursor:
                    yield cursor
            finally:
                connection.close()
        except pymysql.Error as error:
            raise EngineError(f"the BOINC server's database {self._project.db_name}: {error}") from error

    def _where(self) -> dict[str, Any]:
        """Return how to connect; MySQL's own programs take ``localhost`` for the socket."""
        project = self._project
        where: dict[str, Any] = {
            "user": project.db_user,
            "password": project.db_password,
            "database": project.db_name,
            "charset": "utf8mb4",
        }
        sockets = ("/run/mysqld/mysqld.sock", "/var/run/mysqld/mysqld.sock", "/tmp/mysql.sock")
        here = [path for path in sockets if os.path.exists(path)]
        if project.db_host == "localhost" and here:
            return where | {"unix_socket": here[0]}
        host, _, port = project.db_host.partition(":")
        return where | {"host": host, "port": int(port or 3306)}


def _trouble(name: str, host: int, outcome: int, exit_status: int, stderr: bytes | str | None) -> str:
    what = {
        CLIENT_ERROR: f"ended with exit code {exit_status}",
        NO_REPLY: "never came back",
        VALIDATE_ERROR: "returned a result that was refused",
    }[outcome]
    text = stderr.decode("utf-8", errors="replace") if isinstance(stderr, bytes) else stderr or ""
    end = text.strip()[-STDERR_CHARACTERS:]
    return f"{name} on host {host} {what}" + (f"; it said:\n{end}" if end else "")
