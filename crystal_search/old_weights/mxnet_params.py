"""Reading MXNet ``.params`` files: named arrays, little-endian, in the three layouts that MXNet ever wrote."""

import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystal_search.errors import ModelError

Array = NDArray[Any]

LIST_MAGIC = 0x112
DENSE_MAGIC = 0xF993FAC9  #: with a storage type, since 0.12
EARLIER_MAGIC = 0xF993FAC8  #: 64-bit dimensions, no storage type; before both, the number of dimensions stood here
NUMPY_SHAPE_MAGIC = 0xF993FACA  #: as the dense one, but of any shape, zero included
DTYPES = {0: "<f4", 1: "<f8", 2: "<f2", 3: "|u1", 4: "<i4", 5: "|i1", 6: "<i8"}
MAX_DIMENSIONS = 8
MAX_ELEMENTS = 2**40
MAX_NAME_BYTES = 1000
PREFIXES = ("arg:", "aux:")  #: learnt weights, and statistics beside them
AGAIN = "copy the file again"


class _Cursor:
    """A position in the file's bytes; whatever is read must be there."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int, what: str) -> memoryview:
        if count > self.left:
            raise ModelError(
                f"the .params file ends early: {what} needs {count} bytes at {self._at}, {self.left} are left; {AGAIN}"
            )
        start, self._at = self._at, self._at + count
        return memoryview(self._data)[start : self._at]

    def number(self, code: str, what: str) -> int:
        value: int = struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}"), what))[0]
        return value


def read_params(data: bytes) -> dict[str, Array]:
    """Return the arrays in a ``.params`` file by name, without ``arg:`` and ``aux:``.

    The arrays are views of `data`; none is larger than what the file holds.

    Raises
    ------
    ModelError
        If the file is cut off or no such file, holds sparse arrays or unknown types, or names one twice.
    """
    cursor = _Cursor(data)
    if (magic := cursor.number("Q", "the magic number")) != LIST_MAGIC:
        raise ModelError(
            f"no MXNet .params file: it begins with {magic:#x}, expected {LIST_MAGIC:#x}; name another file"
        )
    cursor.number("Q", "the reserved number")
    arrays = [_array(cursor, f"array {n}") for n in range(_count(cursor, "arrays", 4))]
    names = [_name(cursor) for _ in range(_count(cursor, "names", 8))]
    if len(names) != len(arrays):
        raise ModelError(f"the .params file has {len(arrays)} arrays and {len(names)} names; save it with names")
    if cursor.left:
        raise ModelError(f"{cursor.left} bytes follow the end of the .params file; {AGAIN}")
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ModelError(f"the .params file names {', '.join(twice[:5])} twice; save it again")
    return dict(zip(names, arrays, strict=True))


def _count(cursor: _Cursor, what: str, least_bytes: int) -> int:
    count = cursor.number("Q", f"the number of {what}")
    if count * least_bytes > cursor.left:
        raise ModelError(f"the .params file claims {count} {what} in {cursor.left} bytes; {AGAIN}")
    return count


def _name(cursor: _Cursor) -> str:
    size = cursor.number("Q", "the length of a name")
    if size > MAX_NAME_BYTES:
        raise ModelError(f"a name of {size} bytes in the .params file; at most {MAX_NAME_BYTES} are read; {AGAIN}")
    try:
        name = bytes(cursor.take(size, "a name")).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"a name in the .params file is no UTF-8; {AGAIN}") from error
    return name[4:] if name.startswith(PREFIXES) else name


def _array(cursor: _Cursor, what: str) -> Array:
    shape = _shape(cursor, what)
    if shape is None:
        return np.zeros(0, dtype=np.float32)
    cursor.number("i", f"the device of {what}")
    cursor.number("i", f"the device number of {what}")
    code = cursor.number("i", f"the type of {what}")
    if code not in DTYPES:
        known = ", ".join(f"{each} ({np.dtype(name)})" for each, name in DTYPES.items())
        raise ModelError(f"{what} of the .params file has type {code}; known are {known}; save it as float32")
    dtype = np.dtype(DTYPES[code])
    values = cursor.take(math.prod(shape) * dtype.itemsize, f"{what} of shape {shape}")
    return np.frombuffer(values, dtype=dtype).reshape(shape)


def _shape(cursor: _Cursor, what: str) -> tuple[int, ...] | None:
    """Return the shape, or None for an array that was never filled: nothing follows its shape."""
    magic = cursor.number("I", f"the magic number of {what}")
    if magic in (DENSE_MAGIC, NUMPY_SHAPE_MAGIC) and (storage := cursor.number("i", f"the storage of {what}")):
        raise ModelError(f"{what} of the .params file is sparse (storage type {storage}); save it dense")
    with_64_bits = magic in (DENSE_MAGIC, NUMPY_SHAPE_MAGIC, EARLIER_MAGIC)
    dimensions = cursor.number("i", f"the dimensions of {what}") if with_64_bits else magic
    if not 0 <= dimensions <= MAX_DIMENSIONS:
        raise ModelError(
            f"{what} of the .params file has {dimensions} dimensions; 0 to {MAX_DIMENSIONS} are read; {AGAIN}"
        )
    shape = tuple(cursor.number("q" if with_64_bits else "I", f"a dimension of {what}") for _ in range(dimensions))
    if min(shape, default=0) < 0 or math.prod(max(side, 1) for side in shape) > MAX_ELEMENTS:
        raise ModelError(f"{what} of the .params file has shape {shape}, a side negative or too large; {AGAIN}")
    return shape if shape or magic == NUMPY_SHAPE_MAGIC else None
