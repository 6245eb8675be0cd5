"""Whether two hosts say the same about a work unit: everything of a result that people see or that is kept.

Floating point differs a little from processor to processor. That moves probabilities in the fifth decimal, the drop's
edge by a pixel of the locator now and then, with the grid of chops over it (docs/result.md says what is compared how).
"""

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from crystal_search.features import Features
from crystal_search.model import hashes_of
from crystal_search.result import BestChop, DropRegion, ImageScore, Result
from crystal_search.server.engines.boinc.crystal_agreement import Tolerance, other_crystals

RASTER_PX = 256  #: of an image's longer side, where outlines are compared; about what a drop locator reads
REACH_PX = 4  #: of these, by which edges of drops may differ
LEAST_SHARE = 0.95  #: of the area of the larger of two drops in the smaller
LEAST_CHOPS = 0.75  #: the same of their numbers of chops: a drop of a pixel more may have a row of them more
FEATURES_APART = 0.01  #: and this share of the number: by which one of the features may differ
#: Of a chop's side, by which edges of a frame may differ where the drops' boxes do, since chops lie on a grid over the
#: drop: half a step between the chops of shipped models is 0.094. Over one and the same box frames are the same.
FRAME_REACH = 0.1

Size = tuple[int, int]


def disagreement(one: Result, other: Result, tolerance: Tolerance) -> str:
    """Return in what two valid results of one work unit differ, nothing when they agree."""
    if one.work_unit != other.work_unit or hashes_of(one.models) != hashes_of(other.models):
        return f"they are about work units {one.work_unit} and {other.work_unit}, or of different models"
    for a, b in zip(one.images, other.images, strict=False):
        if a.id != b.id or a.sha256 != b.sha256:
            return f"image {a.id} and image {b.id} are not the same"
        if trouble := score_disagreement(a.score, b.score, tolerance):
            return f"image {a.id}: {trouble}"
    if len(one.images) != len(other.images):
        return f"{len(one.images)} images and {len(other.images)}"
    return ""


def score_disagreement(one: ImageScore, other: ImageScore, tolerance: Tolerance) -> str:
    """Return in what two scores of one image differ, nothing when they agree."""
    return next(_differences(one, other, tolerance), "")


def _differences(a: ImageScore, b: ImageScore, tolerance: Tolerance) -> Iterator[str]:
    """Yield in what two scores differ; wall times and the version of the program are nobody's concern."""
    if (a.error is None) != (b.error is None):
        yield "one could read it, the other could not"
    if a.error != b.error:
        yield f"one says {a.error}, the other {b.error}"
    if (a.height_px, a.width_px) != (b.height_px, b.width_px):
        yield f"{a.height_px} x {a.width_px} px and {b.height_px} x {b.width_px} px"
    if (a.drop is None) != (b.drop is None):
        yield "one found a drop, the other did not"
    elif a.drop and b.drop:
        yield from _other_drop(a.drop, b.drop, (a.height_px, a.width_px))
    if (a.outcome, a.above_threshold) != (b.outcome, b.above_threshold):
        yield f"{a.outcome} and {b.outcome}, or not the same about the threshold"
    if a.looks != b.looks:
        yield f"{a.looks} and {b.looks} looks"
    if min(a.chops, b.chops) < LEAST_CHOPS * max(a.chops, b.chops):
        yield f"{a.chops} and {b.chops} chops"
    yield from _other_numbers(a, b, tolerance.probability)
    reach = FRAME_REACH if a.drop and b.drop and a.drop.box != b.drop.box else 0.0
    yield from _other_frames(a.best_chops, b.best_chops, tolerance.probability, reach)
    yield from _other_features(a.features, b.features)
    yield from other_crystals(a, b, tolerance)


def _other_drop(one: DropRegion, other: DropRegion, size: Size) -> Iterator[str]:
    apart = max(abs(edge - edge_there) for edge, edge_there in zip(one.box, other.box, strict=True))
    if apart * RASTER_PX > REACH_PX * max(size):
        yield f"the drops' boxes differ by {apart} px"
    smaller, larger = sorted((one.area_fraction, other.area_fraction))
    if smaller < LEAST_SHARE * larger:
        yield f"the drops take {smaller:.3f} and {larger:.3f} of the image"
    if one.outline != other.outline and _stray(_drawn(one, size), _drawn(other, size)):
        yield f"the drops' outlines differ by more than {REACH_PX / RASTER_PX:.1%} of the image"


def _drawn(drop: DropRegion, size: Size) -> Image.Image:
    """Return the outline as a picture of lines."""
    scale = (RASTER_PX - 1) / max(size)
    points = [(column * scale, row * scale) for row, column in drop.outline]
    picture = Image.new("L", (RASTER_PX, RASTER_PX))
    if points:
        ImageDraw.Draw(picture).line([*points, points[0]], fill=255)
    return picture


def _stray(one: Image.Image, other: Image.Image) -> bool:
    """Tell whether a part of one of two line drawings is farther than REACH_PX from the other."""
    beyond = (ImageChops.subtract(a, _thick(b)) for a, b in ((one, other), (other, one)))
    return any(each.getbbox() for each in beyond)


def _thick(lines: Image.Image) -> Image.Image:
    """Return all that is within REACH_PX of the lines; a blur leaves something in each such pixel, and is quick."""
    return lines.filter(ImageFilter.BoxBlur(REACH_PX)).point([0, *[255] * 255])


def _other_numbers(a: ImageScore, b: ImageScore, tolerance: float) -> Iterator[str]:
    numbers = {
        "class probabilities": (a.class_probabilities, b.class_probabilities),
        "group peaks": (a.group_peaks, b.group_peaks),
        "second opinions": (a.second_opinion, b.second_opinion),
    }
    for name, (first, second) in numbers.items():
        if len(first) != len(second):
            yield f"{len(first)} and {len(second)} {name}"
            return
        largest = max((abs(x - y) for x, y in zip(first, second, strict=True)), default=0.0)
        if largest > tolerance:
            yield f"{name} differ by {largest:.4f}, tolerated are {tolerance:g}"


def _other_features(one: Features | None, other: Features | None) -> Iterator[str]:
    if one is None or other is None or len(one) != len(other):
        if one is not other:
            yield f"{_count(one)} and {_count(other)} features"
        return
    apart = np.abs(one.astype(np.float32) - other)
    if (beyond := apart > FEATURES_APART * (1 + np.maximum(np.abs(one), np.abs(other)))).any():
        yield f"{np.count_nonzero(beyond)} of {len(one)} features differ, by up to {apart.max():.4g}"


def _count(features: Features | None) -> int:
    return 0 if features is None else len(features)


def _other_frames(one: Sequence[BestChop], other: Sequence[BestChop], tolerance: float, reach: float) -> Iterator[str]:
    """Yield what frames differ in: each must be one of the other's, in whatever order."""
    if len(one) != len(other):
        yield f"{len(one)} and {len(other)} best chops"
    left = list(other)
    for chop in one:
        same = next((each for each in left if _is_same(chop, each, tolerance, reach)), None)
        if same is None:
            yield f"only one has the best chop {chop.outcome} {chop.probability:.2f} at {tuple(chop.box)}"
            return
        left.remove(same)


def _is_same(one: BestChop, other: BestChop, tolerance: float, reach: float) -> bool:
    apart_px = max(abs(edge - edge_there) for edge, edge_there in zip(one.box, other.box, strict=True))
    return (
        one.outcome == other.outcome
        and abs(one.probability - other.probability) <= tolerance
        and apart_px <= reach * max(one.box.height, one.box.width)
    )
