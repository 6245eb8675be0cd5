"""How large a pixel is, as far as the file of a picture says so."""

import io
import re
from typing import Any

import defusedxml.ElementTree
from PIL import Image as Pillow
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from crystal_search.formats.picture import kind_of

#: The smallest and the largest size of a pixel that people and settings may say, micrometres.
PIXEL_UM = (0.01, 1000.0)
#: Micrometres a pixel that a microscope for drops may have. Files that say 72 to 1200 dots an inch, 353 to 21 um, say
#: how they are to be printed.
MICROSCOPE_UM = (0.01, 20.0)
INCH_UM, CENTIMETRE_UM = 25_400.0, 10_000.0
UNEQUAL = 0.01  #: by which the two sides of a pixel may differ
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _DESCRIPTION = 282, 283, 296, 270
_UNITS = {2: INCH_UM, 3: CENTIMETRE_UM}  #: of TIFF's resolution
_LENGTHS = {"nm": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "\\u00b5m": 1.0, "mm": 1e3}
_IMAGEJ_UNIT = re.compile(r"^unit=(\S+)$", re.MULTILINE)

Sides = tuple[float, float]  #: micrometres along a row and along a column of the picture


def um_per_px_in(data: bytes) -> float | None:
    """Return micrometres a stored pixel, as OME-TIFF, ImageJ, TIFF, EXIF, JFIF, PNG or BMP say.

    None where nothing is said, pixels are not square, or what is said is no microscope's but a printer's.
    """
    try:
        sides = _tiff_sides(data) if kind_of(data) == "TIFF" else _other_sides(data)
    except Exception:  # readers of headers raise a dozen kinds on damaged files, which say nothing then
        return None
    if sides is None or not all(MICROSCOPE_UM[0] <= side <= MICROSCOPE_UM[1] for side in sides):
        return None
    return sides[0] if abs(sides[0] / sides[1] - 1) <= UNEQUAL else None


def _other_sides(data: bytes) -> Sides | None:
    with Pillow.open(io.BytesIO(data)) as picture:
        dots = picture.info.get("dpi")
    return (INCH_UM / float(dots[0]), INCH_UM / float(dots[1])) if dots else None


def _tiff_sides(data: bytes) -> Sides | None:
    tags = _first_directory(data)
    described = str(tags.get(_DESCRIPTION, ""))
    if "<OME" in described:
        return _ome_sides(described)
    unit = _UNITS.get(int(tags.get(_RESOLUTION_UNIT, 2)))
    if described.startswith("ImageJ"):
        named = _IMAGEJ_UNIT.search(described)
        unit = _LENGTHS.get(named[1].casefold()) if named else unit
    if unit is None or _X_RESOLUTION not in tags:
        return None
    x = float(tags[_X_RESOLUTION])
    return unit / x, unit / float(tags.get(_Y_RESOLUTION, x))


def _first_directory(data: bytes) -> ImageFileDirectory_v2:
    """Return the tags of the first page, whatever its pixels are."""
    tags = ImageFileDirectory_v2(data[:16] if data[2:4] in (b"+\0", b"\0+") else data[:8])
    stream = io.BytesIO(data)
    stream.seek(tags.next)
    tags.load(stream)
    return tags


def _ome_sides(described: str) -> Sides | None:
    """Return what the first image of OME's XML says; micrometres where it names no unit."""
    pixels: Any = defusedxml.ElementTree.fromstring(described.strip().encode()).find(".//{*}Pixels")
    if pixels is None or not pixels.get("PhysicalSizeX"):
        return None
    x, y = pixels.get("PhysicalSizeX"), pixels.get("PhysicalSizeY") or pixels.get("PhysicalSizeX")
    units = [_LENGTHS[pixels.get(f"PhysicalSize{axis}Unit", "µm")] for axis in "XY"]
    return float(x) * units[0], float(y) * units[1]
