"""Which images are searched for crystals, and which of them count: in the drop, where the classifier sees some, too."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np

from crystal_search.crystal import Crystal, Uncounted
from crystal_search.crystals.finding import Seen, seen_crystals
from crystal_search.crystals.told_outlines import with_sides_that_fit, within
from crystal_search.images import DecodedImage
from crystal_search.inference import Network
from crystal_search.model_card import CrystalCard
from crystal_search.outcomes import GROUPS, Group
from crystal_search.polygons import depths
from crystal_search.result import ImageScore
from crystal_search.result_crystals import MAX_CRYSTALS, MAX_UNCOUNTED, rounded, uncounted_of
from crystal_search.scoring.chops_around import ChopsAround
from crystal_search.unet_drop.locate import LocatedDrop


def is_searched(score: ImageScore, crystals_from: float) -> bool:
    """Tell whether the best chop of an image speaks enough for crystals; where nothing was scored, none does."""
    return bool(score.group_peaks) and score.group_peaks[GROUPS.index(Group.CRYSTAL)] >= crystals_from


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From when on a crystal of a drop is seen, and counts."""

    seen_from: float  #: the detector's probability; those of less are none
    counts_from: float  #: the detector's probability, not below `seen_from`
    crystals_from: float  #: what the chops around must say, 0 to 1; at 0 they are not asked


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SeenInDrop:
    """The crystals that a detector sees in an image, and which of them count in its drop."""

    seen: Seen
    stored: tuple[Crystal, ...]  #: all of them, in stored pixels
    counting: tuple[int, ...]  #: the numbers of those that count, the most probable first


def seen_in_drop(
    image: DecodedImage,
    detector: Network[CrystalCard],
    drop: LocatedDrop | None,
    chops: Callable[[], ChopsAround],
    limits: Limits,
) -> SeenInDrop:
    """Return which crystals of a drop, or of the whole image without one, count: by clients, and of files at hand.

    The detector sees the whole image: images are normalised whole.

    Parameters
    ----------
    chops
        Asked for each crystal that depends on what they say.
    """
    seen = seen_crystals(image, detector, least_probability=limits.seen_from)
    stored = seen.stored
    wanted = partial(counts, image=image, drop=drop, chops=chops, crystals_from=limits.crystals_from)
    counting = (at for at, each in enumerate(stored) if each.probability >= limits.counts_from and wanted(each))
    return SeenInDrop(seen=seen, stored=stored, counting=tuple(counting))


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundInDrop:
    """The crystals of a drop, or of the whole image without one, as results tell them, in stored pixels."""

    crystals: tuple[Crystal, ...]  #: that count, the most probable `MAX_CRYSTALS`, the most probable first
    uncounted: tuple[Uncounted, ...]  #: the others that reach into the drop, `MAX_UNCOUNTED` in the same way


def crystals_in_drop(
    image: DecodedImage,
    detector: Network[CrystalCard],
    drop: LocatedDrop | None,
    chops: ChopsAround,
    *,
    crystals_from: float,
) -> FoundInDrop:
    """Return which crystals of a drop, or of the whole image without one, count, and which others a detector sees."""
    card = detector.card
    limits = Limits(seen_from=card.seen_from, counts_from=card.counts_in_drops, crystals_from=crystals_from)
    there = seen_in_drop(image, detector, drop, lambda: chops, limits)
    found = there.seen.measured(there.counting[:MAX_CRYSTALS])
    others = [there.stored[at] for at in sorted(set(range(len(there.stored))).difference(there.counting))]
    return FoundInDrop(
        crystals=tuple(rounded(within(each, image.height_px, image.width_px)) for each in found),
        uncounted=_uncounted(others, image, drop)[:MAX_UNCOUNTED],
    )


def _uncounted(crystals: Iterable[Crystal], image: DecodedImage, drop: LocatedDrop | None) -> tuple[Uncounted, ...]:
    """Return those of the crystals that do not count which may reach into the drop, that is its largest part."""
    inside = (each for each in crystals if is_in_image(each, image))
    others = [uncounted_of(with_sides_that_fit(each, image.height_px, image.width_px)) for each in inside]
    if drop is None or not others:
        return tuple(others)
    scale = image.width_px / drop.mask.shape[1]
    deep = depths(scale * np.array(drop.outline), [(each.row, each.column) for each in others])
    return tuple(each for each, depth in zip(others, deep.tolist(), strict=True) if depth >= -each.reach_px)


def counts(
    crystal: Crystal,
    image: DecodedImage,
    drop: LocatedDrop | None,
    chops: Callable[[], ChopsAround],
    *,
    crystals_from: float,
) -> bool:
    """Tell whether a crystal lies in the drop, and chops around it speak for crystals with `crystals_from`, 0 to 1.

    What the chops say is asked for only where the crystal depends on it: at 0 all in the drop count.
    """
    if not is_in_drop(crystal, image, drop):
        return False
    return crystals_from <= 0 or chops().speak_for_crystals(crystal.row, crystal.column) >= crystals_from


def is_in_drop(crystal: Crystal, image: DecodedImage, drop: LocatedDrop | None) -> bool:
    """Tell whether the centre of a crystal lies in the image, and in any part of its drop if one was found."""
    if not is_in_image(crystal, image):
        return False
    if drop is None:
        return True
    rows, columns = drop.mask.shape
    scale = columns / image.width_px  # of rows, too: what is told of the drop is made of the mask like that
    row, column = int(crystal.row * scale), int(crystal.column * scale)
    return bool(drop.mask[min(row, rows - 1), min(column, columns - 1)])


def is_in_image(crystal: Crystal, image: DecodedImage) -> bool:
    """Tell whether the centre of a crystal lies in the image."""
    return 0 <= crystal.row < image.height_px and 0 <= crystal.column < image.width_px
