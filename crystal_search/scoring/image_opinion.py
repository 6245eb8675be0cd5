"""What a classifier of whole images says: the image fitted into a square, scored at once."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.class_schemes import in_outcomes, scheme_of
from crystal_search.images import IN_COLOUR, DecodedImage, View, normalised, to_grey
from crystal_search.inference import Network
from crystal_search.model_card import ImageCard
from crystal_search.scoring.classify import channels_first, probabilities

Pixels = NDArray[np.uint8]  #: (rows, columns), or (rows, columns, 3) in colour


def fitted(pixels: Pixels, side_px: int) -> Pixels:
    """Return an image in the middle of a square, its longer side `side_px`; the rest has the image's mean.

    Nothing is cut off: a crystal at the border of an image is as good as any (King et al. 2024, section 3.1.4).

    >>> fitted(np.array([[10, 10], [30, 30], [20, 20], [20, 20]], np.uint8), 4).tolist()
    [[20, 10, 10, 20], [20, 30, 30, 20], [20, 20, 20, 20], [20, 20, 20, 20]]
    """
    height, width = pixels.shape[:2]
    scale = side_px / max(height, width)
    rows, columns = max(1, round(scale * height)), max(1, round(scale * width))
    small = pixels
    if (rows, columns) != (height, width):
        small = np.asarray(Pillow.fromarray(pixels).resize((columns, rows), Pillow.Resampling.BILINEAR))
    square = np.empty((side_px, side_px, *pixels.shape[2:]), np.uint8)
    square[:] = np.rint(small.mean(axis=(0, 1)))
    top, left = (side_px - rows) // 2, (side_px - columns) // 2
    square[top : top + rows, left : left + columns] = small
    return square


def pixels_for(image: DecodedImage, normalisation: str) -> Pixels:
    """Return what a normalisation reads of an image: its colours, or its grey."""
    return image.colour if normalisation in IN_COLOUR else to_grey(image.colour)


def whole_view(image: DecodedImage, card: ImageCard) -> View:
    """Return an image as a classifier of whole images reads it, (side, side), or (side, side, 3) in colour."""
    return normalised(fitted(pixels_for(image, card.normalisation), card.working_width_px), card.normalisation)


def class_opinion(image: DecodedImage, network: Network[ImageCard]) -> NDArray[np.float64]:
    """Return the probability of each of 13 outcomes, (13,); of coarser classes it goes where `in_outcomes` puts it."""
    card = network.card
    logits = network.logits(channels_first(whole_view(image, card)[None])).mean(axis=(2, 3), dtype=np.float64)
    shares = probabilities(logits, card.temperature)  # (1, the card's classes)
    outcomes: NDArray[np.float64] = in_outcomes(shares, scheme_of(card.classes))[0]
    return outcomes
