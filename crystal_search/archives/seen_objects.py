"""The single crystals that are known in a whole image: a part of a sample, as annotations of COCO."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystal_search.errors import UserError
from crystal_search.formats.picture import MAX_SIDE_PX
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


def from_coco(annotation: Mapping[str, Any], category: str) -> SeenObject:
    """Return the object of an annotation as ``crystal-search render`` writes them.

    Raises
    ------
    UserError
        If its mask is no run lengths that fill the image, or is larger than any.
    """
    try:
        height, width = map(int, annotation["segmentation"]["size"])
        runs = tuple(map(int, annotation["segmentation"]["counts"]))
        column, row, *more = map(float, annotation.get("oriented_box") or (0.0, 0.0))
    except Exception as error:  # whatever stands in its place
        raise UserError(f"an annotation without uncompressed run lengths ({error}); give such masks") from error
    if not (0 < height <= MAX_SIDE_PX and 0 < width <= MAX_SIDE_PX):
        raise UserError(f"a mask of {height} x {width} px; each side has 1 to {MAX_SIDE_PX}: correct the annotation")
    if min(runs, default=-1) < 0 or sum(runs) != height * width:
        raise UserError(f"run lengths of {sum(runs)} px in an image of {height} x {width}; correct the annotation")
    return SeenObject(
        category=category,
        height_px=height,
        width_px=width,
        runs=runs,
        oriented_box=(row, column, *more) if more else (),
        too_faint=bool(annotation.get("too_faint")),
        crowd=bool(annotation.get("iscrowd")),
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
