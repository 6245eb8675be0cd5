"""Comments: records of their own, beside those that came with scores."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from crystal_search.errors import DatabaseError
from crystal_search.server.imaging.comments import Comment
from crystal_search.server.imaging.imaging_database import ImagingDatabase, ManualScore
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.imaging.stored_images import StoredImage
from tests.integration.imaging_nouns import NOON, auto, key, manual, stored


def comment(image: StoredImage, what: str, *, person: str = "Zoë", hours: float = 0) -> Comment:
    return Comment(image_id=image.id, person=person, written_at=NOON + timedelta(hours=hours), text=what)


def shown(database: ImagingDatabase, image: StoredImage) -> list[str]:
    """Return what the overview of plates shows of an image's comments."""
    where = image.key
    drops = database.drops(where.plate, inspection=where.inspection, channel=where.channel)
    return [each.text for drop in drops if drop.image.id == image.id for each in drop.comments]


def test_comments_stand_alone_and_come_in_order(imaging: ImagingDatabase) -> None:
    image, other = stored(imaging, key()), stored(imaging, key(row=1))
    later = stored(imaging, key(inspection=2))
    texts = ("second", "first; --'\"%(x)s «…»")
    for hours, what in ((2, texts[0]), (1, texts[1])):
        imaging.add_comment(comment(image, what, hours=hours))
    imaging.add_comment(comment(later, "at the next inspection"))
    assert imaging.comments(image.id) == [comment(image, texts[1], hours=1), comment(image, texts[0], hours=2)]
    assert (shown(imaging, image), shown(imaging, other)) == ([texts[1], texts[0]], [])
    assert shown(imaging, later) == ["at the next inspection"]
    (first, _) = imaging.drops("P1", inspection=1)
    assert (first.auto, first.people, imaging.ledger(image.id)) == (None, (), [])
    assert imaging.comments(other.id) == imaging.comments(99) == []


def test_what_was_written_with_scores_is_a_comment_too_also_of_one_that_was_taken_back(
    imaging: ImagingDatabase,
) -> None:
    image = stored(imaging, key())
    imaging.add_auto_scores([auto(image)])
    imaging.add_manual_score(manual(image, "Ann", hours=1))
    imaging.add_comment(comment(image, "alone", hours=2))
    (_, score) = imaging.ledger(image.id)
    assert isinstance(score, ManualScore)
    expected = [(score.person, score.comment), ("Zoë", "alone")]
    for _ in range(2):
        assert [(each.person, each.text) for each in imaging.comments(image.id)] == expected
        assert shown(imaging, image) == [what for _, what in expected]
        imaging.take_back(score.id, person="Ann", at=NOON)


def test_a_comment_on_no_image_is_refused(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    with pytest.raises(DatabaseError, match="nothing was changed"):
        imaging.add_comment(Comment(image_id=image.id + 1, person="Zoë", written_at=NOON, text="where?"))


@pytest.mark.parametrize("statement", ["UPDATE image_comment SET text = ''", "DELETE FROM image_comment"])
def test_the_database_itself_refuses_to_change_comments(empty_url: str, engine: Engine, statement: str) -> None:
    database = open_imaging(empty_url)
    image = stored(database, key())
    database.add_comment(comment(image, "for good"))
    with pytest.raises(DBAPIError, match="never changed or deleted"), engine.begin() as connection:
        connection.execute(text(statement))
    assert database.comments(image.id) == [comment(image, "for good")]
    database.close()
