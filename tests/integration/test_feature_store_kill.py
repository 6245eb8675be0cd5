"""A process that adds features is killed at any moment: each row is there once, and whole."""

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from crystal_search.server.feature_store.feature_store import FeatureStore, store_of
from tests.unit.builders import MODELS

KILLS = 10
SEED = 7
NUMBERS = 50
BATCHES, BATCH = 400, 37
ADDING = """
import sys
from pathlib import Path
from tests.integration.test_feature_store_kill import add_all
add_all(Path(sys.argv[1]))
"""


def batch(number: int, store: FeatureStore) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """Return rows of a batch; every third image of one is also in the next, with another picture."""
    rows = np.zeros(BATCH, store.kind)
    rows["image_id"] = 1 + number * BATCH * 2 // 3 + np.arange(BATCH)
    rows["picture"] = np.stack([np.full(BATCH, number), rows["image_id"]], axis=1)
    rows["features"] = rows["image_id"][:, None] % 1000
    return rows


def add_all(folder: Path) -> None:
    """Add every batch, saying which."""
    store = store_of(folder, MODELS, NUMBERS)
    for number in range(BATCHES):
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        store.append(batch(number, store))


def test_rows_are_whole_and_there_once_after_kills(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    for _ in range(KILLS):
        with subprocess.Popen([sys.executable, "-c", ADDING, str(tmp_path)], stdout=subprocess.PIPE) as adding:
            assert adding.stdout
            adding.stdout.readline()
            time.sleep(chance.uniform(0, 0.3))
            adding.kill()
        check(store_of(tmp_path, MODELS, NUMBERS), whole=False)
    add_all(tmp_path)
    check(store_of(tmp_path, MODELS, NUMBERS), whole=True)


def check(store: FeatureStore, *, whole: bool) -> None:
    """Look at every row; with `whole` all batches must be there."""
    blocks = [np.array(block) for block in store.blocks()]
    rows = np.concatenate(blocks) if blocks else np.zeros(0, store.kind)
    keys = [tuple(row) for row in rows["picture"].tolist()]
    assert len(keys) == len(set(keys))
    expected = [tuple(row) for number in range(BATCHES) for row in batch(number, store)["picture"].tolist()]
    assert keys == (expected if whole else expected[: len(keys)])
    assert (rows["picture"][:, 1] == rows["image_id"].astype(np.uint64)).all()
    assert (rows["features"] == (rows["image_id"] % 1000)[:, None]).all()
    assert store.find(rows["image_id"], rows["picture"]).tolist() == list(range(len(rows)))
