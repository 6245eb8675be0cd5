"""Where to dispense: masks made by hand whose farthest point is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from crystal_search.crystals.dispensing import Dispense, Dispensing, distances, finer, where_to_dispense
from crystal_search.polygons import covered
from crystal_search.unet_drop.regions import Mask
from tests.unit.test_crystals_targets import crystal

SIZE_PX = (200, 300)


def disc(row: float, column: float, radius: float, size: tuple[int, int] = SIZE_PX) -> Mask:
    rows, columns = np.indices(size)
    return np.asarray(np.hypot(rows + 0.5 - row, columns + 0.5 - column) <= radius)


def found(drop: Mask, *crystals: object, least: float = 5, spacing: float = 20, most: int = 1) -> Dispense:
    rule = Dispensing(least_px=least, spacing_px=spacing, most=most)
    return where_to_dispense(drop, crystals, rule, size_px=SIZE_PX)  # type: ignore[arg-type]


def test_in_a_round_drop_it_is_the_middle() -> None:
    (point,) = found(disc(100.5, 150.5, 60)).points
    assert (point.row, point.column) == (100.5, 150.5)
    assert point.to_border_px == pytest.approx(60, abs=1)
    assert point.to_crystal_px == np.inf


def test_with_a_crystal_it_is_as_far_from_that_as_from_the_border() -> None:
    (point,) = found(disc(100.5, 150.5, 80), crystal(100.5, 111, 81, 20)).points
    # The crystal ends at column 151.5, the drop at 230.5; between them a circle is larger the nearer to the diameter.
    assert point.to_crystal_px == pytest.approx(point.to_border_px, abs=1.5)
    assert point.column > 151.5


def test_of_several_parts_it_is_in_the_widest() -> None:
    (point,) = found(disc(100, 60, 30) | disc(100, 220, 50)).points
    assert (point.row, point.column) == pytest.approx((100, 220), abs=1)


def test_a_hole_is_border() -> None:
    ring = disc(100, 150, 90) & ~disc(100, 150, 30)
    (point,) = found(ring).points
    assert np.hypot(point.row - 100, point.column - 150) == pytest.approx(60, abs=1)
    assert point.to_border_px == pytest.approx(30, abs=1.5)


def test_the_border_of_the_image_is_border() -> None:
    (point,) = found(np.ones(SIZE_PX, np.bool_)).points
    assert point.to_border_px == pytest.approx(100, abs=1)
    assert point.row == pytest.approx(100, abs=1)


def test_other_candidates_are_apart_and_ever_less_far_away() -> None:
    parts = disc(60, 60, 50) | disc(60, 220, 40) | disc(160, 150, 30)
    points = found(parts, spacing=50, most=3).points
    assert [each.clearance_px for each in points] == pytest.approx([50, 40, 30], abs=1.5)
    assert len(found(parts, spacing=50, most=3, least=35).points) == 2
    assert len(found(parts, spacing=150, most=3).points) == 2


def test_where_nothing_is_far_enough_it_says_how_far_and_from_what() -> None:
    refused = found(disc(100, 150, 20), least=30)
    assert (refused.points, refused.refused) == ((), "too near")
    assert refused.best is not None
    assert refused.best.clearance_px == pytest.approx(20, abs=1.5)
    assert found(disc(100, 150, 20), crystal(100, 150, 60, 60)).refused == "covered"
    assert found(np.zeros(SIZE_PX, np.bool_)).refused == "covered"


def test_a_crystal_smaller_than_a_pixel_of_the_mask_counts() -> None:
    small = where_to_dispense(
        disc(20.5, 30.5, 15, (40, 60)),
        [crystal(102, 152, 1, 1)],
        Dispensing(least_px=1, spacing_px=1),
        size_px=(4000, 6000),
    )
    assert small.best is not None
    near = where_to_dispense(
        disc(20.5, 30.5, 15, (40, 60)),
        [crystal(2050, 3050, 1, 1)],
        Dispensing(least_px=1, spacing_px=1),
        size_px=(4000, 6000),
    )
    assert small.best.clearance_px == pytest.approx(1500, abs=60)
    assert near.best is not None
    assert near.best.clearance_px == pytest.approx(750, abs=60)


@settings(max_examples=20)
@given(st.lists(st.tuples(*3 * [st.integers(10, 90)]), max_size=4), st.integers(0, 3))
def test_it_is_kings_point_and_its_clearance_is_what_the_transform_says(
    places: list[tuple[int, int, int]], holes: int
) -> None:
    drop = disc(100, 150, 95)
    for number in range(holes):
        drop &= ~disc(60 + 30 * number, 120 + 25 * number, 6)
    crystals = [crystal(row + 50, column + 100, size, size / 3, size / 30) for row, column, size in places]
    free = drop & ~covered([each.outline for each in crystals], *SIZE_PX)
    highest = distance_transform_edt(np.pad(free, 1)).max() - 0.5
    (point,) = found(drop, *crystals, least=0.1).points
    assert free[int(point.row), int(point.column)]
    assert point.clearance_px == pytest.approx(highest, abs=1.5)


def test_distances_are_to_the_edge_of_the_nearest_pixel_outside() -> None:
    mask = np.ones((5, 5), np.bool_)
    mask[2, 2] = False
    assert distances(mask)[2].tolist() == [0.5, 0.5, 0, 0.5, 0.5]


def test_a_mask_is_made_finer_but_no_finer_than_the_image() -> None:
    assert finer(disc(20, 30, 15, (40, 60)), (80, 120)).shape == (80, 120)
    assert finer(disc(20, 30, 15, (40, 60)), (4000, 6000)).shape == (683, 1024)
    assert finer(disc(20, 30, 15, (40, 60)), (40, 60)).shape == (40, 60)
    assert finer(disc(20, 30, 15, (40, 60)), (400, 600)).mean() == pytest.approx(
        disc(20, 30, 15, (40, 60)).mean(), rel=0.02
    )
