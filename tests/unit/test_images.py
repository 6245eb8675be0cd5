import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from crystal_search.errors import ImageError, UnknownNameError
from crystal_search.images import contact_sheet, decode, local_contrast, normalised, resized, to_grey

HEIGHT, WIDTH = 240, 300


def encoded(pixels: np.ndarray[Any, Any], kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def ramp() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Brighter to the right, darker to the bottom."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.asarray(100 + columns * 100 // WIDTH - rows * 80 // HEIGHT, dtype=np.uint8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP"])
@pytest.mark.parametrize("colour", [False, True])
def test_every_kind_gives_the_same_picture(kind: str, colour: bool) -> None:
    pixels = np.repeat(ramp()[:, :, None], 3, axis=2) if colour else ramp()
    image = decode(encoded(pixels, kind))
    assert (image.height_px, image.width_px, image.colour.shape) == (HEIGHT, WIDTH, (HEIGHT, WIDTH, 3))
    assert np.abs(to_grey(image.colour).astype(int) - ramp()).max() <= 4


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("bits", [10, 12, 16])
def test_sixteen_bit_grey_is_brought_to_eight(kind: str, bits: int) -> None:
    deep = ramp().astype(np.uint16) << (bits - 8)
    image = decode(encoded(deep, kind))
    assert np.array_equal(to_grey(image.colour), ramp())


def test_sixteen_bit_colour_png_is_read() -> None:
    # A 16-bit RGB PNG made by hand: Pillow cannot write one.
    import struct
    import zlib

    deep = np.repeat((ramp().astype(np.uint16) << 8)[:, :, None], 3, axis=2).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in deep)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert np.abs(to_grey(decode(png).colour).astype(int) - ramp()).max() <= 1


def test_a_jpeg_is_reduced_while_it_is_decoded_but_never_below_what_was_asked() -> None:
    pixels = np.asarray(Image.fromarray(ramp()).resize((2400, 1920)))
    image = decode(encoded(pixels, "JPEG"), at_least_width_px=1000)
    assert 1000 <= image.colour.shape[1] < 2400
    assert (image.height_px, image.width_px) == (1920, 2400)
    assert image.scale == 2400 / image.colour.shape[1]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP"])
def test_a_file_that_was_cut_off_is_an_error(kind: str) -> None:
    data = encoded(np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8), kind)
    with pytest.raises(ImageError):
        decode(data[: len(data) * 2 // 3])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_files_are_read_or_refused_but_never_crash(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "TIFF", "BMP"]))
    whole = bytearray(encoded(ramp(), kind))
    for position in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=8)):
        whole[position] ^= data.draw(st.integers(1, 255))
    try:
        image = decode(bytes(whole))
    except ImageError:
        return
    assert image.colour.dtype == np.uint8


@given(data=st.binary(max_size=200))
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError):
        decode(data)


@pytest.mark.parametrize("shape", [(100, 300), (130, 700)])
def test_sizes_that_are_no_well_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match="px"):
        decode(encoded(np.zeros(shape, np.uint8), "PNG"))


def test_a_picture_bomb_is_refused_by_its_header() -> None:
    with pytest.raises(ImageError):
        decode(encoded(np.zeros((1, 1), np.uint8), "PNG").replace(b"\0\0\0\x01\0\0\0\x01", b"\0\1\0\0\0\1\0\0"))


def test_floating_point_pixels_are_refused() -> None:
    with pytest.raises(ImageError, match="floating-point"):
        decode(encoded(np.zeros((200, 200), np.float32), "TIFF"))


def test_resizing_keeps_proportions_and_averages() -> None:
    board = (np.indices((200, 400)).sum(axis=0) % 2 * 200).astype(np.uint8)
    small = resized(board, 100)
    assert small.shape == (50, 100)
    assert np.abs(small[5:-5, 5:-5].astype(int) - 100).max() <= 2


def test_local_contrast_is_zero_where_nothing_is_and_forgets_the_lamp() -> None:
    assert np.abs(local_contrast(np.full((200, 220), 90, np.uint8))).max() < 1e-5
    spot = np.full((200, 220), 120, np.uint8)
    spot[90:110, 100:120] = 60
    bright, dim = local_contrast(spot), local_contrast((spot * 0.7).astype(np.uint8))
    assert bright[100, 110] < -0.8
    assert abs(bright[100, 110] - dim[100, 110]) < 0.3


def test_an_unknown_normalisation_lists_the_known() -> None:
    with pytest.raises(UnknownNameError, match="local-contrast-1"):
        normalised(ramp(), "histogram")


@pytest.mark.parametrize(("cells", "size"), [(1, (4, 3)), (2, (8, 3)), (5, (8, 9))])
def test_a_contact_sheet_fills_its_rows_from_the_left(cells: int, size: tuple[int, int]) -> None:
    sheet = Image.open(io.BytesIO(contact_sheet([Image.new("L", (4, 3), 9 + n) for n in range(cells)], 2)))
    assert (sheet.mode, sheet.size) == ("L", size)
    found = np.asarray(sheet)[::3, ::4].ravel().tolist()
    assert found == [*range(9, 9 + cells), *[0] * (len(found) - cells)]
