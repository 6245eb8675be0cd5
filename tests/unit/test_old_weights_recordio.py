"""Packed archives of MXNet: what was packed comes out, and what is damaged is refused."""

import io
import struct
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.archives.recordio import MAGIC_BYTES, PackedImage, read_images, records
from crystal_search.errors import UserError


def part(kind: int, data: bytes) -> bytes:
    return MAGIC_BYTES + struct.pack("<I", kind << 29 | len(data)) + data + bytes(-len(data) % 4)


def packed(record: bytes) -> bytes:
    """Pack a record as dmlc-core does: split where the magic number stands at a multiple of 4."""
    cuts = [at for at in range(0, len(record) - 3, 4) if record[at : at + 4] == MAGIC_BYTES]
    edges = [-4, *cuts, len(record)]
    pieces = [record[start + 4 : end] for start, end in pairwise(edges)]
    if len(pieces) == 1:
        return part(0, record)
    kinds = [1, *[2] * (len(pieces) - 2), 3]
    return b"".join(part(kind, piece) for kind, piece in zip(kinds, pieces, strict=True))


RECORDS = st.lists(st.lists(st.one_of(st.just(MAGIC_BYTES), st.binary(max_size=9))).map(b"".join), max_size=4)


@given(content=RECORDS)
def test_what_was_packed_comes_out(content: list[bytes]) -> None:
    assert list(records(io.BytesIO(b"".join(map(packed, content))))) == content


@given(end=st.integers(1, 39), damage=st.binary(min_size=1, max_size=3), at=st.integers(0, 39))
def test_what_is_damaged_is_read_or_refused_and_never_more(end: int, damage: bytes, at: int) -> None:
    whole = bytearray(packed(b"abcd" + MAGIC_BYTES + b"defgh") + packed(b"x"))
    with suppress(UserError):
        list(records(io.BytesIO(bytes(whole[:end]))))
    whole[at : at + len(damage)] = damage
    with suppress(UserError):
        list(records(io.BytesIO(bytes(whole))))


def test_images_come_with_one_label_or_several(tmp_path: Path) -> None:
    one = struct.pack("<IfQQ", 0, 7.0, 42, 0) + b"JPEG"
    several = struct.pack("<IfQQ", 2, 0.0, 43, 0) + struct.pack("<2f", 1.5, 2.5) + b"PNG"
    path = tmp_path / "x.rec"
    path.write_bytes(packed(one) + packed(several))
    assert list(read_images(path)) == [PackedImage((7.0,), 42, b"JPEG"), PackedImage((1.5, 2.5), 43, b"PNG")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04 no records", r"no record begins at 0: got 0x4034b50, expected 0xced7230a"),
        (packed(b"x" * 30)[:-8], r"ends early: a record needs 32 bytes, 24 are left"),
        (MAGIC_BYTES, r"ends within a record's head"),
        (part(1, b"abcd"), r"ends within a record;"),
        (part(3, b"abcd"), r"a part of kind 3 out of place"),
        (part(0, b"short"), r"record 0 has 5 bytes"),
        (part(0, struct.pack("<IfQQ", 2**31, 0, 0, 0)), r"record 0 claims 2147483648 labels in 24 bytes"),
    ],
)
def test_a_file_that_is_no_archive_is_refused_in_words(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.rec"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        list(read_images(path))


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"cannot read /nowhere.rec: No such file"):
        list(read_images(Path("/nowhere.rec")))
