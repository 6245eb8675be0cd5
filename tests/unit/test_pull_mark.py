"""How far a facility's database was pulled is kept as a text, and another text is refused."""

import pytest

from crystal_search.errors import DatabaseError
from crystal_search.server.facility.ispyb_pull import IspybMark
from crystal_search.server.facility.pull_mark import PullMark
from crystal_search.server.facility.rockmaker_pull import RockMakerMark
from crystal_search.server.facility.xtaltrak_pull import XtalTrakMark

MARKS = {
    '{"image": 7, "scores": 3}': IspybMark(image=7, scores=3),
    '{"image": 7, "highest": 9, "score": 0, "highest_score": 2}': RockMakerMark(image=7, highest=9, highest_score=2),
    '{"drop": 5, "name": "a.jpg", "highest": 5, "score": 1, "highest_score": 1}': XtalTrakMark(
        drop=5, name="a.jpg", highest=5, score=1, highest_score=1
    ),
}


@pytest.mark.parametrize("text", MARKS)
def test_a_mark_is_read_as_it_was_written(text: str) -> None:
    assert MARKS[text].text == text
    assert type(MARKS[text]).read(text) == MARKS[text]


@pytest.mark.parametrize("kind", [IspybMark, RockMakerMark, XtalTrakMark])
@pytest.mark.parametrize("text", ["{", "[1]", "7", '{"another": 1}'])
def test_what_is_none_is_refused_and_the_first_pull_has_none(kind: type[PullMark], text: str) -> None:
    assert kind.read("") == kind()
    with pytest.raises(DatabaseError, match=f"no mark of {kind.system}: .*crystal-search facility pull --again"):
        kind.read(text)
