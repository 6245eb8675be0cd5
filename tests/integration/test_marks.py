"""Marks: records of their own, taken back by records of their own; and comments that are taken back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from crystal_search.errors import DatabaseError, UnknownNameError
from crystal_search.geometry import Box, Point
from crystal_search.server.imaging.comments import Comment
from crystal_search.server.imaging.imaging_database import DropScores, ImagingDatabase
from crystal_search.server.imaging.marks import Mark
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.imaging.stored_images import StoredImage
from tests.integration.imaging_nouns import NOON, auto, key, manual, stored

LATER = NOON + timedelta(hours=9)


def mark(image: StoredImage, kind: str = "pick", place: Point | Box | None = None, *, person: str = "Zoë") -> Mark:
    where = place or (None if kind == "favourite" else Point(3, 5))
    return Mark(image_id=image.id, person=person, marked_at=NOON, kind=kind, place=where)


def shown(database: ImagingDatabase, image: StoredImage) -> DropScores:
    """Return what the overview of plates shows of an image."""
    where = image.key
    drops = database.drops(where.plate, inspection=where.inspection, channel=where.channel)
    return next(drop for drop in drops if drop.image.id == image.id)


def test_marks_come_as_they_were_made_by_image(imaging: ImagingDatabase) -> None:
    image, other, later = stored(imaging, key()), stored(imaging, key(row=1)), stored(imaging, key(inspection=2))
    made = [
        mark(image, "dispense", Point(0, 0)),
        mark(image, "pick", Box(0, 10, 20, 40)),
        mark(image, "favourite", person="Ann"),
        mark(image, "favourite"),
    ]
    assert imaging.add_mark(mark(later))
    assert all(imaging.add_mark(each) for each in made)
    assert imaging.add_mark(mark(other))
    assert imaging.marks([other.id, later.id, image.id]) == [*made, mark(other), mark(later)]
    assert shown(imaging, image).marks == tuple(made)
    assert (shown(imaging, other).marks, shown(imaging, later).marks) == ((mark(other),), (mark(later),))
    assert imaging.marks([]) == imaging.marks([99]) == []
    assert imaging.ledger(image.id) == []


def test_nobody_says_the_same_twice_until_it_is_taken_back(imaging: ImagingDatabase) -> None:
    image, other = stored(imaging, key()), stored(imaging, key(row=1))
    same = [mark(image), mark(image, "favourite"), mark(image, "pick", Box(3, 5, 4, 6))]
    for each in same:
        assert imaging.add_mark(each)
        assert not imaging.add_mark(replace(each, marked_at=LATER))
        assert imaging.add_mark(replace(each, person="Ann"))
        assert imaging.add_mark(replace(each, image_id=other.id))
    first = imaging.marks([image.id])[0]
    assert imaging.take_mark_back(first.id, person="Zoë", at=LATER)
    assert imaging.add_mark(same[0])
    assert imaging.marks([image.id])[-1] == same[0]


def test_only_its_person_takes_a_mark_back_and_only_once(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    for each in (mark(image, "favourite"), mark(image), mark(image, person="Ann")):
        imaging.add_mark(each)
    _, point, of_ann = imaging.marks([image.id])
    for number, person in ((of_ann.id, "Zoë"), (point.id, "zoë"), (99, "Zoë")):
        assert not imaging.take_mark_back(number, person=person, at=LATER)
    assert imaging.take_mark_back(point.id, person="Zoë", at=LATER)
    assert not imaging.take_mark_back(point.id, person="Zoë", at=LATER)
    assert imaging.marks([image.id]) == [mark(image, "favourite"), of_ann]
    assert shown(imaging, image).marks == (mark(image, "favourite"), of_ann)


def test_times_of_marks_are_utc(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    east = datetime(2026, 2, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    imaging.add_mark(replace(mark(image), marked_at=east))
    (made,) = imaging.marks([image.id])
    assert (made.marked_at, made.marked_at.tzinfo) == (east, UTC)


def test_a_mark_in_no_image_is_refused(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    with pytest.raises(DatabaseError, match="nothing was changed"):
        imaging.add_mark(replace(mark(image), image_id=image.id + 1))


@pytest.mark.parametrize(
    ("kind", "place", "error"),
    [("harvest", Point(1, 2), UnknownNameError), ("favourite", Point(1, 2), ValueError), ("pick", None, ValueError)],
)
def test_what_is_no_mark_is_none(kind: str, place: Point | None, error: type[Exception]) -> None:
    with pytest.raises(error, match=kind):
        Mark(image_id=1, person="Ann", marked_at=NOON, kind=kind, place=place)


def test_a_comment_that_is_taken_back_stays_and_counts_no_more(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    imaging.add_auto_scores([auto(image)])
    imaging.add_manual_score(manual(image, "Ann"))
    for person, what in (("Ann", "tiny"), ("Bob", "huge")):
        imaging.add_comment(Comment(image_id=image.id, person=person, written_at=LATER, text=what))
    with_score, tiny, huge = imaging.comments(image.id)
    for number, person in ((huge.id, "Ann"), (with_score.id, "Ann"), (99, "Ann")):
        assert not imaging.take_comment_back(number, person=person, at=LATER)
    assert imaging.take_comment_back(tiny.id, person="Ann", at=LATER)
    assert not imaging.take_comment_back(tiny.id, person="Ann", at=LATER)
    assert imaging.comments(image.id) == [with_score, replace(tiny, taken_back_at=LATER), huge]
    assert shown(imaging, image).comments == (with_score, huge)


@pytest.mark.parametrize("statement", ["UPDATE image_mark SET person = ''", "DELETE FROM mark_taken_back"])
def test_the_database_itself_refuses_to_change_marks(empty_url: str, engine: Engine, statement: str) -> None:
    database = open_imaging(empty_url)
    image = stored(database, key())
    database.add_mark(mark(image))
    database.add_mark(mark(image, "favourite"))
    database.take_mark_back(database.marks([image.id])[0].id, person="Zoë", at=LATER)
    with pytest.raises(DBAPIError, match="never changed or deleted"), engine.begin() as connection:
        connection.execute(text(statement))
    assert database.marks([image.id]) == [mark(image, "favourite")]
    database.close()
