"""Whole images as they might have been taken: turned, mirrored, nearer, out of proportion, by another lamp and camera.

King et al. (2024), section 3.1.4, change their images in these ways, and by contrast-limited equalisation besides,
in whose place stands here a share of plain equalisation.
"""

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps

from crystal_search.scoring.image_opinion import Pixels
from crystal_search.training.chop_augmentation import recompressed, recorded_differently, tinted, turned

TURN_DEGREES = 15.0  #: beside quarter turns, either way
ZOOM_LOG_RANGE, STRETCH_LOG_RANGE = 0.15, 0.08  #: of both sides, and of one against the other
SHIFT_SHARE = 0.05  #: of the side, either way
EQUALISED_SHARE, EQUALISED_RANGE = 0.15, (0.2, 0.8)  #: of images; how much of the equalised one is mixed in
TINTED_SHARE, RECOMPRESSED_SHARE, QUALITY_RANGE = 0.5, 0.3, (50, 95)


def image_seen_differently(square: Pixels, generator: np.random.Generator) -> Pixels:
    """Return a whole image as it might have lain, and been lit and recorded.

    Parameters
    ----------
    square
        The image fitted into a square, (side, side) or (side, side, 3).
    generator
        Decides on everything.

    Returns
    -------
    Pixels
        Of the same shape; what comes into sight from beyond has the image's mean.
    """
    square = turned(_moved(square, generator), int(generator.integers(8)))
    if generator.random() < EQUALISED_SHARE:
        square = _equalised(square, float(generator.uniform(*EQUALISED_RANGE)))
    if square.ndim == 3 and generator.random() < TINTED_SHARE:
        square = tinted(square, generator)
    square = recorded_differently(square, generator)
    if generator.random() < RECOMPRESSED_SHARE:
        square = recompressed(square, int(generator.integers(*QUALITY_RANGE, endpoint=True)))
    return square


def _moved(square: Pixels, generator: np.random.Generator) -> Pixels:
    """Return a square turned, enlarged, stretched and shifted about its middle."""
    side = len(square)
    angle = np.deg2rad(generator.uniform(-TURN_DEGREES, TURN_DEGREES))
    zoom = float(np.exp(generator.uniform(-ZOOM_LOG_RANGE, ZOOM_LOG_RANGE)))
    stretch = float(np.exp(generator.uniform(-STRETCH_LOG_RANGE, STRETCH_LOG_RANGE)))
    shift = generator.uniform(-SHIFT_SHARE, SHIFT_SHARE, 2) * side
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    back = turn @ np.diag([zoom * stretch, zoom / stretch])  # from columns and rows here to those there
    middle = np.full(2, side / 2)
    offset = middle + shift - back @ middle
    fill = tuple(np.atleast_1d(np.rint(square.mean(axis=(0, 1)))).astype(int).tolist())
    picture = Pillow.fromarray(square).transform(
        (side, side),
        Pillow.Transform.AFFINE,
        (back[0, 0], back[0, 1], offset[0], back[1, 0], back[1, 1], offset[1]),
        Pillow.Resampling.BILINEAR,
        fillcolor=fill if square.ndim == 3 else fill[0],
    )
    return np.asarray(picture)


def _equalised(square: Pixels, share: float) -> Pixels:
    picture = Pillow.fromarray(square)
    return np.asarray(Pillow.blend(picture, ImageOps.equalize(picture), share))
