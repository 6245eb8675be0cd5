"""Crystals that count in an image file, why none does, and the picture of its drop."""

from collections.abc import Callable

import numpy as np
import pytest

from crystal_search.crystal import Crystal
from crystal_search.direct.counted_crystals import NO_DROP, counted_anywhere, counted_in_drop
from crystal_search.direct.crystal_pictures import drawn
from crystal_search.geometry import Box
from crystal_search.images import decode, from_array
from crystal_search.scoring.chops_around import ChopsAround
from crystal_search.scoring.crystals_in_drop import counts
from crystal_search.unet_drop.locate import LocatedDrop


def crystal_at(row: float, column: float) -> Crystal:
    return Crystal(probability=0.9, row=row, column=column, long_px=16.0, short_px=8.0, angle_rad=0.0, outline=())


def asking(around: ChopsAround) -> tuple[Callable[[LocatedDrop], ChopsAround], list[int]]:
    """Return what gives `around`, and a list that grows each time that it is asked."""
    asked_for: list[int] = []

    def chops(_: LocatedDrop) -> ChopsAround:
        asked_for.append(1)
        return around

    return chops, asked_for


@pytest.mark.parametrize(
    ("places", "crystals_from", "reason", "chops_needed"),
    [
        ((), 0.6, "the detector finds no crystal with a probability of 0.5 or more; --least says another", False),
        (((10, 10),), 0.6, "1 crystal beside the drop, none in it", False),
        (((200, 200), (10, 10)), 0.0, None, False),
        (((200, 200), (10, 10)), 0.4, None, True),
        (
            ((200, 200), (200, 240)),
            0.45,
            "2 crystals in the drop, but the chops around say 0.40 at most, below 0.45",
            True,
        ),
        (
            ((200, 200), (200, 240), (10, 10)),
            0.6,
            "2 crystals in the drop, but the classifier sees none: the best chop says 0.50, below 0.6",
            True,
        ),
    ],
)
def test_an_image_without_crystals_says_why_and_chops_are_scored_only_where_they_decide(
    places: tuple[tuple[float, float], ...], crystals_from: float, reason: str | None, *, chops_needed: bool
) -> None:
    image = from_array(np.zeros((400, 400), np.uint8))
    mask = np.zeros((100, 100), np.bool_)
    mask[25:75, 25:75] = True
    drop = LocatedDrop(mask, Box(25, 25, 75, 75), ())
    around = ChopsAround(middles_px=np.array([[200.0, 200], [300, 300]]), near_px=60, crystal=np.array([0.4, 0.5]))
    chops, asked_for = asking(around)
    found = counted_anywhere([crystal_at(*each) for each in places], 0.5)
    counted = counted_in_drop(found, image, drop, chops, crystals_from=crystals_from)
    assert counted.none_because == reason
    assert bool(asked_for) is chops_needed
    expected = [
        each for each in found.crystals if counts(each, image, drop, lambda: around, crystals_from=crystals_from)
    ]
    assert list(counted.crystals) == expected


def test_no_drop_no_crystals_and_no_chops() -> None:
    chops, asked_for = asking(ChopsAround(np.zeros((1, 2)), 10.0, np.zeros(1)))
    image = from_array(np.zeros((400, 400), np.uint8))
    counted = counted_in_drop(counted_anywhere([crystal_at(200, 200)], 0.5), image, None, chops, crystals_from=0.5)
    assert (counted.crystals, counted.none_because, asked_for) == ((), NO_DROP, [])


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
