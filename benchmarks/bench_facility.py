"""How fast ISPyB is pulled from and pushed to: the real schema on a MariaDB, with many images that are known.

``python -m benchmarks.bench_facility --known 15700000`` makes a database on the server (the tests' one, or
``CRYSTAL_SEARCH_TEST_MARIADB``), fills it, measures, and drops it. With ``--release FOLDER``, an unpacked release of
ispyb-database, scores go by its procedure; else by rows.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, create_engine, text

from benchmarks.bench_imaging import score
from benchmarks.table import Row, table
from crystal_search.server.facility.ispyb_database import IspybDatabase
from crystal_search.server.imaging.adding_rules import batches
from crystal_search.server.imaging.imaging_database import ImagingDatabase, ScoredImage
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.imaging.stored_images import NewImage, StoredImage
from crystal_search.server.services.facility_exchange import PUSH_SCORES, pull
from crystal_search.wells import WellKey
from tests.integration.test_ispyb_release import load, server
from tests.ispyb_sites import PlayedIspyb, in_mariadb, registered

NAME = "crystal_search_bench"
DROPS, INSPECTIONS = 288, 5
STEP = 500_000  #: images of a transaction while filling
LAB = "ispyb bench/ispyb"
START = datetime(2026, 1, 31, 12, tzinfo=UTC)

#: Plates, their drops, inspections, and images in the order in which an imager takes them.
FILLING = (
    "INSERT INTO Container (containerId, barcode, containerTypeId) "
    "SELECT seq + :shift, CONCAT('K', seq), 23 FROM seq_1_to_{plates}",
    "INSERT INTO BLSample (blSampleId, containerId, location) "
    "SELECT seq + 1 + :shift, seq DIV 288 + 1 + :shift, seq % 288 + 1 FROM seq_0_to_{samples}",
    "INSERT INTO ContainerInspection (containerInspectionId, containerId, inspectionTypeId) "
    "SELECT seq + 1 + :shift, seq DIV 5 + 1 + :shift, 1 FROM seq_0_to_{looks}",
)
IMAGES = (
    "INSERT INTO BLSampleImage (blSampleImageId, blSampleId, imageFullPath, containerInspectionId, blTimeStamp) "
    "SELECT seq + 1 + :shift, (seq DIV 1440) * 288 + seq % 288 + 1 + :shift, "
    "CONCAT('/dls/i02-2/data/2026/K', seq DIV 1440, '/', (seq DIV 288) % 5, '/', seq % 288, '.jpg'), "
    "seq DIV 288 + 1 + :shift, '2026-01-31 12:00:00' FROM seq_{first}_to_{last}"
)
SHIFT = 1_000_000  #: above what a release brings along


@contextmanager
def site_on_server(release: Path | None) -> Iterator[PlayedIspyb]:
    """Make an ISPyB on the server, and drop it at the end."""
    owner = create_engine(server(), isolation_level="AUTOCOMMIT")
    with owner.connect() as connection:
        connection.execute(text(f"CREATE OR REPLACE DATABASE {NAME} CHARACTER SET latin1"))
    url = server().set(database=NAME).render_as_string(hide_password=False)
    try:
        if release:
            files = [
                release / "schemas" / "ispyb" / f"{each}.sql" for each in ("tables", "lookups", "data", "routines")
            ]
            load(NAME, files)
            site = registered(PlayedIspyb(url))
        else:
            site = in_mariadb(url)
        with closing(site):
            yield site
    finally:
        with owner.connect() as connection:
            connection.execute(text(f"DROP DATABASE {NAME}"))
        owner.dispose()


def fill(engine: Engine, known: int) -> None:
    """Have imagers have taken so many images."""
    plates = known // (DROPS * INSPECTIONS) + 1
    sizes = {"plates": plates, "samples": plates * DROPS - 1, "looks": plates * INSPECTIONS - 1}
    with engine.begin() as connection:
        connection.execute(text("SET SESSION foreign_key_checks = 0"))
        for statement in FILLING:
            connection.execute(text(statement.format(**sizes)), {"shift": SHIFT})
    for first in range(0, known, STEP):
        with engine.begin() as connection:
            last = min(known, first + STEP) - 1
            connection.execute(text("SET SESSION foreign_key_checks = 0"))
            connection.execute(text(IMAGES.format(first=first, last=last)), {"shift": SHIFT})


@dataclass(frozen=True, slots=True)
class Took:
    """How long something took, and how much of that this process worked; the server and others have the rest."""

    wall_s: float
    worked_s: float


def took(work: Callable[[], object], repeats: int = 5) -> Took:
    """Return the median times of `work`."""
    found = []
    for _ in range(repeats):
        began, worked = time.perf_counter(), time.process_time()
        work()
        found.append(Took(time.perf_counter() - began, time.process_time() - worked))
    return Took(statistics.median(each.wall_s for each in found), statistics.median(each.worked_s for each in found))


def within_a_second(what: str, found: Took) -> Row:
    """Return the row of what should take at most a second."""
    figure = f"{found.wall_s:.3f} s ({found.worked_s:.3f} s of our processor time)"
    return Row(what, figure, "1 s", found.wall_s <= 1)


def plate(barcode: str) -> list[NewImage]:
    """Return the images of a plate with three drops a well, taken twice."""
    return [
        NewImage(
            key=WellKey(plate=barcode, row=row, column=column, drop=drop, inspection=inspection),
            path=f"/dls/{barcode}/{inspection}/{row}-{column}-{drop}.jpg",
            imaged_at=START,
        )
        for inspection in (1, 2)
        for row in range(8)
        for column in range(12)
        for drop in (1, 2, 3)
    ]


def polls(database: IspybDatabase, imaging: ImagingDatabase, known: int) -> Row:
    """Measure a look that finds nothing new."""
    return within_a_second(f"look for new images, {known:,} known", took(lambda: pull(imaging, database, LAB)))


def pulled_plates(site: PlayedIspyb, database: IspybDatabase, imaging: ImagingDatabase) -> Iterator[Row]:
    """Measure how long a plate takes with two inspections, read, and read and kept."""
    site.add_images(plate("NEW-1"))
    mark = imaging.facility_state(LAB).pull_mark
    yield within_a_second("read a plate of 576 images", took(lambda: database.pull(mark, limit=5000), 3))
    yield within_a_second("the same, and keep it in SQLite", took(lambda: pull(imaging, database, LAB), 1))


def pushes(database: IspybDatabase, known: int, count: int) -> Iterator[Row]:
    """Measure how many scores a second are taken, new, again, and changed."""
    first = max(0, known - count)
    paths = [f"/dls/i02-2/data/2026/K{n // 1440}/{(n // 288) % 5}/{n % 288}.jpg" for n in range(first, first + count)]
    new = [_scored(number, path) for number, path in enumerate(paths, start=1)]
    other = replace(new[0].score.found, group_peaks=(0.4, 0.3, 0.2, 0.1))
    later = [replace(each, score=replace(each.score, found=other)) for each in new]
    for what, scores in (("new", new), ("again", new), ("changed", later)):
        found = took(lambda scores=scores: _push(database, scores), 1)  # type: ignore[misc]
        rate = count / found.wall_s
        figure = f"{rate:,.0f} /s ({found.worked_s / count * 1e6:.0f} µs of our processor time each)"
        yield Row(f"push {count:,} scores, {what}", figure, "1,000 /s", rate >= 1000)


def _push(database: IspybDatabase, scores: Sequence[ScoredImage]) -> None:
    for part in batches(scores, PUSH_SCORES):
        if refused := database.push(part):
            raise RuntimeError(refused[0].why)


def _scored(number: int, path: str) -> ScoredImage:
    image = StoredImage(id=number, key=WellKey(plate="K", row=0, column=0), path=path, imaged_at=START)
    return ScoredImage(image=image, score=score(image, "unit"), score_id=number)


def rows(known: int, count: int, release: Path | None) -> Iterator[Row]:
    """Fill a database and measure."""
    with site_on_server(release) as site, tempfile.TemporaryDirectory() as folder:
        filling = took(lambda: fill(site.engine, known), 1)
        yield Row(f"fill ISPyB with {known:,} images", f"{filling.wall_s:.0f} s")
        schemas = {"outcomes": "none"}
        with (
            closing(site.database(schemas=schemas)) as database,
            closing(open_imaging(f"sqlite:///{Path(folder) / 'imaging.sqlite'}")) as imaging,
        ):
            imaging.note_pulled(LAB, f'{{"image": {known + SHIFT}, "scores": 0}}', now=START)
            pull(imaging, database, LAB)
            yield polls(database, imaging, known)
            yield from pulled_plates(site, database, imaging)
            yield from pushes(database, known, min(count, known))


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--known", type=int, default=1_000_000, help="images that ISPyB has")
    parser.add_argument("--scores", type=int, default=10_000, help="that are pushed")
    parser.add_argument("--release", type=Path, help="folder of an unpacked release of ispyb-database")
    arguments = parser.parse_args()
    found = []
    for row in rows(arguments.known, arguments.scores, arguments.release):
        print(row.what, row.figure, flush=True)
        found.append(row)
    print(table(found))
    return any(row.reached is False for row in found)


if __name__ == "__main__":
    sys.exit(main())
