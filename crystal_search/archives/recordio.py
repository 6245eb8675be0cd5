"""Reading MXNet RecordIO files (``.rec``), in which im2rec packed labelled images, without MXNet."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from crystal_search.errors import UserError

MAGIC = 0xCED7230A
MAGIC_BYTES = struct.pack("<I", MAGIC)
WHOLE, FIRST, MIDDLE, LAST = range(4)  #: a record that holds the magic number itself is split there, into parts
LENGTH_BITS = 29
HEADER = struct.Struct("<IfQQ")  #: number of labels (0: the one that follows), label, two identifiers
MAX_LABELS = 10_000
MAX_RECORD_BYTES = 2**28
AGAIN = "pack or copy the file again"


@dataclass(frozen=True, slots=True)
class PackedImage:
    """One image as im2rec packed it."""

    labels: tuple[float, ...]  #: mostly one: the class as a number
    identifier: int
    encoded: bytes  #: a JPEG or PNG file


def read_images(path: Path) -> Iterator[PackedImage]:
    """Yield the images of a ``.rec`` file, one after another.

    Raises
    ------
    UserError
        If the file cannot be read, is cut off, or is no such file.
    """
    try:
        with path.open("rb") as file:
            for number, record in enumerate(records(file)):
                yield _image(record, number)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; name a file that is there") from error


def records(file: BinaryIO) -> Iterator[bytes]:
    """Yield the records of a RecordIO file as they were before they were packed.

    >>> from io import BytesIO
    >>> next(records(BytesIO(MAGIC_BYTES + struct.pack("<I", 3) + b"abc" + bytes(1))))
    b'abc'

    Raises
    ------
    UserError
        If the file is cut off, or is no such file.
    """
    parts: list[bytes] = []
    size = 0
    while (part := _part(file)) is not None:
        kind, data = part
        if (kind in (MIDDLE, LAST)) != bool(parts):
            raise UserError(f"the record file has a part of kind {kind} out of place at {file.tell()}; {AGAIN}")
        parts.append(data)
        size += len(data) + len(MAGIC_BYTES)
        if size > MAX_RECORD_BYTES:
            raise UserError(f"a record of more than {MAX_RECORD_BYTES} bytes; {AGAIN}")
        if kind in (WHOLE, LAST):
            yield MAGIC_BYTES.join(parts)
            parts, size = [], 0
    if parts:
        raise UserError(f"the record file ends within a record; {AGAIN}")


def _part(file: BinaryIO) -> tuple[int, bytes] | None:
    """Return the next part's kind and data, or None at the end of the file."""
    head = file.read(8)
    if not head:
        return None
    if len(head) < 8:
        raise UserError(f"the record file ends within a record's head; {AGAIN}")
    magic, field = struct.unpack("<II", head)
    kind, length = field >> LENGTH_BITS, field & (2**LENGTH_BITS - 1)
    if magic != MAGIC or kind > LAST:
        raise UserError(f"no record begins at {file.tell() - 8}: got {magic:#x}, expected {MAGIC:#x}; {AGAIN}")
    padded = length + -length % 4
    data = file.read(padded)
    if len(data) < padded:
        raise UserError(f"the record file ends early: a record needs {padded} bytes, {len(data)} are left; {AGAIN}")
    return kind, data[:length]


def _image(record: bytes, number: int) -> PackedImage:
    if len(record) < HEADER.size:
        raise UserError(f"record {number} has {len(record)} bytes, an image's head alone has {HEADER.size}; {AGAIN}")
    count, label, identifier, _ = HEADER.unpack_from(record)
    end = HEADER.size + 4 * count
    if count > MAX_LABELS or end > len(record):
        raise UserError(f"record {number} claims {count} labels in {len(record)} bytes; {AGAIN}")
    labels = struct.unpack_from(f"<{count}f", record, HEADER.size) if count else (label,)
    return PackedImage(labels, identifier, record[end:])
