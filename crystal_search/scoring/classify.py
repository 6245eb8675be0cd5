"""Class probabilities of chops: one pass over the whole region, or window after window.

With unpadded convolutions and shifts that are multiples of the output stride both give the same numbers
(docs/decisions/0002-dense-scoring.md); windowed scoring works for every network and is the reference.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crystal_search.chopper.cutting import cut, cut_all
from crystal_search.chopper.tiling import ChopGrid
from crystal_search.geometry import Box
from crystal_search.images import View
from crystal_search.inference import Network
from crystal_search.model_card import ClassifierCard

BATCH = 16
Logits = NDArray[np.float64]  #: (chops, classes)


def channels_first(views: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return views of shape (N, rows, columns[, channels]) as a network reads them, (N, channels, rows, columns).

    >>> channels_first(np.zeros((5, 8, 9), np.float32)).shape, channels_first(np.zeros((5, 8, 9, 3), np.float32)).shape
    ((5, 1, 8, 9), (5, 3, 8, 9))
    """
    return views[:, None] if views.ndim == 3 else np.ascontiguousarray(views.transpose(0, 3, 1, 2))


def windowed_logits(view: View, boxes: Sequence[Box], network: Network[ClassifierCard]) -> Logits:
    """Return the logits of every chop, each scored on its own.

    Parameters
    ----------
    view
        Normalised image, shape (rows, columns) or (rows, columns, 3).
    boxes
        Chops, all of the side that the network's card names.
    network
        A classifier.
    """
    means = []
    for start in range(0, len(boxes), BATCH):
        chops = cut_all(view, boxes[start : start + BATCH])  # (n, side, side[, 3])
        maps = network.logits(channels_first(chops))  # (n, classes, cells, cells)
        means.append(maps.mean(axis=(2, 3), dtype=np.float64))  # (n, classes)
    return np.concatenate(means) if means else np.zeros((0, len(network.card.classes)))


def dense_logits(view: View, grid: ChopGrid, network: Network[ClassifierCard]) -> Logits:
    """Return the logits of every chop of a grid, row by row, computed in one pass over its region.

    Raises
    ------
    ValueError
        If the network pads, or the grid's side or stride do not fit its card; score windowed instead.
    """
    card = network.card
    if card.padded or grid.side_px != card.side_px or grid.stride_px % card.output_stride_px:
        raise ValueError(f"{card.name} cannot score {grid} densely; score windowed")
    region = cut(view, grid.region)
    cells = network.logits(channels_first(region[None]))[0].astype(np.float64)  # (classes, h, w)
    size, step = card.cells_per_chop, grid.stride_px // card.output_stride_px
    windows = np.lib.stride_tricks.sliding_window_view(cells, (size, size), axis=(1, 2))[:, ::step, ::step]
    means = windows.mean(axis=(3, 4))  # (classes, rows, columns)
    return np.asarray(means[:, : grid.rows, : grid.columns].reshape(len(card.classes), -1).T)


def probabilities(logits: Logits, temperature: float) -> NDArray[np.float64]:
    """Return class probabilities, rows adding up to 1, for logits of shape (chops, classes).

    >>> probabilities(np.zeros((1, 2)), 1.0).tolist()
    [[0.5, 0.5]]
    """
    scaled = logits / temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))
