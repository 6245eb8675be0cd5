"""Finding the crystals of an image: grey at the width that the detector sees, normalised, its answers, crystals."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from crystal_search.crystal import Crystal
from crystal_search.crystals.contrast import with_contrasts
from crystal_search.crystals.decoding import STRIDE_PX, Decoding, crystals_in
from crystal_search.crystals.instances import instances_in
from crystal_search.images import DecodedImage, Grey, View, normalised, to_grey
from crystal_search.inference import Maps, Network
from crystal_search.model_card import DENSE, INSTANCES, CrystalCard

TILE_PX = 1024  #: side of the part of an image that one tile answers for


def find_crystals(
    image: DecodedImage,
    network: Network[CrystalCard],
    *,
    least_probability: float | None = None,
) -> tuple[Crystal, ...]:
    """Return the crystals that a detector sees in an image, the most probable first, in pixels as stored.

    Their contrast is measured in the image as the detector sees it.

    Parameters
    ----------
    least_probability
        Of a crystal (default: what the card says).
    """
    seen = seen_crystals(image, network, least_probability=least_probability)
    return seen.measured(range(len(seen.crystals)))


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The crystals that a detector sees in an image, the most probable first, before anything is measured of them."""

    crystals: tuple[Crystal, ...]  #: in pixels of `grey`
    grey: Grey  #: the image as the detector sees it, but not normalised
    scale: float  #: pixels as stored along a side of one of `grey`

    @property
    def stored(self) -> tuple[Crystal, ...]:
        """All of them, in pixels as stored."""
        return tuple(each.enlarged(self.scale) for each in self.crystals)

    def measured(self, numbers: Iterable[int]) -> tuple[Crystal, ...]:
        """Return those with these numbers, in pixels as stored, with their contrast, as if there were no others."""
        measured = with_contrasts([self.crystals[number] for number in numbers], self.grey)
        return tuple(each.enlarged(self.scale) for each in measured)


def seen_crystals(
    image: DecodedImage, network: Network[CrystalCard], *, least_probability: float | None = None
) -> Seen:
    """Return the crystals that a detector sees in an image; the arguments are those of `find_crystals`."""
    card = network.card
    grey = card.sight.of(to_grey(image.colour))
    found = crystals_in_view(normalised(grey, card.normalisation), network, least_probability=least_probability)
    return Seen(found, grey, image.width_px / grey.shape[1])


def crystals_in_view(
    view: View, network: Network[CrystalCard], *, least_probability: float | None = None
) -> tuple[Crystal, ...]:
    """Return the crystals that a detector sees in a normalised image (rows, columns), the most probable first."""
    card = network.card
    least = card.least_probability if least_probability is None else least_probability
    return DECODINGS[card.decoding](view, network, Decoding(least=least, most_overlap=card.most_overlap))


def _dense(view: View, network: Network[CrystalCard], decoding: Decoding) -> tuple[Crystal, ...]:
    return crystals_in(dense_maps(view, network), decoding)


def _instances(view: View, network: Network[CrystalCard], decoding: Decoding) -> tuple[Crystal, ...]:
    return instances_in(network.maps(padded(view, network.card.side_multiple_px)), decoding)


#: From a normalised image to its crystals, by what cards call it; another way to answer is a line here.
DECODINGS: dict[str, Callable[[View, Network[CrystalCard], Decoding], tuple[Crystal, ...]]] = {
    DENSE: _dense,
    INSTANCES: _instances,
}


def dense_maps(view: View, network: Network[CrystalCard], *, tile_px: int = TILE_PX) -> Maps:
    """Return a detector's maps (1, channels, h, w) of a normalised image (rows, columns).

    A large image is seen in tiles, each with as much of its surroundings as its answers depend on, which gives the same
    maps as one pass with less memory.

    Parameters
    ----------
    tile_px
        A multiple of the card's `side_multiple_px`.
    """
    multiple, margin = network.card.side_multiple_px, network.card.margin_px
    filled = padded(view, multiple)
    whole = max(filled.shape) <= tile_px + 2 * margin
    maps = network.maps(filled) if whole else _tiled(filled, network, tile_px)
    height, width = (-(-side // STRIDE_PX) for side in view.shape)
    return {name: each[:, :, :height, :width] for name, each in maps.items()}


def padded(view: View, multiple_px: int) -> NDArray[np.float32]:
    """Return a batch (1, 1, H, W) of a view whose sides are filled up to multiples."""
    return np.pad(view, [(0, -side % multiple_px) for side in view.shape])[None, None]


def _tiled(filled: NDArray[np.float32], network: Network[CrystalCard], tile_px: int) -> Maps:
    height, width = filled.shape[2:]
    margin, cells = network.card.margin_px, tile_px // STRIDE_PX
    maps = {
        each.name: np.empty((1, each.channels, height // STRIDE_PX, width // STRIDE_PX), np.float32)
        for each in network.card.outputs
    }
    for top, left in product(range(0, height, tile_px), range(0, width, tile_px)):
        above, before = max(0, top - margin), max(0, left - margin)
        answers = network.maps(filled[:, :, above : top + tile_px + margin, before : left + tile_px + margin])
        row, column, first_row, first_column = (each // STRIDE_PX for each in (top, left, top - above, left - before))
        for name, whole in maps.items():
            part = whole[:, :, row : row + cells, column : column + cells]
            part[:] = answers[name][:, :, first_row:, first_column:][:, :, : part.shape[2], : part.shape[3]]
    return maps
