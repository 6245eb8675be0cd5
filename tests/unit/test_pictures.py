"""What is sent to clients; sixteen bits of PNG; orientation; the reported cases; the table of docs/pictures.md."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from crystal_search.errors import ImageError
from crystal_search.formats.picture_reading import stored_size
from crystal_search.images import decode
from crystal_search.pictures import as_work_picture
from tests.unit.picture_files import chunk, demo_wells, grey, pages, paletted, png16, rgb, saved, tiff, twelve_bits

PLAIN = {
    "JPEG": (saved(rgb(), "JPEG"), ".jpg"),
    "grey JPEG": (saved(grey(), "JPEG"), ".JPEG"),
    "PNG": (saved(rgb(), "PNG"), ".png"),
    "BMP": (saved(rgb(), "BMP"), ".bmp"),
    "TIFF": (tiff(rgb(), photometric="rgb"), ".tif"),
    "LZW": (tiff(grey(), photometric="minisblack", compression="lzw"), ".tiff"),
    "planes of 8 bit": (tiff(np.moveaxis(rgb(), 2, 0), photometric="rgb", planarconfig="separate"), ".tif"),
}
DEEP = {
    "planes": tiff(np.moveaxis(rgb().astype(np.uint16) * 257, 2, 0), photometric="rgb", planarconfig="separate"),
    "signed": tiff((rgb().astype(int) * 257 - 32768).astype(np.int16), photometric="rgb"),
    "PNG": png16(rgb().astype(np.uint16) * 257),
    "pages": pages(rgb() // 3, rgb(), rgb() // 2),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_pictures_stay_byte_for_byte(name: str) -> None:
    data, suffix = PLAIN[name]
    converted = as_work_picture(data, suffix)
    assert (converted.suffix, converted.data, converted.remarks) == (suffix, data, ())


@pytest.mark.parametrize("name", DEEP)
def test_all_others_become_a_png_of_the_same_rows_and_columns(name: str) -> None:
    converted = as_work_picture(DEEP[name], ".tif")
    with Image.open(io.BytesIO(converted.data)) as picture:
        assert (converted.suffix, picture.format, picture.mode) == (".png", "PNG", "RGB")
        if name != "pages":
            assert np.array_equal(np.asarray(picture), rgb())
    assert np.array_equal(decode(converted.data).colour, decode(DEEP[name]).colour)
    assert bool(converted.remarks) == (name == "pages")


def test_grey_stays_grey() -> None:
    converted = as_work_picture(tiff(grey().astype(np.uint16) * 257, photometric="minisblack"), ".tif")
    with Image.open(io.BytesIO(converted.data)) as picture:
        assert picture.mode == "L"
        assert np.array_equal(np.asarray(picture), grey())


def test_what_cannot_be_read_is_refused_before_it_is_sent() -> None:
    data = saved(rgb(), "JPEG")
    with pytest.raises(ImageError, match="Premature end"):
        as_work_picture(data[: len(data) // 2] + bytes(len(data) // 2), ".jpg")


@pytest.mark.parametrize("samples", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [12, 16])
def test_sixteen_bits_of_png_are_read(samples: int, bits: int) -> None:
    colours = (grey()[:, :, None] if samples < 3 else rgb()).astype(np.uint16) * (257 if bits == 16 else 16)
    alpha = np.full((*grey().shape, 1 - samples % 2), 2**bits - 1, np.uint16)
    image = decode(png16(np.concatenate([colours, alpha], axis=2)))
    assert np.array_equal(image.colour, rgb() if samples >= 3 else np.repeat(grey()[:, :, None], 3, axis=2))


def test_a_png_that_says_how_many_bits_count_is_believed() -> None:
    dark = (rgb().astype(np.uint16) >> 4) * 257  # no value needs more than 12 bits
    said = decode(png16(dark, chunk(b"sBIT", bytes((12, 12, 12)))))
    assert np.array_equal(said.colour, rgb() >> 4)
    assert decode(png16(dark)).colour.max() > 200


@pytest.mark.parametrize("before", [b"IDAT", b"IEND"])
def test_a_png_has_one_header(before: bytes) -> None:
    data = saved(grey(), "PNG")
    another = chunk(b"IHDR", (40_000).to_bytes(4) + (40_000).to_bytes(4) + data[24:29])
    at = data.index(before) - 4
    with pytest.raises(ImageError, match="it has several headers"):
        decode(data[:at] + another + data[at:])


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA"])
def test_plain_pngs_of_every_mode_have_their_colours(mode: str) -> None:
    stream = io.BytesIO()
    picture = Image.fromarray(rgb()).convert(mode)
    picture.save(stream, "PNG")
    assert np.array_equal(decode(stream.getvalue()).colour, np.asarray(picture.convert("RGB")))


def turned(kind: str, orientation: int) -> bytes:
    if kind == "TIFF":
        return tiff(rgb(), photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    exif = Image.Exif()
    exif[274] = orientation
    return saved(rgb(), kind, exif=exif, **({"quality": 100, "subsampling": 0} if kind == "JPEG" else {}))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation_is_ignored_in_every_format_and_told(kind: str, orientation: int) -> None:
    data = turned(kind, orientation)
    assert np.abs(decode(data).colour.astype(int) - rgb()).max() <= 8
    told = (f"its orientation tag ({orientation}) was ignored",) if orientation > 1 else ()
    assert as_work_picture(data, ".x").remarks == told


def full_size(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def strays_before_the_tables(colours: NDArray[np.uint8]) -> bytes:
    data = saved(colours, "JPEG", quality=95)
    at = data.index(b"\xff\xdb")
    return data[:at] + b"\xff\x00\xff\x00" + data[at:]


def of(colours: NDArray[np.uint8], case: str) -> tuple[bytes, NDArray[np.uint8]]:
    """A file of a reported case, and the grey values or colours that it has."""
    luma = np.asarray(Image.fromarray(colours).convert("L"))
    g = luma.astype(np.int64)
    greys: dict[str, Any] = {
        "u16": (g * 257).astype(np.uint16),
        "u32": (g * 16843009).astype(np.uint32),
        "s16": (g * 257 - 32768).astype(np.int16),
        "i31": (g * 2**23).clip(0, 2**31 - 1).astype(np.int32),
    }
    if case in greys:
        return tiff(greys[case], photometric="minisblack"), luma
    if case == "planar":
        deep = np.moveaxis(colours.astype(np.uint16) * 257, 2, 0)
        return tiff(deep, photometric="rgb", planarconfig="separate"), colours
    if case == "strays":
        return strays_before_the_tables(colours), decode(saved(colours, "JPEG", quality=95)).colour
    small = np.asarray(Image.fromarray(colours).resize((160, 134)))
    soft = np.asarray(Image.fromarray(small).resize(colours.shape[1::-1]))
    return pages(*((small, colours) if case == "preview first" else (soft, soft, colours, soft))), colours


CASES = ["planar", "u16", "u32", "s16", "i31", "focus stack", "preview first", "strays"]


@pytest.mark.parametrize("case", CASES)
def test_every_reported_case_is_the_picture_that_it_was_made_of(case: str) -> None:
    data, right = of(full_size(demo_wells()[3]), case)
    converted = as_work_picture(data, ".tif")
    found = decode(converted.data).colour
    assert np.array_equal(found if right.ndim == 3 else found[:, :, 0], right)
    assert bool(converted.remarks) == (case in ("focus stack", "preview first", "strays"))


def test_a_tiff_with_a_wrong_depth_is_called_a_tiff() -> None:
    data = tiff(grey(), photometric="minisblack")
    at = data.index(struct.pack("<HHI", 258, 3, 1)) + 8
    with pytest.raises(ImageError, match=r"the TIFF has 20 bit, which is not read; save it with 8 or 16 bit"):
        decode(data[:at] + struct.pack("<H", 20) + data[at + 2 :])


def inks_jpeg() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(rgb()).convert("CMYK").save(stream, "JPEG")
    return stream.getvalue()


DOCS = Path(__file__).parents[2] / "docs" / "pictures.md"
JPEG = saved(rgb(), "JPEG")
SIXTEEN = rgb().astype(np.uint16) * 257
TWO_BYTES = tiff(SIXTEEN, photometric="rgb")
EXAMPLES = {
    "JPEG, grey or colour, of any quality, progressive, with restart markers": saved(
        rgb(), "JPEG", progressive=True, restart_marker_rows=2
    ),
    "JPEG of four inks": inks_jpeg(),
    "JPEG with stray bytes between its segments": strays_before_the_tables(rgb()),
    "JPEG cut in half": JPEG[: len(JPEG) // 2],
    "JPEG of which the second half is zeros": JPEG[: len(JPEG) // 2] + bytes(len(JPEG) // 2),
    "PNG of 1 to 8 bit: grey, colour, palette, transparent": saved(np.dstack([rgb(), grey()]), "PNG"),
    "PNG of 16 bit: grey or colour, transparent or not": png16(SIXTEEN),
    "PNG with a wrong checksum": PLAIN["PNG"][0][:-6] + bytes(6),
    "BMP": saved(rgb(), "BMP"),
    "TIFF of 8 bit: grey, colour, with alpha": tiff(np.dstack([rgb(), grey()]), photometric="rgb", extrasamples=[2]),
    "TIFF of 16 bit": TWO_BYTES,
    "TIFF of 12 bits in 16": tiff(rgb().astype(np.uint16) << 4, photometric="rgb"),
    "TIFF of 12 bits without gaps": twelve_bits(grey()),
    "TIFF of 32 bit, whole numbers": tiff(grey().astype(np.uint32) << 24, photometric="minisblack"),
    "TIFF of signed numbers of 8, 16 or 32 bit": DEEP["signed"],
    "TIFF in planes": DEEP["planes"],
    "TIFF with white as zero": tiff(65535 - SIXTEEN[:, :, 0], photometric="miniswhite"),
    "TIFF with a palette": paletted(rgb()),
    "TIFF of four inks of 8 bit": tiff(np.dstack([rgb(), grey()]), photometric="separated"),
    "TIFF, big-endian": tiff(SIXTEEN, photometric="rgb", order=">"),
    "TIFF with LZW": tiff(SIXTEEN, photometric="rgb", compression="lzw"),
    "TIFF with deflate": tiff(SIXTEEN, photometric="rgb", compression="zlib"),
    "TIFF with PackBits": tiff(SIXTEEN, photometric="rgb", compression="packbits"),
    "TIFF with JPEG": tiff(rgb(), photometric="rgb", compression="jpeg"),
    "TIFF in tiles": tiff(SIXTEEN, photometric="rgb", tile=(64, 64)),
    "BigTIFF": tiff(SIXTEEN, photometric="rgb", big=True),
    "TIFF of several pages of one size": DEEP["pages"],
    "TIFF with a preview": pages(rgb()[::2, ::2], rgb()),
    "TIFF of which the second half is zeros": TWO_BYTES[: len(TWO_BYTES) // 2] + bytes(len(TWO_BYTES) // 2),
    "TIFF of floating-point numbers": tiff(np.zeros((200, 200), np.float32), photometric="minisblack"),
    "TIFF of 1 bit": saved(np.zeros((200, 200), np.bool_), "TIFF"),
    "TIFF with Zstandard": tiff(grey(), photometric="minisblack", compression="zstd"),
    "GIF, WebP, HEIF, PDF and all others": saved(grey(), "GIF"),
}


@pytest.mark.parametrize("picture", EXAMPLES)
def test_the_size_in_the_header_is_that_of_the_picture(picture: str) -> None:
    try:
        image = decode(EXAMPLES[picture])
    except ImageError:
        return
    assert stored_size(EXAMPLES[picture]) == (image.height_px, image.width_px)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", JPEG[:40], b"BM", b"II*\0", b"II*\0" + bytes(20), b"GIF89a"])
def test_a_header_without_a_size_is_told(data: bytes) -> None:
    with pytest.raises(ImageError):
        stored_size(data)


def rows_of_the_table() -> dict[str, tuple[str, str]]:
    lines = [line.strip("| ").split(" | ") for line in DOCS.read_text("utf-8").splitlines() if line.startswith("| ")]
    return {picture: (sent, test.strip("`")) for picture, sent, test in lines if picture != "picture"}


def test_every_row_of_the_table_has_an_example_here() -> None:
    assert set(rows_of_the_table()) == set(EXAMPLES)


@pytest.mark.parametrize("picture", EXAMPLES)
def test_the_table_of_the_docs_holds(picture: str) -> None:
    sent, test = rows_of_the_table()[picture]
    tests = [path.read_text("utf-8") for path in sorted(Path(__file__).parent.glob("test_pictures*.py"))]
    assert any(f"def {test}(" in text for text in tests)
    if sent == "refused":
        with pytest.raises(ImageError):
            as_work_picture(EXAMPLES[picture], ".x")
    else:
        assert as_work_picture(EXAMPLES[picture], ".x").suffix == {"as it is": ".x", "PNG": ".png"}[sent]
