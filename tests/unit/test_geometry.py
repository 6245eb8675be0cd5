import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.geometry import Box, intersection_over_union

edges = st.integers(-50, 150)
boxes = st.builds(Box, edges, edges, edges, edges)


@given(box=boxes, height=st.integers(0, 100), width=st.integers(0, 100))
def test_clipping_is_inside_and_does_nothing_twice(box: Box, height: int, width: int) -> None:
    clipped = box.clipped(height, width)
    assert 0 <= clipped.top <= height
    assert 0 <= clipped.bottom <= height
    assert 0 <= clipped.left <= width
    assert 0 <= clipped.right <= width
    assert clipped.clipped(height, width) == clipped


@given(one=boxes, other=boxes)
def test_intersection_over_union_is_what_counting_pixels_gives(one: Box, other: Box) -> None:
    canvas = np.zeros((2, 200, 200), dtype=bool)
    for layer, box in zip(canvas, (one, other), strict=True):
        if box.area and box.height > 0 and box.width > 0:
            layer[box.shifted(50, 50).slices] = True
    joint = np.count_nonzero(canvas.any(axis=0))
    expected = np.count_nonzero(canvas.all(axis=0)) / joint if joint else 0.0
    assert intersection_over_union(one, other) == expected


def test_slices_cut_rows_before_columns() -> None:
    image = np.arange(12).reshape(3, 4)
    assert image[Box(1, 2, 3, 4).slices].tolist() == [[6, 7], [10, 11]]
