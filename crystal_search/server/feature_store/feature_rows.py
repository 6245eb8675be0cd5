"""Rows of features: what one consists of, and the files of many in which they lie."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystal_search.features import FLOAT16
from crystal_search.files import settle
from crystal_search.outcomes import GROUPS, OUTCOME_NAMES

SEGMENT_ROWS = 65_536  #: of a file of rows; one that is full is never written again
SUFFIX = ".rows"

Rows = NDArray[np.void]  #: (rows,) of `row_type`
Numbers = NDArray[np.int64]


def row_type(numbers: int) -> np.dtype[np.void]:
    """Return what a row consists of, for so many features of an image.

    >>> row_type(384).itemsize, row_type(384).names
    (864, ('image_id', 'picture', 'before', 'peaks', 'means', 'features'))
    """
    parts: dict[str, tuple[str, tuple[int, ...]]] = {
        "image_id": ("<i8", ()),
        "picture": ("<u8", (2,)),
        "before": ("<u4", ()),
        "peaks": ("<f4", (len(GROUPS),)),
        "means": ("<f4", (len(OUTCOME_NAMES),)),
        "features": (FLOAT16.str, (numbers,)),
    }
    sizes = [np.dtype(part).itemsize for part in parts.values()]
    told: dict[str, Any] = {"names": [*parts], "formats": [*parts.values()]}
    told |= {"offsets": np.cumsum([0, *sizes[:-1]]).tolist(), "itemsize": -(-sum(sizes) // 8) * 8}
    return np.dtype(told)  # type: ignore[call-overload, no-any-return]


def picture_of(sha256: str) -> tuple[int, int]:
    """Return how rows name the picture with a hash: its first 128 bits; zeros where the hash is not known.

    >>> picture_of("00000000000000ff000000000000000a" + 32 * "0"), picture_of("")
    ((255, 10), (0, 0))
    """
    return (int(sha256[:16], 16), int(sha256[16:32], 16)) if sha256 else (0, 0)


@dataclass(frozen=True, slots=True)
class Segments:
    """Files of rows in a folder, `SEGMENT_ROWS` in each but the last."""

    folder: Path
    kind: np.dtype[np.void]  #: of a row

    def blocks(self, start: int, stop: int) -> Iterator[Rows]:
        """Yield the rows from `start` to `stop` as they lie in the files, which are mapped and not read."""
        for segment in range(start // SEGMENT_ROWS, -(-stop // SEGMENT_ROWS)):
            first = segment * SEGMENT_ROWS
            rows = min(stop - first, SEGMENT_ROWS)
            whole = np.memmap(self._path(segment), self.kind, mode="r", shape=(rows,))
            yield whole[max(0, start - first) :]

    def rows(self, places: Numbers) -> Rows:
        """Return copies of the rows in these places, in their order."""
        found = np.zeros(len(places), self.kind)
        for segment in np.unique(places // SEGMENT_ROWS).tolist():
            here = places // SEGMENT_ROWS == segment
            at = places[here] - segment * SEGMENT_ROWS
            found[here] = np.memmap(self._path(segment), self.kind, mode="r", shape=(int(at.max()) + 1,))[at]
        return found

    def write(self, start: int, rows: Rows) -> None:
        """Write rows from the place `start` on, down to the disk; nothing is left behind them."""
        while True:
            segment, at = divmod(start, SEGMENT_ROWS)
            part, rows = rows[: SEGMENT_ROWS - at], rows[SEGMENT_ROWS - at :]
            with open(os.open(self._path(segment), os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
                file.truncate(at * self.kind.itemsize)
                file.seek(at * self.kind.itemsize)
                file.write(part.tobytes())
                file.flush()
                os.fsync(file.fileno())
            if not len(rows):
                break
            start += len(part)
        settle(self.folder)

    def beyond(self, count: int) -> Rows:
        """Return the whole rows that lie behind the first `count`."""
        segment, at = divmod(count, SEGMENT_ROWS)
        found = []
        while self._path(segment).exists():
            rows = self._path(segment).stat().st_size // self.kind.itemsize
            if rows > at:
                found.append(np.fromfile(self._path(segment), self.kind, count=rows)[at:])
            segment, at = segment + 1, 0
        return np.concatenate(found) if found else np.zeros(0, self.kind)

    def cut(self, count: int) -> None:
        """Take away what lies behind the first `count` rows."""
        segment, at = divmod(count, SEGMENT_ROWS)
        if self._path(segment).exists():
            os.truncate(self._path(segment), at * self.kind.itemsize)
        while self._path(segment := segment + 1).exists():
            self._path(segment).unlink()

    def _path(self, segment: int) -> Path:
        return self.folder / f"{segment:05d}{SUFFIX}"
