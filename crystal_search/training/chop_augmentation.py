"""Chops as they might have lain, and been lit and recorded: what the task ``chops`` changes, one by one on a processor.

The tasks ``cells`` and ``drops`` change views many at once, on whatever device they are: `view_augmentation`.
"""

from typing import TypeVar

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageFilter

from crystal_search.geometry import Box

Value = TypeVar("Value", bound=np.generic)
Pixels = NDArray[np.uint8]  #: (rows, columns), or (rows, columns, 3) in colour

GAMMA_LOG_RANGE = 0.3
CONTRAST_RANGE = (0.6, 1.3)
BRIGHTNESS_RANGE = 0.08  #: of full scale
BLUR_RANGE_PX = (0.3, 1.3)
NOISE_RANGE = (0.003, 0.02)  #: of full scale
BLURRED_SHARE, NOISY_SHARE = 0.15, 0.25
TURN_DEGREES, ZOOM_LOG_RANGE, SHIFT_PX = 8.0, 0.12, 16.0  #: free moves of a chop, either way
SURROUNDINGS_PX = (16, 48)  #: least and most that is kept around a moved chop, for its normalisation
RECOMPRESSED_SHARE, QUALITY_RANGE = 0.3, (50, 95)
TINTED_SHARE, TINT_LOG_RANGE = 0.5, 0.12


def recorded_differently(grey: Pixels, generator: np.random.Generator) -> Pixels:
    """Return an image, mostly `grey`, as another lamp, lens, exposure or sensor might have recorded it."""
    if generator.random() < BLURRED_SHARE:
        blur = ImageFilter.GaussianBlur(generator.uniform(*BLUR_RANGE_PX))
        grey = np.asarray(Pillow.fromarray(grey).filter(blur))
    levels = np.arange(256, dtype=np.float32) / 255
    levels = levels ** np.exp(generator.uniform(-GAMMA_LOG_RANGE, GAMMA_LOG_RANGE))
    middle = float(levels[int(grey[::8, ::8].mean())])
    levels = middle + generator.uniform(*CONTRAST_RANGE) * (levels - middle)
    levels += generator.uniform(-BRIGHTNESS_RANGE, BRIGHTNESS_RANGE)
    g = (255 * levels.astype(np.float32))[grey]
    if generator.random() < NOISY_SHARE:
        g += 255 * generator.uniform(*NOISE_RANGE) * generator.standard_normal(g.shape, dtype=np.float32)
    return np.asarray(np.rint(np.clip(g, 0, 255)), dtype=np.uint8)


def turned(field: NDArray[Value], turn: int) -> NDArray[Value]:
    """Return one of the 8 turned and mirrored versions of a field of shape (rows, columns, ...).

    >>> turned(np.array([[1, 2], [3, 4]]), 5).tolist()
    [[4, 2], [3, 1]]
    """
    field = np.rot90(field, turn % 4)
    return np.ascontiguousarray(field[:, ::-1] if turn >= 4 else field)


def chop_seen_differently(pixels: Pixels, box: Box, generator: np.random.Generator) -> tuple[Pixels, Box]:
    """Return a chop with surroundings as it might have lain, and been lit and recorded; and where it is now.

    Parameters
    ----------
    pixels
        (rows, columns) or (rows, columns, 3), of at least the chop's side.
    box
        Where in `pixels` the chop is.
    """
    square = turned(moved(pixels, box, generator), int(generator.integers(8)))
    if square.ndim == 3 and generator.random() < TINTED_SHARE:
        square = tinted(square, generator)
    square = recorded_differently(square, generator)
    if generator.random() < RECOMPRESSED_SHARE:
        square = recompressed(square, int(generator.integers(*QUALITY_RANGE, endpoint=True)))
    side, margin = box.bottom - box.top, (len(square) - (box.bottom - box.top)) // 2
    return square, Box(margin, margin, margin + side, margin + side)


def moved(pixels: Pixels, box: Box, generator: np.random.Generator) -> Pixels:
    """Return a square with a chop in its middle, turned, resized and shifted a little; nothing is made up outside."""
    angle = np.deg2rad(generator.uniform(-TURN_DEGREES, TURN_DEGREES))
    zoom = float(np.exp(generator.uniform(-ZOOM_LOG_RANGE, ZOOM_LOG_RANGE)))
    shift = generator.uniform(-SHIFT_PX, SHIFT_PX, 2)
    half_chop = (box.bottom - box.top) / 2
    sides = np.array(pixels.shape[:2])
    wanted = np.array([box.top + half_chop, box.left + half_chop])
    spread = zoom * (abs(np.cos(angle)) + abs(np.sin(angle)))
    half = _half_side(half_chop, wanted, sides, spread)
    if half < half_chop + SURROUNDINGS_PX[0]:  # too little is known of the surroundings to look at others
        angle, zoom, spread, shift = 0.0, 1.0, 1.0, np.zeros(2)
        half = _half_side(half_chop, wanted, sides, spread)
    centre = np.clip(wanted + shift, spread * half, sides - spread * half)
    return _resampled(pixels, centre, int(2 * half), angle, zoom)


def _half_side(half_chop: float, centre: NDArray[np.float64], sides: NDArray[np.int_], spread: float) -> int:
    """Return half the side of the largest square around a chop that lies, once spread, within the pixels."""
    room = float(np.minimum(centre, sides - centre).min())
    return int(max(half_chop, min(half_chop + SURROUNDINGS_PX[1], room / spread)))


def _resampled(pixels: Pixels, centre: NDArray[np.float64], side: int, angle: float, zoom: float) -> Pixels:
    cosine, sine = zoom * float(np.cos(angle)), zoom * float(np.sin(angle))
    half, (row, column) = side / 2, centre
    matrix = (cosine, -sine, column - half * (cosine - sine), sine, cosine, row - half * (sine + cosine))
    square = Pillow.fromarray(pixels).transform(
        (side, side), Pillow.Transform.AFFINE, matrix, Pillow.Resampling.BILINEAR
    )
    return np.asarray(square)


def tinted(colour: Pixels, generator: np.random.Generator) -> Pixels:
    """Return an image in colour as under a lamp of another colour."""
    gains = np.exp(generator.uniform(-TINT_LOG_RANGE, TINT_LOG_RANGE, 3)).astype(np.float32)
    return np.asarray(np.clip(np.rint(colour * gains), 0, 255), dtype=np.uint8)


def recompressed(pixels: Pixels, quality: int) -> Pixels:
    """Return an image as it is after it was stored as JPEG."""
    if pixels.ndim == 3:
        return np.asarray(simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(pixels, quality), "RGB"))
    data = simplejpeg.encode_jpeg(pixels[:, :, None], quality, colorspace="GRAY")
    return np.asarray(simplejpeg.decode_jpeg(data, "GRAY")[:, :, 0])
