"""TIFF: from the strips or tiles of a page to its values, and from values to 8-bit grey or colours.

Read here and not by Pillow, which takes planes for pixels, keeps white-is-zero as it is, and cuts values off, and not
by tifffile, which needs imagecodecs to unpack and fills what is missing (docs/decisions/0016).
"""

import io
import math
import struct
import zlib
from dataclasses import dataclass

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.errors import ImageError
from crystal_search.formats import tiff
from crystal_search.formats.eight_bits import to_eight_bits
from crystal_search.formats.jpeg import with_tables
from crystal_search.formats.picture import check_size
from crystal_search.formats.tiff import Page
from crystal_search.formats.unfinished import refuse_zero_tail

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, INKS, LUMA_CHROMA = 0, 1, 2, 3, 5, 6
PHOTOMETRICS = {
    WHITE_IS_ZERO: 1,
    BLACK_IS_ZERO: 1,
    RGB: 3,
    PALETTE: 1,
    INKS: 4,
    LUMA_CHROMA: 3,
}  #: samples without alpha
AS_IS, LZW, JPEG, DEFLATE, PACK_BITS = (1,), (5,), (7,), (8, 32946), (32773,)
KINDS = {1: "u", 2: "i", 3: "f"}  #: of numbers, by SampleFormat
MAX_SAMPLES, MAX_RAW_BYTES, MIN_TILE_PX = 8, 2**30, 16
JPEG_BLOCK_PX = 16  #: a JPEG may be larger than its strip or tile by less
ROWS_AT_A_TIME = 64  #: whose bits are taken apart, which takes ten times their memory
MAX_LIBTIFF_BYTES = 80_000_000  #: of one strip or tile that libtiff unpacks; Pillow warns of more
#: Zeros in a row that no encoder writes: what they stand for is shorter in another way.
IMPOSSIBLE_ZEROS = {LZW: bytes(16), PACK_BITS: bytes(300)}


@dataclass(frozen=True, slots=True)
class Layout:
    """How the values of a page lie in its file."""

    height: int
    width: int
    samples: int  #: of a pixel, transparency included
    bits: int  #: of a sample
    kind: str  #: of number: ``u``, ``i`` or ``f``
    planar: bool  #: whether each sample has strips or tiles of its own
    tiled: bool
    rows: int  #: of a strip or tile
    columns: int  #: of a strip or tile
    compression: int
    predictor: int
    photometric: int
    order: str

    @property
    def down(self) -> int:
        """Strips or tiles from top to bottom."""
        return math.ceil(self.height / self.rows)

    @property
    def across(self) -> int:
        """Tiles from left to right; 1 for strips."""
        return math.ceil(self.width / self.columns)

    @property
    def each(self) -> int:
        """Samples of a pixel in one strip or tile."""
        return 1 if self.planar else self.samples

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Of the values, with the file's byte order."""
        return np.dtype(f"{self.order}{self.kind}{max(8, self.bits) // 8 if self.bits % 8 == 0 else 2}")

    @property
    def row_bytes(self) -> int:
        """Of a row of a strip or tile."""
        return math.ceil(self.columns * self.each * self.bits / 8)

    @property
    def planes(self) -> int:
        """Which have strips or tiles of their own."""
        return self.samples if self.planar else 1

    @property
    def raw_bytes(self) -> int:
        """Of all strips or tiles."""
        return self.planes * self.down * self.across * self.rows * self.row_bytes


def layout_of(page: Page) -> Layout:
    """Return how the page's values lie.

    Raises
    ------
    ImageError
        If it is of a kind that is not read, or no well.
    """
    height, width = page.number(tiff.LENGTH), page.number(tiff.WIDTH)
    check_size(height, width)
    tiled = tiff.TILE_OFFSETS in page.tags
    rows = page.number(tiff.TILE_LENGTH) if tiled else min(page.number(tiff.ROWS_PER_STRIP, height), height)
    bits, formats = page.numbers(tiff.BITS) or (1,), page.numbers(tiff.SAMPLE_FORMAT) or (1,)
    layout = Layout(
        height=height,
        width=width,
        samples=page.number(tiff.SAMPLES, 1),
        bits=bits[0],
        kind=KINDS.get(formats[0], ""),
        planar=page.number(tiff.PLANAR, 1) == 2 and page.number(tiff.SAMPLES, 1) > 1,
        tiled=tiled,
        rows=rows,
        columns=page.number(tiff.TILE_WIDTH) if tiled else width,
        compression=page.number(tiff.COMPRESSION, 1),
        predictor=page.number(tiff.PREDICTOR, 1),
        photometric=page.number(tiff.PHOTOMETRIC, BLACK_IS_ZERO),
        order=page.order,
    )
    _check(layout, {*bits}, {*formats}, page.number(tiff.FILL_ORDER, 1))
    return layout


