"""A well with known values, and files of it that tifffile, Pillow or these few lines write: never our own readers."""

import io
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from crystal_search.demo.truth import plate_folder

HEIGHT, WIDTH = 256, 306  #: of `rgb` and `grey`; neither a multiple of a tile's side


def demo_wells() -> list[Path]:
    return sorted(plate_folder().glob("*.jpg"))


@cache
def rgb() -> NDArray[np.uint8]:
    """A well of the demo plate in colour, small; its darkest and brightest values are far apart."""
    with Image.open(demo_wells()[3]) as picture:
        small = np.asarray(picture.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BOX)).astype(int)
    tinted = small * [97, 98, 104] // 100
    return np.asarray(np.clip(tinted - tinted.min() + 3, 3, 250), np.uint8)


@cache
def grey() -> NDArray[np.uint8]:
    return np.ascontiguousarray(rgb()[:, :, 1])


def tiff(pixels: NDArray[np.generic], **options: Any) -> bytes:
    """What tifffile writes; of `options`, ``big`` and ``order`` are those of the file."""
    stream = io.BytesIO()
    big, order = options.pop("big", False), options.pop("order", "<")
    with tifffile.TiffWriter(stream, bigtiff=big, byteorder=order) as writer:
        writer.write(pixels, metadata=None, **options)
    return stream.getvalue()


def pages(*pictures: NDArray[np.generic], **options: Any) -> bytes:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for each in pictures:
            writer.write(each, photometric="minisblack" if each.ndim == 2 else "rgb", metadata=None, **options)
    return stream.getvalue()


def saved(pixels: NDArray[np.generic], kind: str, **options: Any) -> bytes:
    """What Pillow writes."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


PNG_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  #: by samples a pixel


def png16(pixels: NDArray[np.generic], *between: bytes) -> bytes:
    """A 16-bit PNG of (rows, columns, samples), whose rows are filtered as the one above, which Pillow cannot write."""
    height, width, samples = pixels.shape
    rows = pixels.astype(">u2").reshape(height, -1).view(np.uint8).astype(int)
    up = np.diff(rows, axis=0, prepend=0).astype(np.uint8)
    packed = zlib.compress(b"".join(b"\2" + row.tobytes() for row in up))
    header = struct.pack(">IIBBBBB", width, height, 16, PNG_COLOUR_TYPES[samples], 0, 0, 0)
    parts = [chunk(b"IHDR", header), *between, chunk(b"IDAT", packed), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def twelve_bits(pixels: NDArray[np.uint8]) -> bytes:
    """A TIFF of 12 bits a sample without gaps, the upper 8 of which are `pixels`."""
    values = pixels.astype(np.uint16) << 4
    bits = np.unpackbits(values.astype(">u2").view(np.uint8).reshape(*values.shape, 2), axis=-1)[..., 4:]
    rows = np.packbits(bits.reshape(len(pixels), -1), axis=1).tobytes()
    return of_bits(rows, 12, samples=3 if pixels.ndim == 3 else 1)


def of_bits(rows: bytes, bits: int, *, samples: int, **more: int) -> bytes:
    """A TIFF written by hand: one strip of `rows`, little-endian; ``tag_N`` are further tags of one number."""
    tags = {
        256: WIDTH,
        257: HEIGHT,
        258: bits,
        259: 1,
        262: 2 if samples == 3 else 1,
        273: 0,
        277: samples,
        278: HEIGHT,
    }
    tags |= {279: len(rows)} | {int(name.removeprefix("tag_")): value for name, value in more.items()}
    end = 8 + 2 + 12 * len(tags) + 4
    tail = struct.pack("<3H", *[bits] * 3)
    entries = b""
    for tag, value in sorted(tags.items()):
        count, kind = (3, 3) if tag == 258 and samples == 3 else (1, 4)
        place = end if count == 3 else end + len(tail) if tag == 273 else value
        entries += struct.pack("<HHII", tag, kind, count, place)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + tail + rows


def paletted(pixels: NDArray[np.uint8], colours: int = 256) -> bytes:
    """A TIFF of so many colours, 4 bits a pixel for 16, in which Pillow quantizes them."""
    shown = Image.fromarray(pixels).quantize(colours)
    stream = io.BytesIO()
    shown.save(stream, "TIFF")
    if colours > 16:
        return stream.getvalue()
    packed = np.packbits(np.unpackbits(np.asarray(shown)[:, :, None], axis=2)[:, :, 4:].reshape(HEIGHT, -1), axis=1)
    return with_palette(packed.tobytes(), np.array(shown.getpalette()).reshape(-1, 3)[:16])


def with_palette(rows: bytes, colours: NDArray[np.generic]) -> bytes:
    data = of_bits(rows, 4, samples=1, tag_320=0).replace(
        struct.pack("<HHI", 320, 4, 1), struct.pack("<HHI", 320, 3, 48)
    )
    data = data.replace(struct.pack("<HHII", 262, 4, 1, 1), struct.pack("<HHII", 262, 4, 1, 3))
    at = data.index(struct.pack("<HHI", 320, 3, 48)) + 8
    return data[:at] + struct.pack("<I", len(data)) + data[at + 4 :] + (colours.T * 257).astype("<u2").tobytes()
