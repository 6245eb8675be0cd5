"""Whether two hosts found the same crystals in an image, in whatever order.

Each crystal of one is to be one of the other's. One that only one host tells is forgiven where a rounding error may
decide whether it is told at all, and there are few of them: nobody can make up a clear crystal, or keep one back. Those
that do not count are held against all that the other host tells: whether it counts is asked of those that do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from crystal_search.crystal import Crystal, Uncounted
from crystal_search.crystals.boxes import overlaps, reaches
from crystal_search.model_card import CrystalCard
from crystal_search.polygons import depths
from crystal_search.result import ImageScore
from crystal_search.result_crystals import MAX_CRYSTALS, MAX_UNCOUNTED, uncounted_of

LEAST_OVERLAP = 0.8  #: intersection over union of the boxes of one crystal
REACH_APART = 0.1  #: of a crystal's long side, and a pixel: by which its outlines may differ
CONTRAST_APART = 0.05  #: and this share of the contrast: by which contrasts may differ
FORGIVEN_SHARE = 0.05  #: of the crystals of an image that may be of one host alone, if each is doubtful
FORGIVEN = 1  #: where that share is less
BORDER_SHARE = 1 / 128  #: of the image's longer side: how near to the drop's border a centre is that may be outside
OVERLAP_APART = 0.02  #: by which overlaps of boxes may differ, where too large a one takes a crystal away

Crystals = tuple[Crystal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """By what two honest hosts may differ."""

    probability: float  #: by which probabilities may differ
    detector: CrystalCard | None = None  #: which both asked; None where it is not known what it counts


def other_crystals(a: ImageScore, b: ImageScore, tolerance: Tolerance) -> Iterator[str]:
    """Yield what the crystals of two scores of one image differ in."""
    if a.crystals is None or b.crystals is None:
        if a.crystals is not b.crystals:
            yield "only one searched for crystals"
        return
    matched = _found_by_both(a.crystals, b.crystals, tolerance.probability)
    here = [each for number, each in enumerate(a.crystals) if number not in matched]
    there = [each for number, each in enumerate(b.crystals) if number not in matched.values()]
    for alone, other in ((here, b), (there, a)):
        for each in alone:
            if not _is_doubtful(each, other, (a, b), tolerance):
                yield f"only one has the crystal {each.probability:.2f} at ({each.row:g}, {each.column:g})"
    yield from _too_many(here, there, (len(a.crystals), len(b.crystals)))
    yield from _other_uncounted(a, b, tolerance)


def _too_many(here: Sequence[Crystal], there: Sequence[Crystal], told: tuple[int, int]) -> Iterator[str]:
    """Yield whether more crystals are of one host alone than may be forgiven."""
    count = max(len(here), len(there))
    if count > max(FORGIVEN, FORGIVEN_SHARE * max(told)):
        yield f"of {told[0]} and {told[1]} crystals {count} are of one alone"


def _other_uncounted(a: ImageScore, b: ImageScore, tolerance: Tolerance) -> Iterator[str]:
    """Yield what the crystals that do not count differ in."""
    if a.uncounted is None or b.uncounted is None:
        if a.uncounted is not b.uncounted:
            yield "only one tells crystals that do not count"
        return
    here, there = _of_one_alone(a, b, tolerance), _of_one_alone(b, a, tolerance)
    for alone, other in ((here, b), (there, a)):
        for each in alone:
            if not _is_hardly_told(each, other, (a, b), tolerance):
                yield f"only one sees the crystal {each.probability:.2f} at ({each.row:g}, {each.column:g})"
    yield from _too_many(here, there, (len(a.uncounted), len(b.uncounted)))


def _of_one_alone(host: ImageScore, other: ImageScore, tolerance: Tolerance) -> Crystals:
    """Return the crystals that do not count for one host and that the other tells neither as such nor as others."""
    mine = tuple(each.crystal for each in host.uncounted or ())
    matched = _found_by_both(mine, _boxes_told(other), tolerance.probability)
    return tuple(each for number, each in enumerate(mine) if number not in matched)


def _boxes_told(score: ImageScore) -> Crystals:
    """Return all crystals that a host tells, by their boxes alone."""
    counting = (uncounted_of(each).crystal for each in score.crystals or ())
    return (*counting, *(each.crystal for each in score.uncounted or ()))


def _found_by_both(one: Crystals, other: Crystals, tolerance: float) -> dict[int, int]:
    """Return which crystals of one are which of the other, each of them once."""
    if not one or not other:
        return {}
    mine, its = (np.array([each.box for each in crystals]) for crystals in (one, other))
    apart = np.hypot(*(mine[:, None, axis] - its[None, :, axis] for axis in (0, 1)))
    first, second = np.nonzero(apart < np.maximum(mine[:, None, 2], its[None, :, 2]))
    alike = overlaps(mine[first], its[second]) >= LEAST_OVERLAP
    matched: dict[int, int] = {}
    for number, its_number in zip(first[alike].tolist(), second[alike].tolist(), strict=True):
        free = number not in matched and its_number not in matched.values()
        if free and _is_crystal(one[number], other[its_number], tolerance):
            matched[number] = its_number
    return matched


def _is_crystal(one: Crystal, other: Crystal, tolerance: float) -> bool:
    """Tell whether two crystals whose boxes are alike are one: as probable and as dark, with outlines as far out."""
    if (one.contrast is None) != (other.contrast is None):
        return False
    contrasts = one.contrast or 0.0, other.contrast or 0.0
    if abs(contrasts[0] - contrasts[1]) > CONTRAST_APART * (1 + max(contrasts)):
        return False
    centre = np.array([one.box[:2]])
    apart = np.abs(reaches(np.array([one.outline]), centre) - reaches(np.array([other.outline]), centre)).max()
    return abs(one.probability - other.probability) <= tolerance and apart <= 1 + REACH_APART * one.long_px


def _is_doubtful(
    crystal: Crystal, other: ImageScore, hosts: tuple[ImageScore, ImageScore], tolerance: Tolerance
) -> bool:
    """Tell whether rounding may decide that a crystal is told, which the other host does not tell."""
    detector, its = tolerance.detector, other.crystals or ()
    hardly_more = crystal.probability - tolerance.probability
    if _is_left_out(hardly_more, its, MAX_CRYSTALS, least=None if detector is None else detector.counts_in_drops):
        return True
    return _is_at_border(crystal, hosts) or (detector is not None and _is_taken(crystal, its, hardly_more, detector))


def _is_hardly_told(
    crystal: Crystal, other: ImageScore, hosts: tuple[ImageScore, ImageScore], tolerance: Tolerance
) -> bool:
    """Tell whether rounding may decide that a crystal which does not count is told; it reaches into the drop."""
    detector, its = tolerance.detector, other.uncounted or ()
    hardly_more = crystal.probability - tolerance.probability
    if _is_left_out(hardly_more, its, MAX_UNCOUNTED, least=None if detector is None else detector.seen_from):
        return True
    if _is_at_edge(crystal, hosts[0]) or _is_at_border(crystal, hosts, outside_px=uncounted_of(crystal).reach_px):
        return True
    return detector is not None and _is_taken(crystal, _boxes_told(other), hardly_more, detector)


def _is_left_out(probability: float, told: Sequence[Crystal | Uncounted], most: int, *, least: float | None) -> bool:
    """Tell whether a host that tells `most` crystals, from `least` on, tells none of a probability."""
    return (least is not None and probability < least) or (len(told) == most and probability <= told[-1].probability)


def _is_at_border(crystal: Crystal, hosts: tuple[ImageScore, ImageScore], *, outside_px: float = 0.0) -> bool:
    """Tell whether a centre lies near the border of the drop that either host found, or between the two.

    With `outside_px` the border is so far outside of the drop.
    """
    near = BORDER_SHARE * max(hosts[0].height_px, hosts[0].width_px)
    deep = np.array([_depth(crystal, host) for host in hosts]) + outside_px
    return bool((np.abs(deep) <= near).any() or deep[0] * deep[1] < 0)


def _is_at_edge(crystal: Crystal, image: ImageScore) -> bool:
    """Tell whether a centre lies near the image's border, beyond which none is told."""
    near = BORDER_SHARE * max(image.height_px, image.width_px)
    return min(crystal.row, image.height_px - crystal.row, crystal.column, image.width_px - crystal.column) <= near


def _depth(crystal: Crystal, host: ImageScore) -> float:
    """Return how deep in the drop a centre lies, px; in the whole image where none was found."""
    bottom, right = host.height_px, host.width_px
    whole = ((0, 0), (0, right), (bottom, right), (bottom, 0))
    (depth,) = depths((host.drop and host.drop.outline) or whole, [(crystal.row, crystal.column)])
    return float(depth)


def _is_taken(crystal: Crystal, others: Crystals, hardly_more: float, detector: CrystalCard) -> bool:
    """Tell whether one of the other host's crystals, as probable, overlaps it by as much as takes one away."""
    boxes = np.array([each.box for each in others if each.probability >= hardly_more]).reshape(-1, 5)
    mine = np.broadcast_to(np.array(crystal.box), boxes.shape)
    return bool((np.abs(overlaps(mine, boxes) - detector.most_overlap) <= OVERLAP_APART).any())