def _check(layout: Layout, bits: set[int], formats: set[int], fill_order: int) -> None:
    """Raise an ImageError for what is not read, naming it."""
    if layout.kind == "f":
        raise ImageError(f"the TIFF has floating-point pixels of {layout.bits} bit; save it with 8 or 16 bit")
    if min(layout.rows, layout.columns) < (MIN_TILE_PX if layout.tiled else 1) or layout.raw_bytes > MAX_RAW_BYTES:
        raise ImageError(f"the TIFF has strips or tiles of {layout.columns} x {layout.rows} px; save it with others")
    least = PHOTOMETRICS.get(layout.photometric, 0)
    deep = layout.bits > 8
    wrong = {
        f"photometric interpretation {layout.photometric}": not least,
        f"{layout.samples} samples a pixel": not least <= layout.samples <= MAX_SAMPLES,
        f"{', '.join(map(str, sorted(bits)))} bit": len(bits) > 1 or not (2 <= layout.bits <= 16 or layout.bits == 32),
        f"sample format {', '.join(map(str, sorted(formats)))}": len(formats) > 1 or not layout.kind,
        f"signed numbers of {layout.bits} bit": layout.kind == "i" and layout.bits % 8 != 0,
        f"a palette of {layout.bits} bit": layout.photometric == PALETTE and (deep or layout.kind != "u"),
        f"four inks of {layout.bits} bit": layout.photometric == INKS and layout.bits != 8,
        "luma and chroma in planes": layout.photometric == LUMA_CHROMA and layout.planar,
        "luma and chroma without JPEG": layout.photometric == LUMA_CHROMA and layout.compression not in JPEG,
        f"JPEG of {layout.bits} bit": layout.compression in JPEG and layout.bits != 8,
        f"compression {layout.compression}": layout.compression not in (*AS_IS, *LZW, *JPEG, *DEFLATE, *PACK_BITS),
        f"predictor {layout.predictor}": layout.predictor not in (1, 2)
        or (layout.predictor == 2 and layout.bits % 8 > 0),
        f"fill order {fill_order}": fill_order != 1,
    }
    if found := [name for name, holds in wrong.items() if holds]:
        raise ImageError(f"the TIFF has {' and '.join(found)}, which is not read; save it with 8 or 16 bit")


def values_of(data: bytes, page: Page, layout: Layout) -> NDArray[np.generic]:
    """Return the page's values, (rows, columns, samples).

    Raises
    ------
    ImageError
        If a strip or tile is missing, damaged, or was never written.
    """
    wanted = layout.planes * layout.down * layout.across
    dtype = layout.dtype.newbyteorder("=")
    values = np.empty((layout.planes, layout.height, layout.width, layout.each), dtype)
    spans = tiff.spans_of(data, page, wanted, layout.row_bytes * layout.rows)
    whole = memoryview(data)  # its parts are no copies
    for number, (start, end) in enumerate(spans):
        plane, place = divmod(number, layout.down * layout.across)
        top, left = place // layout.across * layout.rows, place % layout.across * layout.columns
        target = values[plane, top : top + layout.rows, left : left + layout.columns]
        rows = layout.rows if layout.tiled else len(target)
        target[:] = _unpacked(whole[start:end], page, layout, rows)[: len(target), : target.shape[1]]
    if layout.compression in AS_IS:
        _refuse_unfinished(data, spans, layout)
    # (planes, rows, columns, samples of each) -> (rows, columns, samples)
    return np.concatenate(list(values), axis=2) if len(values) > 1 else values[0]


