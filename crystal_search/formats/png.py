"""PNG: every chunk is checked, and 16 bits are read where Pillow keeps the upper 8."""

import io
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL.ImageFile import ImageFile

from crystal_search.errors import ImageError
from crystal_search.formats.eight_bits import to_eight_bits
from crystal_search.formats.picture import PNG_MAGIC, Picture, check_size

DEPTH_AT, COLOUR_TYPE_AT = 8, 9  #: in the header's content
WITH_COLOUR, WITH_ALPHA = 2, 4  #: bits of the colour type


def read_png(data: bytes) -> Picture:
    """Return the picture; transparency is left out.

    Raises
    ------
    ImageError
        If a chunk is damaged or missing, or the picture is no well.
    """
    chunks = list(_chunks(data))
    header = chunks[0][1] if chunks and chunks[0][0] == b"IHDR" else b""
    if len(header) != 13 or chunks[-1][0] != b"IEND":
        raise ImageError("the PNG is not whole: its first or last part is missing; copy or save it again")
    if [name for name, _ in chunks].count(b"IHDR") > 1:  # the decoder takes the last one, which may be of any size
        raise ImageError("the PNG is damaged: it has several headers; copy or save it again")
    width, height = int.from_bytes(header[:4]), int.from_bytes(header[4:8])
    check_size(height, width)
    if header[DEPTH_AT] < 16:
        return Picture(_plain(_opened(data)), height, width)
    scaled = any(name == b"sBIT" for name, _ in chunks)  # then values fill 16 bit, however many a camera gave
    return Picture(to_eight_bits(_deep(chunks, header), 16 if scaled else None), height, width, converted=True)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of every chunk up to the last.

    Raises
    ------
    ImageError
        If a checksum is wrong, or the file ends within a chunk.
    """
    at, name = len(PNG_MAGIC), b""
    while name != b"IEND":
        length = int.from_bytes(data[at : at + 4])
        name, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if zlib.crc32(name + content).to_bytes(4) != data[at + 8 + length : at + 12 + length]:
            raise ImageError(f"the PNG is damaged or cut off after {at} of its bytes; copy or save it again")
        yield name, content
        at += 12 + length


def _opened(data: bytes) -> ImageFile:
    return Pillow.open(io.BytesIO(data), formats=("PNG",))


def _plain(picture: ImageFile) -> NDArray[np.uint8]:
    return np.array(picture if picture.mode in ("L", "RGB") else picture.convert("RGB"))


def _deep(chunks: list[tuple[bytes, bytes]], header: bytes) -> NDArray[np.uint16]:
    """Return the 16-bit values: (rows, columns) or (rows, columns, 3)."""
    plain = [(name, content) for name, content in chunks if name in (b"IDAT", b"IEND")]
    kind = header[COLOUR_TYPE_AT]
    if kind == WITH_ALPHA:  # two times two bytes are decoded as four times one
        as_bytes = bytearray(header)
        as_bytes[DEPTH_AT], as_bytes[COLOUR_TYPE_AT] = 8, WITH_COLOUR | WITH_ALPHA
        upper, lower = np.moveaxis(np.asarray(_opened(_file([(b"IHDR", bytes(as_bytes)), *plain]))), 2, 0)[:2]
        return np.asarray(upper.astype(np.uint16) << 8 | lower)
    file = _file([(b"IHDR", header), *plain])
    if not kind & WITH_COLOUR:
        return np.asarray(_opened(file)).astype(np.uint16)
    upper, lower = (_colours(file, order)[:, :, :3] for order in "BL")
    return np.asarray(upper.astype(np.uint16) << 8 | lower)


def _colours(data: bytes, order: str) -> NDArray[np.uint8]:
    """Return one byte of each 16-bit colour; Pillow keeps the one that is the upper in this `order`."""
    picture = _opened(data)
    picture.tile = [tile._replace(args=f"{picture.mode};16{order}") for tile in picture.tile]
    return np.array(picture)


def _file(chunks: list[tuple[bytes, bytes]]) -> bytes:
    parts = (
        len(content).to_bytes(4) + name + content + zlib.crc32(name + content).to_bytes(4) for name, content in chunks
    )
    return PNG_MAGIC + b"".join(parts)
