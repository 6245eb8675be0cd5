"""Which images are searched for crystals, and which of them count: in the drop, where the classifier sees some, too."""

from functools import partial

from crystal_search.crystal import Crystal
from crystal_search.crystals.finding import find_crystals
from crystal_search.crystals.told_outlines import within
from crystal_search.images import DecodedImage
from crystal_search.inference import Network
from crystal_search.model_card import CrystalCard
from crystal_search.outcomes import GROUPS, Group
from crystal_search.result import ImageScore
from crystal_search.result_crystals import MAX_CRYSTALS, rounded
from crystal_search.scoring.chops_around import ChopsAround
from crystal_search.unet_drop.locate import LocatedDrop


def is_searched(score: ImageScore, crystals_from: float) -> bool:
    """Tell whether the best chop of an image speaks enough for crystals; where nothing was scored, none does."""
    return bool(score.group_peaks) and score.group_peaks[GROUPS.index(Group.CRYSTAL)] >= crystals_from


def crystals_in_drop(
    image: DecodedImage,
    detector: Network[CrystalCard],
    drop: LocatedDrop | None,
    chops: ChopsAround,
    *,
    crystals_from: float,
) -> tuple[Crystal, ...]:
    """Return the crystals of a drop, or of the whole image without one, as results tell them, in stored pixels.

    The detector sees the whole image: images are normalised whole. Of more than `MAX_CRYSTALS` the most probable are
    told, and the most probable first.
    """
    found = find_crystals(
        *(image, detector),
        least_probability=detector.card.counts_in_drops,
        counts=partial(counts, image=image, drop=drop, chops=chops, crystals_from=crystals_from),
        most=MAX_CRYSTALS,
    )
    return tuple(rounded(within(each, image.height_px, image.width_px)) for each in found)


def counts(
    crystal: Crystal, image: DecodedImage, drop: LocatedDrop | None, chops: ChopsAround, *, crystals_from: float
) -> bool:
    """Tell whether a crystal lies in the drop, and chops around it speak for crystals with `crystals_from`, 0 to 1."""
    said = chops.speak_for_crystals(crystal.row, crystal.column)
    return said >= crystals_from and is_in_drop(crystal, image, drop)


def is_in_drop(crystal: Crystal, image: DecodedImage, drop: LocatedDrop | None) -> bool:
    """Tell whether the centre of a crystal lies in the image, and in any part of its drop if one was found."""
    if not (0 <= crystal.row < image.height_px and 0 <= crystal.column < image.width_px):
        return False
    if drop is None:
        return True
    rows, columns = drop.mask.shape
    scale = columns / image.width_px  # of rows, too: what is told of the drop is made of the mask like that
    row, column = int(crystal.row * scale), int(crystal.column * scale)
    return bool(drop.mask[min(row, rows - 1), min(column, columns - 1)])
