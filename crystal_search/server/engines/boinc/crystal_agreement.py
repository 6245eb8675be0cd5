"""Whether two hosts found the same crystals in an image, in whatever order.

Each crystal of one is to be one of the other's. One that only one host tells is forgiven where a rounding error may
decide whether it is told at all, and there are few of them: nobody can make up a clear crystal, or keep one back.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from crystal_search.crystal import Crystal
from crystal_search.crystals.boxes import overlaps, reaches
from crystal_search.model_card import CrystalCard
from crystal_search.polygons import depths
from crystal_search.result import ImageScore
from crystal_search.result_crystals import MAX_CRYSTALS

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
    count, most = max(len(here), len(there)), max(len(a.crystals), len(b.crystals))
    if count > max(FORGIVEN, FORGIVEN_SHARE * most):
        yield f"of {len(a.crystals)} and {len(b.crystals)} crystals {count} are of one alone"


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
    if detector is not None and hardly_more < detector.counts_in_drops:
        return True
    if len(its) == MAX_CRYSTALS and hardly_more <= its[-1].probability:
        return True
    return _is_at_border(crystal, hosts) or (detector is not None and _is_taken(crystal, its, hardly_more, detector))


def _is_at_border(crystal: Crystal, hosts: tuple[ImageScore, ImageScore]) -> bool:
    """Tell whether a centre lies near the border of the drop that either host found, or between the two."""
    reach = BORDER_SHARE * max(hosts[0].height_px, hosts[0].width_px)
    deep = np.array([_depth(crystal, host) for host in hosts])
    return bool((np.abs(deep) <= reach).any() or deep[0] * deep[1] < 0)


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
