"""Pictures of what was found in an image: crystals, where to shoot at them, where to dispense."""

from collections.abc import Sequence

import numpy as np
import simplejpeg
from PIL import Image as Pillow
from PIL import ImageDraw

from crystal_search.crystal import Crystal
from crystal_search.crystals.boxes import corners
from crystal_search.crystals.dispensing import Dispense, DispensePoint
from crystal_search.crystals.targets import Target
from crystal_search.images import DecodedImage
from crystal_search.unet_drop.locate import OUTLINE_POINTS, LocatedDrop
from crystal_search.unet_drop.regions import labelled, outline_of

BOX, SHOOT, DISPENSE, DROP, CASING = "#f0a000", "#40e0ff", "#60ff60", "#ffffff", "#000000"
LINES = (4, 2)  #: widths of the casing and of the line in it, px
CROSS_PX, DOT_PX = 5, 3  #: half the length of a target's strokes; half the width of the place to dispense at
JPEG_QUALITY = 85
CLEAR_PX = 1000  #: width of a picture, at least


def drawn(
    image: DecodedImage,
    crystals: Sequence[Crystal],
    targets: Sequence[Target] = (),
    dispense: Dispense | None = None,
    *,
    drop: LocatedDrop | None = None,
) -> bytes:
    """Return a JPEG of an image, as large as it was decoded; a small one is enlarged, so that no line hides a crystal.

    It has a box around each crystal, a cross on each target, and around each place to dispense at the circle in which
    nothing must be hit. The best of these is drawn thick. Where the drop is known, each part of it has an outline.
    """
    picture = Pillow.fromarray(image.colour)
    times = -(-CLEAR_PX // picture.width)
    picture = picture.resize((times * picture.width, times * picture.height), Pillow.Resampling.BICUBIC)
    draw, scale = ImageDraw.Draw(picture), image.scale / times  # stored pixels for each of the picture
    for outline in _outlines_of(drop) if drop else ():
        _line(draw, [(column * picture.width, row * picture.height) for row, column in outline], DROP)
    for crystal in crystals:
        points = [(column / scale, row / scale) for row, column in corners(np.array([crystal.box]))[0]]
        _line(draw, [*points, points[0]], BOX)
    for target in targets:
        _cross(draw, target.column / scale, target.row / scale)
    for number, point in enumerate(dispense.points if dispense else ()):
        _circle(draw, point, scale, width=4 if number == 0 else 1)
    return bytes(simplejpeg.encode_jpeg(np.asarray(picture), quality=JPEG_QUALITY, colorspace="RGB"))


def _outlines_of(drop: LocatedDrop) -> list[list[tuple[float, float]]]:
    """Return the closed outline of each part of a drop, rows and columns as shares of the image's sides."""
    labels, sizes = labelled(drop.mask)
    rows, columns = drop.mask.shape
    outlines = (outline_of(labels == part, OUTLINE_POINTS) for part in range(1, len(sizes) + 1))
    return [[(row / rows, column / columns) for row, column in (*each, each[0])] for each in outlines]


def _line(draw: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]], colour: str) -> None:
    for each, width in zip((CASING, colour), LINES, strict=True):
        draw.line(points, fill=each, width=width)


def _cross(draw: ImageDraw.ImageDraw, x: float, y: float) -> None:
    for each, width in zip((CASING, SHOOT), LINES, strict=True):
        draw.line([(x - CROSS_PX, y), (x + CROSS_PX, y)], fill=each, width=width)
        draw.line([(x, y - CROSS_PX), (x, y + CROSS_PX)], fill=each, width=width)


def _circle(draw: ImageDraw.ImageDraw, point: DispensePoint, scale: float, *, width: int) -> None:
    at = (point.column / scale, point.row / scale)
    draw.circle(at, point.clearance_px / scale, outline=CASING, width=width + 2)
    draw.circle(at, point.clearance_px / scale - 1, outline=DISPENSE, width=width)
    draw.circle(at, DOT_PX + 1, fill=CASING)
    draw.circle(at, DOT_PX, fill=DISPENSE)
