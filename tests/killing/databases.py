"""Database servers of our own, which may be stopped and killed: nobody else uses them.

One that is not lasting keeps its files in memory where it can, and waits for no disk: it loses them with the machine.
"""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from crystal_search.server.imaging.sql_imaging import parsed
from tests.killing.robot import Act

PATIENCE_S = 60.0
MEMORY = "/dev/shm"  #: whose files are never written to a disk
PLACES = ("/usr/local/bin", "/usr/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin")))  #: beside the PATH's


class MissingError(Exception):
    """A program, or the right to run it, is missing here; the message says which."""


class Sqlite:
    """A file of each round's own; what can happen to it is that another program holds it."""

    def __init__(self, *, lasting: bool) -> None:
        self._away = False

    def database(self, home: Path, name: str) -> str:
        """Return the URL of a new database."""
        return f"sqlite:///{home / 'imaging.sqlite'}"

    def outage(self, url: str, where: float, seconds: float) -> Act:
        """Have another program write for so long."""
        if self._away:
            return
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=1.0)) as connection:
            with suppress(sqlite3.OperationalError):  # a full disk
                connection.execute("BEGIN IMMEDIATE")
            self._away = True
            yield seconds
        self._away = False

    def close(self) -> None:
        """There is nothing to stop."""


class Server:
    """A server process in a folder of its own, reached by a socket there."""

    in_order = signal.SIGTERM  #: ends it as an administrator does
    at_once = signal.SIGKILL  #: ends it as a crash does

    def __init__(self, url: str, place: str, command: list[str], user: str | None, folder: Path) -> None:
        self._url, self._place, self._command, self._user, self._folder = url, place, command, user, folder
        self._away = False
        self._process = self._started()

    def database(self, home: Path, name: str) -> str:
        """Return the URL of a new database."""
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers(f"CREATE DATABASE {name}"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._command[0]} does not answer; see {self._folder / 'server.log'}")
            time.sleep(0.2)
        return parsed(self._url).set(database=name).render_as_string(hide_password=False)

    def outage(self, url: str, where: float, seconds: float) -> Act:
        """End the server, in order or not, and start it again after some seconds."""
        if self._away:
            return
        self._away = True
        self._end(in_order=where < 0.5)
        yield seconds
        self._process = self._started()
        while not self._answers():
            yield 0.1
        self._away = False

    def close(self) -> None:
        """End the server and remove its files."""
        self._end(in_order=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _started(self) -> subprocess.Popen[bytes]:
        with (self._folder / "server.log").open("ab") as log:
            return subprocess.Popen(self._command, stdout=log, stderr=log, user=self._user, start_new_session=True)

    def _end(self, *, in_order: bool) -> None:
        self._process.send_signal(self.in_order if in_order else self.at_once)
        self._process.wait(PATIENCE_S)

    def _listens(self) -> bool:
        if self._process.poll() is not None:
            raise MissingError(f"{self._command[0]} ended; see {self._folder / 'server.log'}")
        with socket.socket(socket.AF_UNIX) as probe:  # PyMySQL leaves one open that finds nobody
            return probe.connect_ex(self._place) == 0

    def _answers(self, statement: str = "SELECT 1") -> bool:
        """Run a statement, if the server takes one yet."""
        if not self._listens():
            return False
        engine = create_engine(parsed(self._url), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.execute(text(statement))
        except OperationalError:
            return False
        finally:
            engine.dispose()
        return True


class Postgresql(Server):
    """PostgreSQL, as a user that is not root, which it refuses."""

    in_order, at_once = signal.SIGINT, signal.SIGQUIT  # SIGKILL would leave its other processes behind
    hasty = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")

    def __init__(self, *, lasting: bool) -> None:
        user = "postgres" if os.getuid() == 0 else None
        folder = _folder(user, lasting=lasting)
        data = folder / "data"
        _run([_program("initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync"], user, folder)
        words = [_program("postgres"), "-D", str(data), "-k", str(folder), "-c", "listen_addresses="]
        words += () if lasting else self.hasty
        url = f"postgresql://postgres@/postgres?host={folder}"
        super().__init__(url, str(folder / ".s.PGSQL.5432"), words, user, folder)


class Mariadb(Server):
    """MariaDB."""

    hasty = ("--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--sync-frm=0")

    def __init__(self, *, lasting: bool) -> None:
        user = "mysql" if os.getuid() == 0 else None
        folder = _folder(user, lasting=lasting)
        data, place = folder / "data", folder / "socket"
        install = [
            _program("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
        ]
        _run([*install, "--skip-test-db"], user, folder)
        words = [_program("mariadbd"), "--no-defaults", f"--datadir={data}", f"--socket={place}", "--skip-networking"]
        words += ["--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci"]  # as Debian sets it up
        words += () if lasting else self.hasty
        url = f"mariadb://root@localhost/mysql?unix_socket={place}"
        super().__init__(url, str(place), words, user, folder)


DATABASES: dict[str, Callable[..., Sqlite | Server]] = {
    "sqlite": Sqlite,
    "postgresql": Postgresql,
    "mariadb": Mariadb,
}


@contextmanager
def database_server(kind: str, *, lasting: bool = True) -> Iterator[Sqlite | Server]:
    """Run a server of a kind, as long as the block.

    Raises
    ------
    MissingError
        If it cannot be run here.
    """
    with closing(DATABASES[kind](lasting=lasting)) as server:
        yield server


def _program(name: str) -> str:
    found = shutil.which(name, path=":".join([os.environ.get("PATH", ""), *PLACES]))
    if not found:
        raise MissingError(f"there is no program {name}")
    return found


def _folder(user: str | None, *, lasting: bool) -> Path:
    """Return a new folder with a short path, since a socket's may have 107 characters."""
    memory = None if lasting or not os.access(MEMORY, os.W_OK) else MEMORY
    folder = Path(tempfile.mkdtemp(prefix="kills-", dir=memory))
    if user:
        try:
            shutil.chown(folder, user)
        except LookupError as error:
            raise MissingError(f"there is no user {user}, and root may not run this server") from error
    return folder


def _run(command: list[str], user: str | None, folder: Path) -> None:
    done = subprocess.run(command, user=user, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise MissingError(f"{command[0]} failed: {done.stderr[-500:]}")
