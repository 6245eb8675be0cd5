"""Oriented boxes: overlaps, corners, outlines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import builds, floats, lists
from numpy.typing import NDArray

from crystal_search.crystals.boxes import (
    DIRECTIONS,
    areas,
    circle_of_directions,
    corners,
    cut,
    outline_of,
    outlines_in_boxes,
    overlaps,
    reaches,
)

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


outlined = lists(floats(0.5, 40), min_size=DIRECTIONS, max_size=DIRECTIONS).map(np.array)


def cut_step_by_step(box: Box, reach: Box) -> Box:
    """Return the corners of a box of which everything is cut off, one direction after the other, that lies too far."""
    left: Box = corners(box)[0]
    for direction, limit in zip(circle_of_directions(), reach, strict=True):
        left = cut(left, direction, float(direction @ box[0, :2] + limit))
    return np.asarray(left)


@given(told=lists(boxes, min_size=1, max_size=4), reach=outlined)
def test_outlines_in_boxes_are_the_boxes_cut_off_where_each_direction_ends(told: list[Box], reach: Box) -> None:
    found = outlines_in_boxes(np.stack([reach + number for number in range(len(told))]), np.concatenate(told))
    for number, (box, outline) in enumerate(zip(told, found, strict=True)):
        expected = cut_step_by_step(box, reach + number)
        assert areas(outline[None])[0] == pytest.approx(areas(expected[None])[0], abs=1e-6)
        ahead = reaches(outline[None], box[:, :2])
        np.testing.assert_allclose(ahead, reaches(expected[None], box[:, :2]), rtol=0, atol=1e-6)


@given(one=boxes, reach=outlined)
def test_the_corners_of_an_outline_are_told_once_and_in_order(one: Box, reach: Box) -> None:
    (outline,) = outlines_in_boxes(reach[None], one)
    sides = np.roll(outline, -1, axis=0) - outline
    assert np.hypot(*sides.T).min() > 0
    turns = np.roll(np.arctan2(sides[:, 0], sides[:, 1]), -1) - np.arctan2(sides[:, 0], sides[:, 1])
    assert (turns % (2 * np.pi)).sum() == pytest.approx(2 * np.pi)


def test_an_outline_whose_box_lies_as_directions_do_has_four_corners() -> None:
    lying = np.array([[10.0, 20.0, 12.0, 6.0, 2 * np.pi / DIRECTIONS]])
    (outline,) = outlines_in_boxes(reaches(corners(lying), lying[:, :2]), lying)
    assert len(outline) == 4
    assert areas(outline[None])[0] == pytest.approx(72)


@pytest.mark.parametrize("sides", [(10.0, 0.0), (0.0, 0.0), (8192.0, 1e-30)])
def test_an_outline_in_a_box_without_a_width_has_corners_and_hardly_an_area(sides: tuple[float, float]) -> None:
    (outline,) = outlines_in_boxes(np.full((1, DIRECTIONS), 0.4), np.array([[5.0, 5.0, *sides, 0.7]]))
    assert len(outline) == 4
    assert 0 < areas(outline[None])[0] < 1e-4


def test_where_nothing_was_found_there_are_no_outlines() -> None:
    assert outlines_in_boxes(np.empty((0, DIRECTIONS)), np.empty((0, 5))) == []


def test_an_outline_that_reaches_nowhere_has_no_corners() -> None:
    assert len(outline_of(np.zeros(DIRECTIONS), np.array([5.0, 5.0]))) == 0
    assert len(outline_of(np.full(DIRECTIONS, -1.0), np.array([5.0, 5.0]))) == 0


def test_an_outline_of_a_square_along_the_axes_is_the_square() -> None:
    square = np.array([[10.0, 20.0, 8.0, 8.0, 0.0]])
    outline = outline_of(reaches(corners(square), square[:, :2])[0], square[0, :2])
    assert areas(outline[None])[0] == pytest.approx(64)
    assert (outline.min(axis=0).round(6).tolist(), outline.max(axis=0).round(6).tolist()) == ([6, 16], [14, 24])
