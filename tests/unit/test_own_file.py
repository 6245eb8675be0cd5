"""Files of the viewer's own: opened for the first time by several at once."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from sqlalchemy import Column, Integer, MetaData, Table

from crystal_search.viewer.own_file import OwnFile

METADATA = MetaData()
for name in ("a", "b", "c"):
    Table(name, METADATA, Column("id", Integer, primary_key=True))


def test_several_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    together = threading.Barrier(4)

    def opened(path: Path) -> None:
        together.wait()
        OwnFile(path, METADATA, 1).close()

    with ThreadPoolExecutor(4) as threads:
        for number in range(10):
            list(threads.map(opened, [tmp_path / f"{number}.sqlite"] * 4))


def test_a_newer_program_adds_its_tables_to_an_older_file(tmp_path: Path) -> None:
    older, path = MetaData(), tmp_path / "a.sqlite"
    Table("a", older, Column("id", Integer, primary_key=True))
    OwnFile(path, older, 1).close()
    OwnFile(path, METADATA, 2).close()
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1").fetchall() == [
            ("a",),
            ("b",),
            ("c",),
        ]
