"""Taking scores back: a record of its own, after which others' scores and one's former ones count as they did."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from crystal_search.server.imaging.imaging_database import ImagingDatabase, ManualScore
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.imaging.stored_images import StoredImage
from tests.integration.imaging_nouns import NOON, auto, key, manual, said_last, stored

LATER = NOON + timedelta(hours=9)


def given_scores(database: ImagingDatabase, image: StoredImage) -> list[ManualScore]:
    return [score for score in database.ledger(image.id) if isinstance(score, ManualScore)]


def test_a_first_score_that_is_taken_back_leaves_none_and_stays_in_the_ledger(imaging: ImagingDatabase) -> None:
    image, other = stored(imaging, key()), stored(imaging, key(row=1))
    imaging.add_auto_scores([auto(image)])
    for each in (image, other):
        imaging.add_manual_score(manual(each, "Ann"))
    (score,) = given_scores(imaging, image)
    assert score.counts
    assert imaging.take_back(score.id, person="Ann", at=LATER)
    assert (said_last(imaging, image), said_last(imaging, other)) == ([], [("Ann", "clear")])
    assert imaging.scored_by_hand([image.id, other.id]) == {other.id}
    assert [each.id for each, _ in imaging.newest_by_hand()] == [other.id]
    machine, kept = imaging.ledger(image.id)
    assert machine == auto(image)
    assert isinstance(kept, ManualScore)
    assert (kept.outcome, kept.comment, kept.taken_back_at, kept.counts) == ("clear", score.comment, LATER, False)


def test_ones_former_score_counts_again_below_what_a_colleague_said_since(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    for person, outcome in (("Ann", "clear"), ("Ann", "other"), ("Bob", "precipitate")):
        imaging.add_manual_score(manual(image, person, outcome=outcome))
    assert said_last(imaging, image) == [("Bob", "precipitate"), ("Ann", "other")]
    second = given_scores(imaging, image)[1]
    assert imaging.take_back(second.id, person="Ann", at=LATER)
    assert said_last(imaging, image) == [("Bob", "precipitate"), ("Ann", "clear")]
    assert [score.outcome for _, score in imaging.newest_by_hand()] == ["precipitate"]
    assert len(imaging.ledger(image.id)) == 3


def test_nothing_else_can_be_taken_back(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    imaging.add_auto_scores([auto(image)])
    for person in ("Ann", "Ann", "Bob"):
        imaging.add_manual_score(manual(image, person))
    first, second, of_bob = given_scores(imaging, image)
    before = imaging.ledger(image.id)
    for score, person in ((first, "Ann"), (of_bob, "Ann"), (second, "Bob"), (second, "ann")):
        assert not imaging.take_back(score.id, person=person, at=LATER)
    assert not imaging.take_back(of_bob.id + 99, person="Ann", at=LATER)
    assert imaging.ledger(image.id) == before
    assert imaging.take_back(second.id, person="Ann", at=LATER)
    assert not imaging.take_back(second.id, person="Ann", at=LATER)
    assert imaging.take_back(first.id, person="Ann", at=LATER)
    assert said_last(imaging, image) == [("Bob", "clear")]


PEOPLE = ("Ann", "Bob")
steps = st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(("clear", "other", "back"))), max_size=9)


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_what_counts_is_what_would_have_been_said_without_what_was_taken_back(
    imaging: ImagingDatabase, steps: list[tuple[str, str]]
) -> None:
    image = stored(imaging, key(f"P{len(imaging.plates())}"))
    standing: list[tuple[str, str]] = []
    for person, word in steps:
        if word != "back":
            imaging.add_manual_score(manual(image, person, outcome=word))
            standing.append((person, word))
            continue
        own = [score for score in given_scores(imaging, image) if score.person == person and score.counts]
        assert [each for each in standing if each[0] == person] == [(score.person, score.outcome) for score in own]
        if own:
            assert imaging.take_back(own[-1].id, person=person, at=LATER)
            standing.reverse()
            standing.remove((person, own[-1].outcome))
            standing.reverse()
    last = {person: at for at, (person, _) in enumerate(standing)}
    assert said_last(imaging, image) == [standing[at] for at in sorted(last.values(), reverse=True)]
    assert len(imaging.ledger(image.id)) == sum(word != "back" for _, word in steps)


@pytest.mark.parametrize(
    "statement", ["UPDATE score_taken_back SET taken_back_at = ''", "DELETE FROM score_taken_back"]
)
def test_the_database_itself_refuses_to_change_what_was_taken_back(
    empty_url: str, engine: Engine, statement: str
) -> None:
    database = open_imaging(empty_url)
    image = stored(database, key())
    database.add_manual_score(manual(image, "Ann"))
    (score,) = given_scores(database, image)
    database.take_back(score.id, person="Ann", at=LATER)
    with pytest.raises(DBAPIError, match="never changed or deleted"), engine.begin() as connection:
        connection.execute(text(statement))
    assert said_last(database, image) == []
    database.close()
