"""What every reader of a picture file gives, and which pictures are wells at all."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.errors import ImageError

MIN_SIDE_PX, MAX_SIDE_PX = 128, 10_000
MAX_BYTES = 256 * 1024 * 1024
MAX_ASPECT = 5  # sides may differ by this factor; a thin strip is no well and would be enlarged without end

JPEG_MAGIC = b"\xff\xd8\xff"
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
BMP_MAGIC = b"BM"
TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
#: First bytes of files that people take for pictures that we read, or that are.
KINDS = (
    *((magic, "TIFF") for magic in TIFF_MAGICS),
    *((JPEG_MAGIC, "JPEG"), (PNG_MAGIC, "PNG"), (BMP_MAGIC, "BMP"), (b"GIF8", "GIF"), (b"%PDF", "PDF")),
    *((b"RIFF", "WebP or another RIFF file"), (b"PK\3\4", "zip file"), (b"<", "XML")),
    *((b"\0\0\0\x0cjP", "JPEG 2000"), (b"\xff\x4f\xff\x51", "JPEG 2000")),
    *((bytes(32), "zeros: a copy that has not begun"), (b"\0\0\0", "HEIF")),
)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """The pixels of a file, and what a reader should know about how they were had."""

    pixels: NDArray[np.uint8]  #: (rows, columns) grey or (rows, columns, 3) RGB, perhaps reduced while decoding
    height_px: int  #: rows as stored
    width_px: int  #: columns as stored
    converted: bool = False  #: whether values were brought to 8 bit, or a page chosen of several
    remarks: tuple[str, ...] = ()  #: what was overlooked or chosen


def kind_of(data: bytes) -> str:
    r"""Return what the first bytes say that a file is.

    >>> kind_of(b"II*\0....."), kind_of(b"GIF89a"), kind_of(b"")
    ('TIFF', 'GIF', 'empty file')
    """
    if not data:
        return "empty file"
    return next((kind for magic, kind in KINDS if data.startswith(magic)), "file of another kind")


def check_size(height_px: int, width_px: int) -> None:
    """Raise an ImageError if a picture of this size is no well.

    Raises
    ------
    ImageError
        If a side is too short or too long, or one is many times the other.
    """
    if not (MIN_SIDE_PX <= height_px <= MAX_SIDE_PX and MIN_SIDE_PX <= width_px <= MAX_SIDE_PX):
        raise ImageError(
            f"the image is {width_px} x {height_px} px; each side must have {MIN_SIDE_PX} to {MAX_SIDE_PX}"
        )
    if max(height_px, width_px) > MAX_ASPECT * min(height_px, width_px):
        raise ImageError(f"the image is {width_px} x {height_px} px; a well's sides differ at most {MAX_ASPECT} fold")
