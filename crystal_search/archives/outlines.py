"""Outlines that people drew around drops and crystals: what an archive takes of annotations."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from crystal_search.annotations.annotated_image import AnnotatedImage, Placed, labels_in
from crystal_search.annotations.drawn_shapes import pixels_of, size_of
from crystal_search.annotations.foreign_values import json_in, within
from crystal_search.annotations.labelme_json import image_in, is_labelme
from crystal_search.archives.seen_objects import SeenObject, seen
from crystal_search.errors import UserError
from crystal_search.images import picture_file
from crystal_search.unet_drop.regions import Mask

DROP, CRYSTAL = "drop", "crystal"  #: what is in the label of a shape; other shapes are of other things

BAD_OUTLINES = "its outlines cannot be used"


@dataclass(frozen=True, slots=True)
class Outlines:
    """What outlines in one image tell; None where nothing of the kind was drawn."""

    drop_mask: bytes | None = None  #: PNG, white where the drop is
    objects: tuple[SeenObject, ...] | None = None


def read_outlines(path: Path | None) -> Outlines:
    """Return what the file of labelme at `path` tells; nothing if there is none, or it is that of another program.

    Raises
    ------
    UserError
        If it is no JSON, or a shape cannot be used.
    """
    if path is None:
        return Outlines()
    with within(path.name):
        told = json_in(path)
        return outlines_in(image_in(told)) if is_labelme(told) else Outlines()


def outlines_in(image: AnnotatedImage) -> Outlines:
    """Return what was drawn in an image that is of drops and crystals.

    Raises
    ------
    UserError
        If something was drawn, but neither a drop nor a crystal, or one of these without an extent.
    """
    wanted = [each for each in image.objects if DROP in each.label.casefold() or CRYSTAL in each.label.casefold()]
    if image.objects and not wanted:
        raise UserError(
            f"the shapes are called {', '.join(labels_in([image]))[:200]}; call the outline of the drop {DROP}, and "
            f"of each crystal {CRYSTAL}"
        )
    if places := [each.label for each in wanted if isinstance(each.shape, Placed)]:
        raise UserError(f"the shape {places[0]} is a place or a line; draw a polygon, rectangle or circle")
    drops = [pixels_of(image, each) for each in wanted if DROP in each.label.casefold()]
    crystals = [seen(each, *size_of(image)) for each in wanted if DROP not in each.label.casefold()]
    return Outlines(_png(drops) if drops else None, tuple(crystals) if crystals else None)


def _png(masks: Iterable[Mask]) -> bytes:
    return picture_file(Pillow.fromarray(np.logical_or.reduce(list(masks))))
