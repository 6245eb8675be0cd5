"""How long the imaging database takes when it holds many images.

``python benchmarks/bench_imaging.py --images 1000000`` fills a SQLite file (or the database at ``--url``) and
prints a table; every figure is the median of five.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crystal_search.model import ModelRef
from crystal_search.result import ImageScore, RankedScore
from crystal_search.server.imaging.adding_rules import batches
from crystal_search.server.imaging.imaging_database import AutoScore, ImagingDatabase, Recipe, UnitRecord
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.imaging.stored_images import NewImage, StoredImage
from crystal_search.wells import WellKey

DROPS_OF_A_PLATE = 288
IMAGES_OF_A_UNIT = 1000
START = datetime(2020, 1, 1, tzinfo=UTC)
RECIPE = Recipe(
    models=(ModelRef(role="classifier", name="bench-1", sha256="a" * 64), ModelRef(role="drop", sha256="b" * 64)),
    threshold=0.85,
)
OTHER = Recipe(
    models=(ModelRef(role="classifier", name="bench-2", sha256="c" * 64), ModelRef(role="drop", sha256="b" * 64)),
    threshold=0.85,
)


def images(count: int) -> Iterator[NewImage]:
    """Return images plate by plate, five inspections each."""
    for number in range(count):
        session, place = divmod(number, DROPS_OF_A_PLATE)
        plate, inspection = divmod(session, 5)
        well, drop = divmod(place, 3)
        key = WellKey(plate=f"P{plate:06}", row=well // 12, column=well % 12, drop=drop + 1, inspection=inspection + 1)
        path = f"/share/images/{key.plate}/{key.inspection:03}/{key.plate}_{key.inspection:03}_{key.well}_{drop}.jpg"
        yield NewImage(key=key, path=path, imaged_at=START + timedelta(seconds=16 * session * DROPS_OF_A_PLATE))


def score(image: StoredImage, unit: str) -> AutoScore:
    """Return a score as a client makes one."""
    return AutoScore(
        image_id=image.id,
        work_unit=unit,
        recipe=RECIPE,
        scored_at=START,
        found=ImageScore(
            height_px=960,
            width_px=1280,
            score=RankedScore(outcome="clear", probability=0.9, above_threshold=True),
            class_probabilities=(0.1, *[0.075] * 12),
            group_peaks=(0.1, 0.1, 0.1, 0.9),
        ),
    )


def score_waiting(database: ImagingDatabase, count: int) -> None:
    """Take the newest `count` images through work units, as the services do."""
    for start in range(0, count, IMAGES_OF_A_UNIT):
        members = database.images_without_score(RECIPE, limit=min(IMAGES_OF_A_UNIT, count - start))
        name = f"unit-{members[0].id}"
        ids = tuple(image.id for image in members)
        database.add_units([UnitRecord(name=name, recipe=RECIPE, image_ids=ids, created_at=START)])
        database.add_auto_scores([score(image, name) for image in members])
        database.close_unit(name, "done")


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Return the median time of `work`."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(database: ImagingDatabase, label: str) -> None:
    """Print how long the questions of services and viewer take."""
    newest = database.images_without_score(OTHER, limit=1)[0].key
    paths = [image.path for image in images(1000)]
    questions: dict[str, Callable[[], object]] = {
        "images_without_score(limit=1000)": lambda: database.images_without_score(RECIPE, limit=1000),
        "  for a recipe never used": lambda: database.images_without_score(OTHER, limit=1000),
        "  of one plate": lambda: database.images_without_score(RECIPE, limit=1000, plate=newest.plate),
        "plates()": database.plates,
        "drops()": lambda: database.drops(newest.plate, inspection=newest.inspection),
        "plate_images()": lambda: database.plate_images(newest.plate),
        "known_paths(1000)": lambda: database.known_paths(paths),
    }
    for question, work in questions.items():
        print(f"{label:24} {question:36} {1000 * seconds(work):9.1f} ms", flush=True)


def bench(url: str, count: int) -> None:
    """Fill a database step by step and measure after each."""
    database = open_imaging(url)
    start = time.perf_counter()
    for part in batches(images(count), 10_000):
        database.add_images(part)
    print(f"{count} images added in {time.perf_counter() - start:.1f} s", flush=True)
    measure(database, "none scored")
    start = time.perf_counter()
    score_waiting(database, count // 2)
    print(f"{count // 2} images scored in {time.perf_counter() - start:.1f} s", flush=True)
    measure(database, "newest half scored")
    score_waiting(database, count - count // 2)
    measure(database, "all scored")
    database.close()


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--url", help="an empty database (default: a SQLite file that is removed at the end)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench(arguments.url or f"sqlite:///{Path(folder) / 'imaging.sqlite'}", arguments.images)


if __name__ == "__main__":
    main()
