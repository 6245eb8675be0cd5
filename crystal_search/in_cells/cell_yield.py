"""What cells yield: the share of them with crystals, crystals a cell, the area of crystals, each with an interval.

Intervals are of cells that count as many as tell the same: fewer where the border's weights differ, and fewer again
where cells of one image are more alike than those of others. By how much is learnt from all wells that have several
images: the mean square between images over that of all cells (Kish's design effect), and the uncertainty of that by
Student's t (Korn and Graubard 1998). The interval of a share is that of Clopper and Pearson (1934), that of a number
of crystals Garwood's (1936), widened where cells differ more than by chance; neither is of width 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, log, nan, sqrt

import numpy as np

from crystal_search.bootstrap import LEVEL, Interval
from crystal_search.errors import UserError
from crystal_search.in_cells.cells_of_images import CellsOfImage
from crystal_search.metrics import Floats

FEWEST_MORE = 2  #: images beside the first of their wells, for what is told of how images differ
MISSING = "scipy, which reckons intervals, is missing: pip install 'crystal-search[crystals]'"
FROM_CELLS, FROM_IMAGES = "cells", "images"  #: what an interval is reckoned from
Measure = Callable[[CellsOfImage], Floats]
MEASURES: dict[str, Measure] = {
    "share": lambda each: (each.crystals > 0).astype(np.float64),
    "a_cell": lambda each: each.crystals,
    "area": lambda each: each.crystal_px2 / each.cell_px2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """How much more alike cells of one image are than cells of a well."""

    effects: dict[str, float]  #: by measure, at least 1: how many cells tell as much as one that is alone
    more: int  #: images beside the first of their wells, of which that is known; 0: nothing is, and effects are 1

    @property
    def interval_from(self) -> str:
        """What intervals are reckoned from."""
        return FROM_IMAGES if self.more else FROM_CELLS


MOST_TIMES = 1000.0  #: an area between bounds farther off than so many times is not known
NOT_KNOWN = Alike(effects=dict.fromkeys(MEASURES, 1.0), more=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Yield:
    """What some cells yield."""

    cells: int
    with_crystals: int
    crystals: int
    share: Interval  #: of cells with crystals
    a_cell: Interval  #: crystals
    area: Interval  #: of crystals over that of their cells and of those without


def check_library() -> None:
    """Return if there is what intervals need.

    Raises
    ------
    UserError
        If there is not.
    """
    try:
        import scipy.stats  # noqa: F401
    except ImportError as error:
        raise UserError(MISSING) from error


def alike(wells: Sequence[Sequence[CellsOfImage]]) -> Alike:
    """Return how alike cells of one image are, in wells of which each has some images."""
    there = [[image for image in images if len(image.crystals)] for images in wells]
    several = [images for images in there if len(images) > 1]
    more = sum(len(images) - 1 for images in several)
    if more < FEWEST_MORE:
        return NOT_KNOWN
    return Alike(effects={name: _effect(several, of) for name, of in MEASURES.items()}, more=more)


def _effect(wells: Sequence[Sequence[CellsOfImage]], of: Measure) -> float:
    """Return the mean square between images of a well over that of cells, at least 1."""
    between = total = 0.0
    images = cells = 0
    for well in wells:
        values = [of(image) for image in well]
        everything = np.concatenate(values)
        between += sum(len(each) * float(each.mean() - everything.mean()) ** 2 for each in values)
        total += float(((everything - everything.mean()) ** 2).sum())
        images, cells = images + len(well) - 1, cells + len(everything) - 1
    return max(1.0, between / images / (total / cells)) if total > 0 else 1.0


def yield_of(images: Sequence[CellsOfImage], known: Alike = NOT_KNOWN) -> Yield:
    """Return what the cells of some images yield.

    Parameters
    ----------
    images
        Of one well, or one alone.
    known
        How alike cells of one image are; by default as if each were alone.

    Raises
    ------
    UserError
        If scipy is missing.
    """
    check_library()
    weight, crystals, cell_px2, crystal_px2 = (
        np.concatenate([getattr(each, name) for each in images] or [np.zeros(0)])
        for name in ("weight", "crystals", "cell_px2", "crystal_px2")
    )
    figures = dict.fromkeys(MEASURES, Interval(nan, nan, nan))
    if len(crystals):
        cells = {name: _as_many(weight, effect, known.more) for name, effect in known.effects.items()}
        figures = {
            "share": _share(float(np.average(crystals > 0, weights=weight)), cells["share"]),
            "a_cell": _a_cell(crystals, weight, cells["a_cell"]),
            "area": _area(crystal_px2, cell_px2, weight, cells["area"]),
        }
    with_crystals, held = int((crystals > 0).sum()), int(crystals.sum())
    return Yield(cells=len(crystals), with_crystals=with_crystals, crystals=held, **figures)


def _as_many(weight: Floats, effect: float, more: int) -> float:
    """Return how many cells that are alone would tell as much."""
    from scipy.stats import t

    cells = float(weight.sum() ** 2 / (weight**2).sum())
    if not more:
        return cells
    wider = t.ppf((1 + LEVEL) / 2, more) / t.ppf((1 + LEVEL) / 2, max(cells - 1, 1))
    return cells / effect / max(1.0, float(wider) ** 2)


def _share(share: float, cells: float) -> Interval:
    from scipy.stats import beta

    with_some = share * cells
    low = beta.ppf((1 - LEVEL) / 2, with_some, cells - with_some + 1) if share > 0 else 0.0
    high = beta.ppf((1 + LEVEL) / 2, with_some + 1, cells - with_some) if share < 1 else 1.0
    return Interval(share, min(float(low), share), max(float(high), share))


def _a_cell(crystals: Floats, weight: Floats, cells: float) -> Interval:
    from scipy.stats import chi2

    mean = float(np.average(crystals, weights=weight))
    spread = float(np.average((crystals - mean) ** 2, weights=weight))
    exposed = cells / max(1.0, spread / mean if mean > 0 else 1.0)
    seen = mean * exposed
    low = float(chi2.ppf((1 - LEVEL) / 2, 2 * seen)) / 2 / exposed if seen > 0 else 0.0
    return Interval(mean, low, float(chi2.ppf((1 + LEVEL) / 2, 2 * seen + 2)) / 2 / exposed)


def _area(crystal_px2: Floats, cell_px2: Floats, weight: Floats, cells: float) -> Interval:
    """Return a ratio of sums; no interval where there is no crystal, one cell alone, no difference, or no bound.

    The interval is Student's of the logarithm: areas are skewed, most of all where few cells have crystals.
    """
    from scipy.stats import t

    ratio, others = float(weight @ crystal_px2) / float(weight @ cell_px2), len(cell_px2) - 1
    if not crystal_px2.any() or not others:
        return Interval(ratio, nan, nan)
    off = np.average((crystal_px2 - ratio * cell_px2) ** 2, weights=weight) * len(cell_px2) / others
    error = sqrt(float(off) / cells) / float(np.average(cell_px2, weights=weight))
    if not error:
        return Interval(ratio, nan, nan)
    half = float(t.ppf((1 + LEVEL) / 2, others)) * error / ratio
    if half > log(MOST_TIMES):
        return Interval(ratio, nan, nan)
    return Interval(ratio, ratio / exp(half), ratio * exp(half))
