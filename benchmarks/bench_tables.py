"""How fast the tables of a whole installation are written.

``python -m benchmarks.bench_tables --images 50000`` makes an installation of plates of 288 drops, all scored, one in
30 by a person too, with owners and conditions, five crystals in one of ten, and prints how many rows a second each
table is written at, as CSV and as Parquet, by the clock and by this process's processor time.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, create_engine, select, update

from benchmarks.bench_plate_list import fill, fill_facts
from crystal_search.crystal import Crystal
from crystal_search.result_crystals import plain_crystals
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
        add_crystals(connection)
    engine.dispose()
    return home


def add_crystals(connection: Connection) -> None:
    """Have a detector have found five crystals in one image of ten, with outlines of 16 corners."""
    turns = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    outline = tuple((400 + 10 * float(np.sin(turn)), 600 + 40 * float(np.cos(turn))) for turn in turns)
    place = {"row": 400.0, "column": 600.0, "long_px": 80.0, "short_px": 20.0, "angle_rad": 0.0}
    crystals = plain_crystals(5 * (Crystal(probability=0.9, outline=outline, **place),))
    columns = schema.score.c
    told = (columns.image_id, columns.scored_at, columns.recipe_id, columns.outcome, columns.probability)
    some = select(*told, columns.above_threshold, columns.found).where(columns.id % 10 == 0, columns.person.is_(None))
    rows = [
        dict(row) | {"work_unit": "crystals", "found": json.dumps(json.loads(row["found"]) | {"crystals": crystals})}
        for row in connection.execute(some).mappings().all()
    ]
    connection.execute(schema.score.insert(), rows)


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