def _refuse_unfinished(data: bytes, spans: list[tuple[int, int]], layout: Layout) -> None:
    """Raise an ImageError if uncompressed strips or tiles end in zeros that were never written."""
    dtype = layout.dtype if layout.bits % 8 == 0 else np.dtype(np.uint8)
    if layout.tiled:
        inside, row_bytes = _before_zeros(data, spans, layout)
        refuse_zero_tail(inside, 0, row_bytes, dtype, block=1)
        return
    start, end = max(spans)
    before = {end: start for start, end in spans}
    while start in before:  # strips that follow each other count as one
        start = before[start]
    refuse_zero_tail(data[:end], start, layout.row_bytes, dtype)


def _before_zeros(data: bytes, spans: list[tuple[int, int]], layout: Layout) -> tuple[bytes, int]:
    """Return the last tile of the file that is not all zeros, with the zeros that follow, and the length of its rows.

    Its padding is left out: that of tiles at the border is zeros.
    """
    tiles = sorted((start, end, number) for number, (start, end) in enumerate(spans))
    zeros = 0
    while len(tiles) > 1 and not any(data[tiles[-1][0] : tiles[-1][1]]):
        start, end, _ = tiles.pop()
        zeros += end - start
    start, end, number = tiles[-1]
    down, across = divmod(number % (layout.down * layout.across), layout.across)
    rows = min(layout.rows, layout.height - down * layout.rows)
    row_bytes = min(layout.columns, layout.width - across * layout.columns) * layout.each * layout.bits // 8
    padded = np.frombuffer(data, np.uint8, layout.rows * layout.row_bytes, start).reshape(layout.rows, -1)
    return padded[:rows, :row_bytes].tobytes() + bytes(zeros), row_bytes


def _unpacked(segment: memoryview, page: Page, layout: Layout, rows: int) -> NDArray[np.generic]:
    """Return the values of a strip or tile, (rows, columns, samples)."""
    if layout.compression in JPEG:
        return _of_jpeg(bytes(segment), bytes(page.numbers(tiff.JPEG_TABLES)), layout, rows)
    raw = _decompressed(segment, layout, rows)
    if layout.bits % 8:
        return _of_bits(raw, layout, rows)
    values = np.frombuffer(raw, layout.dtype).astype(layout.dtype.newbyteorder("="), copy=False)
    values = values.reshape(rows, layout.columns, layout.each)
    return np.cumsum(values, axis=1, dtype=values.dtype) if layout.predictor == 2 else values


def _of_bits(raw: bytes | memoryview, layout: Layout, rows: int) -> NDArray[np.uint16]:
    """Return values that do not fill bytes; rows do."""
    packed, columns = np.frombuffer(raw, np.uint8).reshape(rows, -1), layout.columns * layout.each
    values = np.empty((rows, columns), np.uint16)
    weights = (2 ** np.arange(layout.bits - 1, -1, -1)).astype(np.uint16)
    for top in range(0, rows, ROWS_AT_A_TIME):
        bits = np.unpackbits(packed[top : top + ROWS_AT_A_TIME], axis=1, count=columns * layout.bits)
        values[top : top + ROWS_AT_A_TIME] = bits.reshape(-1, columns, layout.bits) @ weights
    return values.reshape(rows, layout.columns, layout.each)


def _of_jpeg(segment: bytes, tables: bytes, layout: Layout, rows: int) -> NDArray[np.uint8]:
    data = with_tables(segment.rstrip(b"\0"), tables, in_rgb=layout.photometric != LUMA_CHROMA)
    space = {1: "GRAY", 3: "RGB"}.get(layout.each)
    if space is None:
        raise ImageError(f"the TIFF has JPEGs of {layout.each} samples a pixel; expected 1 or 3: save it without JPEG")
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(data)
        if not (rows <= height < layout.rows + JPEG_BLOCK_PX and 0 <= width - layout.columns < JPEG_BLOCK_PX):
            raise ImageError(f"a JPEG within the TIFF has {(height, width)} px; expected {(rows, layout.columns)}")
        pixels = np.asarray(simplejpeg.decode_jpeg(data, space))
    except ValueError as error:
        raise ImageError(f"a JPEG within the TIFF cannot be decoded: {error}; copy or save it again") from error
    return pixels[:rows, : layout.columns]


