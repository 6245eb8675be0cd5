"""The store of features: laws under kills at every step, and the file formats by hand."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crystal_search.errors import DatabaseError
from crystal_search.server.feature_store import feature_rows
from crystal_search.server.feature_store.feature_rows import Rows, picture_of, row_type
from crystal_search.server.feature_store.feature_store import FeatureStore, store_of, stores_in
from tests.unit.builders import MODELS

NUMBERS = 3
Key = tuple[int, int]  #: image and picture


class Killed(BaseException):
    """What ends a run while it has a file on the disk."""


@contextmanager
def killed_at(step: int | None, torn: int = 0, whole: Callable[[Path], int] = lambda path: 0) -> Iterator[None]:
    """End whatever runs within at the so many-th time that it has something on the disk.

    What it was writing, if rows, loses so many bytes, as by a power cut; but not those that are known to be `whole`.
    """
    real: Callable[[int], None] = os.fsync
    steps = iter(range(1_000_000))

    def fsync(descriptor: int) -> None:
        if next(steps) == step:
            raise Killed(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        try:
            yield
        except Killed as killed:
            path = Path(str(killed))
            if path.suffix == ".rows":
                os.truncate(path, max(whole(path), path.stat().st_size - torn))


def rows_of(keys: list[Key]) -> Rows:
    """Return rows whose numbers follow from image and picture."""
    rows = np.zeros(len(keys), row_type(NUMBERS))
    for row, (image, picture) in zip(rows, keys, strict=True):
        row["image_id"], row["picture"] = image, (picture, picture)
        row["peaks"], row["means"] = image, picture
        row["features"] = [image, picture, image + picture]
    return rows


def new_store(folder: Path) -> FeatureStore:
    return store_of(folder, MODELS, NUMBERS)


def held(store: FeatureStore) -> list[Key]:
    """Return images and pictures in the order of rows, after checking that each row is found and is its own."""
    blocks = [np.array(block) for block in store.blocks()]
    rows = np.concatenate(blocks) if blocks else rows_of([])
    keys = [(int(row["image_id"]), int(row["picture"][0])) for row in rows]
    expected = rows_of(keys)
    expected["before"] = rows["before"]
    np.testing.assert_array_equal(rows, expected)
    places = store.find(rows["image_id"], rows["picture"])
    assert places.tolist() == list(range(len(rows)))
    np.testing.assert_array_equal(store.rows(places), rows)
    return keys


KEYS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2)), max_size=8)


@settings(deadline=None, max_examples=60)
@given(batches=st.lists(st.tuples(KEYS, st.none() | st.integers(0, 8), st.integers(0, 200)), max_size=6))
def test_rows_are_there_once_whatever_is_killed(batches: list[tuple[list[Key], int | None, int]]) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(feature_rows, "SEGMENT_ROWS", 4)
        store = new_store(Path(folder))
        known: list[Key] = []
        for keys, step, torn in batches:
            with killed_at(step, torn, partial(counting_bytes, store)):
                store.append(rows_of(keys))
            found = held(store)
            assert found[: len(known)] == known
            assert set(found[len(known) :]) <= set(keys)
            assert store.append(rows_of(keys)) == len(set(keys) - set(found))
            found = held(store)
            assert len(found) == len(set(found))
            assert set(found) == {*known, *keys}
            known = found
            missing = rows_of([(7, 0), (3, 9)])
            assert store.find(missing["image_id"], missing["picture"]).tolist() == [-1, -1]


def counting_bytes(store: FeatureStore, path: Path) -> int:
    """Return how many bytes of a file of rows count; they were on the disk before."""
    return max(0, store.count - 4 * int(path.stem)) * store.kind.itemsize


def test_the_files_are_what_the_page_says(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    assert store.append(rows_of([(5, 1), (2, 1)])) == 2
    assert store.append(rows_of([(5, 2), (2, 1)])) == 1
    (folder,) = tmp_path.iterdir()
    assert folder.name == f"{'a' * 16}-{'b' * 16}"
    assert sorted(path.name for path in folder.iterdir()) == ["00000.rows", "about.json", "newest"]
    newest = np.fromfile(folder / "newest", "<u4").tolist()
    assert newest == [3, 0, 0, 0, 2, 0, 0, 3]  # three rows count; images 2 and 5 have theirs at 2 and 3
    about = json.loads((folder / "about.json").read_text())
    assert (about["numbers"], about["row_bytes"], about["models"][0]["role"]) == (NUMBERS, 104, "classifier")
    rows = np.fromfile(folder / "00000.rows", row_type(NUMBERS))
    assert rows["before"].tolist() == [0, 0, 1]
    assert rows["picture"][2].tolist() == [2, 2]
    assert about["row"] == {
        "image_id": "<i8, 1",
        "picture": "<u8, (2,)",
        "before": "<u4, 1",
        "peaks": "<f4, (4,)",
        "means": "<f4, (13,)",
        "features": "<f2, (3,)",
    }


def test_stores_are_told_apart_by_models(tmp_path: Path) -> None:
    one = new_store(tmp_path)
    other = store_of(tmp_path, [MODELS[1], type(MODELS[0])(role="classifier", sha256="c" * 64)], NUMBERS)
    one.append(rows_of([(1, 1)]))
    assert (one.count, other.count) == (1, 0)
    assert [store.folder for store in stores_in(tmp_path)] == [one.folder, other.folder]
    assert stores_in(tmp_path)[0] == one
    assert stores_in(tmp_path / "none") == []
    with pytest.raises(DatabaseError, match="has 3 features of other models, or not 5"):
        store_of(tmp_path, MODELS, 5)


def test_a_picture_is_named_by_the_beginning_of_its_hash() -> None:
    assert picture_of("ff" * 32) == (2**64 - 1, 2**64 - 1)
    assert picture_of("0" * 16 + "1" * 48) == (0, 0x1111111111111111)


def test_what_is_damaged_is_a_message(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.append(rows_of([(1, 1), (2, 1)]))
    os.truncate(store.folder / "00000.rows", 10)
    with pytest.raises(DatabaseError, match=r"are damaged .* move the folder away"):
        list(store.blocks())
    (store.folder / "about.json").write_text("{}")
    with pytest.raises(DatabaseError, match="format is missing"):
        stores_in(tmp_path)


def test_rows_that_name_each_other_in_a_circle_are_damaged(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.append(rows_of([(1, 1)]))
    rows = rows_of([(1, 1)])
    rows["before"] = 1
    rows.tofile(store.folder / "00000.rows")
    other = rows_of([(1, 2)])
    with pytest.raises(DatabaseError, match="a row names itself"):
        store.find(other["image_id"], other["picture"])


def test_a_disk_that_fails_is_a_message_and_the_rows_come_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DatabaseError, match="No space left on device"):
            store.append(rows_of([(1, 1)]))
    assert store.count == 0
    assert store.append(rows_of([(1, 1)])) == 1
    assert held(store) == [(1, 1)]
