"""From the values of a camera to 8 bit.

A 12-bit camera writes 16-bit files whose upper bits are empty. How many bits are used is taken from the file where it
says so, else from where the values lie, never from one bright pixel.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from crystal_search.errors import ImageError

DEPTHS_BITS = (8, 10, 12, 14, 16, 24, 32)  #: of cameras, and of what software makes of their pictures
HOT_SHARE = 1e-4  #: of the values that may be brighter than the depth allows; hot pixels, cosmic rays, reflexes
LOOKED_AT = 4_000_000  #: pixels at most, of a larger picture every second or third
BAND_ROWS = 256
BELOW_ZERO_SHARE = 1 / 64  #: of the span of values; as much below zero is noise of a subtracted background


def to_eight_bits(values: NDArray[np.generic], depth_bits: int | None = None) -> NDArray[np.uint8]:
    """Return integers as 8 bit: the upper 8 of the bits that are used.

    Parameters
    ----------
    values
        Integers of up to 32 bit, of any shape; signed ones with values well below zero are taken to be about a middle
        of zero, as scientific software writes them.
    depth_bits
        How many bits are used, where the file says so.

    Raises
    ------
    ImageError
        If the values are no integers of up to 32 bit.

    >>> to_eight_bits(np.array([0, 0x0FFF, 0x0800], np.uint16)), to_eight_bits(np.array([-32768, 32767], np.int16))
    (array([  0, 255, 128], dtype=uint8), array([  0, 255], dtype=uint8))
    """
    if values.dtype.kind not in "ui" or values.dtype.itemsize > 4:
        raise ImageError(f"the pixels are {_named(values.dtype)}; expected whole numbers of 8, 16 or 32 bit")
    if values.dtype == np.uint8 and depth_bits in (None, 8):
        return np.asarray(values, np.uint8)
    least, most = _bulk(values)
    used = 8 * values.dtype.itemsize - (values.dtype.kind == "i")
    about_zero = values.dtype.kind == "i" and least < -BELOW_ZERO_SHARE * max(most - least, 1)
    depth = depth_bits or next(bits for bits in (*_below(used), used) if most < 2**bits)
    found = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), BAND_ROWS):  # bands, since copies of a whole large picture take much memory
        band = values[top : top + BAND_ROWS]
        found[top : top + BAND_ROWS] = _moved_up(band) if about_zero else _upper_bits(band, depth)
    return found


def _moved_up(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Return signed values of full range, the least as 0."""
    unsigned, bits = f"u{values.dtype.itemsize}", 8 * values.dtype.itemsize
    from_zero = values.astype(unsigned) ^ np.array(2 ** (bits - 1), unsigned)
    return np.asarray(from_zero >> (bits - 8), np.uint8)


def _upper_bits(values: NDArray[np.generic], depth: int) -> NDArray[np.uint8]:
    kept = np.clip(values, 0, 2**depth - 1)
    return np.asarray(kept >> (depth - 8) if depth >= 8 else kept.astype(np.uint16) * 255 // (2**depth - 1), np.uint8)


def _named(dtype: np.dtype[np.generic]) -> str:
    return f"floating-point numbers ({dtype})" if dtype.kind == "f" else str(dtype)


def _below(bits: int) -> Iterable[int]:
    return (each for each in DEPTHS_BITS if each < bits)


def _bulk(values: NDArray[np.generic]) -> tuple[int, int]:
    """Return between which values all lie but `HOT_SHARE` of them at either end."""
    pixels = values.reshape(-1, values.shape[2] if values.ndim == 3 else 1)
    flat = pixels[:: 1 + len(pixels) // LOOKED_AT].ravel()
    few = int(HOT_SHARE * flat.size)
    ends = np.partition(flat, (few, flat.size - 1 - few))
    return int(ends[few]), int(ends[flat.size - 1 - few])
