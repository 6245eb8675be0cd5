"""Which group counts for a whole image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from crystal_search.group_rule import group_probabilities, winning_group


@given(logits=arrays.arrays(np.float64, 13, elements=st.floats(-8, 8)))
def test_groups_share_the_whole_probability(logits: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    table = np.exp(logits) / np.exp(logits).sum()
    assert sum(group_probabilities(table.tolist())) == pytest.approx(1)


@given(
    peaks=st.tuples(*[st.floats(0, 1)] * 4),
    shares=st.lists(st.floats(0.01, 1), min_size=13, max_size=13),
    threshold=st.floats(0.01, 1),
)
def test_the_winning_group_is_the_first_to_reach_the_threshold(
    peaks: tuple[float, ...], shares: list[float], threshold: float
) -> None:
    group, above = winning_group(peaks, shares, threshold)
    reached = [peak >= threshold for peak in peaks]
    assert above == any(reached)
    if above:
        assert ["crystal", "precipitate", "other", "clear"].index(group) == reached.index(True)
