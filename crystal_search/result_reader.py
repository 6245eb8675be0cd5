"""Reading a result, version 3, 2 or 1, that comes from somebody else's computer: nothing in it is taken for granted.

The format is described in docs/result.md.
"""

import math
import re
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path

from crystal_search.crystal import Crystal, Uncounted
from crystal_search.errors import ResultError, WrongWorkUnitError
from crystal_search.features import from_text
from crystal_search.formats.picture import JPEG_MAGIC, MAX_SIDE_PX
from crystal_search.geometry import Box
from crystal_search.group_rule import group_probabilities, winning_group
from crystal_search.hostile_json import Reader, read_whole
from crystal_search.model import hashes_of, models_named, sha256_of
from crystal_search.model_card import MAX_NUMBERS, CrystalCard, FirstLookCard, ImageCard
from crystal_search.outcomes import CHOPS_ONLY, GROUPS, IMAGE_OUTCOMES, OUTCOME_NAMES, OUTCOMES, Group, outcome_named
from crystal_search.result import (
    RESULT_FORMAT,
    RESULT_VERSION,
    BestChop,
    DropRegion,
    ImageResult,
    ImageScore,
    Overlay,
    RankedScore,
    Result,
)
from crystal_search.result_crystals import MAX_CRYSTAL_BYTES, crystals_read, uncounted_read
from crystal_search.work_unit import IMAGE_ID, NAME, WorkUnit, WorkUnitImage

