"""Chops as they might have lain, and been lit and recorded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.geometry import Box
from crystal_search.training.chop_augmentation import chop_seen_differently, moved, recorded_differently, turned
from tests.unit.dataset_files import pattern
from tests.unit.networks_fakes import fake_well

BOX = Box(64, 64, 320, 320)


@given(
    above=st.integers(0, 64),
    left=st.integers(0, 64),
    below=st.integers(0, 64),
    right=st.integers(0, 64),
    seed=st.integers(0, 50),
)
def test_a_moved_chop_lies_in_the_middle_and_nothing_is_made_up(
    above: int, left: int, below: int, right: int, seed: int
) -> None:
    pixels = np.full((256 + above + below, 256 + left + right), 200, np.uint8)  # Pillow fills what is outside with 0
    square = moved(pixels, Box(above, left, above + 256, left + 256), np.random.default_rng(seed))
    assert square.shape[0] == square.shape[1]
    assert 256 <= square.shape[0] <= 256 + 2 * 48
    assert square.shape[0] % 2 == 0
    assert square.min() >= 199


def test_a_chop_is_moved_by_a_little() -> None:
    pixels = np.zeros((384, 384), np.uint8)
    pixels[188:196, 188:196] = 255  # in the middle of the chop
    for seed in range(20):
        square = moved(pixels, BOX, np.random.default_rng(seed))
        row, column = np.argwhere(square > 100).mean(axis=0) - len(square) / 2
        assert abs(row) < 22
        assert abs(column) < 22


def test_moving_turns_and_resizes() -> None:
    pixels = np.zeros((384, 384), np.uint8)
    pixels[191:193, 100:284] = 255  # a line of 184 px
    lengths, slopes = [], []
    for seed in range(30):
        rows, columns = np.nonzero(moved(pixels, BOX, np.random.default_rng(seed)) > 60)
        lengths.append(np.hypot(np.ptp(rows), np.ptp(columns)))
        slopes.append(np.polyfit(columns, rows, 1)[0])
    assert min(lengths) < 175
    assert max(lengths) > 190
    assert min(slopes) < -0.05
    assert max(slopes) > 0.05


def test_a_chop_without_surroundings_stays_where_it_is() -> None:
    pixels = pattern("clear", 0, 256)
    np.testing.assert_array_equal(moved(pixels, Box(0, 0, 256, 256), np.random.default_rng(1)), pixels)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_chop_seen_differently_keeps_its_side(channels: int) -> None:
    grey = pattern("spherulites", 3)
    pixels = grey if channels == 1 else np.repeat(grey[:, :, None], 3, axis=2)
    seen = set()
    for seed in range(8):
        other, box = chop_seen_differently(pixels, BOX, np.random.default_rng(seed))
        assert (box.height, box.width, other.ndim) == (256, 256, pixels.ndim)
        assert other.dtype == np.uint8
        chop = other[box.slices]
        assert chop.shape[:2] == (256, 256)
        seen.add(chop.tobytes())
    assert len(seen) == 8


def test_chops_of_an_epoch_are_lit_turned_and_moved() -> None:
    means, octants, distances = [], set(), []
    for seed in range(60):
        pixels = np.full((384, 384), 90, np.uint8)
        pixels[96:112, 152:168] = 250  # up and a little to the left of the middle
        other, box = chop_seen_differently(pixels, BOX, np.random.default_rng(seed))
        chop = other[box.slices].astype(float)
        row, column = np.argwhere(chop > (chop.min() + chop.max()) / 2).mean(axis=0) - 127.5
        means.append(chop.mean())
        octants.add((row > 0, column > 0, abs(row) > abs(column)))
        distances.append(np.hypot(row, column))
    assert np.ptp(means) > 20
    assert len(octants) == 8
    assert np.ptp(distances) > 20  # it is 95 px away where nothing is moved


def test_colours_are_shifted_against_each_other() -> None:
    pixels = np.repeat(pattern("clear", 0)[:, :, None], 3, axis=2)
    spreads = []
    for seed in range(12):
        other, _ = chop_seen_differently(pixels, BOX, np.random.default_rng(seed))
        spreads.append(np.ptp(other.mean(axis=(0, 1))))
    assert max(spreads) > 4


def test_grey_stays_grey_where_colours_are_recorded_differently() -> None:
    grey = pattern("clear", 1)
    colour = recorded_differently(np.repeat(grey[:, :, None], 3, axis=2), np.random.default_rng(4))
    assert colour.shape == (*grey.shape, 3)


def test_the_eight_turns_differ_and_keep_every_value() -> None:
    field = np.arange(6).reshape(2, 3)
    turns = {(turned(field, turn).shape, turned(field, turn).tobytes()) for turn in range(8)}
    assert len(turns) == 8
    assert all(sorted(turned(field, turn).ravel()) == list(range(6)) for turn in range(8))


def test_a_different_recording_keeps_shape_and_type() -> None:
    grey = fake_well(0).image[:, :, 0]
    other = recorded_differently(grey, np.random.default_rng(0))
    assert other.shape == grey.shape
    assert other.dtype == np.uint8
    assert not np.array_equal(other, grey)
