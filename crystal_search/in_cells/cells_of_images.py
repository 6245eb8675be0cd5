"""Which crystals lie in which insect cells of an image."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from crystal_search.annotations.annotated_image import AnnotatedImage, AnnotatedObject, Placed
from crystal_search.annotations.drawn_shapes import pixels_of, size_of
from crystal_search.crystals.border_weights import border_weights
from crystal_search.errors import UserError
from crystal_search.metrics import Floats
from crystal_search.synthesis.rendered_folder import CELL

CRYSTAL = "crystal"
LEAST_SHARE = 0.1  #: of a crystal's pixels that lie in a cell, for the crystal to be that cell's
BORDER_PX = 1.0  #: what comes nearer to the border of an image is cut off by it
Pixels = NDArray[np.int64]  #: (M,) places in an image, row by row, in order


def _nothing() -> Floats:
    return np.zeros(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellsOfImage:
    """The insect cells of an image that lie wholly in it, one an element, with what they hold."""

    name: str
    crystals: Floats = field(default_factory=_nothing)  #: (N,), how many each holds
    weight: Floats = field(default_factory=_nothing)  #: (N,), how many cells each stands for
    cell_px2: Floats = field(default_factory=_nothing)  #: (N,), pixels of each
    crystal_px2: Floats = field(default_factory=_nothing)  #: (N,), pixels of its crystals
    cut_off: int = 0  #: cells that the border cuts, or one of whose crystals it cuts
    crystals_cut_off: int = 0  #: crystals of these
    crystals_outside: int = 0  #: crystals that lie in no cell
    error: str | None = None  #: why nothing is known


def is_cell(found: AnnotatedObject) -> bool:
    """Tell whether an object is called a cell, by what its class is a kind of, else by its class."""
    return _kind(found) == CELL


def is_crystal(found: AnnotatedObject) -> bool:
    """Tell whether an object is called a crystal."""
    return _kind(found) == CRYSTAL


def is_doubtful(found: AnnotatedObject) -> bool:
    """Tell whether what an object is called names both."""
    called = (found.supercategory.casefold(), found.label.casefold())
    telling = next((each for each in called if CRYSTAL in each or CELL in each), "")
    return CRYSTAL in telling and CELL in telling


def _kind(found: AnnotatedObject) -> str:
    called = (found.supercategory.casefold(), found.label.casefold())
    return next((kind for each in called for kind in (CRYSTAL, CELL) if kind in each), "")


def cells_of(
    image: AnnotatedImage, cells: Iterable[AnnotatedObject], crystals: Iterable[AnnotatedObject], *, least_share: float
) -> CellsOfImage:
    """Return the cells of an image with what they hold.

    A crystal is that cell's which has most of its pixels, if these are at least `least_share` of them.

    Parameters
    ----------
    image
        Of which both are, and whose size is known.
    cells, crystals
        What was drawn or found; what has no pixel in the image is none.
    least_share
        In [0, 1].

    Raises
    ------
    UserError
        If nobody tells how large the image is, or something is a place, a line, or an outline around many.
    """
    houses, guests = pixels_in(image, cells, CELL), pixels_in(image, crystals, CRYSTAL)
    homes = [home_of(each, houses, least_share) for each in guests]
    own = [[guest for guest, home in zip(guests, homes, strict=True) if home == place] for place in range(len(houses))]
    size = size_of(image)
    held = np.array([len(each) for each in own], np.float64)
    spans = [_span(np.concatenate((house, *there)), size[1]) for house, there in zip(houses, own, strict=True)]
    low, high = np.array(spans, np.float64).reshape(-1, 2, 2).transpose(1, 0, 2)
    weight = border_weights(low, high, size, BORDER_PX)
    inside = weight > 0
    return CellsOfImage(
        name=image.name,
        crystals=held[inside],
        weight=weight[inside],
        cell_px2=np.array([len(each) for each in houses], np.float64)[inside],
        crystal_px2=np.array([len(_union(each)) for each in own], np.float64)[inside],
        cut_off=int((~inside).sum()),
        crystals_cut_off=int(held[~inside].sum()),
        crystals_outside=homes.count(None),
    )


def pixels_in(image: AnnotatedImage, objects: Iterable[AnnotatedObject], kind: str) -> list[Pixels]:
    """Return the pixels of each object that has some; what has no extent, or is many, is refused.

    Raises
    ------
    UserError
        That says which kind of object it is, and how to draw it.
    """
    found = []
    for each in objects:
        if isinstance(each.shape, Placed):
            raise UserError(f"a {kind} is drawn as a place or a line; draw its outline")
        if each.crowd:
            raise UserError(f"an outline is around many {kind}s, and how many is not known; draw each of them")
        found.append(np.flatnonzero(pixels_of(image, each)))
    return [each for each in found if len(each)]


def home_of(crystal: Pixels, cells: Sequence[Pixels], least_share: float) -> int | None:
    """Return which of some cells has most of a crystal's pixels; None where none has enough."""
    shared = [_shared(crystal, cell) for cell in cells]
    most = int(np.argmax(shared)) if shared else 0
    return most if shared and shared[most] >= max(1.0, least_share * len(crystal)) else None


def _shared(one: Pixels, other: Pixels) -> int:
    """Return how many places are in both."""
    if one[0] > other[-1] or other[0] > one[-1]:
        return 0
    at = np.minimum(np.searchsorted(other, one), len(other) - 1)
    return int((other[at] == one).sum())


def _union(parts: Sequence[Pixels]) -> Pixels:
    return np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.int64)


def _span(places: Pixels, width_px: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the upper left and the lower right corner around pixels."""
    rows, columns = np.divmod(places, width_px)
    return (int(rows.min()), int(columns.min())), (int(rows.max()) + 1, int(columns.max()) + 1)
