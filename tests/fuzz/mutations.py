"""Spoiling an input where its form is kept: a value of JSON, also in a table; checksums that fit what was changed."""

import csv
import io
import json
import struct
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

from tests.tfrecord_writer import checksum

Mutation = Callable[[bytes, Random], bytes]

#: What a reader may not have thought of; infinity is written as a number that is too large.
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 0.5, -0.0, 2**31, 2**53, 2**63, 2**64, 10**400, 1e308, float("inf"), -float("inf")),
    *("", "0", "\0", "\ud800", "A" * 200, "/", "..", "inf", "nan", "\u00b2", "=1"),
    *([], {}, [[]], [{}], {"": None}, [0, 0], [None], [1e308, 1e308]),
)
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
LARGEST = 1e300  #: number that can be multiplied
MAX_RECORD_BYTES = 2000  #: the checksum of a larger one takes long, bit by bit


def mutated_json(data: bytes, random: Random) -> bytes:
    """Return the JSON text with one value replaced, doubled, exchanged or taken away; `data` where it is no JSON."""
    try:
        value = json.loads(data)
        places = list(_places(value))
    except (ValueError, RecursionError):
        return data
    if not places:
        return json.dumps([value]).encode()
    holder, key = random.choice(places)
    other, other_key = random.choice(places)
    change = random.randrange(5)
    if change == 0:
        holder[key] = random.choice(ODD)
    elif change == 1:
        holder[key] = json.loads(json.dumps(other[other_key]))
    elif change == 2:
        del holder[key]
    elif change == 3:
        holder[key] = [holder[key], holder[key]]
    elif isinstance(holder[key], int | float) and abs(holder[key]) < LARGEST:
        holder[key] = holder[key] * random.choice((-1, 0, 2, 10, 0.1)) + random.choice((-1, 0, 1, 1e-6))
    return json.dumps(value).replace("Infinity", "1e999").encode()


def mutated_cells(data: bytes, random: Random) -> bytes:
    """Return the CSV text with one value changed in a cell that is JSON; `data` where it has none."""
    try:
        rows = list(csv.reader(io.StringIO(data.decode()), strict=True))
    except (ValueError, csv.Error):
        return data
    cells = [(row, at) for row in rows[1:] for at, cell in enumerate(row) if cell[:1] in ("{", "[")]
    if not cells:
        return data
    row, at = random.choice(cells)
    row[at] = mutated_json(row[at].encode("utf-8", "surrogatepass"), random).decode("utf-8", "surrogatepass")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every place in a JSON value: what holds it, and its key there."""
    found, waiting = [], [value]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        found += [(holder, key) for key in keys]
        waiting += [holder[key] for key in keys]
    return found


def with_png_checksums(data: bytes) -> bytes:
    """Return a PNG file with the checksum of each chunk set right, as far as there are chunks."""
    if not data.startswith(PNG_MAGIC):
        return data
    mended, at = bytearray(data), len(PNG_MAGIC)
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        end = at + 8 + size
        if end + 4 > len(data):
            break
        struct.pack_into(">I", mended, end, zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(mended)


def with_record_checksums(data: bytes) -> bytes:
    """Return a TFRecord file with its checksums set right, as far as there are records."""
    mended, at = bytearray(data), 0
    while at + 16 <= len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        struct.pack_into("<I", mended, at + 8, checksum(data[at : at + 8]))
        end = at + 12 + size
        if size > MAX_RECORD_BYTES or end + 4 > len(data):
            break
        struct.pack_into("<I", mended, end, checksum(data[at + 12 : end]))
        at = end + 4
    return bytes(mended)
