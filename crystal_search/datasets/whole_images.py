"""Parts of whole images: the file, the drop's mask, what is mapped into memory for training, single crystals."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.archives.archive import ArchiveImage, Content, content_of
from crystal_search.archives.seen_objects import objects_json
from crystal_search.datasets.drawn_masks import drawn, mask_in, mask_png
from crystal_search.datasets.known_drops import grey_view
from crystal_search.datasets.outcome_maps import OUTSIDE, Bytes, coverage, highest_priority
from crystal_search.datasets.packed import DROPS, GREY, IMAGE, MASK, OBJECTS, OUTCOMES
from crystal_search.images import WORKING_WIDTH_PX, Grey, decode
from crystal_search.unet_drop.regions import Mask


def parts_of(image: ArchiveImage) -> dict[str, bytes]:
    """Return the parts of the sample of a whole image, by name.

    Raises
    ------
    OSError
        If a file cannot be read.
    ImageError
        If the image, its mask or its map of outcomes does not decode.
    """
    parts = {IMAGE: content_of(image.content)}
    if image.drop_mask is not None:
        parts[MASK] = mask_png(mask_in(content_of(image.drop_mask)))
    if image.outcome_map is not None:
        grey = grey_view(decode(parts[IMAGE], at_least_width_px=WORKING_WIDTH_PX))
        shown = map_over(image.outcome_map, grey.shape)
        parts |= mapped_parts(grey, shown, shown != OUTSIDE)
    if image.objects is not None:
        parts[OBJECTS] = objects_json(image.objects)
    return parts


def mapped_parts(grey: Grey, outcome_map: Bytes, drop: Mask) -> dict[str, bytes]:
    """Return the parts that training maps into memory.

    Parameters
    ----------
    grey
        The view at working width.
    outcome_map, drop
        What each pixel shows, and where the drop is; of the shape of `grey`.
    """
    return {GREY: _npy(grey), OUTCOMES: _npy(highest_priority(outcome_map)), DROPS: _npy(coverage(drop))}


def map_over(outcome_map: Content, shape: tuple[int, ...]) -> Bytes:
    """Return the outcomes that a picture shows, of any size, as a map of `shape`.

    Raises
    ------
    OSError
        If its file cannot be read.
    ImageError
        If it does not decode, or is larger than any image.
    """
    _, picture = drawn(content_of(outcome_map), "L", "map of outcomes")
    return np.asarray(picture.resize((shape[1], shape[0]), Pillow.Resampling.NEAREST))


def _npy(array: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()
