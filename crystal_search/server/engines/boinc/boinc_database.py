"""What the BOINC server's own database says."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from crystal_search.errors import EngineError
from crystal_search.server.engines.boinc.app_versions import AppVersion
from crystal_search.server.engines.boinc.boinc_failures import CLIENT_ERROR, OUTCOMES, FailedCopy
from crystal_search.server.engines.boinc.boinc_load import HOUR_S, IN_PROGRESS, MEASURED, OURS, OVER, SUCCESS
from crystal_search.server.engines.boinc.project import APP, Project

if TYPE_CHECKING:
    import pymysql

UNCHECKED, INVALID = 0, 2  #: result.validate_state
ASSIMILATED = 2  #: workunit.assimilate_state
AT_ONCE = 1000  #: names in one query
GONE_S = HOUR_S  #: a host that asked for nothing since then is off, or has left: a client tells nobody that it leaves
GONE_POLLS = 4  #: the same, in times that clients wait between two questions

#: sched/sched_shmem.cpp of release 1.6 loads these, unless an application's min_version keeps older ones for jobs that
#: ask for them; ours ask for none.
NEWEST_VERSIONS = f"""
SELECT this.version_num, platform.name, this.plan_class, this.xml_doc
FROM app_version this JOIN platform ON platform.id = this.platformid JOIN app ON app.id = this.appid
WHERE app.name = '{APP}' AND this.deprecated = 0 AND platform.deprecated = 0 AND this.version_num >= app.min_version
AND NOT EXISTS (
    SELECT 1 FROM app_version newer WHERE newer.deprecated = 0 AND newer.version_num > this.version_num
    AND (newer.appid, newer.platformid, newer.plan_class) = (this.appid, this.platformid, this.plan_class)
)
ORDER BY platform.name, this.plan_class
"""

#: What is read of a job `w` and its copies `r`, by the fields of Job. Times are compared by the server's own clock.
_OF_A_JOB: dict[str, tuple[str, type]] = {
    "id": ("w.id", int),
    "name": ("w.name", str),
    "error_mask": ("w.error_mask", int),
    "assimilated": (f"w.assimilate_state = {ASSIMILATED}", bool),
    "in_progress": (f"COALESCE(SUM(r.server_state = {IN_PROGRESS}), 0)", int),
    "unsent": (f"COALESCE(SUM(r.server_state < {IN_PROGRESS}), 0)", int),
    "over": (f"COALESCE(SUM(r.server_state = {OVER}), 0)", int),
    "silent_s": (f"COALESCE(UNIX_TIMESTAMP() - MAX(IF(r.server_state = {IN_PROGRESS}, r.sent_time, NULL)), 0)", int),
    "quorum": ("w.min_quorum", int),
    "extra": ("w.target_nresults - w.min_quorum", int),
    "to_validate": (
        f"COALESCE(SUM(r.outcome = {SUCCESS} AND r.validate_state = {UNCHECKED}) > 0 "
        f"AND SUM(r.outcome = {SUCCESS} AND r.validate_state <> {INVALID}) >= w.min_quorum, 0)",
        bool,
    ),
    "to_transition": ("w.transition_time <= UNIX_TIMESTAMP()", bool),
}
_JOBS = f"""
    SELECT {", ".join(column for column, _ in _OF_A_JOB.values())}
    FROM workunit w LEFT JOIN result r ON r.workunitid = w.id
    WHERE w.name IN ({{marks}})
    GROUP BY w.id, w.name, w.error_mask, w.assimilate_state, w.target_nresults, w.min_quorum, w.transition_time
"""

#: BOINC's transitioner makes copies until `target_nresults` of them are out or good (sched/transitioner.cpp, 1.6.2).
#: With adaptive replication a single copy was meant for a trusted host; the next may reach any, so two must agree then.
_ANOTHER_COPY = """
    UPDATE workunit w SET
        w.target_nresults = 1 + GREATEST(
            w.target_nresults, w.min_quorum, (SELECT a.target_nresults FROM app a WHERE a.id = w.appid)
        ),
        w.min_quorum = GREATEST(w.min_quorum, (SELECT a.target_nresults FROM app a WHERE a.id = w.appid)),
        w.max_total_results = w.max_total_results + 1,
        w.max_success_results = w.max_success_results + 1,
        w.transition_time = UNIX_TIMESTAMP()
    WHERE w.id = %s AND w.target_nresults - w.min_quorum = %s AND w.error_mask = 0 AND w.canonical_resultid = 0
"""

#: Hosts that may take our work: they asked not long ago, and were sent some before.
_ABLE = f"""
    SELECT h.id, h.userid FROM host h WHERE h.rpc_time > UNIX_TIMESTAMP() - %s
    AND EXISTS (SELECT 1 FROM result r WHERE r.hostid = h.id AND r.{OURS})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A work unit as the BOINC server knows it."""

    id: int
    name: str
    error_mask: int
    assimilated: bool
    in_progress: int  #: copies that volunteers have
    unsent: int = 0  #: copies that nobody has yet
    silent_s: int = 0  #: since a volunteer was sent the last of the copies in progress
    over: int = 0  #: copies that volunteers had
    quorum: int = 1  #: results that must agree
    extra: int = 0  #: copies that are wanted beyond the quorum
    to_validate: bool = False  #: whether results are back that may be enough
    to_transition: bool = False  #: whether BOINC's transitioner is about to look at it, and may make copies


class Jobs(Protocol):
    """What the engine asks of the server's database."""

    def jobs(self, names: Sequence[str]) -> dict[str, Job]:
        """Return by name those of these jobs that the server knows."""

    def failed_copies(self, job_id: int) -> list[FailedCopy]:
        """Return the copies of a job that ended in vain."""

    def want_another_copy(self, job: Job) -> None:
        """Have the server send a job to one host more, unless it is over or another copy was asked for meanwhile."""

    def nobody_left_for(self, jobs: Sequence[Job]) -> list[Job]:
        """Return those of these jobs of which every host has had a copy, while another waits to be sent."""

    def versions(self) -> list[AppVersion]:
        """Return the versions of the application that volunteers get."""


