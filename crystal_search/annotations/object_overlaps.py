"""How far objects of one image lie on each other, and which of two persons' are the same (hotcoco, scipy)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crystal_search.annotations.annotated_image import AnnotatedImage, AnnotatedObject
from crystal_search.annotations.drawn_shapes import pixels_of
from crystal_search.errors import UserError

SAME = 0.5  #: intersection over union from which on two objects are the same
MISSING = "hotcoco and scipy, which compare annotations, are missing: pip install 'crystal-search[annotations]'"
Overlaps = NDArray[np.float64]  #: (objects, other objects), intersection over union of their pixels


def overlaps(image: AnnotatedImage, one: Sequence[AnnotatedObject], other: Sequence[AnnotatedObject]) -> Overlaps:
    """Return the intersection over union of the pixels of objects of an image.

    Raises
    ------
    UserError
        If nobody tells how large the image is, or hotcoco is missing.
    """
    try:
        from hotcoco import mask
    except ImportError as error:
        raise UserError(MISSING) from error
    if not one or not other:
        return np.zeros((len(one), len(other)))
    mine, its = ([mask.encode(pixels_of(image, each)) for each in side] for side in (one, other))
    return np.asarray(mask.iou(mine, its, [0] * len(its)), np.float64)


def matched(found: Overlaps) -> list[float]:
    """Return the overlaps of objects that are the same: each at most with one other, so that they overlap most.

    Raises
    ------
    UserError
        If scipy is missing.

    >>> matched(np.array([[0.9, 0.6], [0.8, 0.3]]))
    [0.6, 0.8]
    """
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError as error:
        raise UserError(MISSING) from error
    counted = np.where(found >= SAME, found, 0.0)
    chosen = counted[linear_sum_assignment(counted, maximize=True)]
    return [float(each) for each in chosen if each > 0]


def clusters(image: AnnotatedImage, objects: Sequence[AnnotatedObject]) -> list[list[AnnotatedObject]]:
    """Return objects in groups in which each is the same as each other, and no two are of one person.

    They are found by complete linkage: the two groups whose members overlap most, even where they do least, become one.

    Raises
    ------
    UserError
        If nobody tells how large the image is, or a library is missing.
    """
    try:
        from scipy.cluster.hierarchy import fcluster, linkage
        from scipy.spatial.distance import squareform
    except ImportError as error:
        raise UserError(MISSING) from error
    if len(objects) <= 1:
        return [[each] for each in objects]
    apart = 1 - overlaps(image, objects, objects)
    people = np.array([each.annotator for each in objects])
    apart[people[:, None] == people] = 1.0
    np.fill_diagonal(apart, 0.0)
    numbers = fcluster(linkage(squareform(apart, checks=False), "complete"), 1 - SAME, "distance")
    return [
        [each for each, own in zip(objects, numbers, strict=True) if own == number] for number in np.unique(numbers)
    ]
