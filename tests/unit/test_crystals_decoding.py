"""Which boxes of a dense detector remain: those that a plain comparison of all with all leaves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from crystal_search.crystals.boxes import overlaps
from crystal_search.crystals.decoding import distinct


def left_over(boxes: NDArray[np.float64], most_overlap: float) -> list[int]:
    """Return which boxes no earlier one that remains overlaps by more, each compared with each."""
    left: list[int] = []
    for number, box in enumerate(boxes):
        if all(overlaps(boxes[[other]], box[None])[0] <= most_overlap for other in left):
            left.append(number)
    return left


@given(seed=st.integers(0, 10_000), count=st.integers(0, 25), most_overlap=st.sampled_from([0.0, 0.1, 0.5, 0.9]))
def test_the_boxes_that_remain_are_those_of_comparing_all(seed: int, count: int, most_overlap: float) -> None:
    rng = np.random.default_rng(seed)
    sides = np.sort(rng.uniform(2, 20, (count, 2)), axis=1)[:, ::-1]
    boxes = np.column_stack((rng.uniform(0, 25, (count, 2)), sides, rng.uniform(0, np.pi, count)))
    boxes[count // 2 :] = boxes[: count - count // 2] * rng.uniform(0.95, 1.05, (count - count // 2, 5))  # alike
    assert distinct(boxes, most_overlap).tolist() == left_over(boxes, most_overlap)


@pytest.mark.parametrize(("side", "kept"), [(7.0, [0, 1]), (7.1, [0])])
def test_a_box_within_another_goes_where_it_is_large_enough(side: float, kept: list[int]) -> None:
    boxes = np.array([[20.0, 20.0, 10.0, 10.0, 0.0], [20.0, 20.0, side, side, 0.0]])
    assert distinct(boxes, 0.5).tolist() == kept
