"""Whether two volunteers' results say the same: floating point differs a little from processor to processor."""

from crystal_search.geometry import intersection_over_union
from crystal_search.result import ImageScore, Result

LEAST_OVERLAP = 0.9  #: of two drop boxes, intersection over union


def disagreement(one: Result, other: Result, tolerance: float) -> str:
    """Return in what two valid results of one work unit differ, nothing when they agree.

    Parameters
    ----------
    tolerance
        By which probabilities may differ.
    """
    for a, b in zip(one.images, other.images, strict=False):
        if a.id != b.id or a.sha256 != b.sha256:
            return f"image {a.id} and image {b.id} are not the same"
        if trouble := _differ(a.score, b.score, tolerance):
            return f"image {a.id}: {trouble}"
    if len(one.images) != len(other.images):
        return f"{len(one.images)} images and {len(other.images)}"
    return ""


def _differ(a: ImageScore, b: ImageScore, tolerance: float) -> str:
    if (a.error is None) != (b.error is None):
        return "one could read it, the other could not"
    if (a.height_px, a.width_px) != (b.height_px, b.width_px):
        return f"{a.height_px} x {a.width_px} px and {b.height_px} x {b.width_px} px"
    return _other_drop(a, b) or _other_numbers(a, b, tolerance)


def _other_drop(a: ImageScore, b: ImageScore) -> str:
    if (a.drop is None) != (b.drop is None):
        return "one found a drop, the other did not"
    if a.drop and b.drop and (overlap := intersection_over_union(a.drop.box, b.drop.box)) < LEAST_OVERLAP:
        return f"the drops overlap by {overlap:.2f}"
    return ""


def _other_numbers(a: ImageScore, b: ImageScore, tolerance: float) -> str:
    for name, first, second in (
        ("class probabilities", a.class_probabilities, b.class_probabilities),
        ("group peaks", a.group_peaks, b.group_peaks),
    ):
        if len(first) != len(second):
            return f"{len(first)} and {len(second)} {name}"
        largest = max((abs(x - y) for x, y in zip(first, second, strict=True)), default=0.0)
        if largest > tolerance:
            return f"{name} differ by {largest:.4f}, tolerated are {tolerance:g}"
    return ""
