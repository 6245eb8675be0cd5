"""Masks of drops as people draw them: pictures of any size that are bright where the drop is."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.errors import ImageError
from crystal_search.formats.picture import MAX_SIDE_PX
from crystal_search.images import picture_file
from crystal_search.unet_drop.regions import Mask

FORMATS = ("PNG", "TIFF", "BMP", "JPEG")
BRIGHT = 127  #: of 255; a mask is drop where it is brighter
DARK = 32  #: of 255; the colours of labels have a channel of at least 64
DIFFERENT_PROPORTIONS = 0.03  #: of a mask from those of its image; more is a mask of something else


def mask_in(data: bytes) -> Mask:
    """Return the mask that a picture shows: True where it is bright; what is transparent is dark.

    A picture whose values are 0 and 1 only, as programs write them, is bright where it is 1. One of coloured labels on
    black, as labelme writes it, is bright wherever it has a label.

    Raises
    ------
    ImageError
        If the picture does not decode, is larger than any image, or has something in it but nothing bright.
    """
    grey = _grey(data)
    brightest = int(grey.max(initial=0))
    if 1 < brightest <= BRIGHT:
        raise ImageError(f"the mask is {brightest} of 255 at its brightest; paint the drop white")
    return np.asarray(grey > min(BRIGHT, brightest - 1)) if brightest else np.zeros(grey.shape, np.bool_)


def mask_over(data: bytes, shape: tuple[int, ...]) -> Mask:
    """Return the mask that a picture shows of an image of `shape`, (rows, columns, ...).

    Raises
    ------
    ImageError
        If the picture is no mask, or has other proportions than the image.
    """
    mask = mask_in(data)
    height, width = mask.shape
    if abs(height * shape[1] / (width * shape[0]) - 1) > DIFFERENT_PROPORTIONS:
        raise ImageError(
            f"the mask has {width} x {height} px, other proportions than the image; draw it over the image"
        )
    return mask


def drawn(data: bytes, mode: str, what: str) -> tuple[str, Pillow.Image]:
    """Return Pillow's mode in which a picture of labels is stored, and the picture in another `mode`.

    Raises
    ------
    ImageError
        If it does not decode, or is larger than any image; `what` says what it is.
    """
    try:
        stored = Pillow.open(io.BytesIO(data), formats=FORMATS)
        if max(stored.size) > MAX_SIDE_PX:
            raise ImageError(f"the {what} has {stored.width} x {stored.height} px; each side has at most {MAX_SIDE_PX}")
        return stored.mode, stored.convert(mode)
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders raise a dozen kinds on damaged files
        raise ImageError(f"the {what} does not decode: {error}; save it again as PNG") from error


def _grey(data: bytes) -> NDArray[np.uint8]:
    """Return how bright a picture is on black, (rows, columns); of coloured labels each is white."""
    stored, picture = drawn(data, "RGBA", "mask")
    black = Pillow.new("RGBA", picture.size, (0, 0, 0, 255))
    shown = Pillow.alpha_composite(black, picture).convert("RGB")
    grey, colours = np.asarray(shown.convert("L")), np.asarray(shown)
    label = colours.max(axis=2) > DARK
    coloured = bool((colours.max(axis=2) - colours.min(axis=2) > DARK).any())
    if coloured and (stored == "P" or grey.max() <= BRIGHT):
        return np.where(label, np.uint8(255), np.uint8(0))
    return grey


def mask_png(mask: Mask) -> bytes:
    """Return a mask as a PNG of black and white."""
    return picture_file(Pillow.fromarray(mask), optimize=True)
