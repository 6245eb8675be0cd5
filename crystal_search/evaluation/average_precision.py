"""Average precision of single crystals, by hotcoco, in all sizes that papers and we tell apart.

It is COCO's (https://cocodataset.org/#detection-eval) in all but the sizes and how many crystals of an image count.
Crystals that nobody can see, and outlines around many, count neither as found nor as missed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from crystal_search.crystals.coco import CATEGORY, annotation_of
from crystal_search.errors import UserError
from crystal_search.evaluation.crystal_verdicts import CrystalVerdict
from crystal_search.geometry import Box

KINDS = {"obb": "oriented boxes", "bbox": "upright boxes", "segm": "masks"}  #: what is compared, as hotcoco calls it
OVERLAPS = {"": slice(None), "50": slice(0, 1), "65": slice(3, 4), "75": slice(5, 6)}  #: of .50, .55 and so on to .95
ALL, PARTS = "all", ("small", "medium", "large")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """From where to where crystals are small, medium and large, and how many of an image count."""

    of: Literal["box", "mask"]  #: whose area it is: of the oriented box, or the pixels of the mask
    medium_px2: float  #: area from which on a crystal is no longer small
    large_px2: float
    most_an_image: int  #: of what was found, the most probable

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """The areas of each size, px²."""
        edges = (0.0, self.medium_px2, self.large_px2, 1e10)
        return {ALL: (edges[0], edges[-1])} | dict(zip(PARTS, pairwise(edges), strict=True))


OURS = Sizes(of="box", medium_px2=150, large_px2=950, most_an_image=1000)
COCO = Sizes(of="mask", medium_px2=32**2, large_px2=96**2, most_an_image=100)  #: of King et al. (2024), too
BISCHOFF = Sizes(of="box", medium_px2=8**2, large_px2=24**2, most_an_image=200)  #: of Bischoff et al. (2022)


def average_precisions(kind: str, verdicts: Sequence[CrystalVerdict], sizes: Sizes) -> Mapping[str, float]:
    """Return COCO's average precisions over all images together, NaN where there is nothing of a size.

    Parameters
    ----------
    kind
        Of `KINDS`.
    verdicts
        Of images whose crystals are known one by one.

    Returns
    -------
    Mapping
        By ``""`` over overlaps of 0.50 to 0.95, ``50``, ``65`` and ``75`` at one overlap, and ``small``, ``medium``
        and ``large`` over all overlaps again.

    Raises
    ------
    UserError
        If hotcoco is not installed.
    """
    precision = _precision(kind, verdicts, sizes)  # (overlaps, recalls, sizes)
    whole, *parts = np.moveaxis(precision, 2, 0)
    found = {name: _mean(whole[which]) for name, which in OVERLAPS.items()}
    return found | {name: _mean(part) for name, part in zip(PARTS, parts, strict=True)}


def _mean(precision: NDArray[np.float64]) -> float:
    known = precision[precision > -1]
    return float(known.mean()) if len(known) else float("nan")


def _precision(kind: str, verdicts: Sequence[CrystalVerdict], sizes: Sizes) -> NDArray[np.float64]:
    """Return precision at 10 overlaps, 101 recalls and all sizes, -1 where there is nothing of a size."""
    try:
        import hotcoco
    except ImportError as error:
        raise UserError("hotcoco, which judges, is missing: pip install 'crystal-search[detection]'") from error
    truth = hotcoco.COCO(_told(verdicts, sizes))
    evaluation = hotcoco.COCOeval(truth, truth.loadRes(_answered(verdicts)), kind)
    evaluation.params.max_dets = [sizes.most_an_image]
    evaluation.params.area_rng = [list(each) for each in sizes.ranges.values()]
    evaluation.params.area_rng_lbl = list(sizes.ranges)
    evaluation.evaluate()
    evaluation.accumulate()
    found: Any = evaluation.eval
    return np.asarray(found["precision"])[:, :, 0, :, 0]


def _told(verdicts: Sequence[CrystalVerdict], sizes: Sizes) -> dict[str, Any]:
    """Return what is known, as COCO writes it."""
    images = [
        {"id": number, "height": each.height_px, "width": each.width_px, "file_name": each.known.name}
        for number, each in enumerate(verdicts)
    ]
    crystals = [annotation for number, each in enumerate(verdicts) for annotation in _annotations(number, each, sizes)]
    numbered = [{**each, "id": number} for number, each in enumerate(crystals, start=1)]
    return {"images": images, "categories": [CATEGORY], "annotations": numbered}


def _annotations(image: int, verdict: CrystalVerdict, sizes: Sizes) -> list[dict[str, Any]]:
    """Return what COCO says of the crystals of an image, columns before rows."""
    crystals = verdict.truth.crystals
    return [
        {
            "image_id": image,
            "category_id": CATEGORY["id"],
            "obb": [column, row, long, short, angle],
            "bbox": [upright.left, upright.top, upright.width, upright.height],
            "area": long * short if sizes.of == "box" else sum(runs[1::2]),
            "iscrowd": int(ignored),
            "segmentation": {"size": [verdict.height_px, verdict.width_px], "counts": runs},
        }
        for (row, column, long, short, angle), ignored, (upright, runs) in zip(
            crystals.boxes.tolist(), crystals.ignored, _masks(verdict), strict=True
        )
    ]


def _masks(verdict: CrystalVerdict) -> list[tuple[Box, list[int]]]:
    """Return upright boxes and masks of the crystals of an image, those of which it shows anything."""
    return [(each.box, list(each.runs)) for each in verdict.objects or () if sum(each.runs[1::2])]


def _answered(verdicts: Sequence[CrystalVerdict]) -> list[dict[str, Any]]:
    found = (annotation_of(each, number) for number, verdict in enumerate(verdicts) for each in verdict.found)
    return [{**each, "obb": each["oriented_box"]} for each in found]
