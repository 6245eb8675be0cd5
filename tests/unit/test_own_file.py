"""Files of the viewer's own: opened for the first time by several at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
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
