"""Database servers of our own, which may be stopped and killed: nobody else uses them."""

import os
import shutil
import signal
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
PLACES = ("/usr/local/bin", "/usr/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin")))  #: beside the PATH's


class MissingError(Exception):
    """A program, or the right to run it, is missing here; the message says which."""


class Sqlite:
    """A file of each round's own; what can happen to it is that another program holds it."""

    _away = False

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

    def __init__(self, url: str, command: list[str], user: str | None, folder: Path) -> None:
        self._url, self._command, self._user, self._folder = url, command, user, folder
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

    def _answers(self, statement: str = "SELECT 1") -> bool:
        """Run a statement, if the server takes one yet."""
        engine = create_engine(parsed(self._url), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.execute(text(statement))
        except OperationalError:
            if self._process.poll() is not None:
                raise
            return False
        finally:
            engine.dispose()
        return True


class Postgresql(Server):
    """PostgreSQL, as a user that is not root, which it refuses."""

    in_order, at_once = signal.SIGINT, signal.SIGQUIT  # SIGKILL would leave its other processes behind

    def __init__(self) -> None:
        user = "postgres" if os.getuid() == 0 else None
        folder = _folder(user)
        data = folder / "data"
        _run([_program("initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"], user, folder)
        words = [_program("postgres"), "-D", str(data), "-k", str(folder), "-c", "listen_addresses="]
        super().__init__(f"postgresql://postgres@/postgres?host={folder}", words, user, folder)


class Mariadb(Server):
    """MariaDB."""

    def __init__(self) -> None:
        user = "mysql" if os.getuid() == 0 else None
        folder = _folder(user)
        data, socket = folder / "data", folder / "socket"
        install = [
            _program("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
        ]
        _run([*install, "--skip-test-db"], user, folder)
        words = [_program("mariadbd"), "--no-defaults", f"--datadir={data}", f"--socket={socket}", "--skip-networking"]
        super().__init__(f"mariadb://root@localhost/mysql?unix_socket={socket}", words, user, folder)


DATABASES: dict[str, Callable[[], Sqlite | Server]] = {"sqlite": Sqlite, "postgresql": Postgresql, "mariadb": Mariadb}


@contextmanager
def database_server(kind: str) -> Iterator[Sqlite | Server]:
    """Run a server of a kind, as long as the block.

    Raises
    ------
    MissingError
        If it cannot be run here.
    """
    with closing(DATABASES[kind]()) as server:
        yield server


def _program(name: str) -> str:
    found = shutil.which(name, path=":".join([os.environ.get("PATH", ""), *PLACES]))
    if not found:
        raise MissingError(f"there is no program {name}")
    return found


def _folder(user: str | None) -> Path:
    """Return a new folder with a short path, since a socket's may have 107 characters."""
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
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
