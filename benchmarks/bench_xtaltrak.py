"""How fast an XtalTrak is looked at and written to: ``python -m benchmarks.bench_xtaltrak --known 15700000``.

It makes a played XtalTrak in SQLite with so many images that are known, and the indexes that XtalTrak's own programs
need: on the numbers of drops and scores, and on barcodes. There is no Oracle server; what is measured is how much is
looked at.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Engine, Index, create_engine, text

from benchmarks.table import Row, table
from crystal_search.server.facility.foreign_sql import begin_writing
from crystal_search.server.facility.xtaltrak_database import XtalTrakDatabase
from crystal_search.server.facility.xtaltrak_played import make_tables
from crystal_search.server.facility.xtaltrak_pull import XtalTrakMark
from crystal_search.server.facility.xtaltrak_schema import XtalTrakSite, XtalTrakTables, xtaltrak_tables
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.server.services.facility_exchange import PULL_ROWS, PUSH_SCORES
from crystal_search.wells import WellKey
from tests.xtaltrak_site import scored

ROWS, COLUMNS, SUB_WELLS, INSPECTIONS = 8, 12, 3, 10  #: of every plate
DROPS = ROWS * COLUMNS * SUB_WELLS
FILLING = (
    "INSERT INTO I_INSPECTIONS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :known) "
    "SELECT i + 1, 'K' || (i / 2880), i / 288 % 10 + 1, '2026-01-05 08:30:00.000000', "
    "i / 3 % 12 + 1, i / 36 % 8 + 1, i % 3 + 1 FROM n",
    "INSERT INTO I_IMAGES SELECT INSPECTID, INSPECTID || '_HF_99.jpg' FROM I_INSPECTIONS",
)


def fill(engine: Engine, tables: XtalTrakTables, known: int) -> None:
    """Make the tables with `known` images in them."""
    make_tables(engine, tables)
    with engine.begin() as connection:
        for statement in FILLING:
            connection.execute(text(statement), {"known": known} if ":known" in statement else {})
        for name, column in (
            ("inspections", tables.inspections.c.inspectid),
            ("images", tables.images.c.inspectid),
            ("scores", tables.scores.c.inspectid),
            ("numbers", tables.scores.c.scoreid),
            ("plates", tables.inspections.c.barcodeid),
        ):
            Index(f"ix_{name}", column).create(connection)


def image(number: int) -> NewImage:
    """Return an image that is known, by the number of its drop from 0."""
    key = WellKey(
        plate=f"K{number // (DROPS * INSPECTIONS)}",
        row=number // (COLUMNS * SUB_WELLS) % ROWS,
        column=number // SUB_WELLS % COLUMNS,
        drop=number % SUB_WELLS + 1,
        inspection=number // DROPS % INSPECTIONS + 1,
    )
    return NewImage(key=key, path=f"/images/{key.plate}/{key.inspection}/{number + 1}_HF_99.jpg")


def took(work: Callable[[], object]) -> float:
    """Return how many seconds something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def rows(known: int) -> Iterator[Row]:
    """Fill a database and measure."""
    with tempfile.TemporaryDirectory() as folder:
        engine = begin_writing(create_engine(f"sqlite:///{Path(folder) / 'site.sqlite'}"))
        tables = xtaltrak_tables({}, owner="")
        yield Row(f"fill XtalTrak with {known:,} images", f"{took(lambda: fill(engine, tables, known)):.0f} s")
        facility = XtalTrakDatabase(engine, tables, XtalTrakSite(channels={"*_HF_99*": "visible"}), str)
        mark = XtalTrakMark(drop=known - 1000, highest=known).text
        seconds = min(took(lambda: facility.pull(mark, limit=PULL_ROWS)) for _ in range(5))
        yield Row(f"look for new images, {known:,} known", f"{seconds:.3f} s", "1 s", seconds <= 1)
        new = [scored(image(known - 1 - number), number) for number in range(min(known, PUSH_SCORES))]
        for what in ("new", "again"):
            rate = len(new) / took(lambda: facility.push(new))
            yield Row(f"push {len(new):,} scores, {what}", f"{rate:,.0f} /s", "1,000 /s", rate >= 1000)
        facility.close()


def main() -> int:
    """Measure and print a table; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--known", type=int, default=200_000, help="images that are known (default %(default)s)")
    found = list(rows(parser.parse_args().known))
    print(table(found))
    return int(any(row.reached is False for row in found))


if __name__ == "__main__":
    sys.exit(main())
