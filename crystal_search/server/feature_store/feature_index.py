"""Where each image's newest row of features lies, and how many rows count: the file ``newest`` of a store.

It begins with the number of rows that count, then has a number for each image id: the place of its newest row, counted
from 1, and 0 for none. The file is mapped, and most of it is a hole where images have no features.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crystal_search.server.feature_store.feature_rows import Numbers

COUNT_BYTES = 8  #: that the file begins with
PLACE = np.dtype("<u4")
Places = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class FeatureIndex:
    """The file that says where rows are."""

    path: Path

    @property
    def count(self) -> int:
        """How many rows count; 0 where there is no file."""
        try:
            with self.path.open("rb") as file:
                return int.from_bytes(file.read(COUNT_BYTES), "little")
        except FileNotFoundError:
            return 0

    def places(self, image_ids: Numbers) -> Numbers:
        """Return the place of the newest row of each image, counted from 1; 0 for none."""
        known = self._length()
        found = np.zeros(len(image_ids), np.int64)
        if known:
            inside = (image_ids >= 0) & (image_ids < known)
            found[inside] = self._mapped("r", known)[image_ids[inside]]
        return found

    def point(self, image_ids: Numbers, places: Numbers) -> None:
        """Have images point to rows, and have that on the disk; the last counts where an image is there twice."""
        if not len(image_ids):
            return
        with open(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
            size = COUNT_BYTES + PLACE.itemsize * (int(image_ids.max()) + 1)
            file.truncate(max(size, os.fstat(file.fileno()).st_size))
            mapped = self._mapped("r+", self._length())
            mapped[image_ids] = places
            mapped.flush()
            os.fsync(file.fileno())

    def commit(self, count: int) -> None:
        """Have so many rows count from now on."""
        with self.path.open("r+b") as file:
            file.write(count.to_bytes(COUNT_BYTES, "little"))
            file.flush()
            os.fsync(file.fileno())

    def _length(self) -> int:
        try:
            return max(0, self.path.stat().st_size - COUNT_BYTES) // PLACE.itemsize
        except FileNotFoundError:
            return 0

    def _mapped(self, mode: str, length: int) -> "np.memmap[tuple[int], np.dtype[np.uint32]]":
        return np.memmap(self.path, PLACE, mode=mode, offset=COUNT_BYTES, shape=(length,))  # type: ignore[call-overload, no-any-return]
