"""BMP: Pillow reads it; whether a copy of it was finished is looked at here."""

import io

import numpy as np
from PIL import Image as Pillow

from crystal_search.formats.picture import Picture, check_size
from crystal_search.formats.unfinished import refuse_zero_tail

PIXELS_AT, BITS_AT, COMPRESSION_AT = 10, 28, 30  #: in the file's header


def read_bmp(data: bytes) -> Picture:
    """Return the picture.

    Raises
    ------
    ImageError
        If it ends in zeros that were never written, or is no well.
    """
    picture = Pillow.open(io.BytesIO(data), formats=("BMP",))
    check_size(picture.height, picture.width)
    pixels = np.array(picture if picture.mode in ("L", "RGB") else picture.convert("RGB"))
    start, bits = int.from_bytes(data[PIXELS_AT : PIXELS_AT + 4], "little"), data[BITS_AT]
    row = (picture.width * bits + 31) // 32 * 4
    if data[COMPRESSION_AT] == 0 and bits >= 8:
        padding = row - picture.width * bits // 8
        refuse_zero_tail(data[: start + row * picture.height], start, row, padding=padding)
    return Picture(pixels, picture.height, picture.width)


def bmp_size(data: bytes) -> tuple[int, int]:
    """Return height and width, px as stored, that the header says."""
    picture = Pillow.open(io.BytesIO(data), formats=("BMP",))
    return picture.height, picture.width
