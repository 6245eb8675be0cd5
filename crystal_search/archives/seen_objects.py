"""The single crystals that are known in a whole image: a part of a sample, as annotations of COCO."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystal_search.errors import CrystalSearchError, UserError
from crystal_search.formats.picture import MAX_SIDE_PX
from crystal_search.geometry import Box
from crystal_search.polygons import covered
from crystal_search.synthesis.rendered_folder import mask_of, run_lengths
from crystal_search.unet_drop.regions import box_around

MAX_CORNER_PX = 1_000_000  #: how far away a corner of an outline may be


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


def filled(polygons: Sequence[Sequence[tuple[float, float]]], height: int, width: int) -> NDArray[np.bool_]:
    """Return which pixels have their centre in one of the polygons, (height, width).

    Parameters
    ----------
    polygons
        Corners (x, y), px, of each; (0, 0) is the corner of the image's first pixel.

    Raises
    ------
    UserError
        If a corner is too far away to be one, or infinitely.

    >>> filled([[(1, 0), (3, 0), (3, 2), (1, 2)]], 2, 4).astype(int).tolist()
    [[0, 1, 1, 0], [0, 1, 1, 0]]
    """
    for polygon in polygons:
        if not (np.abs(np.array(polygon, np.float64)) <= MAX_CORNER_PX).all():
            raise UserError(f"an outline with a corner more than {MAX_CORNER_PX} px away; correct the annotation")
    return covered([[(y, x) for x, y in polygon] for polygon in polygons], height, width)


def of_mask(mask: NDArray[np.bool_], category: str) -> SeenObject:
    """Return the object that a mask (height, width) shows."""
    height, width = mask.shape
    runs = tuple(run_lengths(np.flatnonzero(mask.T), mask.size))
    return SeenObject(category=category, height_px=height, width_px=width, runs=runs)


def from_coco(annotation: Mapping[str, Any], category: str, size: tuple[int, int] | None = None) -> SeenObject:
    """Return the object of an annotation, whose mask is run lengths or polygons.

    Parameters
    ----------
    size
        Height and width of the image, where its file tells them: polygons need them.

    Raises
    ------
    UserError
        If its mask is neither polygons nor run lengths that fill the image, or is larger than any.
    """
    try:
        segmentation = annotation["segmentation"]
        if not isinstance(segmentation, dict | list):
            raise TypeError(type(segmentation).__name__)
        height, width = map(int, segmentation["size"] if isinstance(segmentation, dict) else _told(size))
        _check_size(height, width)
        if isinstance(segmentation, dict):
            runs = tuple(map(int, segmentation["counts"]))
        else:
            parts = [list(zip(part[::2], part[1::2], strict=True)) for part in segmentation]
            runs = of_mask(filled(parts, height, width), category).runs
        column, row, *more = map(float, annotation.get("oriented_box") or (0.0, 0.0))
    except (CrystalSearchError, MemoryError):
        raise
    except Exception as error:  # whatever stands in its place
        raise UserError(
            f"an annotation without uncompressed run lengths or polygons ({error}); give such masks"
        ) from error
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


def _told(size: tuple[int, int] | None) -> tuple[int, int]:
    if size is None:
        raise UserError("a mask of polygons in an image without height and width; add these to the images' entries")
    return size


def _check_size(height: int, width: int) -> None:
    if not (0 < height <= MAX_SIDE_PX and 0 < width <= MAX_SIDE_PX):
        raise UserError(f"a mask of {height} x {width} px; each side has 1 to {MAX_SIDE_PX}: correct the annotation")


def objects_json(objects: Iterable[SeenObject]) -> bytes:
    """Return objects as a part of a sample."""
    names = [each.name for each in fields(SeenObject)]
    return json.dumps([{name: getattr(each, name) for name in names} for each in objects]).encode()


def objects_in(data: bytes) -> tuple[SeenObject, ...]:
    """Return the objects in a part of a sample."""
    return tuple(
        SeenObject(**each | {name: tuple(each[name]) for name in ("runs", "oriented_box")}) for each in json.loads(data)
    )
