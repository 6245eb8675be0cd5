"""What a detector learns that answers instance by instance: a plane for each crystal, and for the drop."""

import numpy as np
from numpy.typing import NDArray

from crystal_search.archives.seen_objects import SeenObject
from crystal_search.datasets.drawn_masks import BRIGHT
from crystal_search.training.crystal_source import KnownImage, Window, resampled, turned
from crystal_search.unet_drop.regions import Mask

CRYSTAL_VALUE, DROP_VALUE = 1, 2  #: of the pixels of an instance, by its class; 0 where it is not
LEAST_PX = 12  #: of a crystal in a view; less of it is nothing to learn from


def instance_target(known: KnownImage, window: Window) -> NDArray[np.uint8]:
    """Return a plane (M, side, side) for each crystal that can be seen in a view, and for the drop where it is known.

    Of crystals that the border of the view cuts, what the view shows is taught. Those that are too faint to be seen,
    and outlines around many, are not taught: to the network they are background.
    """
    planes = [CRYSTAL_VALUE * each for each in _crystals(known, window)]
    if known.drop is not None and (drop := _part(known.drop > BRIGHT, window)).any():
        planes.append(DROP_VALUE * drop)
    filled = [np.pad(each, [(0, window.side_px - side) for side in each.shape]) for each in planes]
    stacked = np.array(filled, np.uint8).reshape(-1, window.side_px, window.side_px)
    return np.array([turned(each, window.turn) for each in stacked], np.uint8).reshape(stacked.shape)


def _crystals(known: KnownImage, window: Window) -> list[NDArray[np.uint8]]:
    low, high = known.crystals.points.min(axis=1), known.crystals.points.max(axis=1)  # (N, 2) each
    corner = np.array([window.top, window.left])
    here = ((high > corner) & (low < corner + window.side_px)).all(axis=1) & ~known.crystals.ignored
    parts = [_part(_mask(known.marked[number], known), window) for number in np.flatnonzero(here)]
    return [each for each in parts if each.sum() >= LEAST_PX]


def _mask(seen: SeenObject, known: KnownImage) -> Mask:
    """Return where a crystal is in an image, which may be reduced or enlarged since it was marked."""
    mask = seen.mask
    if mask.shape == known.grey.shape and known.marked_scale == 1:
        return mask
    return np.asarray(resampled(255 * mask.astype(np.uint8), known.grey.shape, known.marked_scale) > BRIGHT)


def _part(mask: Mask, window: Window) -> NDArray[np.uint8]:
    return mask[window.top :, window.left :][: window.side_px, : window.side_px].astype(np.uint8)
