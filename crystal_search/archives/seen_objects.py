"""The single crystals that are known in a whole image: a part of a sample, as annotations of COCO."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from crystal_search.annotations.annotated_image import AnnotatedObject, Painted
from crystal_search.annotations.drawn_shapes import mask_in, painted
from crystal_search.geometry import Box
from crystal_search.synthesis.rendered_folder import mask_of
from crystal_search.unet_drop.regions import box_around


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenObject:
    """One crystal, in pixels of the image as it is stored."""

    category: str  #: an outcome, or a habit
    height_px: int  #: of the image
    width_px: int
    runs: tuple[int, ...]  #: its mask as run lengths, as COCO counts them: column by column, background first
    oriented_box: tuple[float, ...] = ()  #: centre row and column, long and short side, angle of the long side, rad
    too_faint: bool = False  #: nobody can see it: it counts neither as found nor as missed
    crowd: bool = False  #: one outline around many

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where it is, (height, width)."""
        return mask_of(list(self.runs), self.height_px, self.width_px)

    @property
    def box(self) -> Box:
        """The upright rectangle around its mask; empty where nothing of it is in the image."""
        mask = self.mask
        return box_around(mask) if mask.any() else Box(0, 0, 0, 0)


def of_mask(mask: NDArray[np.bool_], category: str) -> SeenObject:
    """Return the object that a mask (height, width) shows."""
    return seen(AnnotatedObject(label=category, shape=painted(mask)), *mask.shape)


def seen(found: AnnotatedObject, height: int, width: int) -> SeenObject:
    """Return an object that was drawn in an image of `height` x `width` px."""
    shape = found.shape if isinstance(found.shape, Painted) else painted(mask_in(found.shape, height, width))
    return SeenObject(
        category=found.label,
        height_px=height,
        width_px=width,
        runs=shape.runs,
        oriented_box=found.oriented_box,
        too_faint=found.too_faint,
        crowd=found.crowd,
    )


def objects_json(objects: Iterable[SeenObject]) -> bytes:
    """Return objects as a part of a sample."""
    names = [each.name for each in fields(SeenObject)]
    return json.dumps([{name: getattr(each, name) for name in names} for each in objects]).encode()


def objects_in(data: bytes) -> tuple[SeenObject, ...]:
    """Return the objects in a part of a sample."""
    return tuple(
        SeenObject(**each | {name: tuple(each[name]) for name in ("runs", "oriented_box")}) for each in json.loads(data)
    )