class BoincDatabase:
    """The server's MariaDB or MySQL, by the credentials in the project's ``config.xml``."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def jobs(self, names: Sequence[str]) -> dict[str, Job]:
        """Return by name those of these jobs that the server knows."""
        found = []
        with self.cursor() as cursor:
            for start in range(0, len(names), AT_ONCE):
                chunk = names[start : start + AT_ONCE]
                cursor.execute(_JOBS.format(marks=", ".join(["%s"] * len(chunk))), chunk)
                found += [_job(row) for row in cursor.fetchall()]
        return {job.name: job for job in found}

    def failed_copies(self, job_id: int) -> list[FailedCopy]:
        """Return the copies of a job that ended in vain."""
        outcomes = (CLIENT_ERROR, *OUTCOMES)
        with self.cursor() as cursor:
            cursor.execute(
                "SELECT name, hostid, outcome, exit_status, stderr_out FROM result "
                f"WHERE workunitid = %s AND outcome IN ({', '.join(['%s'] * len(outcomes))}) ORDER BY id",
                (job_id, *outcomes),
            )
            return [
                FailedCopy(name=name, host_id=host, outcome=outcome, exit_status=code, stderr=_text(stderr))
                for name, host, outcome, code, stderr in cursor.fetchall()
            ]

    def want_another_copy(self, job: Job) -> None:
        """Have the server send a job to one host more, unless it is over or another copy was asked for meanwhile."""
        with self.cursor() as cursor:
            cursor.execute(_ANOTHER_COPY, (job.id, job.extra))

    def nobody_left_for(self, jobs: Sequence[Job]) -> list[Job]:
        """Return those of these jobs of which every host has had a copy, while another waits to be sent.

        A host counts that asked for work within the last hour (GONE_S, GONE_POLLS). Where one a user is sent out
        (sched/sched_check.cpp), users count. Too few for a quorum would only compute the same for ever: such jobs wait
        for one more.
        """
        waiting = [job for job in jobs if job.unsent and job.over and not job.in_progress and not job.error_mask]
        if not waiting:
            return []
        column = 1 if self._project.one_copy_per_user else 0
        had: dict[int, set[int]] = {job.id: set() for job in waiting}
        with self.cursor() as cursor:
            cursor.execute(_ABLE, (max(GONE_S, GONE_POLLS * self._project.poll_s),))
            able = {host[column] for host in cursor.fetchall()}
            for start in range(0, len(waiting), AT_ONCE):
                numbers = [job.id for job in waiting[start : start + AT_ONCE]]
                marks = ", ".join(["%s"] * len(numbers))
                cursor.execute(f"SELECT hostid, userid, workunitid FROM result WHERE workunitid IN ({marks})", numbers)
                for copy in cursor.fetchall():
                    had[copy[2]].add(copy[column])
        return [job for job in waiting if job.quorum <= len(able) and able <= had[job.id]]

    def versions(self) -> list[AppVersion]:
        """Return the versions that volunteers get, the newest of each platform and plan class."""
        with self.cursor() as cursor:
            cursor.execute(NEWEST_VERSIONS)
            return [_version(*row) for row in cursor.fetchall()]

    def highest_version(self) -> int:
        """Return the highest number of a version that the server knows, 0 when it knows none."""
        with self.cursor() as cursor:
            cursor.execute(f"SELECT COALESCE(MAX(version_num), 0) FROM app_version WHERE {OURS}")
            return int(cursor.fetchone()[0])

    def load(self) -> dict[str, int]:
        """Return how much the server has to do and who does it, by the names of MEASURED."""
        query = ", ".join(f"({number})" for number in MEASURED.values())
        with self.cursor() as cursor:
            cursor.execute(f"SELECT {query}")
            return {name: int(number) for name, number in zip(MEASURED, cursor.fetchone(), strict=True)}

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


def _job(row: Sequence[Any]) -> Job:
    columns = zip(_OF_A_JOB.items(), row, strict=True)
    return Job(**{name: kind(value) for (name, (_, kind)), value in columns})


def _text(stored: bytes | str | None) -> str:
    return stored.decode("utf-8", errors="replace") if isinstance(stored, bytes) else stored or ""


def _version(number: int, platform: str, plan_class: str, xml_doc: bytes | str) -> AppVersion:
    return AppVersion(
        number=number,
        platform=f"{platform}__{plan_class}" if plan_class else platform,
        files=frozenset(re.findall(r"<file_name>([^<]+)</file_name>", _text(xml_doc))),
    )
