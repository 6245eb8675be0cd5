"""H2 in a process of its own, so that no test shares its memory with a Java machine: python -m tests.h2_server.

Whoever connects says a JDBC URL first, then calls; each connection is a JDBC connection in a thread. The process ends
with whoever started it.
"""

import os
import sys
import threading
from multiprocessing.connection import Connection, Listener
from typing import Any

import jpype
import jpype.dbapi2

from tests.h2_engines import JAR, KEY


def main() -> None:
    """Serve at the socket that the command line names."""
    jpype.startJVM(classpath=[JAR])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with Listener(sys.argv[1], authkey=KEY) as listener:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            threading.Thread(target=_serve, args=(listener.accept(),), daemon=True).start()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def _serve(pipe: Connection) -> None:
    database = None
    try:
        while True:
            call, *arguments = pipe.recv()
            try:
                if call == "open":
                    database = jpype.dbapi2.connect(arguments[0], driver="org.h2.Driver")
                    database.autocommit = False
                    answer: Any = None
                elif call in ("execute", "executemany"):
                    answer = _execute(database, call, *arguments)
                else:
                    getattr(database, call)()
                    answer = None
            except jpype.dbapi2.Error as error:
                pipe.send(("error", *_told(error)))
            else:
                pipe.send(("done", answer))
    except (EOFError, OSError):
        if database is not None:
            database.close()


def _execute(database: Any, call: str, statement: str, values: Any) -> tuple[Any, Any, int]:
    with database.cursor() as cursor:
        getattr(cursor, call)(statement, *([values] if values else []))
        if cursor.description is None:
            return None, None, int(cursor.rowcount)
        description = [(str(column[0]), None, None, None, None, None, None) for column in cursor.description]
        return description, [tuple(map(_plain, row)) for row in cursor.fetchall()], int(cursor.rowcount)


def _plain(value: Any) -> Any:
    """Return a value that no Java machine is needed to read."""
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def _told(error: Any) -> tuple[str, str]:
    """Return the SQLSTATE and the first line of an error of Java."""
    java = next((each for each in (error, error.__cause__) if hasattr(each, "getSQLState")), None)
    return str(java.getSQLState()) if java else "", str(error).splitlines()[0]


if __name__ == "__main__":
    main()