MAX_BYTES_PER_IMAGE = 100_000
SMALL_BYTES = 10_000  #: of a result of one image, mostly
MAX_OVERLAY_BYTES = 20_000_000
MAX_OUTLINE_POINTS = 256
MAX_BEST_CHOPS = 100
MAX_FEATURES_TEXT = 4 * -(-2 * MAX_NUMBERS // 3)  #: characters of base64, two bytes a number
OVERLAY_NAME = re.compile(r"overlays/[0-9]{4,6}\.jpg")
SUM_TOLERANCE = 1e-3  #: probabilities are written with six decimals and add up to 1 within this
ROUNDED = 2e-6  #: two numbers that were equal before they were rounded
EDGE_PX = 1.0  #: by which rounding may put what lies at the edge of a drop beside its box
TIE = 1e-5  #: two means that rounding may have put in the other order

Size = tuple[int, int]  #: height and width of the image, stored pixels


def read_result(path: Path, unit: WorkUnit) -> Result:
    """Return the result in the file `path` and check it, and the overlays beside it, against its work unit.

    Raises
    ------
    WrongWorkUnitError
        If it names another work unit.
    ResultError
        If it breaks the format, contradicts itself, or does not fit the work unit.
    OSError
        If our own disk fails; that is no fault of the result.
    """
    try:
        if path.is_symlink() or not path.is_file():
            raise ResultError(f"{path}: no regular file")
        limit = _most_bytes(unit)
        if (size := path.stat().st_size) > limit:
            raise ResultError(f"{path}: {size} bytes; a result for {len(unit.images)} images has at most {limit}")
        result = result_from_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ResultError(f"cannot read {path}: {error.strerror}") from error
    check_against(result, unit)
    for image in result.images:
        if image.overlay:
            check_overlay(image.overlay, path.parent)
    return result


def _most_bytes(unit: WorkUnit) -> int:
    """Return how large the file of a result may be: whoever searched for crystals has more to say."""
    of_image = MAX_BYTES_PER_IMAGE + (MAX_CRYSTAL_BYTES if unit.asks(CrystalCard.role) else 0)
    return of_image * (1 + len(unit.images))


def result_from_json(text: bytes) -> Result:
    """Return the result that `text` holds, checked in itself; what was read lately is not read again.

    Raises
    ------
    ResultError
        If the text is no result of version 3, 2 or 1, or contradicts itself.
    """
    return _small_result(text) if len(text) <= SMALL_BYTES else _large_result(text)


@lru_cache(maxsize=2048)  # each step hands what it read to the next; takes some 40 MB
def _small_result(text: bytes) -> Result:
    return read_whole(text, "result", ResultError, _result)


@lru_cache(maxsize=4)  # two results of one work unit are checked, then compared
def _large_result(text: bytes) -> Result:
    return read_whole(text, "result", ResultError, _result)


def _result(read: Reader) -> Result:
    version = read.format(RESULT_FORMAT, RESULT_VERSION)
    return Result(
        work_unit=read.text("work_unit", pattern=NAME),
        client_version=read.text("client_version", limit=100),
        models=models_named(read, version),
        images=read.objects("images", partial(_image_result, version=version), limit=10_000),
    )


def _image_result(read: Reader, version: int = RESULT_VERSION) -> ImageResult:
    return ImageResult(
        id=read.text("id", pattern=IMAGE_ID),
        sha256=read.sha256("sha256"),
        score=read.object("score", partial(_image_score, version=version)),
        overlay=read.optional("overlay", _overlay),
    )


def _overlay(read: Reader) -> Overlay:
    return Overlay(
        file=read.text("file", pattern=OVERLAY_NAME),
        sha256=read.sha256("sha256"),
        size_bytes=read.integer("size_bytes", 1, MAX_OVERLAY_BYTES),
    )


def _image_score(read: Reader, version: int) -> ImageScore:
    size = read.integer("height_px", 0, MAX_SIDE_PX), read.integer("width_px", 0, MAX_SIDE_PX)
    error = read.optional_text("error", limit=10_000)
    drop = read.optional("drop", partial(_drop, size=size))
    score = read.optional("score", _ranked)
    scored = score is not None
    image = ImageScore(
        height_px=size[0],
        width_px=size[1],
        error=error,
        drop=drop,
        score=score,
        class_probabilities=read.numbers("class_probabilities", count=len(OUTCOMES) if scored else 0, low=0, high=1),
        group_peaks=read.numbers("group_peaks", count=len(GROUPS) if scored else 0, low=0, high=1),
        best_chops=read.objects("best_chops", partial(_chop, size=size), limit=MAX_BEST_CHOPS),
        chops=read.integer("chops", 0, 10**7),
        looks=read.integer("looks", 1, 2) if version > 2 and read.has("looks") else 0,
        second_opinion=_second_opinion(read) if version > 2 else (),
        crystals=crystals_read(read, size) if version > 2 else None,
        uncounted=uncounted_read(read, size) if version > 2 else None,
        packed_features=_features(read) if version > 2 else b"",
        seconds=read.object("seconds", _seconds),
    )
    _check_score(image)
    return image


def _second_opinion(read: Reader) -> tuple[float, ...]:
    """Return a second opinion, () where there is none; whether there must be one, the work unit's models say."""
    if not read.has("second_opinion"):
        return ()
    return read.numbers("second_opinion", count=len(OUTCOMES), low=0, high=1)


def _features(read: Reader) -> bytes:
    """Return features as they are kept, b"" for null; how many there must be, the model's card says."""
    text = read.optional_text("features", limit=MAX_FEATURES_TEXT)
    if text is None:
        return b""
    try:
        return from_text(text)
    except ValueError as error:
        read.fail("features", f"null or finite numbers of 16 bits in base64 ({error})", text)


def _drop(read: Reader, size: Size) -> DropRegion:
    box = _box(read, size)
    return DropRegion(box=box, area_fraction=read.number("area_fraction", 0, 1), outline=_outline(read, box))


def _outline(read: Reader, box: Box) -> tuple[tuple[int, int], ...]:
    """Return the points of an outline, most of what a result holds: nothing else in here is called as often."""
    points = read.items("outline", limit=MAX_OUTLINE_POINTS, what="points")
    (top, left, bottom, right), outline = box, []
    for point in points:
        if type(point) is not list or len(point) != 2:
            read.fail("outline", "made of [row, column]", points)
        row, column = point
        if type(row) is not int or type(column) is not int:  # true is no number here
            read.fail("outline", "made of [row, column]", points)
        if not (top <= row <= bottom and left <= column <= right):
            read.fail("outline", f"inside the drop's box {tuple(box)}", points)
        outline.append((row, column))
    return tuple(outline)


def _box(read: Reader, size: Size) -> Box:
    value, (height, width) = read.take("box"), size
    if not (isinstance(value, list) and len(value) == 4 and {*map(type, value)} == {int}):  # true is no number here
        read.fail("box", "[top, left, bottom, right]", value)
    box = Box(*value)
    if not (0 <= box.top < box.bottom <= height and 0 <= box.left < box.right <= width):
        read.fail("box", f"inside the image of {height} x {width} px", value)
    return box


def _ranked(read: Reader) -> RankedScore:
    return RankedScore(
        outcome=read.choice("outcome", IMAGE_OUTCOMES),
        probability=read.number("probability", 0, 1),
        above_threshold=read.boolean("above_threshold"),
    )


def _chop(read: Reader, size: Size) -> BestChop:
    return BestChop(
        box=_box(read, size),
        outcome=read.choice("outcome", OUTCOME_NAMES),
        probability=read.number("probability", 0, 1),
    )


def _seconds(read: Reader) -> dict[str, float]:
    steps = ("decode", "normalise", "drop", "classify", "second_opinion", "crystals", "overlay")
    return {step: read.number(step, 0, 1e6) for step in steps if read.has(step)}


def _check_score(image: ImageScore) -> None:
    if image.packed_features and image.score is None:
        raise ResultError("an image without a score has features")
    if image.second_opinion and not math.isclose(sum(image.second_opinion), 1, abs_tol=SUM_TOLERANCE):
        raise ResultError(f"the second opinion adds up to {sum(image.second_opinion):g}, expected 1")
    if image.crystals is not None:
        _check_crystals(image, image.crystals, image.uncounted or ())
    elif image.uncounted is not None:
        raise ResultError("an image that was not searched for crystals has some that do not count")
    if image.error is not None:
        size = image.height_px or image.width_px
        if image.drop or image.score or image.best_chops or image.chops or image.second_opinion or size:
            raise ResultError("an image that could not be read has a score or a size")
        return
    if not image.height_px or not image.width_px:
        raise ResultError("a readable image has no size")
    if image.score is None:
        if image.best_chops or image.chops or image.drop or image.looks:
            raise ResultError("an image without a score has a drop, chops or looks")
        return
    _check_probabilities(image, image.score)


def _check_crystals(image: ImageScore, crystals: tuple[Crystal, ...], uncounted: tuple[Uncounted, ...]) -> None:
    """Refuse crystals of an image without a score, which nobody searches, and those that are not in its drop.

    Those that do not count need only reach into it.
    """
    if image.score is None:
        raise ResultError("an image without a score was searched for crystals")
    box = image.drop.box if image.drop else Box(0, 0, image.height_px, image.width_px)
    told: tuple[Crystal | Uncounted, ...] = (*crystals, *uncounted)
    for each in told:
        edge = EDGE_PX + (each.reach_px if isinstance(each, Uncounted) else 0)
        inside = box.top - edge <= each.row <= box.bottom + edge and box.left - edge <= each.column <= box.right + edge
        if not inside:
            raise ResultError(f"a crystal at ({each.row:g}, {each.column:g}) is not in the drop's box {tuple(box)}")


def _check_probabilities(image: ImageScore, score: RankedScore) -> None:
    """Refuse numbers that contradict each other; each is rounded, so each may be off by ROUNDED."""
    if not math.isclose(sum(image.class_probabilities), 1, abs_tol=SUM_TOLERANCE):
        raise ResultError(f"class probabilities add up to {sum(image.class_probabilities):g}, expected 1")
    means = group_probabilities(image.class_probabilities)
    if any(peak < mean - SUM_TOLERANCE for peak, mean in zip(image.group_peaks, means, strict=True)):
        raise ResultError("a group's best chop is below the mean of its chops")
    peak = image.group_peaks[GROUPS.index(score.group)]
    if abs(score.probability - peak) > ROUNDED:
        raise ResultError(f"the score has probability {score.probability:g}, its group's best chop {peak:g}")
    if len(image.best_chops) > image.chops or not image.chops:
        raise ResultError(f"{len(image.best_chops)} best chops of {image.chops}")
    _check_best_chops(image, score)


def _check_best_chops(image: ImageScore, score: RankedScore) -> None:
    """Refuse best chops that are not the score's, or not told from the best on."""
    chops = image.best_chops
    if any(outcome_named(chop.outcome).group is not score.group for chop in chops):
        raise ResultError("a best chop speaks for another group than the score")
    said = [score.probability, *(chop.probability for chop in chops)]
    if any(later > former + ROUNDED for former, later in pairwise(said)):
        raise ResultError("a best chop speaks louder than the one before it")
    if chops and (chops[0].outcome not in (score.outcome, CHOPS_ONLY) or said[1] < said[0] - ROUNDED):
        raise ResultError("the first of the best chops is not the one that the score is from")


def check_against(result: Result, unit: WorkUnit) -> None:
    """Refuse a result that does not fit its work unit: images, hashes, and the score by the ranking.

    Raises
    ------
    WrongWorkUnitError
        If it names another work unit.
    ResultError
        If anything else differs.
    """
    if result.work_unit != unit.name:
        raise WrongWorkUnitError(f"the result is for work unit {result.work_unit}, expected {unit.name}")
    if (got := hashes_of(result.models)) != (expected := hashes_of(unit.models)):
        raise ResultError(f"{unit.name}: scored with {_listed(got)}, expected {_listed(expected)}")
    if [image.id for image in result.images] != [image.id for image in unit.images]:
        raise ResultError(f"{unit.name}: the result's images are not those of the work unit, in its order")
    for image, packed in zip(result.images, unit.images, strict=True):
        _check_image(image, packed, unit)
        if image.score.error is None and (trouble := _of_other_models(image.score, unit)):
            raise ResultError(f"{unit.name}: image {image.id} {trouble}")


def _of_other_models(found: ImageScore, unit: WorkUnit) -> str:
    """Return what a score says without a model that says so, or does not say though a model does."""
    if bool(found.second_opinion) != (opinions := unit.asks(ImageCard.role)):
        return f"has {'no second opinion, though a model gives one' if opinions else 'a second opinion of no model'}"
    first = unit.asks(FirstLookCard.role) and found.score is not None
    if bool(found.looks) != first:
        return "does not say how often it was looked at" if first else "has looks, though no model looks first"
    searched = found.crystals is not None
    if not unit.asks(CrystalCard.role) or found.score is None:
        return "has crystals of no model" if searched else ""
    peak, least = found.group_peaks[GROUPS.index(Group.CRYSTAL)], unit.parameters.crystals_from
    if searched == (peak >= least) or abs(peak - least) <= TIE:
        return ""
    return f"was {'' if searched else 'not '}searched for crystals, at {peak:g} where {least:g} decides"


def _listed(hashes: dict[str, str]) -> str:
    return ", ".join(f"{role} {sha256}" for role, sha256 in hashes.items())


def _check_image(image: ImageResult, packed: WorkUnitImage, unit: WorkUnit) -> None:
    if image.sha256 != packed.sha256:
        raise ResultError(f"{unit.name}: image {image.id} has sha256 {image.sha256}, expected {packed.sha256}")
    found = image.score
    if found.score is None:
        return
    if found.drop is None and unit.parameters.no_drop == "stop":
        raise ResultError(f"{unit.name}: image {image.id} is scored without a drop")
    if len(found.best_chops) > (asked := unit.parameters.best_chops) or bool(found.best_chops) != bool(asked):
        raise ResultError(f"{unit.name}: image {image.id} has {len(found.best_chops)} best chops, asked for {asked}")
    if (found.score.group, found.score.above_threshold) not in _right_answers(found, unit.parameters.threshold):
        raise ResultError(f"{unit.name}: image {image.id} is scored {found.score.outcome} against its probabilities")


def _right_answers(found: ImageScore, threshold: float) -> set[tuple[Group, bool]]:
    """Return the groups that the ranking allows: close to a tie, rounding may have tipped either side."""
    peaks, means = found.group_peaks, group_probabilities(found.class_probabilities)
    shifted = [winning_group(peaks, found.class_probabilities, threshold + shift) for shift in (-TIE, 0, TIE)]
    right = {answer for answer in shifted if answer[1]}
    if max(peaks) < threshold + TIE:
        right |= {(group, False) for group, mean in zip(GROUPS, means, strict=True) if mean > max(means) - TIE}
    return right


def check_overlay(overlay: Overlay, folder: Path) -> None:
    """Refuse an overlay whose file in `folder` is not the picture that it names, as a ResultError.

    Raises
    ------
    ResultError
        If it is not, is missing, or is no regular file.
    """
    path = folder / overlay.file
    try:
        if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
            raise ResultError(f"overlay {overlay.file} is missing or no regular file")
        if (size := path.stat().st_size) != overlay.size_bytes:
            raise ResultError(f"overlay {overlay.file} has {size} bytes, the result says {overlay.size_bytes}")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ResultError(f"cannot read overlay {overlay.file}: {error.strerror}") from error
    if sha256_of(data) != overlay.sha256 or not data.startswith(JPEG_MAGIC):
        raise ResultError(f"overlay {overlay.file} is not the picture that the result names")


def image_result_from_json(text: bytes) -> ImageResult:
    """Return the image's result that a line of text holds.

    Raises
    ------
    ResultError
        If the text is no such result.
    """
    return read_whole(text, "image", ResultError, _image_result)
