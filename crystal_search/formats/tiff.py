"""TIFF: the directories of a file, as they are written; what they mean for pixels is in `tiff_pixels`."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crystal_search.errors import ImageError

MAX_PAGES = 1000
MAX_VALUES = 4_000_000  #: of all tags together; a strip or tile has two
_CUT_OFF = "the TIFF is cut off: a part that its header names lies beyond its end; copy it again"

#: Tags that are read, by their names in the TIFF 6.0 specification and its supplements.
SUBFILE_TYPE, WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 254, 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS, PLANAR = 273, 274, 277, 278, 279, 284
PREDICTOR, COLOUR_MAP, TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_COUNTS = 317, 320, 322, 323, 324, 325
SAMPLE_FORMAT, SMAX_SAMPLE, JPEG_TABLES = 339, 341, 347
READ = frozenset(
    {SUBFILE_TYPE, WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, STRIP_OFFSETS, ORIENTATION, SAMPLES}
    | {ROWS_PER_STRIP, STRIP_COUNTS, PLANAR, PREDICTOR, COLOUR_MAP, TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_COUNTS}
    | {SAMPLE_FORMAT, SMAX_SAMPLE, JPEG_TABLES}
)

#: How values are packed, by the type that the file gives; fractions and text are in none of the tags above.
TYPES = {1: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}


@dataclass(frozen=True, slots=True)
class Page:
    """One picture of a file, by its tags."""

    order: str  #: of bytes: ``<`` or ``>``
    tags: Mapping[int, tuple[float, ...]]

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Return the numbers of a tag, empty where it is missing."""
        return tuple(int(each) for each in self.tags.get(tag, ()))

    def number(self, tag: int, otherwise: int = 0) -> int:
        """Return the first number of a tag."""
        return next(iter(self.numbers(tag)), otherwise)


def pages(data: bytes) -> list[Page]:
    """Return the pages of a TIFF or BigTIFF in the order of the file.

    Raises
    ------
    ImageError
        If the file ends before a page's tags do, or they run in a circle.
    """
    order, big = "<>"[data[0] == ord("M")], data[2:4] in (b"+\0", b"\0+")
    found: list[Page] = []
    (at,) = _unpacked(data, 8 if big else 4, order + ("Q" if big else "I"))
    seen, values = set(), 0
    while at:
        if at in seen or len(found) == MAX_PAGES:
            raise ImageError(f"the TIFF has more than {len(found)} pages, or they run in a circle; save one page only")
        seen.add(at)
        page, at = _page(data, at, order, big)
        found.append(page)
        if (values := values + sum(map(len, page.tags.values()))) > MAX_VALUES:
            raise ImageError("the TIFF has more strips or tiles than a well needs; save one page only")
    return found


def _page(data: bytes, at: int, order: str, big: bool) -> tuple[Page, int]:
    """Return the page at `at`, and where the next is; 0 after the last."""
    count_format, entry_format, next_format = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
    (count,) = _unpacked(data, at, order + count_format)
    at += struct.calcsize(count_format)
    entry_size = struct.calcsize("=" + entry_format)
    if at + count * entry_size > len(data):
        raise ImageError(_CUT_OFF)
    tags = {}
    for start in range(at, at + count * entry_size, entry_size):
        tag, kind, values, place = struct.unpack_from(order + entry_format, data, start)
        if tag in READ and kind in TYPES and tag not in tags and values <= MAX_VALUES:
            tags[tag] = _values(data, order + str(values) + TYPES[kind], place, order + next_format)
    (following,) = _unpacked(data, at + count * entry_size, order + next_format)
    return Page(order, tags), int(following)


def _values(data: bytes, packed: str, place: bytes, offset: str) -> tuple[float, ...]:
    if struct.calcsize(packed) <= len(place):
        return _unpacked(place, 0, packed)
    return _unpacked(data, struct.unpack(offset, place)[0], packed)


def _unpacked(data: bytes, at: int, packed: str) -> tuple[Any, ...]:
    if at + struct.calcsize(packed) > len(data):
        raise ImageError(_CUT_OFF)
    return struct.unpack_from(packed, data, at)


def spans_of(data: bytes, page: Page, wanted: int, least_bytes: int) -> list[tuple[int, int]]:
    """Return where each strip or tile begins and ends, in the order of the file's list.

    Parameters
    ----------
    wanted
        How many there must be.
    least_bytes
        Of the one that there is, where the file does not say how large it is.

    Raises
    ------
    ImageError
        If one is missing, empty, or not all in the file.
    """
    tiled = TILE_OFFSETS in page.tags
    offsets = page.numbers(TILE_OFFSETS if tiled else STRIP_OFFSETS)
    counts = page.numbers(TILE_COUNTS if tiled else STRIP_COUNTS) or ((least_bytes,) if wanted == 1 else ())
    if min(len(offsets), len(counts)) < wanted:
        raise ImageError(f"the TIFF has {min(len(offsets), len(counts))} of {wanted} strips or tiles; save it again")
    spans = [(offset, offset + count) for offset, count in zip(offsets[:wanted], counts, strict=False)]
    if missing := sum(not 0 < start < end <= len(data) for start, end in spans):
        raise ImageError(f"{missing} of the TIFF's {wanted} strips or tiles are not in the file; copy it again")
    return spans
