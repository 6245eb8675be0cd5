"""How fast a readout scores a whole archive anew: ``python -m benchmarks.bench_rescoring [--images N] [--folder F]``.

A store of so many images is generated, with rows as large as real ones; a readout is applied to all of it, reading
included. Writing scores into the ledger of a new SQLite database in bulk is measured by itself.
"""

import argparse
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.table import Row, table
from crystal_search.adaptation.readout import ANSWERS, Readout
from crystal_search.metrics import Floats
from crystal_search.model import default_models, default_models_folder, references
from crystal_search.outcomes import GROUPS, OUTCOMES
from crystal_search.result import ImageScore, RankedScore
from crystal_search.server.feature_store.feature_rows import SEGMENT_ROWS
from crystal_search.server.feature_store.feature_store import FeatureStore, store_of
from crystal_search.server.feature_store.stored_readout import scores_in
from crystal_search.server.imaging.imaging_database import AutoScore, NewImage, Recipe
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.wells import WellKey

NUMBERS = 384
WANTED = 1_000_000  #: images a minute
TOP = {group: next(each.name for each in OUTCOMES if each.group is group) for group in GROUPS}


def generated(folder: Path, images: int) -> FeatureStore:
    """Return a store of random rows of so many images."""
    store = store_of(folder, references(default_models(default_models_folder())), NUMBERS)
    rng = np.random.default_rng(0)
    rows = np.zeros(SEGMENT_ROWS, store.kind)
    rows["features"] = rng.normal(0.6, 0.3, (SEGMENT_ROWS, NUMBERS)).astype(np.float16)
    rows["peaks"] = rng.random((SEGMENT_ROWS, len(GROUPS)))
    rows["means"] = rng.dirichlet(np.ones(len(OUTCOMES)), SEGMENT_ROWS)
    for first in range(1, images + 1, SEGMENT_ROWS):
        part = rows[: min(SEGMENT_ROWS, images + 1 - first)]
        part["image_id"] = first + np.arange(len(part))
        part["picture"][:, 0] = part["image_id"]
        store.append(part)
    return store


def some_readout() -> Readout:
    """Return a readout with weights drawn at random."""
    weights = np.random.default_rng(1).normal(0, 0.05, (len(GROUPS), NUMBERS + ANSWERS))
    return Readout(bias=np.zeros(len(GROUPS)), weights=weights)


def forgotten(store: FeatureStore) -> None:
    """Have the system forget what it holds of a store in memory, so that it is read from the disk."""
    for path in store.folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def rescored(store: FeatureStore) -> Iterator[Row]:
    """Yield how fast a readout is applied, from the disk and from memory."""
    readout = some_readout()
    for what, prepare in (("from the disk", forgotten), ("from memory", lambda _: None)):
        prepare(store)
        start, cpu = time.perf_counter(), time.process_time()
        images = sum(len(scores.shares) for scores in scores_in(store, readout))
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        rate = 60 * images / seconds
        yield Row(f"{images} images scored anew {what}, a minute", f"{rate:,.0f}", f">= {WANTED:,}", rate >= WANTED)
        yield Row("  seconds, and CPU-seconds", f"{seconds:.1f}, {cpu:.1f}")


def score_of(image_id: int, shares: Floats, recipe: Recipe, now: datetime) -> AutoScore:
    """Return a readout's score of an image as the ledger has it."""
    group = GROUPS[int(shares.argmax())]
    found = ImageScore(
        height_px=1024,
        width_px=1224,
        score=RankedScore(outcome=TOP[group], probability=float(shares.max()), above_threshold=True),
        class_probabilities=tuple(np.insert(np.zeros(9), 0, shares).tolist()),
        group_peaks=tuple(shares.tolist()),
    )
    return AutoScore(image_id=image_id, work_unit="readout-1", recipe=recipe, scored_at=now, found=found)


def written(folder: Path, store: FeatureStore, images: int) -> Row:
    """Return how fast scores come into a ledger, 10,000 in a transaction."""
    imaging = open_imaging(f"sqlite:///{folder / 'imaging.sqlite'}")
    keys = [WellKey(plate=f"p{at // 96}", row=at % 96 // 12, column=at % 12) for at in range(images)]
    imaging.add_images([NewImage(key=key, path=f"/x/{at}.jpg") for at, key in enumerate(keys)])
    recipe, now, seconds, done = Recipe(models=store.models, threshold=0.85), datetime.now(UTC), 0.0, 0
    for scores in scores_in(store, some_readout()):
        pairs = zip(scores.image_ids.tolist(), scores.shares, strict=True)
        start = time.perf_counter()
        done += imaging.add_auto_scores([score_of(*pair, recipe, now) for pair in pairs if pair[0] <= images])
        seconds += time.perf_counter() - start
        if done >= images:
            break
    return Row(f"{done} scores of a readout into the ledger (SQLite), a minute", f"{60 * done / seconds:,.0f}")


def main() -> None:
    """Read the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=3_000_000, help="in the store (default: 3 million, 2.6 GB)")
    parser.add_argument("--scores", type=int, default=40_000, help="written into the ledger (default: 40,000)")
    parser.add_argument("--folder", type=Path, help="in which a folder for the store is made (default: the system's)")
    arguments = parser.parse_args()
    with TemporaryDirectory(dir=arguments.folder) as folder:
        store = generated(Path(folder) / "features", arguments.images)
        found = [*rescored(store), written(Path(folder), store, min(arguments.scores, arguments.images))]
    print(table(found))


if __name__ == "__main__":
    main()
