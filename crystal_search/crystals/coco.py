"""Crystals as annotations of COCO (https://cocodataset.org/#format-data), columns before rows."""

from typing import Any

import numpy as np

from crystal_search.crystal import Crystal

CATEGORY = {"id": 1, "name": "crystal"}


def annotation_of(crystal: Crystal, image: int) -> dict[str, Any]:
    """Return what COCO says of a crystal in image number `image`, with its oriented box beside the upright one.

    >>> found = annotation_of(Crystal(probability=0.5, row=2.0, column=6.0, long_px=4.0, short_px=2.0, angle_rad=0.0,
    ...     outline=((1.0, 4.0), (1.0, 8.0), (3.0, 8.0), (3.0, 4.0))), 7)
    >>> found["bbox"], found["oriented_box"], found["segmentation"]
    ([4.0, 1.0, 4.0, 2.0], [6.0, 2.0, 4.0, 2.0, 0.0], [[4.0, 1.0, 8.0, 1.0, 8.0, 3.0, 4.0, 3.0]])
    """
    points = np.array(crystal.outline)
    (top, left), (bottom, right) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return {
        "image_id": image,
        "category_id": CATEGORY["id"],
        "score": crystal.probability,
        "segmentation": [points[:, ::-1].ravel().tolist()],
        "bbox": [left, top, right - left, bottom - top],
        "area": crystal.long_px * crystal.short_px,
        "iscrowd": 0,
        "oriented_box": [crystal.column, crystal.row, crystal.long_px, crystal.short_px, crystal.angle_rad],
    }


def measured(crystal: Crystal, image: int, size_px: tuple[int, int]) -> dict[str, Any]:
    """Return the annotation of a crystal in image number `image`, of a height and width, with what is measured of it.

    Its area is the outline's, as COCO has it; judges sort crystals by the area of the oriented box.
    """
    row, column = crystal.middle
    return annotation_of(crystal, image) | {
        "area": crystal.area_px2,
        "middle": [column, row],
        "cut_off": crystal.is_cut_off(*size_px),
        "contrast": crystal.contrast,
        "too_faint": crystal.is_faint,
    }
