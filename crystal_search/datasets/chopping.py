"""One image of an archive becomes chops: drop, tiles, contours, choice, patches."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.archives.archive import ArchiveImage, Content, LeftOut, content_of
from crystal_search.chopper.contours import REDUCTION, Contours, contour_length, contours_of
from crystal_search.chopper.cutting import chops_of_drop
from crystal_search.chopper.tiling import tile_starts
from crystal_search.datasets.chop_recipe import IN_DOUBT, MARGIN_PX, SIDE_PX, Recipe, Seen, as_people_said
from crystal_search.datasets.drawn_masks import mask_over
from crystal_search.datasets.fingerprints import fingerprint
from crystal_search.datasets.known_drops import Drop, find_drop, grey_view
from crystal_search.datasets.packed import Pixels
from crystal_search.datasets.whole_images import map_over
from crystal_search.errors import ImageError
from crystal_search.geometry import Box
from crystal_search.images import WORKING_WIDTH_PX, Grey, decode, resized, to_grey
from crystal_search.outcomes import NO_DROP, OUTCOME_NAMES
from crystal_search.unet_drop.regions import Mask

JPEG_QUALITY = 95
BYTES_MAPPED = WORKING_WIDTH_PX**2  #: of an image whose outcomes are known place by place, about
ALIGNED_PX = 4  #: patches start and end here, where the local mean's own cells do (`images.local_contrast`)

UNREADABLE = "cannot be read"
BAD_MASK = "its mask cannot be used"
LABELLED_NO_DROP = "people saw no drop"
NO_DROP_FOUND = "no drop was found"
TOO_FLAT = "too flat for a chop"
HARDLY_DROP = "hardly any drop in the chop"
CHOP_FIELDS = ("top", "left", "chop_top", "chop_left", "contours")  #: of a chop, in the table too


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chop:
    """One chop that is taken."""

    outcome: str
    top: int  #: in the view, px
    left: int
    chop_top: int  #: in the patch, px
    chop_left: int
    contours: float  #: px
    jpeg: bytes  #: the patch


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChoppedImage:
    """What became of one image."""

    digest: bytes = b""  #: SHA-256 of its file
    fingerprint: NDArray[np.uint64] | None = None
    worth_keeping: bool = False  #: whole, to train on: it is known where its drop or its crystals are
    bytes: int = 0  #: of its file, and of what is mapped into memory
    chops: tuple[Chop, ...] = ()
    left_out: tuple[LeftOut, ...] = ()  #: chops that were not taken, or the image, where it has none at all


def chopped(image: ArchiveImage, recipe: Recipe) -> ChoppedImage:
    """Return the chops of one image that are taken for training, and why the others are not."""
    try:
        data = content_of(image.content)
        decoded = decode(data, at_least_width_px=WORKING_WIDTH_PX)
    except (OSError, ImageError) as error:
        return ChoppedImage(left_out=(LeftOut(image.name, UNREADABLE, str(error)),))
    try:
        given = mask_of(image, decoded.colour.shape)
    except (OSError, ImageError) as error:
        return ChoppedImage(left_out=(LeftOut(image.name, BAD_MASK, str(error)),))
    known = ChoppedImage(
        digest=hashlib.sha256(data).digest(),
        worth_keeping=given is not None or image.objects is not None or image.outcome_map is not None,
        bytes=len(data) + (BYTES_MAPPED if image.outcome_map else 0),
    )
    if image.is_chop:
        return _taken_as_it_is(image, decoded.colour, known, recipe)
    grey = grey_view(decoded)
    if image.in_suspension:
        return replace(known, fingerprint=fingerprint(grey))
    drop = None if image.outcome == NO_DROP else find_drop(grey, given, recipe.models)
    if drop is None or min(drop.box.height, drop.box.width) < SIDE_PX:
        reason = LABELLED_NO_DROP if image.outcome == NO_DROP else NO_DROP_FOUND if drop is None else TOO_FLAT
        return replace(known, fingerprint=fingerprint(grey), left_out=(LeftOut(image.name, reason),))
    pixels = resized(decoded.colour, WORKING_WIDTH_PX) if recipe.in_colour else grey
    chops, left_out = _chops(image, pixels, grey, drop, recipe)
    known = replace(known, fingerprint=fingerprint(grey[drop.box.slices]))
    return replace(known, chops=tuple(chops), left_out=tuple(left_out))


def mask_of(image: ArchiveImage, shape: tuple[int, ...]) -> Mask | None:
    """Return the mask of the drop in an image of `shape`, None where there is none.

    Raises
    ------
    OSError
        If its file cannot be read.
    ImageError
        If it is none of this image.
    """
    return None if image.drop_mask is None else mask_over(content_of(image.drop_mask), shape)


def tiles(box: Box) -> list[Box]:
    """Return the fewest chops that cover `box`, row by row."""
    return [
        Box(box.top + top, box.left + left, box.top + top + SIDE_PX, box.left + left + SIDE_PX)
        for top in tile_starts(box.height, SIDE_PX)
        for left in tile_starts(box.width, SIDE_PX)
    ]


def patch_around(chop: Box, height: int, width: int) -> Box:
    """Return a chop with its surroundings in an image of `height` x `width` px.

    >>> patch_around(Box(70, 0, 326, 256), 1024, 1224)
    Box(top=4, left=0, bottom=392, right=320)
    """
    top, left = ((start - MARGIN_PX) // ALIGNED_PX * ALIGNED_PX for start in chop[:2])
    bottom, right = (-(-(stop + MARGIN_PX) // ALIGNED_PX) * ALIGNED_PX for stop in chop[2:])
    return Box(top, left, bottom, right).clipped(height, width)


def encoded(pixels: Pixels) -> bytes:
    """Return a patch as JPEG, grey or in colours of full resolution."""
    if pixels.ndim == 2:
        return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels[:, :, None]), JPEG_QUALITY, "GRAY", "Gray"))
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), JPEG_QUALITY, "RGB", "444"))


def _chops(
    image: ArchiveImage, pixels: Pixels, grey: Grey, drop: Drop, recipe: Recipe
) -> tuple[list[Chop], list[LeftOut]]:
    """Return the chops of a drop that are taken, and those that are not."""
    boxes = tiles(drop.box)
    kept = chops_of_drop(drop.mask, boxes)
    known = _known_outcomes(image.outcome_map, grey.shape, [boxes[index] for index in kept])
    seen = _seen(image, grey, drop, boxes, recipe)
    chops: list[Chop] = []
    left_out: list[LeftOut] = []
    for index, box in enumerate(boxes):
        if index not in kept:
            outcome, reason = None, HARDLY_DROP
        elif known is not None:
            outcome = known[kept.index(index)]
            reason = "" if outcome else IN_DOUBT
        else:
            outcome, reason = as_people_said(image.outcome, seen[index], recipe)
        if outcome is None:
            left_out.append(LeftOut(image.name, reason, f"chop at row {box.top}, column {box.left}", what="chop"))
        else:
            chops.append(_cut(pixels, box, outcome, seen[index].everywhere))
    return chops, left_out


def _cut(pixels: Pixels, box: Box, outcome: str, contours: float) -> Chop:
    patch = patch_around(box, *pixels.shape[:2])
    return Chop(
        outcome=outcome,
        top=box.top,
        left=box.left,
        chop_top=box.top - patch.top,
        chop_left=box.left - patch.left,
        contours=round(contours, 1),
        jpeg=encoded(pixels[patch.slices]),
    )


def _seen(image: ArchiveImage, grey: Grey, drop: Drop, boxes: Sequence[Box], recipe: Recipe) -> list[Seen]:
    contours = contours_of(grey)
    inside = contours * drop.inside(*contours.shape)
    needs_uv = image.outcome.startswith("crystal") and recipe.uv != "ignore" and image.outcome_map is None
    uv = _uv_contours(image.uv) if needs_uv else None
    return [
        Seen(
            inside=contour_length(inside, box),
            everywhere=contour_length(contours, box),
            at_border=box.top == drop.box.top
            or box.left == drop.box.left
            or box.bottom == drop.box.bottom
            or box.right == drop.box.right,
            uv=None if uv is None else _uv_length(uv, box, grey.shape),
        )
        for box in boxes
    ]


def _uv_contours(uv: Content | None) -> Contours | None:
    """Return the contours of a UV image; None where there is none, or none that can be read."""
    if uv is None:
        return None
    try:
        return contours_of(grey_view(decode(content_of(uv), at_least_width_px=WORKING_WIDTH_PX)))
    except (OSError, ImageError):
        return None


def _uv_length(contours: Contours, box: Box, shape: tuple[int, ...]) -> float:
    """Return the contours at the same place of a UV image that may have another height."""
    scale = contours.shape[0] * REDUCTION / shape[0]
    return contour_length(contours, Box(round(box.top * scale), box.left, round(box.bottom * scale), box.right))


def _known_outcomes(
    outcome_map: Content | None, shape: tuple[int, ...], boxes: Sequence[Box]
) -> list[str | None] | None:
    """Return what each chop shows by the map of outcomes, None in doubt; None for all where there is no map."""
    if outcome_map is None or not boxes:
        return None
    import torch

    from crystal_search.datasets.cell_labels import chop_labels
    from crystal_search.datasets.outcome_maps import highest_priority

    torch.set_num_threads(1)
    shown = map_over(outcome_map, shape)
    blocks = np.stack([highest_priority(shown[box.slices]) for box in boxes])
    labels = chop_labels(torch.from_numpy(blocks))[:, 0, 0].tolist()
    return [OUTCOME_NAMES[label] if label >= 0 else None for label in labels]


def _taken_as_it_is(image: ArchiveImage, colour: Pixels, known: ChoppedImage, recipe: Recipe) -> ChoppedImage:
    """Return an image that is a chop already."""
    chop = np.asarray(Pillow.fromarray(colour).resize((SIDE_PX, SIDE_PX), Pillow.Resampling.BILINEAR))
    grey = to_grey(chop)
    shown = contours_of(grey).sum()
    taken = _cut(chop if recipe.in_colour else grey, Box(0, 0, SIDE_PX, SIDE_PX), image.outcome, float(shown))
    return replace(known, fingerprint=fingerprint(grey), chops=(taken,))
