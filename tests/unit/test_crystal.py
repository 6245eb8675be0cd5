"""What is measured of one crystal."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.crystal import LEAST_CONTRAST, Crystal, Outline
from crystal_search.crystals.contrast import with_contrasts
from crystal_search.geometry import Box
from crystal_search.images import Grey
from crystal_search.polygons import covered, depths

U_SHAPE: Outline = ((10, 10), (10, 14), (30, 14), (30, 26), (10, 26), (10, 30), (34, 30), (34, 10))


def crystal(outline: Outline = ((20, 40), (20, 80), (30, 80), (30, 40))) -> Crystal:
    rows, columns = zip(*outline, strict=True)
    sides = sorted((max(rows) - min(rows), max(columns) - min(columns)))
    row, column = (min(rows) + max(rows)) / 2, (min(columns) + max(columns)) / 2
    return Crystal(
        probability=0.9, row=row, column=column, long_px=sides[1], short_px=sides[0], angle_rad=0.0, outline=outline
    )


def test_it_is_measured_by_its_outline() -> None:
    found = crystal()
    assert (found.area_px2, found.aspect, found.middle) == (400, 4, (25, 60))
    assert found.upright == Box(20, 40, 30, 80)
    assert crystal(((0.5, 1.5), (9.2, 3), (4, 8.7))).upright == Box(0, 1, 10, 9)


def test_its_middle_is_inside_where_its_box_has_its_centre_outside() -> None:
    found = crystal(U_SHAPE)
    assert depths(U_SHAPE, [(found.row, found.column)])[0] < 0
    assert depths(U_SHAPE, [found.middle])[0] > 1.5


def test_without_an_outline_it_is_where_its_box_is() -> None:
    found = replace(crystal(), outline=())
    assert (found.area_px2, found.middle, found.upright) == (0, (25, 60), Box(25, 60, 25, 60))
    assert not found.is_cut_off(50, 100)


@pytest.mark.parametrize(
    ("moved", "size_px", "expected"),
    [
        ((0, 0), (100, 200), False),
        ((-19.5, 0), (100, 200), True),
        ((-40, 0), (100, 200), True),
        ((0, -39.5), (100, 200), True),
        ((0, 0), (30, 200), True),
        ((0, 0), (100, 80), True),
        ((0, 0), (31, 81), False),
    ],
)
def test_it_is_cut_off_where_it_reaches_the_border(
    moved: tuple[float, float], size_px: tuple[int, int], expected: bool
) -> None:
    found = crystal(tuple((row + moved[0], column + moved[1]) for row, column in crystal().outline))
    assert found.is_cut_off(*size_px) is expected


@given(st.floats(0.1, 20))
def test_enlarged_it_is_the_same_crystal(scale: float) -> None:
    found, larger = replace(crystal(), contrast=0.2), replace(crystal(), contrast=0.2).enlarged(scale)
    assert larger.area_px2 == pytest.approx(scale**2 * found.area_px2)
    assert larger.middle == pytest.approx([scale * each for each in found.middle])
    assert larger.aspect == pytest.approx(found.aspect)
    assert larger.contrast == 0.2
    assert larger.enlarged(1 / scale).box == pytest.approx(found.box)


@given(st.floats(-0.6, 0.6), st.floats(0, 4), st.integers(0, 9))
def test_contrast_is_how_far_its_light_is_from_that_around_it_without_the_noise(
    change: float, noise: float, seed: int
) -> None:
    grey = np.full((60, 120), 150.0)
    grey[covered([crystal().outline], 60, 120)] *= 1 + change
    grey += np.random.default_rng(seed).normal(0, noise, grey.shape)
    (found,) = with_contrasts([crystal()], np.clip(np.rint(grey), 0, 255).astype(np.uint8))
    assert found.contrast == pytest.approx(abs(change), abs=0.03)


def test_what_differs_too_little_is_faint_and_what_was_not_looked_at_is_not() -> None:
    assert replace(crystal(), contrast=LEAST_CONTRAST / 2).is_faint
    assert not replace(crystal(), contrast=LEAST_CONTRAST).is_faint
    assert not crystal().is_faint


def contrast_by_definition(measured: Crystal, others: Sequence[Crystal], grey: Grey) -> float:
    """Return a crystal's contrast in masks as large as the image, by numpy's own median."""
    inside = covered([measured.outline], *grey.shape)
    around = np.zeros_like(inside)
    reach = round(max(4.0, measured.short_px / 2))
    top, left, bottom, right = measured.upright
    around[max(0, top - reach) : bottom + reach, max(0, left - reach) : right + reach] = True
    free = grey[around & ~covered([each.outline for each in (measured, *others)], *grey.shape)].astype(np.float64)
    usual = max(float(np.median(free)), 1.0)
    noise = 1.4826 * np.median(np.abs(free / usual - 1))
    return float(np.sqrt(max(0.0, np.mean((grey[inside] / usual - 1) ** 2) - noise**2)))


@given(st.integers(0, 1000), st.floats(-25, 35), st.floats(-45, 65))
def test_crystals_beside_each_other_are_measured_as_each_by_its_definition(
    seed: int, down: float, right: float
) -> None:
    grey = np.random.default_rng(seed).integers(0, 256, (61, 121), np.uint8)
    other = crystal(tuple((row + down, column + right) for row, column in crystal().outline))
    found = with_contrasts([crystal(), other], grey)
    assert found[0].contrast == pytest.approx(contrast_by_definition(crystal(), [other], grey), rel=1e-12, abs=1e-12)
    assert found[1].contrast == pytest.approx(contrast_by_definition(other, [crystal()], grey), rel=1e-12, abs=1e-12)


def test_where_nothing_around_is_free_or_nothing_is_in_the_outline_contrast_is_not_known() -> None:
    grey = np.full((60, 120), 150, np.uint8)
    everything = crystal(((-9, -9), (-9, 130), (70, 130), (70, -9)))
    too_small = crystal(((10.1, 10.1), (10.1, 10.4), (10.4, 10.4)))
    outside = crystal(((90, 10), (90, 40), (99, 40)))
    without = replace(crystal(), outline=())
    found = with_contrasts([everything, crystal()], grey)
    assert [each.contrast for each in found] == [None, None]
    assert [each.contrast for each in with_contrasts([too_small, outside, without], grey)] == [None, None, None]
