"""An archive's image as it is chopped: at working width, with its drop."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageFilter

from crystal_search.datasets.chop_recipe import SIDE_PX
from crystal_search.geometry import Box
from crystal_search.images import WORKING_WIDTH_PX, DecodedImage, Grey, resized, to_grey
from crystal_search.inference import Network, OnnxNetwork
from crystal_search.model import default_model
from crystal_search.model_card import DropCard
from crystal_search.unet_drop.locate import LEAST_AREA_FRACTION, locate_drop
from crystal_search.unet_drop.regions import Mask, box_around

RIM_CELL_PX, RIM_CELLS = 8, 2  #: 16 px along the border of a drop are its rim, not its inside


@dataclass(frozen=True, slots=True, eq=False)
class Drop:
    """A drop in an image at working width."""

    mask: Mask  #: shape of the image
    box: Box  #: around the mask, widened to a chop's side

    def inside(self, rows: int, columns: int) -> Mask:
        """Return where the drop is without its rim, scaled to `rows` and `columns`."""
        height, width = self.mask.shape
        cells = (max(1, width // RIM_CELL_PX), max(1, height // RIM_CELL_PX))
        small = Pillow.fromarray(self.mask).convert("L").resize(cells, Pillow.Resampling.NEAREST)
        small = small.filter(ImageFilter.MinFilter(2 * RIM_CELLS + 1))
        return np.asarray(small.resize((columns, rows), Pillow.Resampling.NEAREST)) > 0


def grey_view(image: DecodedImage) -> Grey:
    """Return the grey view of an image at working width."""
    return resized(to_grey(image.colour), WORKING_WIDTH_PX)


@lru_cache(maxsize=1)
def drop_locator(models: Path) -> Network[DropCard]:
    """Return the drop locator in the folder `models`, loaded once in a process."""
    return OnnxNetwork(default_model(DropCard, models))


def find_drop(grey: Grey, given: Mask | None, models: Path) -> Drop | None:
    """Return the drop in a view: the `given` one, or that of the locator in `models`; None where there is none.

    Raises
    ------
    ModelError
        If there is no locator in `models`.
    """
    if given is None:
        located = locate_drop(grey, drop_locator(models))
        if located is None:
            return None
        given = located.mask
    height, width = grey.shape
    if given.mean() < LEAST_AREA_FRACTION:
        return None
    scaled = Pillow.fromarray(given).convert("L").resize((width, height), Pillow.Resampling.NEAREST)
    mask = np.asarray(scaled) > 0
    return Drop(mask, widened(box_around(mask), SIDE_PX, height, width))


def widened(box: Box, side_px: int, height: int, width: int) -> Box:
    """Return `box` with at least `side_px` on each side, within an image that has as much.

    >>> widened(Box(0, 300, 100, 700), 256, 500, 1000)
    Box(top=0, left=300, bottom=256, right=700)
    """
    top, bottom = _widened(box.top, box.bottom, side_px, height)
    left, right = _widened(box.left, box.right, side_px, width)
    return Box(top, left, bottom, right)


def _widened(start: int, stop: int, side_px: int, length: int) -> tuple[int, int]:
    if (missing := side_px - (stop - start)) <= 0:
        return start, stop
    first = min(max(0, start - missing // 2), max(0, length - side_px))
    return first, min(length, first + side_px)
