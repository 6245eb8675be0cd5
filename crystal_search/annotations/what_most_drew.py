"""What most people drew: one object where the outlines of more than half of those who looked are the same."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crystal_search.annotations.annotated_image import AnnotatedImage, AnnotatedObject, Placed, labels_in
from crystal_search.annotations.drawn_shapes import painted, pixels_of
from crystal_search.annotations.object_overlaps import clusters

Masks = NDArray[np.bool_]  #: (people, rows, columns)
#: What pixels an object has by those of each person.
TOGETHER: dict[str, Callable[[Masks], NDArray[np.bool_]]] = {
    "majority": lambda masks: np.asarray(masks.mean(axis=0) > 1 / 2),
    "union": lambda masks: np.asarray(masks.any(axis=0)),
}


def agreed(image: AnnotatedImage, together: str = "majority") -> AnnotatedImage:
    """Return an image with what more than half of the people drew who looked at it; with one person, all of it.

    Parameters
    ----------
    together
        One of `TOGETHER`: pixels that more than half of those people have, or any of them.

    Raises
    ------
    UserError
        If nobody tells how large the image is, or a library is missing.
    """
    people = len(image.by_annotator)
    if people <= 1:
        return image
    compared = [each for each in image.objects if not isinstance(each.shape, Placed)]
    objects = [
        _one(image, group, together)
        for label in labels_in([image])
        for group in clusters(image, [each for each in compared if each.label == label])
        if 2 * len(group) > people
    ]
    return replace(image, objects=tuple(objects), annotators=())


def _one(image: AnnotatedImage, group: Sequence[AnnotatedObject], together: str) -> AnnotatedObject:
    masks = np.stack([pixels_of(image, each) for each in group])
    return AnnotatedObject(
        label=group[0].label,
        supercategory=group[0].supercategory,
        shape=painted(TOGETHER[together](masks)),
        too_faint=2 * sum(each.too_faint for each in group) > len(group),
        crowd=2 * sum(each.crowd for each in group) > len(group),
    )
