"""The features of every score, in files of fixed rows that only grow (docs/feature-store.md).

A store holds what one classifier, perhaps after one first look, and one drop locator said. Every row names the one
before of its image, so that a row is found by image and picture without a look at the others.

Whoever appends holds the services' lock. Rows come to the disk first, then the index points to them, then they count:
what a killed run left beyond the rows that count is undone by the next, and a reader never sees it.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystal_search.errors import DatabaseError
from crystal_search.files import write_whole
from crystal_search.hostile_json import Reader, read_whole
from crystal_search.model import ModelRef, answering, models_named
from crystal_search.model_card import MAX_NUMBERS
from crystal_search.outcomes import GROUPS, OUTCOME_NAMES
from crystal_search.server.feature_store.feature_index import FeatureIndex
from crystal_search.server.feature_store.feature_rows import Numbers, Rows, Segments, row_type

STORE_FORMAT, STORE_VERSION = "crystal-search features", 1
ABOUT, NEWEST = "about.json", "newest"
HASH_DIGITS = 16  #: of each model, in the name of a store's folder

Pictures = NDArray[np.uint64]  #: (N, 2), as `feature_rows.picture_of` names pictures


@dataclass(frozen=True, slots=True)
class FeatureStore:
    """What one classifier, perhaps after one first look, and one drop locator said of images."""

    folder: Path
    models: tuple[ModelRef, ...]  #: by role
    numbers: int  #: features of an image

    @property
    def kind(self) -> np.dtype[np.void]:
        """What a row consists of."""
        return row_type(self.numbers)

    @property
    def count(self) -> int:
        """How many rows there are.

        Raises
        ------
        DatabaseError
            If that cannot be read now.
        """
        with _trouble(self.folder):
            return self._index.count

    def blocks(self) -> Iterator[Rows]:
        """Yield all rows, some ten thousand at a time; they are mapped from the disk, not read.

        Raises
        ------
        DatabaseError
            If they cannot be read.
        """
        with _trouble(self.folder):
            yield from self._segments.blocks(0, self._index.count)

    def find(self, image_ids: Numbers, pictures: Pictures) -> Numbers:
        """Return the place of the row of each image's picture, from 0; -1 where there is none.

        Parameters
        ----------
        image_ids
            (N,) of the imaging database.
        pictures
            (N, 2), what each shows.

        Raises
        ------
        DatabaseError
            If they cannot be read.
        """
        with _trouble(self.folder):
            return self._find(image_ids, pictures)

    def rows(self, places: Numbers) -> Rows:
        """Return copies of the rows in these places, from 0."""
        with _trouble(self.folder):
            return self._segments.rows(places)

    def append(self, rows: Rows) -> int:
        """Add rows of images and pictures that are not there yet; return how many those were.

        Only the holder of the services' lock may. What is in `before` is filled in.

        Raises
        ------
        DatabaseError
            If they cannot be written; what was added before that stays, and the same rows can be given again.
        """
        added = 0
        with _trouble(self.folder):
            self._undo()
            while len(rows):
                _, first = np.unique(rows["image_id"], return_index=True)  # of each image one: the next names it
                part, rows = rows[np.sort(first)], np.delete(rows, first)
                new = part[self._find(part["image_id"], part["picture"]) < 0]
                self._add(new)
                added += len(new)
        return added

    def _add(self, rows: Rows) -> None:
        if not len(rows):
            return
        count = self._index.count
        rows["before"] = self._index.places(rows["image_id"])
        self._segments.write(count, rows)
        self._index.point(rows["image_id"], count + 1 + np.arange(len(rows)))
        self._index.commit(count + len(rows))

    def _undo(self) -> None:
        """Take back what a killed run wrote and did not have counted."""
        count = self._index.count
        left = self._segments.beyond(count)
        mine = self._index.places(left["image_id"]) == count + 1 + np.arange(len(left))
        self._index.point(left["image_id"][mine], left["before"][mine].astype(np.int64))
        self._segments.cut(count)

    def _find(self, image_ids: Numbers, pictures: Pictures) -> Numbers:
        count, found = self._index.count, np.full(len(image_ids), -1, np.int64)
        asked, places = np.arange(len(image_ids)), self._index.places(image_ids)
        while len(asked := asked[places > 0]):
            places = places[places > 0]
            rows = self._segments.rows(places - 1)
            same = (rows["image_id"] == image_ids[asked]) & (rows["picture"] == pictures[asked]).all(axis=1)
            same &= places <= count  # else it is being added, or a run was killed while it added it
            found[asked[same]] = places[same] - 1
            if (rows["before"] >= places).any():
                raise ValueError("a row names itself, or a later one, as the one before")
            places = np.where(same, 0, rows["before"])
        return found

    @property
    def _index(self) -> FeatureIndex:
        return FeatureIndex(self.folder / NEWEST)

    @property
    def _segments(self) -> Segments:
        return Segments(self.folder, self.kind)


def stores_in(folder: Path) -> list[FeatureStore]:
    """Return the stores in a home's folder of features, by the names of their folders.

    Raises
    ------
    DatabaseError
        If one is damaged, or cannot be read now.
    """
    return [_opened(path.parent) for path in sorted(folder.glob(f"*/{ABOUT}"))]


def kept_store(folder: Path, models: Iterable[ModelRef]) -> FeatureStore | None:
    """Return the store of the answers of `models`; None where nothing of theirs is kept.

    Raises
    ------
    DatabaseError
        If it is damaged, or cannot be read now; the other stores are not looked at.
    """
    place = folder / _name_of(answering(models))
    return _opened(place) if (place / ABOUT).exists() else None


def _name_of(used: Iterable[ModelRef]) -> str:
    return "-".join(model.sha256[:HASH_DIGITS] for model in used)


def store_of(folder: Path, models: Iterable[ModelRef], numbers: int) -> FeatureStore:
    """Return the store of the answers of `models`, in a home's folder of features.

    It is made where there is none.

    Raises
    ------
    DatabaseError
        If it cannot be made, or the one there has another number of features.
    """
    used = answering(models)
    place = folder / _name_of(used)
    with _trouble(place):
        if not (place / ABOUT).exists():
            place.mkdir(parents=True, exist_ok=True)
            write_whole(place / ABOUT, _about(used, numbers))
    store = _opened(place)
    if store.models != used or store.numbers != numbers:
        raise DatabaseError(f"{place} has {store.numbers} features of other models, or not {numbers}; move it away")
    return store


def _about(models: tuple[ModelRef, ...], numbers: int) -> str:
    kind = row_type(numbers)
    fields = {name: f"{kind[name].base.str}, {kind[name].shape or 1}" for name in kind.names or ()}
    content = {"format": STORE_FORMAT, "version": STORE_VERSION, "models": [asdict(each) for each in models]}
    content |= {"numbers": numbers, "groups": [str(each) for each in GROUPS], "outcomes": [*OUTCOME_NAMES]}
    return json.dumps(content | {"row_bytes": kind.itemsize, "row": fields}, indent=1) + "\n"


def _opened(place: Path) -> FeatureStore:
    with _trouble(place):
        text = (place / ABOUT).read_bytes()
    return read_whole(text, str(place / ABOUT), DatabaseError, partial(_store, place=place))


def _store(read: Reader, place: Path) -> FeatureStore:
    read.format(STORE_FORMAT, STORE_VERSION)
    store = FeatureStore(place, answering(models_named(read, 2)), read.integer("numbers", 1, MAX_NUMBERS))
    expected: dict[str, Any] = {"groups": [str(each) for each in GROUPS], "outcomes": [*OUTCOME_NAMES]}
    expected["row_bytes"] = store.kind.itemsize
    for key, value in expected.items():
        if (got := read.take(key)) != value:
            read.fail(key, str(value), got)
    read.take("row")
    return store


@contextmanager
def _trouble(folder: Path) -> Iterator[None]:
    """Have whatever goes wrong with the files be a DatabaseError: scores wait then, and are set later."""
    try:
        yield
    except OSError as error:
        raise DatabaseError(f"features in {folder}: {error.strerror or error}") from error
    except (ValueError, IndexError) as error:
        raise DatabaseError(f"features in {folder} are damaged ({error}); move the folder away") from error
