"""PNG pictures whose pixels are numbers of objects or of classes, or only say what belongs to an object."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.errors import UserError
from crystal_search.formats.picture import MAX_SIDE_PX
from crystal_search.images import picture_file
from crystal_search.unet_drop.regions import Mask

Numbers = NDArray[np.uint32]  #: (rows, columns), 0 for background
VOID = 255  #: of pictures with a palette: the border around objects, as Pascal VOC paints it
MOST_PX = 64_000_000  #: of a picture that is decoded; one of a few hundred kB may claim more
MOST = 65535  #: the highest number in a picture of 16 bit


def numbers_in(data: bytes, *, within_px: tuple[int, int] | None = None) -> Numbers:
    """Return the number of each pixel.

    That of a picture in colour is red + 256 green + 65536 blue, as COCO's panoptic pictures have it.

    Parameters
    ----------
    within_px
        Height and width of the image that a picture is a part of.

    Raises
    ------
    UserError
        If the data are no PNG, or one that is larger than any image, or than the image that it is a part of. That is
        seen before it is decoded.
    """
    try:
        picture = Pillow.open(io.BytesIO(data), formats=("PNG",))
        _check_size(*picture.size, within_px)
        return _numbers(picture)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders raise a dozen kinds on damaged files
        raise UserError(f"it is no PNG that can be read ({error}); save it again") from error


def _check_size(width: int, height: int, within_px: tuple[int, int] | None) -> None:
    if max(width, height) > MAX_SIDE_PX or width * height > MOST_PX:
        raise UserError(
            f"it has {width} x {height} px; each side has at most {MAX_SIDE_PX}, and both together {MOST_PX}: reduce it"
        )
    if within_px and (height > within_px[0] or width > within_px[1]):
        raise UserError(f"it has {width} x {height} px, its image {within_px[1]} x {within_px[0]}; cut it to the image")


def _numbers(picture: Pillow.Image) -> Numbers:
    if picture.mode == "P":
        numbers = np.asarray(picture).astype(np.uint32)
        return np.where(numbers == VOID, np.uint32(0), numbers)
    if picture.mode in ("1", "L", "I;16", "I"):
        return np.asarray(picture).astype(np.uint32)
    red, green, blue = picture.convert("RGB").split()
    numbers = np.asarray(blue).astype(np.uint32)
    for band in (green, red):
        numbers <<= 8
        numbers |= np.asarray(band)
    return numbers


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
