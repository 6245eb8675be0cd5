"""What the benchmark of strange images does to pictures and streams, without networks."""

from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.bench_strange import SPOILT, Picture, enlarged, inverted, mosaic, noisy, said_after

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_spoilt_picture_is_another_one_of_the_same_size(spoil: Callable[[Picture], Picture]) -> None:
    found = spoil(PICTURE)
    assert (found.shape, found.dtype) == (PICTURE.shape, PICTURE.dtype)
    assert (found != PICTURE).any()


def test_noise_is_as_strong_as_said() -> None:
    grey = np.full((100, 100, 3), 128, np.uint8)
    assert noisy(grey, sigma=10).std() == pytest.approx(10, rel=0.05)


def test_squares_have_one_colour() -> None:
    squares = mosaic(PICTURE, side_px=10).reshape(4, 10, 6, 10, 3)
    assert (squares == squares[:, :1, :, :1]).all()


def test_the_middle_is_enlarged() -> None:
    picture = np.zeros_like(PICTURE)
    picture[10:30, 15:45] = 200
    assert (enlarged(picture)[4:-4, 4:-4] == 200).all()


def test_twice_inverted_is_as_before() -> None:
    assert (inverted(inverted(PICTURE)) == PICTURE).all()


def test_many_strange_images_are_said_and_chance_is_not() -> None:
    assert said_after(0.9, 0) < 20
    assert said_after(0.05, 0) == np.inf