def _decompressed(segment: memoryview, layout: Layout, rows: int) -> bytes | memoryview:
    """Return the bytes of `rows` rows."""
    size = rows * layout.row_bytes
    whole: bytes | memoryview
    if layout.compression in DEFLATE:
        whole = _inflated(segment, layout.rows * layout.row_bytes)
    elif layout.compression in AS_IS:
        whole = segment
    else:
        whole = _by_libtiff(bytes(segment), layout.compression, size)
    if len(whole) < size:
        raise ImageError(f"a part of the TIFF has {len(whole)} bytes; expected {size}: it was cut off, copy it again")
    return whole[:size]


def _inflated(segment: memoryview, most: int) -> bytes:
    """Return what a strip or tile holds, its checksum compared."""
    unpacker = zlib.decompressobj()
    whole = unpacker.decompress(segment, most + 1)
    if not unpacker.eof:
        raise ImageError("a part of the TIFF does not end where it should: it was cut off or damaged, copy it again")
    return whole


def _by_libtiff(segment: bytes, compression: int, size: int) -> bytes:
    """Return what a strip holds: libtiff, which Pillow carries, unpacks it as the only row of a grey picture."""
    zeros = next(zeros for codes, zeros in IMPOSSIBLE_ZEROS.items() if compression in codes)
    if zeros in segment or size > MAX_LIBTIFF_BYTES:
        raise ImageError("a part of the TIFF holds zeros that were never written, or is too large; copy it again")
    entries = [(256, 4, size), (257, 4, 1), (258, 3, 8), (259, 3, compression), (262, 3, 1), (273, 4, 0)]
    entries += [(277, 3, 1), (278, 4, 1), (279, 4, len(segment))]
    end = 8 + 2 + 12 * len(entries) + 4
    listed = b"".join(struct.pack("<HHII", tag, kind, 1, end if tag == 273 else value) for tag, kind, value in entries)
    file = b"II*\0" + struct.pack("<IH", 8, len(entries)) + listed + bytes(4) + segment
    with Pillow.open(io.BytesIO(file), formats=("TIFF",)) as picture:
        return picture.tobytes()


def in_eight_bits(values: NDArray[np.generic], page: Page, layout: Layout) -> NDArray[np.uint8]:
    """Return values as black-is-zero grey, (rows, columns), or RGB, (rows, columns, 3); transparency is left out."""
    values = values[:, :, : PHOTOMETRICS[layout.photometric]]
    if layout.photometric == PALETTE:
        return _of_palette(values[:, :, 0], page, 2**layout.bits)
    depth = layout.bits if layout.bits % 8 else None
    said = page.number(tiff.SMAX_SAMPLE)
    if layout.kind == "u" and 255 <= said < 2**layout.bits and said >= values.max():
        depth = said.bit_length()
    grey_or_rgb = to_eight_bits(values, depth)
    if layout.photometric == INKS:
        paper = 255 - grey_or_rgb.astype(np.uint16)
        return np.asarray((paper[:, :, :3] * paper[:, :, 3:] + 127) // 255, np.uint8)
    if layout.photometric == WHITE_IS_ZERO:
        grey_or_rgb = 255 - grey_or_rgb
    return grey_or_rgb[:, :, 0] if grey_or_rgb.shape[2] == 1 else grey_or_rgb


def _of_palette(indices: NDArray[np.generic], page: Page, colours: int) -> NDArray[np.uint8]:
    palette = page.numbers(tiff.COLOUR_MAP)
    if len(palette) < 3 * colours:
        raise ImageError(f"the TIFF's palette has {len(palette) // 3} colours; expected {colours}: save it without one")
    in_bytes = np.array(palette[: 3 * colours]) >> (8 if max(palette) > 255 else 0)  # some write 8 bits for 16
    return np.asarray(in_bytes.reshape(3, colours).T[indices], np.uint8)
