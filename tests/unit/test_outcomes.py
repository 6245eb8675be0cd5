import pytest

from crystal_search.errors import UnknownNameError
from crystal_search.outcomes import GROUPS, OUTCOMES, Group, classes_of, outcome_named


def test_the_table_is_that_of_the_paper() -> None:
    numbers = [outcome.score_number for outcome in OUTCOMES]
    assert numbers == [23, 22, 21, 13, 12, 11, 34, 33, 32, 31, 1, 2, 1]


def test_every_class_belongs_to_one_group() -> None:
    members = [index for group in GROUPS for index in classes_of(group)]
    assert sorted(members) == list(range(13))
    assert classes_of(Group.CRYSTAL) == (0, 1, 2)


def test_no_frame_speaks_by_colour_alone() -> None:
    assert len({outcome.letter for outcome in OUTCOMES}) == len(OUTCOMES)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(UnknownNameError, match="spherulites"):
        outcome_named("diamonds")
