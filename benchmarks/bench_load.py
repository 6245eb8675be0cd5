"""Many people read and some score beside ``watch``: how long they wait, what is lost, and what new images notice.

``python -m benchmarks.bench_load [--seconds 60]`` fills a home with scored plates, runs ``watch`` on a robot's folder,
measures how long new images take while nobody reads, and then again while 100 people each look at a plate
(asking once a second what is new, as the page does, and going to another plate now and then) and 10 people score. The
server, its clients and the readers share this machine's processors.
"""

import argparse
import http.client
import json
import multiprocessing
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlsplit

from benchmarks.bench_latency import DEMO, WELLS, put, until, watching
from benchmarks.table import Row, table
from crystal_search.geometry import Box
from crystal_search.model import sha256_of
from crystal_search.outcomes import BY_NAME, GROUPS, OUTCOME_NAMES
from crystal_search.result import BestChop, DropRegion, ImageScore, RankedScore
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import AutoScore, ImagingDatabase, ManualScore
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.imaging.stored_images import FileVersion, NewImage
from crystal_search.server.installation import Installation, recipe_of
from crystal_search.server.settings import Settings
from crystal_search.wells import WellKey

PLATES, ROWS, COLUMNS, DROPS = 20, 8, 12, 3
LOOKS = 10  #: that a reader takes at a plate before going to another one
LOOK_S, SCORE_S = 1.0, 3.0  #: between two looks of a reader, two scores of a person
PATIENCE_S = 30.0  #: after which an answer that does not come is an error
MOST_P95_S = 1.0
DROP = Box(100, 200, 800, 1000)
QUIET = 5  #: new images while nobody reads
BY_HAND = ("clear", "precipitate", "crystal_bad_form")


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of the requests of one process."""

    seconds: list[float] = field(default_factory=list)  #: until the plate's data was there
    unchanged: list[float] = field(default_factory=list)  #: until it was told that nothing is new
    scored: list[tuple[int, str, str]] = field(default_factory=list)  #: image, person and outcome, as answered
    score_seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def fill(imaging: ImagingDatabase, site: Installation, folder: Path) -> None:
    """Add plates of scored images; their files are links to one picture."""
    folder.mkdir()
    chance = random.Random(1)
    recipe, picture = recipe_of(site), DEMO / WELLS[0]
    status = picture.stat()
    version = FileVersion(
        sha256=sha256_of(picture.read_bytes()), size_bytes=status.st_size, mtime_ns=status.st_mtime_ns
    )
    for plate in range(PLATES):
        new = []
        for place in range(ROWS * COLUMNS * DROPS):
            well, drop = divmod(place, DROPS)
            row, column = divmod(well, COLUMNS)
            path = folder / f"{plate}-{place}.jpg"
            path.symlink_to(picture)
            key = WellKey(plate=f"LOAD{plate:02}", row=row, column=column, drop=drop + 1, inspection=1)
            new.append(NewImage(key=key, path=str(path), imaged_at=datetime(2026, 1, 31, tzinfo=UTC)))
        imaging.add_images(new)
        images = imaging.plate_images(new[0].key.plate)
        imaging.note_versions({each.id: version for each in images})
        now = datetime.now(UTC)
        imaging.add_auto_scores(
            AutoScore(
                image_id=each.id,
                work_unit=f"load-{each.id}",
                recipe=recipe,
                scored_at=now,
                found=found(chance),
                version=version,
            )
            for each in images
        )


def found(chance: random.Random) -> ImageScore:
    """Return a score as a client gives it, of a random class."""
    outcome, probability = chance.choice(OUTCOME_NAMES[:12]), round(chance.uniform(0.5, 1), 6)
    group = BY_NAME[outcome].group
    rest = [chance.random() for _ in OUTCOME_NAMES]
    return ImageScore(
        height_px=960,
        width_px=1280,
        drop=DropRegion(box=DROP, area_fraction=0.4, outline=((100, 200), (100, 1000), (800, 600))),
        score=RankedScore(outcome=outcome, probability=probability, above_threshold=probability >= 0.85),
        class_probabilities=tuple(round(each / sum(rest), 6) for each in rest),
        group_peaks=tuple(probability if each is group else round(chance.uniform(0, 0.5), 6) for each in GROUPS),
        best_chops=tuple(
            BestChop(box=Box(100, 200, 356, 456), outcome=outcome, probability=probability) for _ in "123"
        ),
        chops=120,
    )


class Person:
    """Somebody with a browser: one connection that is kept."""

    def __init__(self, address: str, told: Asked, end_at: float) -> None:
        self._host = urlsplit(address).netloc
        self._origin = address.rstrip("/")
        self._told, self._end_at = told, end_at
        self._connection = http.client.HTTPConnection(self._host, timeout=PATIENCE_S)

    def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> tuple[int, str, float]:
        """Ask for something; return status, ETag and how long it took; whatever goes wrong is noted."""
        start = time.monotonic()
        try:
            self._connection.request(method, path, body, {"Origin": self._origin, "Accept-Encoding": "gzip", **headers})
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            self._told.errors.append(f"{method} {path}: {error!r}")
            return 0, "", time.monotonic() - start
        if answer.status >= 400:
            self._told.errors.append(f"{method} {path}: {answer.status}")
        return answer.status, answer.headers.get("ETag", ""), time.monotonic() - start

    def read(self, seed: int) -> None:
        """Look at plates until it is time to go."""
        chance = random.Random(seed)
        time.sleep(chance.uniform(0, LOOK_S))
        while True:
            path, tag = f"/api/plate/LOAD{chance.randrange(PLATES):02}", ""
            for _ in range(LOOKS):
                if time.monotonic() > self._end_at:
                    return
                status, tag, took = self.ask("GET", path, {"If-None-Match": tag} if tag else {})
                (self._told.unchanged if status == 304 else self._told.seconds).append(took)
                time.sleep(max(0.0, LOOK_S - took))

    def score(self, name: str, image_ids: Sequence[int]) -> None:
        """Score one image after the other until it is time to go."""
        for number, image_id in enumerate(image_ids):
            if time.monotonic() > self._end_at:
                return
            outcome = BY_HAND[number % len(BY_HAND)]
            body = json.dumps({"image_id": image_id, "outcome": outcome, "person": name}).encode()
            status, _, took = self.ask("POST", "/api/score", {"Content-Type": "application/json"}, body)
            self._told.score_seconds.append(took)
            if status == 201:
                self._told.scored.append((image_id, name, outcome))
            time.sleep(max(0.0, SCORE_S - took))


def people(address: str, seconds: float, first: int, readers: int, scorers: Sequence[tuple[str, list[int]]]) -> Asked:
    """Be so many people for a while, in a process of their own."""
    told = Asked()
    end_at = time.monotonic() + seconds
    threads = [
        threading.Thread(target=Person(address, told, end_at).read, args=(first + number,)) for number in range(readers)
    ]
    threads += [threading.Thread(target=Person(address, told, end_at).score, args=each) for each in scorers]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return told


def latency(imaging: ImagingDatabase, robot: Path, name: str) -> float:
    """Return how long it takes from the end of a copy until an image has a score."""
    before = _scored(imaging)
    put(robot, name)
    start = time.monotonic()
    return until(lambda: _scored(imaging) > before) - start


def _scored(imaging: ImagingDatabase) -> int:
    return sum(each.scored for each in imaging.plates(plate="demo"))


def measure(seconds: float, readers: int, scorers: int) -> list[Row]:
    """Return the figures."""
    with tempfile.TemporaryDirectory() as scratch:
        robot, home = Path(scratch) / "robot", Home(Path(scratch) / "home").made()
        with closing(open_imaging(Settings().url(home))) as imaging:
            fill(imaging, Installation(home=home, settings=Settings(), imaging=imaging), Path(scratch) / "plates")
            put(robot, WELLS[0])
            with watching(robot, home.path) as address:
                until(lambda: _scored(imaging) == 1)
                quiet = [latency(imaging, robot, name) for name in WELLS[1 : 1 + QUIET]]
                told, busy = _under_load(address, imaging, robot, (seconds, readers, scorers))
            return _rows(imaging, told, quiet, busy)


def _under_load(
    address: str, imaging: ImagingDatabase, robot: Path, load: tuple[float, int, int]
) -> tuple[list[Asked], list[float]]:
    """Have people read and score for a while, and copy one image after the other meanwhile."""
    seconds, readers, scorers = load
    ids = [[image.id for image in imaging.plate_images(f"LOAD{number % PLATES:02}")] for number in range(scorers)]
    names = [(f"Person {number}", each) for number, each in enumerate(ids)]
    shares = [(address, seconds, at, readers // 4, names if at == 0 else []) for at in range(0, readers, readers // 4)]
    end_at, busy, images = time.monotonic() + seconds, [], iter(WELLS[1 + QUIET :])
    with multiprocessing.get_context("spawn").Pool(len(shares)) as pool:
        asked = pool.starmap_async(people, shares, chunksize=1)
        while time.monotonic() < end_at:
            busy.append(latency(imaging, robot, next(images)))
        return asked.get(), busy


def _rows(imaging: ImagingDatabase, told: Sequence[Asked], quiet: Sequence[float], busy: Sequence[float]) -> list[Row]:
    fresh = [each for one in told for each in one.seconds]
    unchanged = [each for one in told for each in one.unchanged]
    posted = [each for one in told for each in one.score_seconds]
    errors = [each for one in told for each in one.errors]
    answered = Counter(each for one in told for each in one.scored)
    kept = Counter(
        (score.image_id, score.person, score.outcome)
        for image_id in {image_id for image_id, _, _ in answered}
        for score in imaging.ledger(image_id)
        if isinstance(score, ManualScore)
    )
    for line in errors[:5]:
        sys.stderr.write(f"{line}\n")
    p95 = quantiles(fresh, n=20)[-1]
    load = f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    return [
        Row("load of this machine at the end, ours and others'", load),
        Row("answers with a plate's data", str(len(fresh))),
        Row(
            "  median, 95th percentile",
            f"{median(fresh):.2f}, {p95:.2f} s",
            "1 s",
            p95 < MOST_P95_S,
        ),
        Row("answers that nothing is new", str(len(unchanged))),
        Row("  median, longest", f"{median(unchanged):.2f}, {max(unchanged):.2f} s" if unchanged else "none"),
        Row("scores given", str(sum(answered.values()))),
        Row("  median, longest", f"{median(posted):.2f}, {max(posted):.2f} s"),
        Row("  lost or doubled", str(sum(((answered - kept) + (kept - answered)).values())), "0", answered == kept),
        Row("errors", str(len(errors)), "0", not errors),
        Row("copy to score, nobody reads, median", f"{median(quiet):.2f} s ({len(quiet)} images)"),
        Row("copy to score, with all of them, median", f"{median(busy):.2f} s ({len(busy)} images)"),
    ]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--readers", type=int, default=100, help="people who look at plates, a multiple of 4")
    parser.add_argument("--scorers", type=int, default=10)
    given = parser.parse_args()
    if given.readers < 4 or given.readers % 4:
        parser.error("--readers must be a multiple of 4")
    sys.stdout.write(table(measure(given.seconds, given.readers, given.scorers)) + "\n")


if __name__ == "__main__":
    main()
