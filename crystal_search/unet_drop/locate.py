"""Locating the drop in a well image with a U-Net, numpy and ONNX Runtime only.

The approach is that of Thielmann et al. (2023), section 2.2: a mask around the liquid, and the image cropped
to it. "No drop" is an answer of its own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.geometry import Box
from crystal_search.images import Grey, normalised, resized
from crystal_search.inference import Network
from crystal_search.model_card import DropCard
from crystal_search.unet_drop.regions import Mask, box_around, filled, labelled, outline_of

LEAST_AREA_FRACTION = 0.003  # of the image; less is dust, not a drop
LEAST_CERTAINTY = 0.85  # mean probability of a drop's pixels; shading and walls are doubtful all over
LEAST_PART = 0.1  # of the largest part; a drop may be split, or splashed into many
OUTLINE_POINTS = 96


@dataclass(frozen=True, slots=True, eq=False)
class LocatedDrop:
    """Where the liquid is, in the locator's own pixels."""

    mask: Mask  #: (rows, columns), the whole image at the locator's working width
    box: Box  #: smallest rectangle around the mask
    outline: tuple[tuple[int, int], ...]  #: of the largest part, (row, column) corners of pixels

    @property
    def area_fraction(self) -> float:
        """Share of the image that is drop, in (0, 1]."""
        return float(self.mask.mean())


def drop_probabilities(grey: Grey, network: Network[DropCard]) -> NDArray[np.float32]:
    """Return for each pixel of the image at the locator's width how probably it is drop, in [0, 1].

    Parameters
    ----------
    grey
        Image of shape (rows, columns), any size.
    network
        A drop locator.
    """
    card = network.card
    view = normalised(resized(grey, card.working_width_px), card.normalisation)
    height, width = view.shape
    padding = [(0, -side % card.side_multiple_px) for side in (height, width)]
    padded = np.pad(view, padding)
    logits = network.logits(padded[None, None])[0, 0, :height, :width]
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))), dtype=np.float32)


def drop_in(probabilities: NDArray[np.float32]) -> LocatedDrop | None:
    """Return the drop that a map of probabilities shows, or None when there is none.

    The largest connected part above 0.5 counts, with parts at least a tenth as large; together they must be
    large enough, and certain enough on average. Holes are filled.
    """
    labels, sizes = labelled(probabilities > 0.5)
    counting = sizes >= LEAST_PART * sizes.max(initial=1)
    if sizes[counting].sum() < LEAST_AREA_FRACTION * probabilities.size:
        return None
    mask = np.isin(labels, np.flatnonzero(counting) + 1)
    if probabilities[mask].mean() < LEAST_CERTAINTY:
        return None
    mask = filled(mask)
    largest = filled(labels == int(np.argmax(sizes)) + 1)
    return LocatedDrop(mask, box_around(mask), outline_of(largest, OUTLINE_POINTS))


def locate_drop(grey: Grey, network: Network[DropCard]) -> LocatedDrop | None:
    """Return the drop in a grey image of shape (rows, columns), or None when there is none."""
    return drop_in(drop_probabilities(grey, network))
