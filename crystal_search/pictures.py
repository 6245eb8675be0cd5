"""Pictures as work units hold them: plain ones byte for byte, all others converted once, where the file lies.

What a page of several is, or how deep a camera's values are, is decided at the server and told there; clients get
pictures that need no decision (docs/decisions/0016-pictures-are-converted-at-the-server.md).
"""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow

from crystal_search.formats.picture import JPEG_MAGIC, MAX_SIDE_PX, Picture
from crystal_search.formats.picture_reading import read_picture
from crystal_search.images import DecodedImage, picture_file

FAST = 1  #: of PNG's levels of compression; the next takes twice as long for a twentieth less
ORIENTATION, UPRIGHT = 274, 1  #: tag of TIFF and EXIF, and what it says of a picture that stands as it is stored


@dataclass(frozen=True, slots=True)
class Converted:
    """A picture that any client reads."""

    suffix: str  #: of the file: as it was, or ``.png`` for a converted one
    data: bytes
    remarks: tuple[str, ...] = ()  #: what was overlooked or chosen, for people


def as_work_picture(data: bytes, suffix: str) -> Converted:
    """Return a picture as it is sent to clients, having decoded it as they will.

    JPEG, BMP, and PNG and TIFF of 8 bit and one page stay as they are. Everything else that is read becomes an 8-bit
    PNG of the same rows and columns, grey or RGB.

    Parameters
    ----------
    data
        The file.
    suffix
        What its name ends in, such as ``.tif``.

    Raises
    ------
    ImageError
        If the picture cannot be read, is not whole, or is no well; the message says what it is and what to do.
    """
    jpeg = data.startswith(JPEG_MAGIC)
    picture = read_picture(data, at_least_width_px=1 if jpeg else MAX_SIDE_PX)
    remarks = remarks_on(data, picture)
    if not picture.converted:
        return Converted(suffix, data, remarks)
    pixels = picture.pixels
    if pixels.ndim == 3 and (pixels[:, :, :1] == pixels).all():
        pixels = np.ascontiguousarray(pixels[:, :, 0])
    return Converted(".png", picture_file(Pillow.fromarray(pixels), compress_level=FAST), remarks)


def remarks_on(data: bytes, image: DecodedImage | Picture) -> tuple[str, ...]:
    """Return what people should know of how a file was read; also an orientation tag that was ignored."""
    try:
        with Pillow.open(io.BytesIO(data), formats=("JPEG", "PNG", "TIFF")) as picture:
            orientation = picture.getexif().get(ORIENTATION, UPRIGHT)
    except Exception:  # the tag is of no account: what cannot be read here was read without it
        return image.remarks
    told = () if orientation == UPRIGHT else (f"its orientation tag ({orientation}) was ignored",)
    return (*image.remarks, *told)
