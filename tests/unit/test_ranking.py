import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from crystal_search.geometry import Box, intersection_over_union
from crystal_search.outcomes import OUTCOME_NAMES, Group
from crystal_search.scoring.ranking import best_chops, ranked_score


def chop(**shares: float) -> list[float]:
    """Return a probability vector; what is not named is spread over clear."""
    row = [shares.get(name, 0.0) for name in OUTCOME_NAMES]
    row[OUTCOME_NAMES.index("clear")] += 1 - sum(row)
    return row


def test_one_crystal_chop_counts_for_the_whole_image() -> None:
    score = ranked_score(np.array([chop()] * 50 + [chop(crystal_harvestable=0.5, crystal_bad_form=0.4)]), 0.85)
    assert (score.outcome, score.above_threshold) == ("crystal_harvestable", True)
    assert score.probability == pytest.approx(0.9)


def test_precipitate_goes_before_clear_and_crystal_below_the_threshold_does_not_count() -> None:
    chops = np.array([chop()] * 9 + [chop(precipitate=0.9), chop(crystal_harvestable=0.84)])
    assert ranked_score(chops, 0.85).outcome == "precipitate"
    assert ranked_score(chops, 0.80).outcome == "crystal_harvestable"


def test_a_whole_image_is_never_a_rim() -> None:
    score = ranked_score(np.array([chop(rim=0.95)]), 0.85)
    assert (score.outcome, score.above_threshold) == ("clear", True)
    (best,) = best_chops(np.array([chop(rim=0.95)]), [Box(0, 0, 256, 256)], Group.CLEAR, 1)
    assert best.outcome == "rim"


def test_below_the_threshold_the_likeliest_group_on_average_is_named_as_such() -> None:
    score = ranked_score(np.array([chop(spherulites=0.8), chop(spherulites=0.5, precipitate=0.4)]), 0.85)
    assert (score.outcome, score.above_threshold) == ("spherulites", False)


def test_below_the_threshold_one_chop_does_not_outvote_the_others() -> None:
    score = ranked_score(np.array([chop(spherulites=0.8)] + [chop(precipitate=0.7)] * 4), 0.85)
    assert (score.outcome, score.above_threshold) == ("precipitate", False)


@given(
    logits=arrays.arrays(np.float64, (7, 13), elements=st.floats(-8, 8)),
    low=st.floats(0.05, 1),
    high=st.floats(0.05, 1),
)
def test_a_lower_threshold_never_loses_a_crystal(
    logits: np.ndarray[tuple[int, int], np.dtype[np.float64]], low: float, high: float
) -> None:
    table = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    low, high = sorted((low, high))
    if ranked_score(table, high).above_threshold and ranked_score(table, high).group is Group.CRYSTAL:
        assert ranked_score(table, low).group is Group.CRYSTAL


def test_the_best_chops_do_not_lie_on_each_other() -> None:
    boxes = [Box(0, 48 * n, 256, 48 * n + 256) for n in range(12)]
    table = np.array([chop(crystal_harvestable=0.5 + 0.04 * n) for n in range(12)])
    found = best_chops(table, boxes, Group.CRYSTAL, 3)
    assert found[0].box == boxes[11]
    assert len(found) == 3
    assert [each.probability for each in found] == sorted((each.probability for each in found), reverse=True)
    assert all(intersection_over_union(a.box, b.box) <= 0.3 for a in found for b in found if a is not b)
