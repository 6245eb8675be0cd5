"""Small pictures of judged images: with outlines of drops, a frame, a letter."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from crystal_search.crystals.boxes import corners as corners_of
from crystal_search.errors import ImageError
from crystal_search.evaluation.image_verdicts import ImageVerdict
from crystal_search.evaluation.known_images import KnownImage
from crystal_search.images import Colour, picture_file
from crystal_search.outcomes import BY_NAME, GREY
from crystal_search.unet_drop.regions import Mask, labelled, outline_of

CELL_PX = (306, 256)  #: width and height of a picture with a frame
CRYSTALS_CELL_PX = (612, 512)  #: of one in which single crystals can be told apart
FRAME_PX, TEXT_PX = 4, 15
OUTLINE, TRUE, CASING = "#f0a000", "#ffffff", "#000000"
OUTLINE_POINTS = 160
SMALLEST_PART_PX = 12  #: area; less has no outline worth drawing
JPEG_QUALITY = 85

Boxes = NDArray[np.float64] | Sequence[Sequence[float]]  #: (N, 5)
Corners = Sequence[tuple[float, float]]  #: (row, column), of an outline


def thumbnail(colour: Colour, size_px: tuple[int, int] = CELL_PX) -> Pillow.Image:
    """Return a picture as large as fits into `size_px`, width and height."""
    height, width = colour.shape[:2]
    scale = min(size_px[0] / width, size_px[1] / height)
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    return Pillow.fromarray(np.ascontiguousarray(colour)).resize(small, Pillow.Resampling.BOX)


def jpeg_of(picture: Pillow.Image) -> bytes:
    """Return a picture as a JPEG file."""
    return picture_file(picture, "JPEG", quality=JPEG_QUALITY)


def outlines(mask: Mask) -> list[tuple[tuple[int, int], ...]]:
    """Return the outer edges of the parts of a mask, in its pixels.

    >>> outlines(np.ones((4, 5), bool))[0][:7]
    ((0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (1, 5))
    """
    labels, sizes = labelled(mask)
    parts = [number for number, size in enumerate(sizes, start=1) if size >= SMALLEST_PART_PX]
    return [outline_of(labels == number, OUTLINE_POINTS) for number in parts]


def draw_outline(picture: Pillow.Image, corners: Corners, height: float, colour: str, *, dashed: bool = False) -> None:
    """Draw an outline whose corners are pixels of an image that is `height` high; dashes tell it from a solid one."""
    scale = picture.height / height
    points = [(column * scale, row * scale) for row, column in (*corners, corners[0])]
    draw = ImageDraw.Draw(picture)
    draw.line(points, fill=CASING, width=4)
    for number in range(len(points) - 1):
        if not dashed or number // 2 % 2 == 0:
            draw.line(points[number : number + 2], fill=colour, width=2)


def with_masks(known: KnownImage, true: Mask | None, found: Mask | None) -> bytes:
    """Return a picture of an image as JPEG: the true drop with a solid outline, what was found with a dashed one."""
    picture = thumbnail(known.image(CELL_PX[0]).colour)
    for mask, colour, dashed in ((true, TRUE, False), (found, OUTLINE, True)):
        if mask is not None:
            for corners in outlines(mask):
                draw_outline(picture, corners, mask.shape[0], colour, dashed=dashed)
    return jpeg_of(picture)


def framed(verdict: ImageVerdict) -> Pillow.Image:
    """Return a picture of a scored image: the drop outlined, a frame in the answer's colour, its letter."""
    cell = Pillow.new("RGB", CELL_PX, "#404040")
    score, outcome = verdict.score, BY_NAME.get(verdict.score.outcome)
    if verdict.readable:
        picture = _seen(verdict.known)
        if score.drop and len(score.drop.outline) > 2:
            draw_outline(picture, score.drop.outline, score.height_px, OUTLINE)
        cell.paste(picture)
    draw = ImageDraw.Draw(cell)
    draw.rectangle((0, 0, CELL_PX[0] - 1, CELL_PX[1] - 1), outline=outcome.frame if outcome else GREY, width=FRAME_PX)
    text = f"{outcome.letter if outcome else '-'} {verdict.crystal_peak:.2f}"
    place, font = (FRAME_PX + 3, FRAME_PX + 1), ImageFont.load_default(TEXT_PX)
    draw.text(place, text, "#ffffff", font, stroke_width=2, stroke_fill="#000000")
    return cell


def _seen(known: KnownImage) -> Pillow.Image:
    try:
        return thumbnail(known.image(CELL_PX[0]).colour)
    except ImageError:
        return Pillow.new("RGB", (1, 1))


def with_crystals(known: KnownImage, true: Boxes, found: Boxes, height_px: int) -> bytes:
    """Return a picture of an image as JPEG: boxes of true crystals solid, of those that were found dashed.

    Parameters
    ----------
    true, found
        Boxes in pixels of an image that is `height_px` high, see `crystals.boxes`.
    """
    picture = thumbnail(known.image(CRYSTALS_CELL_PX[0]).colour, CRYSTALS_CELL_PX)
    for boxes, colour, dashed in ((true, TRUE, False), (found, OUTLINE, True)):
        for corners in corners_of(np.asarray(boxes, np.float64).reshape(-1, 5)).tolist():
            draw_outline(picture, corners, height_px, colour, dashed=dashed)
    return jpeg_of(picture)
