"""The vitals of a picture: how bright and how sharp it is, and where something small and dark stands in it.

They say nothing of what is in the drop; they are there to notice what happens to an imager.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from crystal_search.images import resized

WIDTH_PX = 612  #: at which pictures are looked at
PLACE_PX = 8  #: side of a place of the shade map
SURROUNDINGS = 3  #: places on each side that a place is compared with
BRIGHT, SHARP = 0.95, 0.995  #: quantiles: of grey levels; of edges
COARSE = 4  #: pixels that one pixel of the coarse picture covers along a side
DARKEST = 1 / 512  #: grey level, of 1, that a logarithm begins with

Grey = NDArray[np.floating]
Shade = NDArray[np.float16]  #: (rows, columns) of places


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Vitals:
    """What a picture tells of its imager."""

    brightness: float  #: logarithm of a grey level in (0, 1] that nearly all of the picture lies below: the lit floor
    sharpness: float  #: logarithm of how strong edges are in the picture over how strong they are in a coarse one
    coarse_sharpness: float  #: the same of two coarser ones, for cameras of few pixels
    shade: Shade  #: logarithm of how dark each place is beside its surroundings; 0 is as bright, -0.7 half


def vitals_of(grey: NDArray[np.uint8]) -> Vitals:
    """Return the vitals of a grey picture (rows, columns), at least as wide as `WIDTH_PX` or as it is stored."""
    levels = np.asarray(resized(grey, WIDTH_PX), np.float32) / 255
    places = box_means(levels, PLACE_PX)
    return Vitals(
        brightness=float(np.log(max(float(np.quantile(places, BRIGHT)), DARKEST))),
        sharpness=_strength(levels) - _strength(box_means(levels, COARSE)),
        coarse_sharpness=_strength(box_means(levels, 2)) - _strength(box_means(levels, 2 * COARSE)),
        shade=shade_of(places),
    )


def box_means(levels: Grey, side: int) -> Grey:
    """Return the means of squares of `side` pixels; what is left over at the lower and right edge is not used.

    >>> box_means(np.arange(12.0).reshape(2, 6), 2).tolist()
    [[3.5, 5.5, 7.5]]
    """
    rows, columns = (length // side for length in levels.shape)
    squares = levels[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return np.asarray(squares.mean(axis=(1, 3)))


def shade_of(places: Grey) -> Shade:
    """Return the logarithm of each place over the median of the places around it, of the same shape."""
    logs = np.log(np.maximum(places, DARKEST))
    around = 2 * SURROUNDINGS + 1
    windows = sliding_window_view(np.pad(logs, SURROUNDINGS, mode="reflect"), (around, around))
    return np.asarray(logs - np.median(windows, axis=(2, 3)), np.float16)


def _strength(levels: Grey) -> float:
    """Return the logarithm of how strong the strongest edges are: of the discrete Laplacian."""
    inner = levels[1:-1, 1:-1]
    edges = 4 * inner - levels[:-2, 1:-1] - levels[2:, 1:-1] - levels[1:-1, :-2] - levels[1:-1, 2:]
    return float(np.log(max(float(np.quantile(np.abs(edges), SHARP)), DARKEST)))
