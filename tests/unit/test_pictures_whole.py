"""A picture that is not whole is never read as if it were, and no whole one is refused."""

import io
import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from crystal_search.errors import ImageError
from crystal_search.images import decode
from tests.unit.picture_files import demo_wells, grey, png16, rgb, saved, tiff

KINDS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 85},
    "PNG": {},
    "BMP": {},
    "TIFF": {},
    "TIFF, LZW": {"compression": "tiff_lzw"},
    "TIFF, deflate": {"compression": "tiff_adobe_deflate"},
    "TIFF, packbits": {"compression": "packbits"},
    "TIFF, JPEG": {"compression": "jpeg"},
}
JPEGS: list[dict[str, Any]] = [
    *({"quality": quality} for quality in range(10, 101, 10)),
    *({"quality": quality, "progressive": True} for quality in (10, 50, 85, 100)),
    *({"quality": quality, "optimize": True} for quality in (10, 50, 85, 100)),
    *({"quality": 85, "subsampling": each} for each in (0, 1, 2)),
    {"quality": 85, "restart_marker_rows": 2},
    {"quality": 85, "progressive": True, "restart_marker_blocks": 50},
]


def refused(data: bytes) -> bool:
    try:
        decode(data, at_least_width_px=400)
    except ImageError:
        return True
    return False


