"""Where to shoot: inside, apart, in an order that the crystals alone decide."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crystal_search.crystal import Crystal, Outline
from crystal_search.crystals.targets import Shooting, gaps_between, points_on, targets_of
from crystal_search.errors import UserError
from crystal_search.polygons import depths


def crystal(
    row: float, column: float, long: float = 40, short: float = 10, angle: float = 0.0, *, outline: Outline = ()
) -> Crystal:
    """Return a crystal as large as its box, or with another outline."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([(-short, -long), (-short, long), (short, long), (short, -long)]) / 2 @ turn + (row, column)
    own = tuple((float(r), float(c)) for r, c in corners)
    return Crystal(
        probability=0.9,
        row=row,
        column=column,
        long_px=long,
        short_px=short,
        angle_rad=angle,
        outline=outline or own,
    )


@st.composite
def crystals(draw: st.DrawFn) -> Crystal:
    """Return a crystal of any size and bearing, perhaps one whose outline is a star."""
    long, share = draw(st.floats(2, 80)), draw(st.floats(0.05, 1))
    row, column, angle = draw(st.floats(0, 900)), draw(st.floats(0, 900)), draw(st.floats(0, 3.14))
    radii = draw(st.lists(st.floats(0.2, 1), min_size=5, max_size=9))
    turns = np.arange(len(radii)) * 2 * np.pi / len(radii)
    star = tuple(
        (row + long * r * float(np.sin(t)), column + long * r * float(np.cos(t)))
        for r, t in zip(radii, turns, strict=True)
    )
    return crystal(row, column, long, long * share, angle, outline=draw(st.sampled_from([(), star])))


@given(crystals(), st.floats(6, 60), st.floats(0, 20))
def test_points_lie_inside_with_their_spacing_and_margin(found: Crystal, spacing: float, margin: float) -> None:
    points = np.array(points_on(found, Shooting(spacing_px=spacing, margin_px=margin)))
    places, told = points[:, :2], points[:, 2]
    np.testing.assert_allclose(depths(found.outline, places), told)
    assert (told > 0).all()
    if len(points) > 1:
        assert (told >= margin).all()
        apart = np.hypot(*np.moveaxis(places[:, None] - places[None], -1, 0))
        assert apart[np.triu_indices(len(points), 1)].min() >= spacing * (1 - 1e-9)


@settings(max_examples=30)
@given(st.lists(crystals(), max_size=4, unique_by=lambda each: each.box), st.randoms())
def test_the_order_does_not_depend_on_the_order_of_the_crystals(found: list[Crystal], random: object) -> None:
    other = sorted(found, key=lambda each: hash((each.row, str(random))))
    told = [(found[each.crystal].box, each.row, each.column) for each in targets_of(found)]
    assert told == [(other[each.crystal].box, each.row, each.column) for each in targets_of(other)]
    assert len(told) == len(found)


def test_crystals_with_room_around_them_come_first_and_then_the_larger() -> None:
    pair = [crystal(100, 100, 60, 20), crystal(125, 100, 60, 20)]
    alone = [crystal(500, 100, 20, 10), crystal(500, 500, 30, 10)]
    targets = targets_of([*pair, *alone])
    assert [each.crystal for each in targets] == [3, 2, 0, 1]
    assert [each.is_alone for each in targets] == [True, True, False, False]
    assert [each.gap_px for each in targets[2:]] == [5, 5]
    assert [each.crystal for each in targets_of([*pair, *alone], Shooting(apart_px=0))] == [0, 1, 3, 2]


def test_one_crystal_without_others_is_alone() -> None:
    (target,) = targets_of([crystal(50, 60)])
    assert (target.row, target.column, target.depth_px, target.gap_px) == (50, 60, 5, np.inf)


def test_a_long_one_gets_points_along_its_long_side() -> None:
    points = points_on(crystal(50, 60, 100, 10), Shooting(spacing_px=20, margin_px=4))
    assert [(row, round(column, 6)) for row, column, _ in points] == [(50, each) for each in (20, 40, 60, 80, 100)]
    points = points_on(crystal(50, 60, 90, 10), Shooting(spacing_px=20, margin_px=4))
    assert [round(column, 6) for _, column, _ in points] == [20, 40, 60, 80, 100]
    points = points_on(crystal(50, 60, 87, 10), Shooting(spacing_px=20, margin_px=4))
    assert [round(column, 6) for _, column, _ in points] == [30, 50, 70, 90]


def test_a_wide_one_gets_a_grid() -> None:
    points = points_on(crystal(50, 60, 50, 30), Shooting(spacing_px=20, margin_px=1))
    assert {(round(row), round(column)) for row, column, _ in points} == {
        (row, column) for row in (40, 60) for column in (40, 60, 80)
    }


def test_where_no_point_keeps_the_margin_the_middle_counts() -> None:
    assert points_on(crystal(50, 60), Shooting(spacing_px=5, margin_px=6)) == [(50, 60, 5)]


@pytest.mark.parametrize("angle", [0.0, 0.7, 1.6, 3.0])
def test_gaps_are_those_of_the_outlines(angle: float) -> None:
    first = crystal(200, 200, 80, 20, angle)
    beside = crystal(200 + 30 * np.cos(angle), 200 - 30 * np.sin(angle), 80, 20, angle)
    far = crystal(800, 800)
    assert gaps_between([first, beside, far])[:2] == pytest.approx([10, 10])
    cross = crystal(200, 200, 80, 20, angle + np.pi / 2)
    assert gaps_between([first, cross]) == [0, 0]  # no corner of one lies in the other
    assert gaps_between([first, crystal(200, 200, 20, 5, angle)]) == [0, 0]


def test_what_has_no_outline_is_not_shot_at() -> None:
    empty = replace(crystal(10, 10), outline=((1.0, 1.0),))
    assert [each.crystal for each in targets_of([empty, crystal(50, 60)])] == [1]
    assert targets_of([]) == ()


def test_a_spacing_that_makes_points_without_end_is_refused() -> None:
    with pytest.raises(UserError, match="name a larger spacing"):
        targets_of([crystal(50, 60)], Shooting(spacing_px=0.001))
