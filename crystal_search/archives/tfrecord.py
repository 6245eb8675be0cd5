"""Reading TFRecord files of ``tf.train.Example`` messages (tensorflow/core/example/example.proto), without TensorFlow.

A record is its length (8 bytes, little endian), the masked CRC-32C of these, the data, and their masked CRC-32C.
Of a message only what archives of images need is kept: features that are lists of bytes or of integers. The bytes come
from anywhere, so every length is checked before it is used, and nothing calls itself.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypeVar

from crystal_search.archives.archive import naming
from crystal_search.errors import UserError

HEAD = struct.Struct("<QI")  #: length of the data, its checksum
CHECKSUM = struct.Struct("<I")
MAX_RECORD_BYTES = 2**28
AGAIN = "download it again"
MASK_DELTA = 0xA282EAD8  #: checksums are kept rotated and shifted by this
VARINT, EIGHT_BYTES, DELIMITED, FOUR_BYTES = 0, 1, 2, 5  #: wire types of protocol buffers
Value = TypeVar("Value", bytes, int)
MAX_VARINT_BYTES = 10
MAX_FEATURES = 1000
MAX_VALUES = 10_000  #: of one feature


@dataclass(frozen=True, slots=True)
class Features:
    """The features of one example that are bytes or integers; floating-point ones are left out."""

    texts: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    numbers: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def data(self, name: str) -> bytes:
        """Return the first value of a feature of bytes; none is empty."""
        return next(iter(self.texts.get(name, ())), b"")

    def text(self, name: str) -> str:
        """Return the first value of a feature of bytes as text; none is empty."""
        return self.data(name).decode(errors="replace")

    def number(self, name: str) -> int | None:
        """Return the first value of a feature of integers."""
        return next(iter(self.numbers.get(name, ())), None)


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file."""

    number: int  #: from 0
    features: Features


def read_examples(path: Path) -> Iterator[Record]:
    """Yield the records of a file, one after another, each with its checksums verified.

    Raises
    ------
    UserError
        If the file cannot be read, is cut off, damaged, or no such file; the message names it and the byte.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while (at := file.tell()) >= 0 and (data := _record(file, path)) is not None:
                with naming(f"{path}, record at byte {at}"):
                    features = parse_example(data)
                yield Record(number, features)
                number += 1
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; name a file that is there") from error


def _record(file: BinaryIO, path: Path) -> bytes | None:
    """Return the data of the next record, or None at the end of the file."""
    at = file.tell()
    head = file.read(HEAD.size)
    if not head:
        return None
    if len(head) < HEAD.size:
        raise UserError(f"{path} ends within the head of the record at byte {at}; {AGAIN}")
    length, checksum = HEAD.unpack(head)
    if checksum_of(head[:8]) != checksum:
        raise UserError(
            f"{path}: no record begins at byte {at}, the checksum of its length is wrong; the file is damaged, "
            f"compressed, or no TFRecord file: {AGAIN} or unpack it"
        )
    if length > MAX_RECORD_BYTES:
        raise UserError(f"{path}: the record at byte {at} claims {length} bytes; at most {MAX_RECORD_BYTES} are read")
    data = file.read(length + CHECKSUM.size)
    if len(data) < length + CHECKSUM.size:
        raise UserError(
            f"{path} ends within the record at byte {at}, which needs {length + CHECKSUM.size} bytes, "
            f"{len(data)} are left; {AGAIN}"
        )
    if checksum_of(data[:length]) != CHECKSUM.unpack(data[length:])[0]:
        raise UserError(f"{path}: the record at byte {at} is damaged, its checksum does not match its data; {AGAIN}")
    return data[:length]


def checksum_of(data: bytes) -> int:
    """Return the CRC-32C of `data` as TFRecord files keep it.

    >>> hex(checksum_of(b"123456789"))
    '0xc78ab0e5'
    """
    import google_crc32c  # part of the extra "train": other archives are read without it

    checksum: int = google_crc32c.value(data)
    return (((checksum >> 15) | (checksum << 17)) + MASK_DELTA) & 0xFFFFFFFF


def parse_example(data: bytes) -> Features:
    """Return the features in the bytes of a ``tf.train.Example``.

    Raises
    ------
    UserError
        If they are none.
    """
    features = Features()
    for message in _parts(memoryview(data), 1):
        for count, entry in enumerate(_parts(message, 1)):
            if count >= MAX_FEATURES:
                raise UserError(f"an example with more than {MAX_FEATURES} features; {AGAIN}")
            name = b"".join(map(bytes, list(_parts(entry, 1))[-1:])).decode(errors="replace")
            for feature in _parts(entry, 2):
                _take(feature, name, features)
    return features


def _take(feature: memoryview, name: str, features: Features) -> None:
    """Add one feature: a list of bytes (field 1) or of integers (field 3)."""
    for values in _parts(feature, 1):
        features.texts[name] = _bounded(bytes(each) for each in _parts(values, 1))
    for values in _parts(feature, 3):
        features.numbers[name] = _bounded(_integers(values))


def _bounded(values: Iterator[Value]) -> tuple[Value, ...]:
    found: list[Value] = []
    for each in values:
        found.append(each)
        if len(found) > MAX_VALUES:
            raise UserError(f"a feature with more than {MAX_VALUES} values; {AGAIN}")
    return tuple(found)


def _integers(data: memoryview) -> Iterator[int]:
    """Yield the signed integers of an ``Int64List``, packed or one by one."""
    for number, value in _fields(data):
        if number != 1:
            continue
        if isinstance(value, int):
            yield _signed(value)
        else:
            at = 0
            while at < len(value):
                packed, at = _varint(value, at)
                yield _signed(packed)


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _parts(data: memoryview, number: int) -> Iterator[memoryview]:
    """Yield the values of a message's field `number` that are bytes or messages."""
    for found, value in _fields(data):
        if found == number and isinstance(value, memoryview):
            yield value


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the fields of a message: number, and an integer or bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire_type = key >> 3, key & 7
        if wire_type == VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire_type == DELIMITED:
            size, at = _varint(data, at)
        elif wire_type in (EIGHT_BYTES, FOUR_BYTES):
            size = 8 if wire_type == EIGHT_BYTES else 4
        else:
            raise UserError(f"no tf.train.Example: wire type {wire_type} at byte {at}; {AGAIN}")
        if size > len(data) - at:
            raise UserError(f"no tf.train.Example: {size} bytes announced, {len(data) - at} left; {AGAIN}")
        yield number, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Return the integer at `at`, of at most 64 bits, and where the next field begins."""
    value = 0
    for place in range(MAX_VARINT_BYTES):
        if at + place >= len(data):
            raise UserError(f"no tf.train.Example: it ends within a number; {AGAIN}")
        byte = data[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value & (2**64 - 1), at + place + 1
    raise UserError(f"no tf.train.Example: a number of more than {MAX_VARINT_BYTES} bytes; {AGAIN}")
