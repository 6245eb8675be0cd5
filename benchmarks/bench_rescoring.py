"""How fast a readout scores a whole archive anew: ``python -m benchmarks.bench_rescoring [--images N] [--folder F]``.

A store of so many images is generated, with rows as large as real ones; a readout is applied to all of it, reading
included. Then a readout is put to use in a new installation whose images have shipped scores, and its archive is
rescored as `models use` does it: looking up images, reading features, writing scores into the ledger.
"""

import argparse
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.table import Row, table
from crystal_search.adaptation.readout import ANSWERS, Readout
from crystal_search.adaptation.readout_file import readout_to_json
from crystal_search.adaptation.rescoring import Rescoring
from crystal_search.adaptation.triage import Promise, triage
from crystal_search.model import Model, default_model, default_models, default_models_folder, references, sha256_of
from crystal_search.model_card import ClassifierCard, Output, ReadoutCard
from crystal_search.outcomes import GROUPS, OUTCOMES
from crystal_search.result import ImageScore, RankedScore
from crystal_search.server.feature_store.feature_rows import SEGMENT_ROWS, Rows
from crystal_search.server.feature_store.feature_store import FeatureStore, store_of
from crystal_search.server.feature_store.stored_readout import scores_in
from crystal_search.server.imagers import WHOLE
from crystal_search.server.imaging.imaging_database import AutoScore, Recipe
from crystal_search.server.imaging.stored_images import NewImage, StoredImage
from crystal_search.server.installation import Installation, opened, recipe_of
from crystal_search.server.readouts_in_use import use_readout
from crystal_search.server.services.rescoring_archive import rescore_all
from crystal_search.wells import WellKey

NUMBERS = 384
WANTED = 1_000_000  #: images a minute


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


def shipped_score(image: StoredImage, row: Rows, recipe: Recipe) -> AutoScore:
    """Return the shipped score of an image, with what a store says of it."""
    return AutoScore(
        image_id=image.id,
        work_unit="unit-1",
        recipe=recipe,
        scored_at=datetime.now(UTC),
        found=ImageScore(
            height_px=1024,
            width_px=1224,
            score=RankedScore(outcome="clear", probability=0.9, above_threshold=True),
            class_probabilities=tuple(row["means"].tolist()),
            group_peaks=tuple(row["peaks"].tolist()),
        ),
    )


def scored_site(site: Installation, images: int) -> None:
    """Add so many images with features and shipped scores; all of one imager."""
    keys = [WellKey(plate=f"p{at // 96}", row=at % 96 // 12, column=at % 12) for at in range(images)]
    site.imaging.add_images([NewImage(key=key, path=f"/x/{at}.jpg") for at, key in enumerate(keys)])
    store, recipe = generated(site.home.features, images), recipe_of(site)
    for block in store.blocks():
        rows = np.array(block)
        there = site.imaging.images(rows["image_id"].tolist())
        pairs = zip(rows["image_id"].tolist(), rows, strict=True)
        site.imaging.add_auto_scores([shipped_score(there[each], row, recipe) for each, row in pairs])


def used(site: Installation) -> None:
    """Put a readout with random weights to use."""
    rescoring = Rescoring(readout=some_readout(), triage=triage([], [], Promise()), plates=np.zeros((0, 0)))
    card, data = default_model(ClassifierCard, site.models).card, readout_to_json(rescoring).encode()
    readout = ReadoutCard(
        **{name: getattr(card, name) for name in ("working_width_px", "normalisation")},
        name="bench",
        file="bench.readout.json",
        sha256=sha256_of(data),
        architecture="random",
        outputs=(Output(classes=tuple(map(str, GROUPS)), stride_px=1),),
        classifier_sha256=card.sha256,
        imager=WHOLE,
        fitted_at="",
        labels_sha256="0" * 64,
        held_out="plate",
        proven=True,
        difference=None,
        figures=(),
    )
    use_readout(site, Model(readout, data))


def archive_rescored(home: Path, images: int) -> Iterator[Row]:
    """Yield how fast the archive of an installation is rescored, and what it takes in its database."""
    with opened(home) as site:
        scored_site(site, images)
        used(site)
        before = database_bytes(home)
        start, cpu = time.perf_counter(), time.process_time()
        new = sum(block.new for block in rescore_all(site))
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        size = (database_bytes(home) - before) / max(1, new)
    each = 1e6 / max(1, new)
    yield Row(f"{new} images of an archive rescored (SQLite), a minute", f"{60 * new / seconds:,.0f}")
    yield Row("  a million: minutes, and CPU-minutes", f"{seconds * each / 60:.1f}, {cpu * each / 60:.1f}")
    yield Row("  bytes of a score in the database", f"{size:.0f}")


def database_bytes(home: Path) -> int:
    """Return the size of an installation's SQLite database, its log taken in."""
    path = home / "imaging.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size


def main() -> None:
    """Read the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=3_000_000, help="in the store (default: 3 million, 2.6 GB)")
    parser.add_argument("--scores", type=int, default=40_000, help="images of the archive (default: 40,000)")
    parser.add_argument("--folder", type=Path, help="in which a folder for the store is made (default: the system's)")
    arguments = parser.parse_args()
    with TemporaryDirectory(dir=arguments.folder) as folder:
        store = generated(Path(folder) / "features", arguments.images)
        found = [*rescored(store), *archive_rescored(Path(folder) / "home", arguments.scores)]
    print(table(found))


if __name__ == "__main__":
    main()
