"""How large a pixel is, as files say it: written by other programs, or by hand, or wrong."""

import io
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from crystal_search.formats.scale import um_per_px_in
from crystal_search.images import picture_file

PIXELS = np.zeros((130, 140), np.uint8)


def tiff(pixels: Any = PIXELS, **told: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **told)
    return stream.getvalue()


@given(st.floats(0.1, 15))
def test_ome_says_it(um: float) -> None:
    data = tiff(ome=True, metadata={"axes": "YX", "PhysicalSizeX": um, "PhysicalSizeY": um})
    assert um_per_px_in(data) == pytest.approx(um)


def test_ome_in_other_units_and_with_pixels_that_are_not_square() -> None:
    told = {"axes": "YX", "PhysicalSizeX": 500, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.5}
    assert um_per_px_in(tiff(ome=True, metadata=told)) == 0.5
    assert um_per_px_in(tiff(ome=True, metadata=told | {"PhysicalSizeY": 0.6})) is None
    assert um_per_px_in(tiff(ome=True, metadata=told | {"PhysicalSizeXUnit": "furlong"})) is None
    assert um_per_px_in(tiff(ome=True, metadata={"axes": "YX"})) is None


def test_imagej_says_it() -> None:
    told = {"imagej": True, "resolution": (1 / 2.5, 1 / 2.5)}
    assert um_per_px_in(tiff(**told, metadata={"unit": "um"})) == pytest.approx(2.5)
    assert um_per_px_in(tiff(**told, metadata={"unit": "pixel"})) is None


@pytest.mark.parametrize("pixels", [PIXELS, np.zeros((130, 140, 3), np.uint16)])
@pytest.mark.parametrize("big", [False, True])
def test_a_tiff_says_it_whatever_its_pixels_are(pixels: Any, big: bool) -> None:
    data = tiff(pixels, bigtiff=big, resolution=(4000, 4000), resolutionunit="CENTIMETER")
    assert um_per_px_in(data) == pytest.approx(2.5)
    assert um_per_px_in(tiff(pixels, bigtiff=big, resolution=(4000, 4000), resolutionunit="NONE")) is None


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP"])
def test_other_files_say_it_in_dots_an_inch(kind: Any) -> None:
    assert um_per_px_in(picture_file(Pillow.fromarray(PIXELS), kind, dpi=(10160, 10160))) == pytest.approx(2.5, 1e-3)
    assert um_per_px_in(picture_file(Pillow.fromarray(PIXELS), kind)) is None


def test_exif_says_it() -> None:
    exif = Pillow.Exif()
    exif[282], exif[283], exif[296] = 5000.0, 5000.0, 3
    stream = io.BytesIO()
    Pillow.fromarray(PIXELS).save(stream, "JPEG", exif=exif)
    assert um_per_px_in(stream.getvalue()) == pytest.approx(2.0)


@pytest.mark.parametrize("dots", [72, 96, 300, 600, 1200, 40_000_000])
def test_a_printers_resolution_says_nothing(dots: float) -> None:
    assert um_per_px_in(tiff(resolution=(dots, dots), resolutionunit="INCH")) is None


@given(st.data())
def test_a_damaged_file_says_nothing_or_something_but_never_fails(data: st.DataObject) -> None:
    whole = bytearray(tiff(ome=True, metadata={"axes": "YX", "PhysicalSizeX": 2, "PhysicalSizeY": 2})[:600])
    for _ in range(data.draw(st.integers(0, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    um = um_per_px_in(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    assert um is None or 0.01 <= um <= 20
