from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.chopper.cutting import chops_of_drop, cut, cut_all
from crystal_search.chopper.tiling import ChopGrid, grid_over, tile_starts
from crystal_search.geometry import Box


@given(side=st.integers(1, 300), extra=st.integers(0, 5000))
def test_tiles_cover_every_pixel_and_none_could_be_left_out(side: int, extra: int) -> None:
    starts = tile_starts(side + extra, side)
    assert (starts[0], starts[-1] + side) == (0, side + extra)
    assert all(0 < b - a <= side for a, b in pairwise(starts))
    assert (len(starts) - 1) * side < side + extra


@given(side=st.integers(10, 300), tiles=st.integers(1, 20), data=st.data())
def test_tiles_are_those_of_the_paper_where_it_needs_no_more(side: int, tiles: int, data: st.DataObject) -> None:
    length = tiles * side + data.draw(st.integers(1, side - 1))
    overlap = ((tiles + 1) * side - length) / tiles
    expected = [number * side - number * overlap for number in range(tiles + 1)]
    assert np.abs(np.subtract(tile_starts(length, side), expected)).max() <= 0.5


@pytest.mark.parametrize(("length", "side"), [(100, 101), (10, 0), (10, -1)])
def test_what_cannot_be_tiled_is_refused(length: int, side: int) -> None:
    with pytest.raises(ValueError, match="pad"):
        tile_starts(length, side)


def test_a_stride_that_leaves_gaps_is_refused() -> None:
    with pytest.raises(ValueError, match="gaps"):
        grid_over(Box(0, 0, 9, 9), image_height=9, image_width=9, side_px=4, stride_px=5)


@st.composite
def drops(draw: st.DrawFn) -> tuple[Box, int, int]:
    height, width = draw(st.integers(1, 1500)), draw(st.integers(1, 1500))
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    bottom, right = draw(st.integers(top + 1, height)), draw(st.integers(left + 1, width))
    return Box(top, left, bottom, right), height, width


@given(drop=drops())
def test_a_grid_covers_the_drop_and_stays_inside_where_it_fits(drop: tuple[Box, int, int]) -> None:
    box, height, width = drop
    grid = grid_over(box, image_height=height, image_width=width, side_px=256, stride_px=48)
    region = grid.region
    assert region.top <= box.top
    assert region.left <= box.left
    assert region.bottom >= box.bottom
    assert region.right >= box.right
    if region.height <= height:
        assert 0 <= region.top <= region.bottom <= height
    if region.width <= width:
        assert 0 <= region.left <= region.right <= width


def test_a_grid_lists_its_chops_row_by_row() -> None:
    assert list(ChopGrid(1, 2, 2, 2, 4, 3).boxes()) == [
        Box(1, 2, 5, 6),
        Box(1, 5, 5, 9),
        Box(4, 2, 8, 6),
        Box(4, 5, 8, 9),
    ]


def test_cutting_beyond_the_image_gives_zero() -> None:
    view = np.arange(1, 7, dtype=np.float32).reshape(2, 3)
    assert cut(view, Box(1, -1, 3, 2)).tolist() == [[0, 4, 5], [0, 0, 0]]
    assert cut_all(view, [Box(0, 0, 1, 1), Box(1, 2, 2, 3)]).tolist() == [[[1]], [[6]]]


@given(seed=st.integers(0, 10_000))
def test_chosen_chops_show_every_pixel_of_the_drop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = np.zeros((60, 80), dtype=bool)
    for _ in range(3):
        top, left = rng.integers(0, 50), rng.integers(0, 70)
        mask[top : top + rng.integers(1, 40), left : left + rng.integers(1, 40)] = True
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
    boxes = list(grid_over(box, image_height=60, image_width=80, side_px=16, stride_px=3).boxes())
    seen = np.zeros_like(mask)
    for index in chops_of_drop(mask, boxes):
        visible = boxes[index].clipped(*mask.shape).slices
        assert mask[visible].any()
        seen[visible] = True
    assert not (mask & ~seen).any()


def test_a_chop_that_shows_hardly_any_drop_is_left_out() -> None:
    mask = np.zeros((100, 100), dtype=bool)
    mask[:, :50] = True
    assert chops_of_drop(mask, [Box(0, 0, 100, 50), Box(0, 45, 100, 95)]) == [0]
