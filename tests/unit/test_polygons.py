"""Polygons: laws of areas, depths and middles, and masks written by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.polygons import area_of, covered, covered_parts, depths, middle_of

L_SHAPE = [(0, 0), (0, 9), (2, 9), (2, 2), (9, 2), (9, 0)]
RING = [(0, 0), (0, 10), (10, 10), (10, 5.5), (8, 5.5), (8, 8), (2, 8), (2, 2), (8, 2), (8, 4.5), (10, 4.5), (10, 0)]


@st.composite
def stars(draw: st.DrawFn) -> list[tuple[float, float]]:
    """Return a polygon that does not cross itself, around a centre anywhere, perhaps far from convex."""
    radii = draw(st.lists(st.floats(1, 60), min_size=3, max_size=12))
    row, column = draw(st.floats(-500, 500)), draw(st.floats(-500, 500))
    angles = np.arange(len(radii)) * 2 * np.pi / len(radii)
    return [(row + r * np.sin(a), column + r * np.cos(a)) for r, a in zip(radii, angles, strict=True)]


@given(stars())
def test_the_middle_lies_inside_and_not_at_the_border(polygon: list[tuple[float, float]]) -> None:
    (depth,) = depths(polygon, [middle_of(polygon)])
    assert depth > 0
    low, high = np.min(polygon, axis=0), np.max(polygon, axis=0)
    steps = np.stack(np.meshgrid(*2 * [np.linspace(0, 1, 25)]), axis=-1).reshape(-1, 2)
    deepest = depths(polygon, low + steps * (high - low)).max()
    assert depth >= 0.5 * deepest - 0.02 * (high - low).max()


@given(stars(), st.floats(0.1, 10), st.floats(-100, 100))
def test_area_grows_with_the_square_of_the_scale_and_not_by_moving(
    polygon: list[tuple[float, float]], scale: float, shift: float
) -> None:
    moved = [(scale * row + shift, scale * column - shift) for row, column in polygon]
    assert area_of(moved) == pytest.approx(scale**2 * area_of(polygon), rel=1e-6, abs=1e-6)
    assert area_of(polygon[::-1]) == pytest.approx(area_of(polygon))


@given(stars())
def test_a_mask_covers_as_many_pixels_as_the_polygon_is_large(polygon: list[tuple[float, float]]) -> None:
    corners = np.array(polygon) - np.array(polygon).min(axis=0) + 1
    height, width = np.ceil(corners.max(axis=0)).astype(int) + 1
    mask = covered([[(row, column) for row, column in corners.tolist()]], int(height), int(width))
    around = np.hypot(*(corners - np.roll(corners, 1, axis=0)).T).sum()
    assert abs(int(mask.sum()) - area_of(corners)) <= around + 1
    rows, columns = np.nonzero(mask)
    if len(rows):
        assert (depths(corners, np.column_stack((rows, columns)) + 0.5) > -1e-9).all()


def centres_inside(polygon: list[tuple[float, float]], height: int, width: int) -> set[tuple[int, int]]:
    """Return the pixels to the left of whose centre an odd number of sides crosses their row, one after the other."""
    inside: set[tuple[int, int]] = set()
    for row in range(height):
        middle = row + 0.5
        for (y, x), (y_end, x_end) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
            if (y <= middle) != (y_end <= middle):
                met = x + (middle - y) / (y_end - y) * (x_end - x)
                inside ^= {(row, column) for column in range(width) if column + 0.5 >= met}
    return inside


@given(st.lists(stars().map(lambda star: [(row / 20, column / 20) for row, column in star]), max_size=4))
def test_each_polygon_covers_the_pixels_whose_centres_lie_in_it(polygons: list[list[tuple[float, float]]]) -> None:
    height, width = 18, 21
    parts = list(covered_parts(polygons, height, width))
    expected = [centres_inside(polygon, height, width) for polygon in polygons]
    for part, inside in zip(parts, expected, strict=True):
        assert part.box == part.box.clipped(height, width)
        rows, columns = np.nonzero(part.mask)
        assert set(zip((rows + part.box.top).tolist(), (columns + part.box.left).tolist(), strict=True)) == inside
    rows, columns = np.nonzero(covered(polygons, height, width))
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == set().union(*expected)


def test_polygons_without_corners_or_outside_of_the_image_cover_nothing_and_others_what_they_did() -> None:
    square = [(1, 1), (1, 3), (3, 3), (3, 1)]
    nothing = [[], [(2, 2)], [(-9, 1), (-9, 3), (-3, 3)], [(1, 50), (1, 90), (3, 70)]]
    parts = list(covered_parts([*nothing, square, *nothing], 5, 5))
    assert [int(each.mask.sum()) for each in parts] == [0, 0, 0, 0, 4, 0, 0, 0, 0]
    assert parts[4].box == (1, 1, 3, 3)
    assert list(covered_parts([], 5, 5)) == []


def test_the_middle_of_a_convex_polygon_is_its_centroid() -> None:
    assert middle_of([(0, 0), (0, 6), (3, 0)]) == pytest.approx((1, 2))


def test_the_middle_of_a_ring_with_a_gap_lies_in_the_ring() -> None:
    assert depths(RING, [middle_of(RING)])[0] == pytest.approx(1.2, abs=0.1)  # in a corner, where it is widest
    assert depths(RING, [(5, 5)])[0] < 0


def test_the_centroid_of_an_l_lies_outside_and_its_middle_in_the_corner() -> None:
    rows, columns = np.nonzero(covered([L_SHAPE], 9, 9))
    assert depths(L_SHAPE, [(rows.mean() + 0.5, columns.mean() + 0.5)])[0] < 0
    assert middle_of(L_SHAPE) == pytest.approx((1.1, 1.1), abs=0.15)


def test_a_corner_that_is_said_twice_changes_nothing() -> None:
    square = [(0, 0), (0, 4), (4, 4), (4, 0)]
    assert middle_of([*square, square[-1]]) == middle_of(square) == (2, 2)
    assert depths([*square, square[-1]], [(1, 1)]).tolist() == [1]


def test_what_is_too_small_for_an_area_has_none() -> None:
    assert area_of([]) == area_of([(1, 1), (2, 2)]) == area_of([(1, 1), (2, 2), (3, 3)]) == 0


def test_a_thin_one_that_bends_has_its_middle_inside() -> None:
    bent = [(0, 0), (50, 40), (0, 80), (0.001, 80), (50.002, 40), (0.001, 0)]
    assert depths(bent, [middle_of(bent)])[0] > 0
