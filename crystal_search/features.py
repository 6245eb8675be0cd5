"""Features: numbers from the middle of the classifier, averaged over the drop, that travel with every score.

They are kept as little-endian numbers of 16 bits, and written into JSON as base64 of these bytes.
"""

import base64
import binascii

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float16]  #: (numbers,), as the classifier's card counts them

FLOAT16 = np.dtype("<f2")
LARGEST = float(np.finfo(FLOAT16).max)


def packed(values: NDArray[np.floating]) -> bytes:
    """Return numbers as the bytes that are kept; what float16 does not hold becomes the largest that it does.

    >>> packed(np.array([1.0, -2.0, 1e9])).hex()
    '003c00c0ff7b'
    """
    return bytes(np.clip(values, -LARGEST, LARGEST).astype(FLOAT16).tobytes())


def unpacked(data: bytes) -> Features:
    """Return the numbers in bytes of `packed`; they cannot be written to.

    >>> unpacked(bytes.fromhex("003c00c0")).tolist()
    [1.0, -2.0]
    """
    return np.frombuffer(data, FLOAT16)


def as_text(data: bytes) -> str:
    """Return bytes of `packed` as JSON holds them.

    >>> as_text(bytes.fromhex("003c00c0"))
    'ADwAwA=='
    """
    return base64.b64encode(data).decode()


def from_text(text: str) -> bytes:
    """Return the bytes of `packed` in a text that somebody else may have written.

    Raises
    ------
    ValueError
        If it is not the base64 of finite numbers of 16 bits, one at least, as `as_text` writes it.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"no base64: {error}") from error
    if as_text(data) != text or not data or len(data) % FLOAT16.itemsize:
        raise ValueError(f"{len(data)} bytes in base64, expected two for each number, and nothing beside them")
    if not np.isfinite(unpacked(data)).all():
        raise ValueError("a number that is infinite, or none at all")
    return data
