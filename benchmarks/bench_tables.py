"""How fast the tables of a whole installation are written.

``python -m benchmarks.bench_tables --images 50000`` makes an installation of plates of 288 drops, all scored, one in
30 by a person too, with owners and conditions, and prints how many rows a second each table is written at, as CSV and
as Parquet, by the clock and by this process's processor time.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import create_engine, update

from benchmarks.bench_plate_list import fill, fill_facts
from crystal_search.server.home import Home
from crystal_search.server.imaging import schema
from crystal_search.server.imaging.sql_imaging import open_imaging, parsed
from crystal_search.server.installation import opened
from crystal_search.server.settings import Settings
from crystal_search.viewer.tables.table_files import WRITERS, write_table
from crystal_search.viewer.tables.whole_tables import WHOLE_TABLES

DROPS = 288
MODELS = [
    {"role": "classifier", "sha256": "c" * 64, "name": "bench-net"},
    {"role": "drop", "sha256": "d" * 64, "name": "bench-drop"},
]


def made_home(folder: Path, images: int) -> Home:
    """Return an installation with so many images, in whole plates."""
    home = Home(folder / "home").made()
    url = Settings().url(home)
    open_imaging(url).close()
    engine = create_engine(parsed(url))
    fill(engine, images // DROPS, DROPS)
    fill_facts(engine, images // DROPS)
    with engine.begin() as connection:
        connection.execute(update(schema.recipe).values(models=json.dumps(MODELS)))
    engine.dispose()
    return home


def measure(home: Home, folder: Path) -> None:
    """Print a line for each table and kind of file."""
    for name, table in WHOLE_TABLES.items():
        for suffix in WRITERS:
            path = folder / f"{name}{suffix}"
            with opened(home.path, create=False) as site:
                began, busy = time.perf_counter(), time.process_time()
                rows = write_table(path, table.columns, table.rows(site))
                took, worked = time.perf_counter() - began, time.process_time() - busy
            speed = f"{rows / took:8.0f} rows/s, processor {rows / worked:8.0f} rows/s"
            print(f"{path.name:16} {rows:8} rows {speed}, {path.stat().st_size / 1e6:.1f} MB", flush=True)


def main(words: Sequence[str] | None = None) -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=50_000)
    arguments = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        measure(made_home(Path(folder), arguments.images), Path(folder))


if __name__ == "__main__":
    main()