def unfinished(data: bytes) -> list[bytes]:
    """The file cut at every sixteenth, and the same with its full length: the rest zeros, or its last bytes there."""
    cuts = [len(data) * part // 16 for part in range(16)]
    padded = [data[:cut] + bytes(len(data) - cut) for cut in cuts]
    return [data[:cut] for cut in cuts] + padded


@pytest.mark.parametrize("path", demo_wells(), ids=lambda path: path.stem)
def test_no_unfinished_copy_of_a_well_is_read(path: Any) -> None:
    data = path.read_bytes()
    assert not refused(data)
    assert all(refused(each) for each in unfinished(data))


@pytest.mark.parametrize("options", JPEGS, ids=str)
def test_every_whole_jpeg_is_read_and_no_unfinished_one(options: dict[str, Any]) -> None:
    data = saved(rgb(), "JPEG", **options)
    assert not refused(data)
    assert decode(data).remarks == ()
    assert all(refused(each) for each in unfinished(data))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pixels", [rgb(), grey()], ids=["colour", "grey"])
def test_no_unfinished_copy_of_any_kind_is_read(kind: str, pixels: NDArray[np.uint8]) -> None:
    data = saved(pixels, kind.split(",", 1)[0], **KINDS[kind])
    assert not refused(data)
    for number, each in enumerate(unfinished(data)):
        assert refused(each), (kind, number)


@pytest.mark.parametrize("kind", ["12", "16", "planes", "32", "16, tiles", "16, deflate", "16, PNG"])
def test_no_unfinished_copy_of_a_deep_picture_is_read(kind: str) -> None:
    deep = rgb().astype(np.uint16) << 8 | rgb()
    data = {
        "12": lambda: tiff(deep >> 4, photometric="rgb"),
        "16": lambda: tiff(deep, photometric="rgb", order=">"),
        "planes": lambda: tiff(np.moveaxis(deep, 2, 0), photometric="rgb", planarconfig="separate"),
        "32": lambda: tiff(deep[:, :, 0].astype(np.uint32) << 16, photometric="minisblack"),
        "16, tiles": lambda: tiff(deep, photometric="rgb", tile=(64, 64)),
        "16, deflate": lambda: tiff(deep, photometric="rgb", compression="zlib"),
        "16, PNG": lambda: png16(deep),
    }[kind]()
    assert not refused(data)
    for number, each in enumerate(unfinished(data)):
        assert refused(each), number


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "TIFF, LZW", "TIFF, deflate", "TIFF, JPEG"])
def test_a_hole_of_a_disk_block_is_seen(kind: str) -> None:
    large = np.asarray(Image.fromarray(rgb()).resize((1224, 1024)))
    data = saved(large, kind.split(",", 1)[0], **KINDS[kind])
    holes = range(4096, len(data) - 8192, len(data) // 12)
    seen = [refused(data[:at] + bytes(4096) + data[at + 4096 :]) for at in holes]
    assert all(seen) or kind == "TIFF"  # black pixels in the midst of uncompressed ones may be a picture


DARK = np.where(np.random.default_rng(5).random((256, 300)) < 0.02, 7, 0).astype(np.uint8)


def masked() -> NDArray[np.uint8]:
    """A well within a circle, all else zero."""
    rows, columns = np.mgrid[: rgb().shape[0], : rgb().shape[1]]
    return np.asarray(rgb() * ((rows - 120) ** 2 + (columns - 150) ** 2 < 110**2)[:, :, None], np.uint8)


def letterboxed(top: int, bottom: int) -> NDArray[np.uint8]:
    picture = rgb().copy()
    picture[:top], picture[len(picture) - bottom :] = 0, 0
    return picture


WHOLE = {
    "black": np.zeros((256, 300), np.uint8),
    "white": np.full((256, 300), 255, np.uint8),
    "dark, with bright pixels": DARK,
    "within a circle": masked(),
    "black below": letterboxed(0, 40),
    "black above": letterboxed(40, 0),
    "black above and below": letterboxed(30, 30),
    "in a black frame": np.asarray(np.pad(rgb()[20:-20, 10:-10], ((20, 20), (10, 10), (0, 0))), np.uint8),
    "fading": np.asarray(rgb() * np.linspace(1, -0.2, len(rgb())).clip(0)[:, None, None], np.uint8),
}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("kind", KINDS)
def test_whole_pictures_that_are_black_somewhere_are_read(name: str, kind: str) -> None:
    data = saved(WHOLE[name], kind.split(",", 1)[0], **KINDS[kind])
    image = decode(data)
    truth = np.asarray(Image.fromarray(WHOLE[name]).convert("RGB")).astype(int)
    assert np.abs(image.colour - truth).mean() < 3


@pytest.mark.parametrize("options", [{"optimize": True}, {"progressive": True}, {}], ids=str)
def test_flat_jpegs_whose_pixels_are_encoded_as_zeros_are_read(options: dict[str, Any]) -> None:
    data = saved(np.full((1024, 1224, 3), 128, np.uint8), "JPEG", quality=90, **options)
    assert (decode(data).colour == 128).all()


def overlooked(remarks: tuple[str, ...]) -> int:
    (remark,) = remarks
    found = re.fullmatch(r"(\d+) stray bytes between its segments were overlooked", remark)
    return int(found[1]) if found else 0


def with_strays(data: bytes, where: str) -> bytes:
    if where == "header":
        at = data.index(b"\xff\xdb")
        return data[:at] + b"\xff\x00\xff\x00" + data[at:]
    at = data.index(b"\xff\xd3") if where == "restart" else len(data) - 2
    return data[:at] + bytes(range(20, 40)) + data[at:]


@pytest.mark.parametrize(
    ("where", "options"),
    [
        *((where, {"restart_marker_rows": 2, "progressive": True}) for where in ("header", "restart", "end")),
        ("header", {}),
        ("end", {}),
        *(("restart", {"restart_marker_rows": 2, "subsampling": each}) for each in (0, 1, 2)),
        ("restart", {"restart_marker_blocks": 11}),
        ("end", {"restart_marker_rows": 2}),
    ],
)
@pytest.mark.parametrize("pixels", [rgb(), grey()], ids=["colour", "grey"])
def test_stray_bytes_before_a_marker_are_a_remark(where: str, options: Any, pixels: NDArray[np.uint8]) -> None:
    data = saved(pixels, "JPEG", quality=95, **options)
    image = decode(with_strays(data, where))
    least, most = (4, 4) if where == "header" else (10, 20)  # the decoder may have had some of them in hand
    assert least <= overlooked(image.remarks) <= most
    assert np.array_equal(image.colour, decode(data).colour)


@pytest.mark.parametrize("where", ["header", "restart", "end"])
def test_stray_bytes_excuse_nothing(where: str) -> None:
    data = saved(rgb(), "JPEG", quality=95, restart_marker_rows=2)
    strays = with_strays(data, where)
    cuts = [cut for cut in range(0, len(strays), len(strays) // 16) if cut < len(strays) - 30]
    assert all(refused(strays[:cut] + bytes(len(strays) - cut)) for cut in cuts)
    assert all(refused(strays[:cut] + b"\xff\xd9") for cut in cuts)
    middle = len(strays) // 2
    assert refused(strays[:middle] + bytes(300) + strays[middle + 300 :])


def test_stray_bytes_in_several_places_are_overlooked() -> None:
    data = saved(rgb(), "JPEG", quality=95, restart_marker_rows=2)
    image = decode(with_strays(with_strays(with_strays(data, "restart"), "end"), "header"))
    assert 24 <= overlooked(image.remarks) <= 44
    assert np.array_equal(image.colour, decode(data).colour)


def test_pixels_that_were_not_decoded_are_an_error() -> None:
    data = saved(rgb(), "JPEG", quality=95)
    with pytest.raises(ImageError, match=r"last 99\d bytes of the JPEG's pixels were not decoded"):
        decode(data[:-2] + bytes(1000) + data[-2:])


def test_a_marker_may_begin_with_more_than_one_ff() -> None:
    data = saved(rgb(), "JPEG")
    at = data.index(b"\xff\xdb")
    image = decode(data[:at] + b"\xff\xff" + data[at:])
    assert image.remarks == ()
    assert np.array_equal(image.colour, decode(data).colour)


def test_what_follows_a_whole_jpeg_does_not_matter() -> None:
    data = saved(rgb(), "JPEG")
    assert np.array_equal(decode(data + bytes(5000) + b"maker's notes").colour, decode(data).colour)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty file"),
        (b"GIF89a" + bytes(50), "GIF"),
        (bytes(4096), "zeros"),
        (b"<html>", "XML"),
        (b"text", "another"),
    ],
)
def test_what_is_no_picture_is_called_what_it_is(data: bytes, kind: str) -> None:
    with pytest.raises(ImageError, match=f"no JPEG, PNG, TIFF or BMP image .*{kind}"):
        decode(data)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "JPEG"])
