"""The small pictures of a review page: the whole image where the dataset has it, and the chops.

They are files of their own, which a browser loads when they come into sight: as part of the page, those of 200 images
would make it 20 MB, all of it in memory at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image as Pillow

from crystal_search.datasets.packed import ChopRow, PackedDataset, WellRow
from crystal_search.errors import ImageError
from crystal_search.files import write_whole
from crystal_search.images import Colour, decode, resized
from crystal_search.review.doubts import DoubtedChop

THUMBS = "thumbs"  #: folder of the pictures, beside the page
IMAGE_WIDTH_PX, CHOP_SIDE_PX = 720, 192
QUALITY = 80
CHOPS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class ShownChop:
    """A chop on the page."""

    file: str  #: relative to the page
    place: (
        tuple[float, float, float, float] | None
    )  #: top, left, height, width as shares of the image, where it is shown
    chop: DoubtedChop


@dataclass(frozen=True, slots=True)
class Pictures:
    """What a review page shows of one image."""

    image: str | None  #: file of the whole image, relative to the page
    proportion: float  #: its height over its width
    chops: tuple[ShownChop, ...]  #: the few that speak most against the label


def write_pictures(
    folder: Path, number: int, chops: Sequence[DoubtedChop], dataset: PackedDataset, well: WellRow | None
) -> Pictures:
    """Write the pictures of image `number` below `folder`, and return which they are.

    Raises
    ------
    UserError
        If a shard of the dataset is damaged.
    """
    (folder / THUMBS).mkdir(parents=True, exist_ok=True)
    whole = _whole(dataset, well)
    name = None
    if whole is not None:
        name = f"{THUMBS}/{number:05d}.jpg"
        write_whole(folder / name, _jpeg(resized(whole, min(IMAGE_WIDTH_PX, whole.shape[1]))))
    proportion = whole.shape[0] / whole.shape[1] if whole is not None else 1.0
    shown = []
    for index, chop in enumerate(chops[:CHOPS_SHOWN], start=1):
        file = f"{THUMBS}/{number:05d}-{index}.jpg"
        write_whole(folder / file, _chop_picture(dataset, chop.row))
        place = _place(chop.row, dataset, proportion) if name else None
        shown.append(ShownChop(file, place, chop))
    return Pictures(name, round(proportion, 4), tuple(shown))


def _whole(dataset: PackedDataset, well: WellRow | None) -> Colour | None:
    """Return a whole image, None where there is none that can be shown."""
    if well is None:
        return None
    try:
        return decode(dataset.image(well), at_least_width_px=IMAGE_WIDTH_PX).colour
    except ImageError:
        return None


def _chop_picture(dataset: PackedDataset, row: ChopRow) -> bytes:
    pixels = dataset.patch(row)[dataset.box(row).slices]
    colour = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    side = (CHOP_SIDE_PX, CHOP_SIDE_PX)
    return _jpeg(np.asarray(Pillow.fromarray(colour).resize(side, Pillow.Resampling.BILINEAR)))


def _place(row: ChopRow, dataset: PackedDataset, proportion: float) -> tuple[float, float, float, float]:
    width, side = dataset.about.working_width_px, dataset.about.side_px
    height = width * proportion
    edges = (row.top / height, row.left / width, side / height, side / width)
    return tuple(round(edge, 4) for edge in edges)  # type: ignore[return-value]


def _jpeg(colour: Colour) -> bytes:
    data: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(colour), quality=QUALITY)
    return data
