"""Every kind of TIFF has the pixels of the picture that it was made of."""

import io
import itertools
import struct
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from crystal_search.errors import ImageError
from crystal_search.images import decode
from tests.unit.picture_files import HEIGHT, WIDTH, grey, pages, paletted, rgb, saved, tiff, twelve_bits

COMPRESSIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "lzw": {"compression": "lzw"},
    "deflate": {"compression": "zlib"},
} | {
    "lzw-differences": {"compression": "lzw", "predictor": 2},
    "deflate-differences": {"compression": "zlib", "predictor": 2},
    "packbits": {"compression": "packbits"},
}
CUTS: dict[str, dict[str, Any]] = {
    "one": {"rowsperstrip": HEIGHT},
    "strips": {"rowsperstrip": 7},
    "tiles": {"tile": (64, 48)},
}
#: From the 8 bits of the well to the values of a camera or a program, which must become these 8 bits again.
DEPTHS = {
    "u8": lambda v: v.astype(np.uint8),
    "12 in 16": lambda v: (v.astype(np.uint16) << 4) + 9,
    "u16": lambda v: v.astype(np.uint16) * 257,
    "u32": lambda v: v.astype(np.uint32) * 16843009,
    "24 in 32": lambda v: (v.astype(np.uint32) << 16) + 4711,
    "i8": lambda v: (v.astype(np.int16) - 128).astype(np.int8),
    "i16": lambda v: (v.astype(np.int32) * 257 - 32768).astype(np.int16),
    "i32": lambda v: (v.astype(np.int64) * 16843009 - 2**31).astype(np.int32),
    "12 in i16": lambda v: (v.astype(np.int16) << 4) + 9,
    "31 in i32": lambda v: (v.astype(np.int64) << 23).astype(np.int32),
}


def picture(samples: int) -> NDArray[np.uint8]:
    """The well with so many samples: grey, grey and alpha, RGB, RGB and alpha."""
    colours = grey()[:, :, None] if samples < 3 else rgb()
    alpha = np.full((HEIGHT, WIDTH, 1 - samples % 2), 255, np.uint8)
    return np.concatenate([colours, alpha], axis=2)


def expected(samples: int) -> NDArray[np.uint8]:
    return rgb() if samples >= 3 else np.repeat(grey()[:, :, None], 3, axis=2)


def written(values: NDArray[np.generic], *, planar: bool, **options: Any) -> bytes:
    samples = values.shape[2]
    laid = values[:, :, 0] if samples == 1 else np.moveaxis(values, 2, 0) if planar else values
    colour: dict[str, Any] = {"photometric": "rgb" if samples >= 3 else options.pop("grey", "minisblack")}
    if samples > 1:
        colour["planarconfig"] = "separate" if planar else "contig"
    if samples % 2 == 0:
        colour["extrasamples"] = ["unassalpha"]
    return tiff(np.ascontiguousarray(laid), **colour, **options)