def test_a_broken_file_is_called_what_it_is(kind: str) -> None:
    with pytest.raises(ImageError, match=kind) as error:
        decode(saved(rgb(), kind)[:200])
    assert "no JPEG" not in str(error.value)


@pytest.mark.parametrize("mode", ["CMYK", "L", "RGB"])
def test_a_jpeg_of_inks_is_as_strict(mode: str) -> None:
    stream = io.BytesIO()
    Image.fromarray(rgb()).convert(mode).save(stream, "JPEG", quality=95)
    data = stream.getvalue()
    with Image.open(io.BytesIO(data)) as picture:
        right = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(decode(data).colour - right).mean() < 1
    assert all(refused(each) for each in unfinished(data))


@pytest.mark.parametrize("strays", [b"\0", b"\0\0", b"\x12\x34", bytes(range(20, 29))], ids=bytes.hex)
def test_stray_bytes_before_any_restart_marker_change_nothing(strays: bytes) -> None:
    """The decoder may tell of them some markers later, or not at all where it had them in hand."""
    data = saved(np.asarray(Image.fromarray(rgb()).resize((800, 640))), "JPEG", quality=95, restart_marker_rows=2)
    right = decode(data).colour
    for marker in re.finditer(rb"\xff[\xd0-\xd7]", data):
        image = decode(data[: marker.start()] + strays + data[marker.start() :])
        assert np.array_equal(image.colour, right), marker


def test_a_jpeg_of_many_scans_is_refused_before_it_is_unpacked() -> None:
    data = saved(grey(), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(ImageError, match="the JPEG has 1006 scans; at most 200 are read"):
        decode(data[:-2] + 1000 * last + data[-2:])
