"""Class probabilities of chops: one pass over the whole region, or window after window.

With unpadded convolutions and shifts that are multiples of the output stride both give the same numbers
(docs/decisions/0002-dense-scoring.md); windowed scoring works for every network and is the reference.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.chopper.cutting import cut, cut_all
from crystal_search.chopper.tiling import ChopGrid
from crystal_search.images import View
from crystal_search.inference import Network
from crystal_search.model_card import FEATURES, ClassifierCard
from crystal_search.scoring.feature_cells import FeatureCells, Maps

BATCH = 16
Logits = NDArray[np.float64]  #: (chops, classes)


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a classifier says of the chops of a grid."""

    logits: Logits  #: of the chops that were asked for
    features: Maps | None
    """Its middle, (numbers, h, w) over the grid's region; 0 where no such chop lies; None where it gives none."""


def channels_first(views: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return views of shape (N, rows, columns[, channels]) as a network reads them, (N, channels, rows, columns).

    >>> channels_first(np.zeros((5, 8, 9), np.float32)).shape, channels_first(np.zeros((5, 8, 9, 3), np.float32)).shape
    ((5, 1, 8, 9), (5, 3, 8, 9))
    """
    return views[:, None] if views.ndim == 3 else np.ascontiguousarray(views.transpose(0, 3, 1, 2))


def windowed_answers(view: View, grid: ChopGrid, kept: Sequence[int], network: Network[ClassifierCard]) -> Answers:
    """Return what a classifier says of some chops of a grid, each scored on its own.

    Parameters
    ----------
    view
        Normalised image, shape (rows, columns) or (rows, columns, 3).
    grid
        Chops of the side that the network's card names.
    kept
        Which of them, counted row by row.
    network
        A classifier.
    """
    boxes, means = list(grid.boxes()), [np.zeros((0, len(network.card.classes)))]
    cells = FeatureCells.of(grid, network.card)
    features = cells.blank() if cells else None
    for start in range(0, len(kept), BATCH):
        part = kept[start : start + BATCH]
        chops = cut_all(view, [boxes[index] for index in part])  # (n, side, side[, 3])
        maps = network.maps(channels_first(chops))
        means.append(maps[network.card.outputs[0].name].mean(axis=(2, 3), dtype=np.float64))  # (n, classes)
        if cells and features is not None:
            for index, middle in zip(part, maps[FEATURES], strict=True):
                features[:, *cells.of_chop(index)] = middle  # (numbers, cells, cells)
    return Answers(np.concatenate(means), features)


def dense_answers(view: View, grid: ChopGrid, kept: Sequence[int], network: Network[ClassifierCard]) -> Answers:
    """Return what a classifier says of some chops of a grid, computed in one pass over its region.

    Parameters are those of `windowed_answers`.

    Raises
    ------
    ValueError
        If the network pads, or the grid's side or stride do not fit its card; score windowed instead.
    """
    card = network.card
    if card.padded or grid.side_px != card.side_px or grid.stride_px % card.output_stride_px:
        raise ValueError(f"{card.name} cannot score {grid} densely; score windowed")
    region = cut(view, grid.region)
    maps = network.maps(channels_first(region[None]))
    cells = maps[card.outputs[0].name][0].astype(np.float64)  # (classes, h, w)
    size, step = card.cells_per_chop, grid.stride_px // card.output_stride_px
    windows = np.lib.stride_tricks.sliding_window_view(cells, (size, size), axis=(1, 2))[:, ::step, ::step]
    means = windows.mean(axis=(3, 4))  # (classes, rows, columns)
    logits = means[:, : grid.rows, : grid.columns].reshape(len(card.classes), -1).T  # (all chops, classes)
    return Answers(np.asarray(logits[list(kept)]), maps[FEATURES][0] if FeatureCells.of(grid, card) else None)


def probabilities(logits: Logits, temperature: float) -> NDArray[np.float64]:
    """Return class probabilities, rows adding up to 1, for logits of shape (chops, classes).

    >>> probabilities(np.zeros((1, 2)), 1.0).tolist()
    [[0.5, 0.5]]
    """
    scaled = logits / temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))
