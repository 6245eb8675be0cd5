"""Oriented boxes: overlaps, corners, outlines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import builds, floats
from numpy.typing import NDArray

from crystal_search.crystals.boxes import DIRECTIONS, areas, corners, outline_of, overlaps, reaches

Box = NDArray[np.float64]


def box(row: float, column: float, long: float, ratio: float, angle: float) -> Box:
    return np.array([[row, column, long, long * ratio, angle]])


boxes = builds(
    box, floats(-20, 20), floats(-20, 20), long=floats(2, 60), ratio=floats(0.1, 1), angle=floats(0, float(np.pi))
)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((0, 0, 4, 2, 0), (0, 0, 4, 2, 0), 1.0),
        ((0, 0, 4, 2, 0), (0, 0, 4, 2, np.pi / 2), 4 / 12),  # a cross
        ((0, 0, 2, 2, 0), (0, 0, 2, 2, np.pi / 4), 0.7071),  # a regular octagon: 8 (sqrt 2 - 1) of 8 less that
        ((0, 0, 4, 2, 0), (0, 9, 4, 2, 0), 0.0),
        ((0, 0, 8, 8, 0), (1, 1, 4, 2, 0), 8 / 64),  # one within the other
        ((0, 0, 4, 2, 0), (2, 0, 4, 2, 0), 0.0),  # they touch along a side
    ],
)
def test_overlaps_are_those_of_geometry(one: tuple[float, ...], other: tuple[float, ...], expected: float) -> None:
    assert overlaps(np.array([one]), np.array([other]))[0] == pytest.approx(expected, abs=1e-4)


@given(one=boxes, other=boxes)
def test_overlaps_are_the_same_both_ways_and_between_none_and_all(one: Box, other: Box) -> None:
    there, back = overlaps(one, other)[0], overlaps(other, one)[0]
    assert there == pytest.approx(back, abs=1e-6)
    assert 0 <= there <= 1 + 1e-9
    assert overlaps(one, one)[0] == pytest.approx(1, abs=1e-6)


@given(one=boxes)
def test_an_outline_holds_its_box_and_reaches_no_farther_in_any_direction_that_is_told(one: Box) -> None:
    reach = reaches(corners(one), one[:, :2])
    outline = outline_of(reach[0], one[0, :2])
    np.testing.assert_allclose(reaches(outline[None], one[:, :2]), reach, atol=1e-6)
    assert reach.shape == (1, DIRECTIONS)
    assert areas(outline[None])[0] >= one[0, 2] * one[0, 3] - 1e-6


def test_an_outline_of_a_square_along_the_axes_is_the_square() -> None:
    square = np.array([[10.0, 20.0, 8.0, 8.0, 0.0]])
    outline = outline_of(reaches(corners(square), square[:, :2])[0], square[0, :2])
    assert areas(outline[None])[0] == pytest.approx(64)
    assert (outline.min(axis=0).round(6).tolist(), outline.max(axis=0).round(6).tolist()) == ([6, 16], [14, 24])
