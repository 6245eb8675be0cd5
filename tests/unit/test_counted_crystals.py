"""Crystals that count in an image file, why none does, and the picture of its drop."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from crystal_search.direct.counted_crystals import NO_DROP, counted_anywhere, counted_in_drop
from crystal_search.direct.crystal_pictures import drawn
from crystal_search.geometry import Box
from crystal_search.images import decode, from_array
from crystal_search.scoring.chops_around import ChopsAround
from crystal_search.scoring.crystals_in_drop import Limits, counts
from crystal_search.unet_drop.locate import LocatedDrop
from tests.unit.test_crystals_in_drop import CellDetector

LIMITS = Limits(seen_from=0.3, counts_from=0.5, crystals_from=0.6)


def asking(around: ChopsAround) -> tuple[Callable[[], ChopsAround], list[int]]:
    """Return what gives `around`, and a list that grows each time that it is asked."""
    asked_for: list[int] = []

    def chops() -> ChopsAround:
        asked_for.append(1)
        return around

    return chops, asked_for


@pytest.mark.parametrize(
    ("cells", "crystals_from", "reason", "chops_needed"),
    [
        ((), 0.6, "the detector finds no crystal with a probability of 0.5 or more; --least says another", False),
        (((2, 2),), 0.6, "1 crystal beside the drop, none in it", False),
        (((50, 50), (2, 2)), 0.0, None, False),
        (((50, 50), (2, 2)), 0.4, None, True),
        (
            ((50, 50), (50, 60)),
            0.45,
            "2 crystals in the drop, but the chops around say 0.40 at most, below 0.45",
            True,
        ),
        (
            ((50, 50), (50, 60), (2, 2)),
            0.6,
            "2 crystals in the drop, but the classifier sees none: the best chop says 0.50, below 0.6",
            True,
        ),
    ],
)
def test_an_image_without_crystals_says_why_and_chops_are_scored_only_where_they_decide(
    cells: tuple[tuple[int, int], ...], crystals_from: float, reason: str | None, *, chops_needed: bool
) -> None:
    image = from_array(np.zeros((400, 400), np.uint8))
    mask = np.zeros((100, 100), np.bool_)
    mask[25:75, 25:75] = True
    drop = LocatedDrop(mask, Box(25, 25, 75, 75), ())
    around = ChopsAround(middles_px=np.array([[200.0, 200], [300, 300]]), near_px=60, crystal=np.array([0.4, 0.5]))
    chops, asked_for = asking(around)
    limits = replace(LIMITS, crystals_from=crystals_from)
    counted = counted_in_drop(image, CellDetector(*cells), drop, chops, limits)
    assert counted.none_because == reason
    assert len(asked_for) == int(chops_needed)
    assert [(round(each.row) // 4, round(each.column) // 4) for each in counted.seen] == list(cells)
    expected = [each for each in counted.seen if counts(each, image, drop, chops, crystals_from=crystals_from)]
    assert [each.box for each in counted.crystals] == [each.box for each in expected]


def test_no_drop_no_crystals_and_no_chops() -> None:
    chops, asked_for = asking(ChopsAround(np.zeros((1, 2)), 10.0, np.zeros(1)))
    image = from_array(np.zeros((400, 400), np.uint8))
    detector = CellDetector((50, 50))
    counted = counted_in_drop(image, detector, None, chops, LIMITS)
    assert (counted.crystals, counted.none_because, asked_for, detector.asked) == ((), NO_DROP, [], 0)


def test_what_is_too_improbable_to_count_is_seen() -> None:
    """The second cell is a crystal of 0.99324, the first one of 0.99331."""
    image, detector = from_array(np.zeros((400, 400), np.uint8)), CellDetector((50, 50), (60, 60))
    both = counted_anywhere(image, detector, LIMITS)
    one = counted_anywhere(image, detector, replace(LIMITS, counts_from=0.99327))
    assert (len(both.crystals), both.none_because) == (2, None)
    assert (one.crystals, one.seen) == (both.crystals[:1], both.seen)
    none = counted_anywhere(image, detector, replace(LIMITS, counts_from=1.0))
    assert (none.crystals, none.seen) == ((), both.seen)
    assert none.none_because == "the detector finds no crystal with a probability of 1 or more; --least says another"


def test_a_picture_shows_each_part_of_the_drop() -> None:
    image = from_array(np.full((200, 1000), 255, np.uint8))
    mask = np.zeros((20, 100), np.bool_)
    mask[5:15, 10:30] = mask[5:15, 60:80] = True
    split = LocatedDrop(mask, Box(5, 10, 15, 80), ())
    plain, outlined = (decode(drawn(image, (), drop=drop)).colour.astype(int) for drop in (None, split))
    dark = np.abs(plain - outlined).max(axis=2) > 60  # JPEG blurs
    rows, columns = np.nonzero(dark)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((50, 150, 100, 800), abs=6)
    assert not dark[70:130, 320:580].any()
    assert not dark[70:130, 120:280].any()
