"""PNG pictures whose pixels are numbers of objects or of classes, or only say what belongs to an object."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.errors import UserError
from crystal_search.formats.picture import MAX_SIDE_PX
from crystal_search.images import picture_file
from crystal_search.unet_drop.regions import Mask

Numbers = NDArray[np.int64]  #: (rows, columns), 0 for background
VOID = 255  #: of pictures with a palette: the border around objects, as Pascal VOC paints it
MOST = 65535  #: the highest number in a picture of 16 bit


def numbers_in(data: bytes) -> Numbers:
    """Return the number of each pixel.

    That of a picture in colour is red + 256 green + 65536 blue, as COCO's panoptic pictures have it.

    Raises
    ------
    UserError
        If the data are no PNG, or one that is larger than any image.
    """
    try:
        picture = Pillow.open(io.BytesIO(data), formats=("PNG",))
        if max(picture.size) > MAX_SIDE_PX:
            raise UserError(f"it has {picture.width} x {picture.height} px; each side has at most {MAX_SIDE_PX}")
        return _numbers(picture)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders raise a dozen kinds on damaged files
        raise UserError(f"it is no PNG that can be read ({error}); save it again") from error


def _numbers(picture: Pillow.Image) -> Numbers:
    if picture.mode == "P":
        numbers = np.asarray(picture).astype(np.int64)
        return np.where(numbers == VOID, 0, numbers)
    if picture.mode in ("1", "L", "I;16", "I"):
        return np.asarray(picture).astype(np.int64)
    colours = np.asarray(picture.convert("RGB")).astype(np.int64)
    return np.asarray(colours @ np.array((1, 256, 65536)))


def numbers_png(numbers: Numbers) -> bytes:
    """Return a picture of numbers as PNG, of 8 bit where they fit.

    Raises
    ------
    UserError
        If there is a higher number than a picture can hold.
    """
    if (highest := int(numbers.max(initial=0))) > MOST:
        raise UserError(f"{highest} objects in one image; a picture holds at most {MOST}: write another format")
    return picture_file(Pillow.fromarray(numbers.astype(np.uint8 if highest < VOID else np.uint16)))


def mask_png(mask: Mask) -> bytes:
    """Return a mask as PNG of black and white."""
    return picture_file(Pillow.fromarray(mask))
