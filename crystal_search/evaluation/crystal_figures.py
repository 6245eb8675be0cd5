"""How well crystals are found one by one: average precisions by hotcoco, counts, lengths, false ones.

Average precision is COCO's (https://cocodataset.org/#detection-eval) in all but the sizes, which fit crystals, and the
number of crystals in an image, which may be more than 100. Crystals that nobody can see, and outlines around many,
count neither as found nor as missed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystal_search.archives.seen_objects import SeenObject
from crystal_search.bootstrap import Interval, drawn
from crystal_search.crystal import Crystal
from crystal_search.crystals.coco import CATEGORY, annotation_of
from crystal_search.errors import UserError
from crystal_search.evaluation.judge import Figure
from crystal_search.evaluation.known_images import KnownImage
from crystal_search.geometry import Box
from crystal_search.training.crystal_source import Truth, truth_of

MOST_AN_IMAGE = 1000  #: crystals
SIZES_PX2 = {"all": (0.0, 1e9), "small": (0.0, 150.0), "medium": (150.0, 950.0), "large": (950.0, 1e9)}  #: areas
KINDS = {"obb": "oriented boxes", "bbox": "upright boxes", "segm": "masks"}
OVERLAPS = {"": slice(None), "50": slice(0, 1), "65": slice(3, 4), "75": slice(5, 6)}  #: of .50, .55 and so on to .95


@dataclass(frozen=True, kw_only=True, eq=False)  # no slots: the truth is remembered
class CrystalVerdict:
    """What a detector says of one image whose crystals are known."""

    known: KnownImage
    height_px: int
    width_px: int
    objects: tuple[SeenObject, ...]  #: its crystals
    found: tuple[Crystal, ...]  #: also those that are too improbable to count
    least_probability: float  #: of those that count

    @cached_property
    def truth(self) -> Truth:
        """Its crystals, with boxes in pixels as stored."""
        return truth_of(self.objects, (self.height_px, self.width_px))

    @property
    def lengths_px(self) -> NDArray[np.float64]:
        """The long sides of its crystals but the ignored ones."""
        crystals = self.truth.crystals
        return np.asarray(crystals.boxes[~crystals.ignored, 2])

    @property
    def counted(self) -> tuple[Crystal, ...]:
        """What was found and is probable enough to count."""
        return tuple(each for each in self.found if each.probability >= self.least_probability)


def crystal_figures(verdicts: Sequence[CrystalVerdict]) -> list[Figure]:
    """Return average precisions, errors of count and length, and false crystals where there are none.

    Raises
    ------
    UserError
        If hotcoco is not installed.
    """
    there = [each for each in verdicts if each.objects]
    found = [*_precisions(there), *_of_counts(there)] if there else []
    return found + _false([each for each in verdicts if not each.objects])


def _precisions(verdicts: Sequence[CrystalVerdict]) -> list[Figure]:
    figures = []
    for kind, title in KINDS.items():
        precision = _precision(kind, verdicts)  # (overlaps, recalls, sizes)
        for number, size in enumerate(SIZES_PX2):
            for name, which in OVERLAPS.items() if size == "all" else [("", slice(None))]:
                part = precision[which, :, number]
                value = float(part[part > -1].mean()) if (part > -1).any() else float("nan")
                of_size = "" if size == "all" else f", {size}"
                figures.append(Figure(f"AP{name} of {title}{of_size}", _alone(value), len(verdicts)))
    return [each for each in figures if not np.isnan(each.interval.value)]


def _alone(value: float) -> Interval:
    """Return a figure whose interval nobody knows: drawing images again would take hours."""
    return Interval(value, float("nan"), float("nan"))


def _precision(kind: str, verdicts: Sequence[CrystalVerdict]) -> NDArray[np.float64]:
    """Return precision at 10 overlaps, 101 recalls and all sizes, -1 where there is nothing of a size."""
    try:
        from hotcoco import COCO, COCOeval
    except ImportError as error:
        raise UserError("hotcoco, which judges, is missing: pip install 'crystal-search[detection]'") from error
    truth = COCO(_told(verdicts))
    evaluation = COCOeval(truth, truth.loadRes(_answered(verdicts)), kind)
    evaluation.params.max_dets = [MOST_AN_IMAGE]
    evaluation.params.area_rng = [list(each) for each in SIZES_PX2.values()]
    evaluation.params.area_rng_lbl = list(SIZES_PX2)
    evaluation.evaluate()
    evaluation.accumulate()
    found: Any = evaluation.eval
    return np.asarray(found["precision"])[:, :, 0, :, 0]


def _told(verdicts: Sequence[CrystalVerdict]) -> dict[str, Any]:
    """Return what is known, as COCO writes it."""
    images = [
        {"id": number, "height": each.height_px, "width": each.width_px, "file_name": each.known.name}
        for number, each in enumerate(verdicts)
    ]
    crystals = [
        {**_annotation(number, box, upright), "iscrowd": int(ignored), "segmentation": mask}
        for number, each in enumerate(verdicts)
        for box, ignored, (upright, mask) in zip(
            each.truth.crystals.boxes, each.truth.crystals.ignored, _masks(each), strict=True
        )
    ]
    numbered = [{**each, "id": number} for number, each in enumerate(crystals, start=1)]
    return {"images": images, "categories": [CATEGORY], "annotations": numbered}


def _masks(verdict: CrystalVerdict) -> list[tuple[Box, dict[str, Any]]]:
    """Return upright boxes and masks of the crystals of an image, those of which it shows anything."""
    size = [verdict.height_px, verdict.width_px]
    return [(each.box, {"size": size, "counts": list(each.runs)}) for each in verdict.objects if sum(each.runs[1::2])]


def _answered(verdicts: Sequence[CrystalVerdict]) -> list[dict[str, Any]]:
    found = (annotation_of(each, number) for number, verdict in enumerate(verdicts) for each in verdict.found)
    return [{**each, "obb": each["oriented_box"]} for each in found]


def _annotation(image: int, box: NDArray[np.float64], upright: Box) -> dict[str, Any]:
    """Return what COCO says of an oriented box and the upright one around a mask, columns before rows."""
    row, column, long, short, angle = box.tolist()
    return {
        "image_id": image,
        "category_id": CATEGORY["id"],
        "obb": [column, row, long, short, angle],
        "bbox": [upright.left, upright.top, upright.width, upright.height],
        "area": long * short,
    }


def _of_counts(verdicts: Sequence[CrystalVerdict]) -> list[Figure]:
    """Return how many more crystals are counted than there are, and how far the lengths are from the true ones."""
    draws = drawn([each.known.drawn_with for each in verdicts])
    there, counted = (
        np.array(each, np.float64)
        for each in ([len(each.lengths_px) for each in verdicts], [len(each.counted) for each in verdicts])
    )
    bias = draws.figure(lambda times: float((times * counted).sum() / max((times * there).sum(), 1.0)) - 1)
    true, found = [each.lengths_px for each in verdicts], [_lengths(each.counted) for each in verdicts]

    def distance(times: NDArray[np.float64]) -> float:
        return farthest_apart(*(_repeated(each, times) for each in (true, found)))

    return [
        Figure("crystals counted, over those there are, less 1", bias, len(verdicts)),
        Figure("Kolmogorov-Smirnov distance of lengths", draws.figure(distance), len(verdicts)),
    ]


def _lengths(crystals: Sequence[Crystal]) -> NDArray[np.float64]:
    return np.array([each.long_px for each in crystals], np.float64)


def _repeated(values: Sequence[NDArray[np.float64]], times: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([np.tile(each, int(count)) for each, count in zip(values, times, strict=True)])


def farthest_apart(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return how far apart the distribution functions of two samples are at most, NaN where one is empty.

    >>> farthest_apart(np.array([1.0, 2, 3, 4]), np.array([3.0, 4, 5, 6]))
    0.5
    """
    if not len(one) or not len(other):
        return float("nan")
    values = np.concatenate((one, other))
    below = [np.searchsorted(np.sort(each), values, "right") / len(each) for each in (one, other)]
    return float(np.abs(below[0] - below[1]).max())


def _false(verdicts: Sequence[CrystalVerdict]) -> list[Figure]:
    if not verdicts:
        return []
    counted = np.array([len(each.counted) for each in verdicts], np.float64)
    false = drawn([each.known.drawn_with for each in verdicts]).mean(counted)
    return [Figure("false crystals an image without any", false, len(verdicts))]
