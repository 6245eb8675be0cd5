"""Reading TFRecord files of ``tf.train.Example`` messages, without TensorFlow.

A record is its length (8 bytes, little endian), the masked CRC-32C of these, the data, and their masked CRC-32C.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from crystal_search.archives.archive import naming
from crystal_search.archives.crc32c import crc32c, masked
from crystal_search.archives.tf_example import Features, parse_example
from crystal_search.errors import UserError

HEAD = struct.Struct("<QI")  #: length of the data, its checksum
CHECKSUM = struct.Struct("<I")
MAX_RECORD_BYTES = 2**28
AGAIN = "download it again"


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
    if masked(crc32c(head[:8])) != checksum:
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
    if masked(crc32c(data[:length])) != CHECKSUM.unpack(data[length:])[0]:
        raise UserError(f"{path}: the record at byte {at} is damaged, its checksum does not match its data; {AGAIN}")
    return data[:length]
