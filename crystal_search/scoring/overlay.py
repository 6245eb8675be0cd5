"""The picture with coloured frames: the drop, and around its best chops what they were scored."""

import numpy as np
import simplejpeg
from PIL import Image, ImageDraw, ImageFont

from crystal_search.geometry import Box
from crystal_search.images import DecodedImage
from crystal_search.outcomes import GREY, outcome_named
from crystal_search.result import BestChop, ImageScore

MARGIN_PX = 24  # of the picture around the drop
FRAME_PX = 4
TEXT_PX = 20
JPEG_QUALITY = 85


def overlay_jpeg(image: DecodedImage, score: ImageScore) -> bytes:
    """Return a JPEG of the image cropped to the drop, the best chops framed in the colour of their outcome.

    A letter and the probability in each frame say the same as its colour. The picture has the resolution
    to which the image was decoded. Without a drop it shows the whole image.
    """
    scale = 1 / image.scale
    picture = Image.fromarray(image.colour)
    draw = ImageDraw.Draw(picture)
    if score.drop and len(score.drop.outline) > 2:
        points = [(column * scale, row * scale) for row, column in score.drop.outline]
        draw.line([*points, points[0]], fill=GREY, width=2)
    for chop in reversed(score.best_chops):
        _draw_frame(draw, chop, scale)
    pixels = np.ascontiguousarray(np.asarray(picture)[_crop(score, image, scale).slices])
    return bytes(simplejpeg.encode_jpeg(pixels, quality=JPEG_QUALITY, colorspace="RGB"))


def _draw_frame(draw: ImageDraw.ImageDraw, chop: BestChop, scale: float) -> None:
    outcome = outcome_named(chop.outcome)
    box = chop.box.scaled(scale)
    corners = (box.left, box.top, box.right - 1, box.bottom - 1)
    draw.rectangle(corners, outline="#000000", width=FRAME_PX + 2)
    draw.rectangle(corners, outline=outcome.frame, width=FRAME_PX)
    text = f"{outcome.letter} {chop.probability:.0%}"
    position = (box.left + FRAME_PX + 4, box.top + FRAME_PX + 2)
    draw.text(
        position, text, fill="#ffffff", font=ImageFont.load_default(TEXT_PX), stroke_width=2, stroke_fill="#000000"
    )


def _crop(score: ImageScore, image: DecodedImage, scale: float) -> Box:
    height, width = image.colour.shape[:2]
    if score.drop is None:
        return Box(0, 0, height, width)
    boxes = [score.drop.box.scaled(scale), *(chop.box.scaled(scale) for chop in score.best_chops)]
    return Box(
        min(box.top for box in boxes) - MARGIN_PX,
        min(box.left for box in boxes) - MARGIN_PX,
        max(box.bottom for box in boxes) + MARGIN_PX,
        max(box.right for box in boxes) + MARGIN_PX,
    ).clipped(height, width)