#: Every compression in every cut, with planes and orders taking turns.
TURNS = [
    (options, samples, planar and samples > 1, order, big)
    for (number, options), samples in itertools.product(
        enumerate(one | other for one, other in itertools.product(COMPRESSIONS.values(), CUTS.values())), (1, 2, 3, 4)
    )
    for planar, order, big in [(bool(number % 2), "<>"[number // 2 % 2], number % 3 == 0)]
]


@pytest.mark.parametrize("depth", DEPTHS)
def test_every_depth_has_the_wells_pixels_however_it_lies(depth: str) -> None:
    values = {samples: DEPTHS[depth](picture(samples)) for samples in (1, 2, 3, 4)}
    for options, samples, planar, order, big in TURNS:
        image = decode(written(values[samples], planar=planar, order=order, big=big, **options))
        assert (image.height_px, image.width_px) == (HEIGHT, WIDTH)
        assert np.array_equal(image.colour, expected(samples)), (options, samples, planar, order, big)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("cut", CUTS)
def test_planes_are_not_taken_for_pixels(order: str, cut: str) -> None:
    for samples, big, options in itertools.product((3, 4), (False, True), COMPRESSIONS.values()):
        data = written(
            picture(samples).astype(np.uint16) * 257, planar=True, order=order, big=big, **options, **CUTS[cut]
        )
        assert np.array_equal(decode(data).colour, rgb()), (samples, big, options)


@pytest.mark.parametrize("depth", ["u8", "u16", "u32", "12 in 16"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_white_is_zero_is_turned_round(depth: str, order: str) -> None:
    values = DEPTHS[depth](picture(1))
    inverted = (4095 if depth == "12 in 16" else np.iinfo(values.dtype).max) - values
    data = written(inverted, planar=False, grey="miniswhite", order=order)
    assert np.abs(decode(data).colour.astype(int) - expected(1)).max() <= 1


@pytest.mark.parametrize("colour", [False, True])
def test_values_of_twelve_bits_without_gaps_are_read(colour: bool) -> None:
    assert np.array_equal(decode(twelve_bits(rgb() if colour else grey())).colour, expected(3 if colour else 1))


@pytest.mark.parametrize("colours", [16, 256])
def test_a_palette_gives_its_colours(colours: int) -> None:
    right = np.asarray(Image.fromarray(rgb()).quantize(colours).convert("RGB"))
    assert np.array_equal(decode(paletted(rgb(), colours)).colour, right)


@pytest.mark.parametrize("colour", ["grey", "rgb", "luma and chroma", "inks"])
@pytest.mark.parametrize("cut", CUTS)
def test_jpeg_within_a_tiff_is_read(colour: str, cut: str) -> None:
    if colour == "inks":
        inks = np.dstack([255 - rgb(), np.zeros((HEIGHT, WIDTH), np.uint8)])
        data = tiff(inks, photometric="separated", **CUTS[cut])
    else:
        photometric = {"grey": "minisblack", "rgb": "rgb", "luma and chroma": "ycbcr"}[colour]
        options: dict[str, Any] = CUTS[cut] if cut != "strips" else {"rowsperstrip": 16}
        options = options | {"compression": "jpeg", "compressionargs": {"level": 95}}
        space = {"grey": grey(), "rgb": rgb()}.get(colour, np.asarray(Image.fromarray(rgb()).convert("YCbCr")))
        data = tiff(space, photometric=photometric, **options)
    error = np.abs(decode(data).colour.astype(int) - expected(1 if colour == "grey" else 3))
    assert error.mean() < (0.1 if colour == "inks" else 2)


def test_jpegs_that_share_tables_are_read() -> None:
    data = saved(rgb(), "TIFF", compression="jpeg", quality=95)
    assert np.abs(decode(data).colour.astype(int) - rgb()).mean() < 2


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_a_bright_pixel_is_no_depth(bits: int) -> None:
    deep = grey().astype(np.uint16) << (bits - 8)
    deep[100, 100:103] = 65535
    found = decode(tiff(deep, photometric="minisblack")).colour[:, :, 0]
    right = grey().copy()
    right[100, 100:103] = 255
    assert np.array_equal(found, right)


def test_a_depth_that_the_file_says_counts() -> None:
    dark = grey().astype(np.uint16) << 2  # its values need 10 bits
    said = tiff(dark, photometric="minisblack", extratags=[(341, 3, 1, 4095, True)])
    assert np.array_equal(decode(said).colour[:, :, 0], grey() >> 2)
    assert np.array_equal(decode(tiff(dark, photometric="minisblack")).colour[:, :, 0], grey())


def blurred(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(pixels).resize((40, 32), Image.Resampling.BOX).resize((WIDTH, HEIGHT)))


@pytest.mark.parametrize("sharp_at", [0, 1, 2])
@pytest.mark.parametrize("deep", [False, True])
def test_of_a_focus_stack_the_sharpest_page_is_taken_and_named(sharp_at: int, deep: bool) -> None:
    stack = [blurred(grey())] * 2
    stack.insert(sharp_at, grey())
    image = decode(pages(*(each.astype(np.uint16) * 257 if deep else each for each in stack)))
    assert np.array_equal(image.colour[:, :, 0], grey())
    assert image.remarks == (f"page {sharp_at + 1} of 3 was taken, of 3 as large the one in best focus",)
    assert image.converted


def test_a_page_of_a_longer_exposure_is_not_sharper() -> None:
    image = decode(pages(np.minimum(blurred(grey()).astype(int) * 3, 255).astype(np.uint8), grey() // 3 * 2))
    assert image.remarks[0].startswith("page 2 of 2")


@pytest.mark.parametrize("preview_first", [True, False])
@pytest.mark.parametrize("marked", [True, False])
def test_a_preview_is_not_the_picture(preview_first: bool, marked: bool) -> None:
    preview = 255 - (rgb() if marked else rgb()[::2, ::2])
    both = [(preview, int(marked)), (rgb(), 0)]
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for pixels, kind in both if preview_first else both[::-1]:
            writer.write(pixels, photometric="rgb", subfiletype=kind, metadata=None)
    image = decode(stream.getvalue())
    assert np.array_equal(image.colour, rgb())
    assert image.remarks == (f"page {1 + preview_first} of 2 was taken, the largest",)


REFUSED = {
    "floating-point": tiff(np.zeros((200, 200), np.float32), photometric="minisblack"),
    "compression 50000": tiff(np.zeros((200, 200), np.uint8), photometric="minisblack", compression="zstd"),
    "1 bit": saved(np.zeros((200, 200), np.bool_), "TIFF"),
    "64 bit": tiff(np.zeros((200, 200), np.uint64), photometric="minisblack"),
    "photometric interpretation 8": tiff(np.zeros((200, 200, 3), np.uint8), photometric="cielab"),
    "px": tiff(np.zeros((100, 200), np.uint8), photometric="minisblack"),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_not_read_is_refused_as_the_tiff_that_it_is(reason: str) -> None:
    with pytest.raises(ImageError, match=reason) as refused:
        decode(REFUSED[reason])
    assert "TIFF" in str(refused.value) or reason == "px"
    assert "no JPEG, PNG, TIFF" not in str(refused.value)


def test_pages_in_a_circle_are_refused() -> None:
    data = tiff(grey(), photometric="minisblack")
    at = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[at : at + 2], "little")
    following = at + 2 + 12 * count
    with pytest.raises(ImageError, match="circle"):
        decode(data[:following] + struct.pack("<I", at) + data[following + 4 :])


def test_a_jpeg_that_says_it_is_larger_than_its_strip_is_not_unpacked() -> None:
    data = saved(grey(), "TIFF", compression="jpeg")
    frame = data.index(b"\xff\xc0") + 5  # where the JPEG says its rows and columns
    with pytest.raises(ImageError, match=r"a JPEG within the TIFF has \(65500, 65500\) px"):
        decode(data[:frame] + struct.pack(">HH", 65500, 65500) + data[frame + 4 :])


def test_more_pages_than_anybody_focuses_are_refused_before_they_are_unpacked() -> None:
    page = {256: 10_000, 257: 10_000, 258: 8, 259: 8, 262: 1, 273: 8, 278: 10_000, 279: 100}
    size = 2 + 12 * len(page) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in page.items())
    starts = [8 + size * number for number in range(50)]
    written = (struct.pack("<H", len(page)) + entries + struct.pack("<I", after) for after in (*starts[1:], 0))
    with pytest.raises(ImageError, match=r"the TIFF's pages have 5000000000 bytes; .* save the best one only"):
        decode(b"II*\0" + struct.pack("<I", 8) + b"".join(written))
