"""TFRecord files and the messages in them: known answers, what is damaged, and what is hostile."""

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.archives.tfrecord import MASK_DELTA, Record, checksum_of, parse_example, read_examples
from crystal_search.errors import UserError
from tests.tfrecord_writer import checksum, example, feature, framed, part


@pytest.mark.parametrize(
    ("data", "known"),
    [
        (b"123456789", 0xE3069283),
        (b"", 0),
        (bytes(32), 0x8A9136AA),  # RFC 3720, appendix B.4, as are the next two
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_checksums_are_those_of_the_standard(data: bytes, known: int) -> None:
    assert checksum_of(data) == ((known >> 15 | known << 17) + MASK_DELTA) % 2**32


@given(data=st.binary(max_size=20), repeats=st.sampled_from([1, 2, 51, 52, 200]))
def test_checksums_of_many_bytes_at_once_are_those_bit_by_bit(data: bytes, repeats: int) -> None:
    assert checksum_of(data * repeats) == checksum(data * repeats)


@pytest.mark.parametrize("size", [1023, 1024, 1025, 2047, 2048, 66_000])
def test_checksums_are_right_where_blocks_begin_and_end(size: int) -> None:
    data = bytes(at * 7 % 251 for at in range(size))
    assert checksum_of(data) == checksum(data)


VALUES = st.one_of(st.integers(-(2**63), 2**63 - 1), st.binary(max_size=50))


@given(written=st.dictionaries(st.text(max_size=8), VALUES, max_size=6))
def test_the_features_that_were_written_come_out(written: dict[str, int | bytes | float]) -> None:
    features = parse_example(example(written))
    read = {name: values[0] for name, values in features.texts.items()}
    assert read | {name: values[0] for name, values in features.numbers.items()} == written


def test_a_message_spelt_out_by_hand_is_read() -> None:
    entry = b"\x0a\x01n\x12\x08" + b"\x1a\x06\x0a\x04\x03\xac\x02\x00"  # "n": packed 3, 300, 0
    unpacked = b"\x0a\x01u\x12\x06" + b"\x1a\x04\x08\x07\x08\x08"  # "u": 7 and 8, one by one
    message = part(1, part(1, entry) + part(1, unpacked) + part(1, part(1, b"f") + part(2, feature(1.5))))
    features = parse_example(message + b"\x10\x05")  # an unknown field behind
    assert features.numbers == {"n": (3, 300, 0), "u": (7, 8)}
    assert features.texts == {}
    assert (features.number("n"), features.number("x"), features.text("x")) == (3, None, "")


@given(data=st.binary(max_size=80))
def test_random_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(UserError):
        parse_example(data)
    with suppress(UserError):
        parse_example(part(1, part(1, part(1, b"x") + part(2, data))))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x0a\x05ab", "5 bytes announced, 2 left"),
        (b"\x0a" + b"\xff" * 9 + b"\x01", "bytes announced, 0 left"),
        (b"\x0b", "wire type 3"),
        (b"\xff" * 11, "a number of more than 10 bytes"),
        (b"\x80", "ends within a number"),
        (b"\x09abc", "8 bytes announced, 3 left"),
        (part(1, part(1, b"") * 1001), "more than 1000 features"),
        (part(1, part(1, part(2, part(3, part(1, b"\x01" * 10_001))))), "more than 10000 values"),
    ],
)
def test_what_is_no_message_is_refused_in_words(data: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_example(data)


def read(path: Path, content: bytes) -> list[Record]:
    path.write_bytes(content)
    return list(read_examples(path))


def test_the_records_of_a_file_come_out_in_order(tmp_path: Path) -> None:
    content = framed(example({"n": 1})) + framed(example({"n": 2})) + framed(b"")
    assert [(each.number, each.features.number("n")) for each in read(tmp_path / "x", content)] == [
        (0, 1),
        (1, 2),
        (2, None),
    ]


WHOLE = framed(example({"n": 1})) + framed(example({"t": b"abc"}))
SECOND = len(framed(example({"n": 1})))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (WHOLE[:-1], rf"ends within the record at byte {SECOND}, which needs 20 bytes, 19 are left; download it again"),
        (WHOLE[: SECOND + 5], rf"ends within the head of the record at byte {SECOND};"),
        (b"PK\x03\x04 an archive of files", r"no record begins at byte 0, the checksum of its length is wrong"),
        (WHOLE[:-5] + b"\x00" + WHOLE[-4:], rf"the record at byte {SECOND} is damaged, its checksum does not match"),
        (struct.pack("<QI", 2**40, checksum(struct.pack("<Q", 2**40))), r"claims 1099511627776 bytes"),
        (framed(b"\x0a\x05ab"), r"record at byte 0: no tf.train.Example"),
    ],
)
def test_a_damaged_file_is_refused_with_the_place(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=rf"shard.*{message}"):
        read(tmp_path / "shard", content)


@given(end=st.integers(0, len(WHOLE)), at=st.integers(0, len(WHOLE)), damage=st.binary(max_size=3))
def test_no_damage_goes_unnoticed(tmp_path_factory: pytest.TempPathFactory, end: int, at: int, damage: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged"
    content = (WHOLE[:at] + damage + WHOLE[at + len(damage) :])[:end]
    try:
        records = read(path, content)
    except UserError:
        return
    assert content in (b"", WHOLE[:SECOND], WHOLE)
    assert len(records) == {0: 0, SECOND: 1, len(WHOLE): 2}[len(content)]


def test_what_tensorboard_writes_is_read(tmp_path: Path) -> None:
    from tensorboard.summary.writer.record_writer import RecordWriter

    with (tmp_path / "events").open("wb") as file:
        writer = RecordWriter(file)
        for number in (1, 2):
            writer.write(example({"n": number, "t": b"x" * 3000}))
        writer.flush()
    assert [each.features.number("n") for each in read_examples(tmp_path / "events")] == [1, 2]


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"cannot read /nowhere: No such file"):
        list(read_examples(Path("/nowhere")))
