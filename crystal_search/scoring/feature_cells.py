"""Features of a drop: the mean of a classifier's middle over it, the same densely and window by window.

The classifier's second output has a cell for every few pixels of the region under all chops. Each cell counts by how
much of the drop lies in its middle square, as wide as the cells' stride; cells that lie in no chop of the drop do not
count, since windowed scoring does not see them (docs/decisions/0026-features-travel-with-every-score.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.chopper.tiling import ChopGrid
from crystal_search.features import packed
from crystal_search.model_card import ClassifierCard, Output

Maps = NDArray[np.float32]  #: (numbers, rows, columns) of cells
Shares = NDArray[np.float64]  #: (rows, columns) of cells


@dataclass(frozen=True, slots=True)
class FeatureCells:
    """Where the cells of features lie under a grid of chops."""

    grid: ChopGrid
    output: Output
    per_chop: int  #: cells on a side of a chop

    @classmethod
    def of(cls, grid: ChopGrid, card: ClassifierCard) -> "FeatureCells | None":
        """Return the cells under `grid`; None where the classifier gives none, or chops would not share them."""
        output = card.features
        if output is None or card.padded or grid.stride_px % output.stride_px:
            return None
        return cls(grid, output, card.cells_in_trial(output))

    @property
    def rows(self) -> int:
        """Rows of cells under the whole grid."""
        return self.per_chop + (self.grid.rows - 1) * self._step

    @property
    def columns(self) -> int:
        """Columns of cells under the whole grid."""
        return self.per_chop + (self.grid.columns - 1) * self._step

    @property
    def _step(self) -> int:
        """Cells from one chop to the next."""
        return self.grid.stride_px // self.output.stride_px

    def of_chop(self, index: int) -> tuple[slice, slice]:
        """Return rows and columns of the cells of a chop, which is counted row by row."""
        row, column = divmod(index, self.grid.columns)
        top, left = row * self._step, column * self._step
        return slice(top, top + self.per_chop), slice(left, left + self.per_chop)

    def blank(self) -> Maps:
        """Return a map without anything in it."""
        return np.zeros((self.output.channels, self.rows, self.columns), np.float32)

    def shares(self, mask: NDArray[np.bool_], scale: float, kept: Sequence[int]) -> Shares:
        """Return how much each cell counts, adding up to 1.

        Parameters
        ----------
        mask
            True where the drop is, shape (rows, columns) of the whole image.
        scale
            Pixels of the view for each of the mask.
        kept
            The chops of the drop, at least one.
        """
        seen = np.zeros((self.rows, self.columns), np.bool_)
        for index in kept:
            seen[self.of_chop(index)] = True
        down = self._overlaps(self.grid.top, self.rows, mask.shape[0], scale)  # (rows of cells, rows of the mask)
        across = self._overlaps(self.grid.left, self.columns, mask.shape[1], scale)
        drop = (down @ mask.astype(np.float32) @ across.T) * seen
        counting = drop if drop.any() else seen  # a drop at the edge of the image alone lies in no middle square
        return np.asarray(counting / counting.sum(dtype=np.float64))

    def _overlaps(self, start_px: int, cells: int, length: int, scale: float) -> NDArray[np.float32]:
        """Return how long the middle square of each cell lies on each row or column of the mask."""
        first = start_px + (self.output.offset_px or 0) + 0.5 - self.output.stride_px / 2
        edges = (first + self.output.stride_px * np.arange(cells + 1)) / scale
        bounds = np.clip(edges[:, None] - np.arange(length), 0, 1)  # of each pixel that lies before each edge
        return np.asarray(np.diff(bounds, axis=0), dtype=np.float32)


def mean_over_drop(maps: Maps, shares: Shares) -> bytes:
    """Return features as a score holds them: the mean of maps (numbers, rows, columns) by shares (rows, columns).

    >>> from crystal_search.features import unpacked
    >>> unpacked(mean_over_drop(np.array([[[1.0, 3.0]]], np.float32), np.array([[0.25, 0.75]]))).tolist()
    [2.5]
    """
    return packed(maps.reshape(len(maps), -1) @ shares.ravel().astype(np.float32))
