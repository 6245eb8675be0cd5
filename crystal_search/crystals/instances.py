"""From what a detector answers crystal by crystal, an upright box and a small mask for each, to crystals.

Its three outputs have a row for each of the n instances that it found, and one column: how probable each class is, the
first of which is the crystal, (1, classes, n, 1); top, left, bottom and right in pixels of the view, (1, 4, n, 1); and
the probability of each cell of a square over the box, (1, MASK_SIDE squared, n, 1), as in He et al. (2017), Mask R-CNN,
arXiv:1703.06870.
"""

import numpy as np
from numpy.typing import NDArray

from crystal_search.crystal import Crystal
from crystal_search.crystals.boxes import DIRECTIONS, circle_of_directions, smallest_around
from crystal_search.crystals.decoding import Candidates, Decoding, distinct
from crystal_search.inference import Maps

INSTANCES, CORNERS, MASKS = "instances", "corners", "masks"  #: a detector's outputs
MASK_SIDE = 28  #: cells of a mask on a side
FINER = 4  #: between cells a mask is read so many times as finely
COVERED = 0.5  #: probability from which on a place belongs to the crystal


def instances_in(maps: Maps, decoding: Decoding) -> tuple[Crystal, ...]:
    """Return the crystals that a detector's instances in one image tell, the most probable first."""
    probability = maps[INSTANCES][0, 0, :, 0]
    order = np.argsort(-probability, kind="stable")
    order = order[probability[order] >= decoding.least]
    boxes = maps[CORNERS][0, :, order, 0].astype(np.float64)  # (n, 4)
    masks = maps[MASKS][0, :, order, 0].reshape(-1, MASK_SIDE, MASK_SIDE)
    points = [_covered_places(mask, box) for mask, box in zip(masks, boxes, strict=True)]
    rectangles = np.array([smallest_around(each) for each in points], np.float64).reshape(-1, 5)
    reach = np.array([_reach(each, box[:2]) for each, box in zip(points, rectangles, strict=True)], np.float64)
    reach = reach.reshape(-1, DIRECTIONS)
    found = Candidates(probability[order], rectangles, reach)
    return found.of(distinct(found.boxes, decoding.most_overlap)).crystals()


def _covered_places(mask: NDArray[np.float32], box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return places (P, 2) on the border of what a mask says is crystal, px; the corners of the box where that is none.

    The mask (MASK_SIDE, MASK_SIDE) lies over the box (top, left, bottom, right), and changes evenly between the middles
    of its cells.
    """
    between = _between()
    covered = between @ mask @ between.T >= COVERED
    if not covered.any():
        covered = np.ones_like(covered)
    rows = np.flatnonzero(covered.any(axis=1))
    first = covered[rows].argmax(axis=1)
    last = covered.shape[1] - 1 - covered[rows, ::-1].argmax(axis=1)
    ends = [(rows + down, column + right) for down in (0, 1) for column, right in ((first, 0), (last, 1))]
    cells = np.concatenate([np.stack(each, axis=1) for each in ends])
    return np.asarray(box[:2] + cells / len(covered) * (box[2:] - box[:2]))


def _between() -> NDArray[np.float64]:
    """Return what makes of MASK_SIDE values those of FINER times as many places, (FINER * MASK_SIDE, MASK_SIDE)."""
    places = np.clip((np.arange(FINER * MASK_SIDE) + 0.5) / FINER - 0.5, 0, MASK_SIDE - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(places[:, None] - np.arange(MASK_SIDE))))


def _reach(points: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(((points - centre) @ circle_of_directions().T).max(axis=0))
