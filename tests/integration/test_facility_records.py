"""What every imaging database keeps of facilities: how far they were looked at, which scores they were given."""

from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from crystal_search.errors import UnknownNameError
from crystal_search.server.imaging import schema, sql_facility
from crystal_search.server.imaging.facility_records import PulledScore, Push
from crystal_search.server.imaging.imaging_database import AutoScore, ImagingDatabase, ManualScore, ToPush
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.imaging.stored_images import FileVersion, Removal, StoredImage
from tests.integration.imaging_nouns import NOON, OTHER_RECIPE, RECIPE, auto, key, manual, stored
from tests.recipes import by_readout

LAB, OTHER_LAB = "ispyb db.lab/ispyb", "ispyb db.other/ispyb"


def hour(number: float) -> datetime:
    return NOON + timedelta(hours=number)


def by_person(image: StoredImage, outcome: str = "clear", *, hours: float = 0, person: str = "Zoë") -> PulledScore:
    return PulledScore(path=image.path, person=person, outcome=outcome, scored_at=hour(hours))


def given(to_push: ToPush, **refused: str) -> list[Push]:
    """Return what is noted when a facility refuses the images whose wells are named, and takes the rest."""
    noted = [
        Push(
            score_id=each.score_id,
            image_id=each.image.id,
            refused=refused.get(each.image.key.well, ""),
            tries=each.tries + 1,
        )
        for each in to_push.scores
    ]
    return [*to_push.passed_over, *noted]


def wells(to_push: ToPush) -> list[str]:
    return [each.image.key.well for each in to_push.scores]


def people(database: ImagingDatabase, image: StoredImage) -> list[tuple[str, str, bool]]:
    rows = [row for row in database.ledger(image.id) if isinstance(row, ManualScore)]
    return [(row.person, row.outcome, row.late) for row in rows]


def counting(database: ImagingDatabase, image: StoredImage) -> str:
    """Return what the overview shows of people's scores."""
    (drop,) = (d for d in database.drops("P1", inspection=1) if d.image.id == image.id)
    ((_, newest),) = (pair for pair in database.newest_by_hand() if pair[0].id == image.id)
    assert drop.manual == newest
    return newest.outcome


def test_a_mark_is_kept_for_each_facility(imaging: ImagingDatabase) -> None:
    assert imaging.facility_state(LAB).pull_mark == ""
    imaging.note_pulled(LAB, "17", now=hour(1))
    imaging.note_pulled(OTHER_LAB, "3", now=hour(2))
    imaging.note_pulled(LAB, "18", now=hour(3))
    found = imaging.facility_state(LAB)
    assert (found.pull_mark, found.pulled_at, found.pushed_at, found.refused) == ("18", hour(3), None, 0)
    assert imaging.facility_state(OTHER_LAB).pull_mark == "3"


def test_a_score_pulled_twice_is_added_once(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    scores = [by_person(image, "clear", hours=1), by_person(image, "precipitate", hours=2)]
    first, second = (imaging.add_pulled_scores(LAB, scores) for _ in range(2))
    assert (first.added, first.known, second.added, second.known) == (2, 0, 0, 2)
    assert people(imaging, image) == [("Zoë", "clear", False), ("Zoë", "precipitate", False)]


def test_a_score_whose_time_alone_changed_is_known(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    imaging.add_pulled_scores(LAB, [by_person(image, "clear", hours=1)])
    assert imaging.add_pulled_scores(LAB, [by_person(image, "clear", hours=5)]).added == 0
    assert imaging.add_pulled_scores(LAB, [by_person(image, "clear", hours=5, person="Max")]).added == 1
    assert imaging.add_pulled_scores(LAB, [by_person(image, "precipitate", hours=6)]).added == 1
    assert imaging.add_pulled_scores(LAB, [by_person(image, "clear", hours=7)]).added == 1


def test_an_older_pulled_score_does_not_hide_a_newer_one_given_here(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    imaging.add_manual_score(manual(image, outcome="crystal_harvestable", hours=2))
    imaging.add_pulled_scores(LAB, [by_person(image, "clear", hours=1)])
    assert people(imaging, image) == [("Zoë", "crystal_harvestable", False), ("Zoë", "clear", True)]
    assert counting(imaging, image) == "crystal_harvestable"
    imaging.add_pulled_scores(LAB, [by_person(image, "spherulites", hours=3)])
    assert counting(imaging, image) == "spherulites"
    imaging.add_manual_score(manual(image, outcome="clear", hours=0))  # the viewer's clock is behind
    assert counting(imaging, image) == "clear"


def test_scores_of_images_that_nobody_knows_are_named(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    away = replace(by_person(image), path="/elsewhere.jpg")
    found = imaging.add_pulled_scores(LAB, [away, by_person(image)])
    assert (found.added, found.unknown) == (1, ("/elsewhere.jpg",))


def test_an_outcome_that_is_none_is_refused(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    with pytest.raises(UnknownNameError, match="no outcome 'cristal'"):
        imaging.add_pulled_scores(LAB, [by_person(image), by_person(image, "cristal", hours=1)])
    assert people(imaging, image) == []


def test_every_score_is_to_be_pushed_once_to_each_facility(imaging: ImagingDatabase) -> None:
    one, two = stored(imaging, key()), stored(imaging, key(row=1))
    imaging.add_auto_scores([auto(one), auto(two)])
    imaging.add_manual_score(manual(one))
    found = imaging.scores_to_push(LAB, now=NOON, limit=10)
    assert wells(found) == [one.key.well, two.key.well]
    assert isinstance(found.scores[0].score, AutoScore)
    imaging.note_pushed(LAB, given(found), now=NOON)
    assert imaging.scores_to_push(LAB, now=hour(99), limit=10) == ToPush()
    assert wells(imaging.scores_to_push(OTHER_LAB, now=NOON, limit=10)) == [one.key.well, two.key.well]
    imaging.add_auto_scores([auto(one, "unit-2", recipe=OTHER_RECIPE)])
    again = imaging.scores_to_push(LAB, now=NOON, limit=10)
    assert [each.score.recipe for each in again.scores] == [OTHER_RECIPE]
    assert imaging.facility_state(LAB).pushed_at == NOON


def test_a_limit_leaves_the_rest_for_the_next_time(imaging: ImagingDatabase) -> None:
    images = [stored(imaging, key(row=row)) for row in range(5)]
    imaging.add_auto_scores([auto(image) for image in images])
    told: list[str] = []
    while (found := imaging.scores_to_push(LAB, now=NOON, limit=2)).scores:
        told += wells(found)
        imaging.note_pushed(LAB, given(found), now=NOON)
    assert told == [image.key.well for image in images]


def test_of_two_scores_of_an_image_the_later_is_pushed(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    imaging.add_auto_scores([auto(image), auto(image, "unit-2", recipe=OTHER_RECIPE)])
    found = imaging.scores_to_push(LAB, now=NOON, limit=10)
    assert [each.score.work_unit for each in found.scores] == ["unit-2"]
    assert [each.refused for each in found.passed_over] == ["a later score of the image counts"]
    imaging.note_pushed(LAB, given(found), now=NOON)
    assert imaging.scores_to_push(LAB, now=hour(99), limit=10) == ToPush()


def test_what_a_readout_says_is_not_pushed(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    imaging.add_auto_scores([auto(image), auto(image, "r1", recipe=by_readout(RECIPE))])
    found = imaging.scores_to_push(LAB, now=NOON, limit=10)
    assert ([each.score.work_unit for each in found.scores], found.passed_over) == (["unit-1"], ())


def test_what_was_refused_is_given_again_ever_less_often(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    imaging.add_auto_scores([auto(image)])
    for tries, rest in ((1, 1), (2, 2), (3, 4)):
        found = imaging.scores_to_push(LAB, now=hour(tries), limit=10)
        imaging.note_pushed(LAB, given(found, A01="no such path"), now=hour(tries))
        (noted,) = imaging.pushes(LAB, refused=True)
        assert (noted.refused, noted.tries) == ("no such path", tries)
        assert noted.next_at == hour(tries) + timedelta(minutes=rest)
        soon = hour(tries) + timedelta(minutes=rest, seconds=-1)
        assert imaging.scores_to_push(LAB, now=soon, limit=10) == ToPush()
    assert imaging.facility_state(LAB).refused == 1
    imaging.note_pushed(LAB, given(imaging.scores_to_push(LAB, now=hour(9), limit=10)), now=hour(9))
    (noted,) = imaging.pushes(LAB)
    assert (noted.path, noted.outcome, noted.refused, noted.tries, noted.next_at) == (
        image.path,
        auto(image).outcome,
        "",
        4,
        None,
    )
    assert (imaging.facility_state(LAB).refused, imaging.pushes(LAB, refused=True)) == (0, [])


def test_a_refused_score_gives_way_to_a_later_one(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    imaging.add_auto_scores([auto(image)])
    imaging.note_pushed(LAB, given(imaging.scores_to_push(LAB, now=NOON, limit=10), A01="no"), now=NOON)
    imaging.add_auto_scores([auto(image, "unit-2", recipe=OTHER_RECIPE)])
    found = imaging.scores_to_push(LAB, now=NOON, limit=10)
    imaging.note_pushed(LAB, given(found), now=NOON)
    assert imaging.scores_to_push(LAB, now=hour(99), limit=10) == ToPush()


def test_a_score_of_an_image_that_was_taken_back_waits_for_it(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    imaging.add_auto_scores([auto(image)])
    imaging.remove_images([image.id], Removal(person="Zoë", what="plate P1", why="", removed_at=NOON))
    found = imaging.scores_to_push(LAB, now=NOON, limit=10)
    assert ([*found.scores], [each.refused for each in found.passed_over]) == ([], ["the image was taken back"])
    imaging.note_pushed(LAB, given(found), now=NOON)
    stored(imaging, key())
    assert wells(imaging.scores_to_push(LAB, now=hour(99), limit=10)) == ["A01"]


def test_a_score_that_counts_no_more_is_passed_over(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    imaging.add_auto_scores([auto(image)])
    imaging.discount_scores([image.id])
    found = imaging.scores_to_push(LAB, now=NOON, limit=10)
    assert (found.scores, len(found.passed_over)) == ((), 1)
    imaging.note_pushed(LAB, given(found), now=NOON)
    imaging.add_auto_scores([auto(image, "unit-2")])
    assert [each.score.work_unit for each in imaging.scores_to_push(LAB, now=NOON, limit=10).scores] == ["unit-2"]


def a_late_score(imaging: ImagingDatabase) -> StoredImage:
    """Add an image whose file holds another picture now: that one's score came first, then the former one's."""
    image = stored(imaging, key())
    now, before = (FileVersion(sha256=letter * 64, size_bytes=10, mtime_ns=1) for letter in "ba")
    imaging.note_versions({image.id: before})
    imaging.note_versions({image.id: now})
    imaging.add_auto_scores([replace(auto(image), version=now)])
    imaging.add_auto_scores([replace(auto(image, "unit-2", recipe=OTHER_RECIPE), version=before)])
    return image


def test_a_late_score_of_a_former_picture_keeps_no_other_from_being_pushed(imaging: ImagingDatabase) -> None:
    a_late_score(imaging)
    found = imaging.scores_to_push(LAB, now=NOON, limit=10)
    assert [each.score.work_unit for each in found.scores] == ["unit-1"]
    assert [each.refused[:23] for each in found.passed_over] == ["the score counts no mor"]
    imaging.note_pushed(LAB, given(found, A01="no such path"), now=NOON)
    again = imaging.scores_to_push(LAB, now=hour(99), limit=10)
    assert [each.score.work_unit for each in again.scores] == ["unit-1"]


def test_scores_of_readouts_are_gone_through_once(engine: Engine, empty_url: str) -> None:
    with closing(open_imaging(empty_url)) as imaging:
        image = stored(imaging, key())
        imaging.add_auto_scores([auto(image)])
        imaging.note_pushed(LAB, given(imaging.scores_to_push(LAB, now=NOON, limit=10)), now=NOON)
        many = [auto(image, f"readout-{number}", recipe=by_readout(RECIPE)) for number in range(1200)]
        imaging.add_auto_scores(many)
        found = imaging.scores_to_push(LAB, now=NOON, limit=10)
        assert (found.scores, found.looked_to) == ((), 1201)
        imaging.note_pushed(LAB, [], now=NOON, looked_to=found.looked_to)
        with engine.connect() as connection:
            assert connection.scalar(select(schema.facility.c.push_mark)) == 1201
        assert imaging.scores_to_push(LAB, now=NOON, limit=10).looked_to == 0
        imaging.add_auto_scores([auto(image, "unit-2", recipe=OTHER_RECIPE)])
        again = imaging.scores_to_push(LAB, now=NOON, limit=1)
        assert [each.score.work_unit for each in again.scores] == ["unit-2"]
        assert again.looked_to == 0


def test_the_first_scores_of_a_readout_that_come_in_between_are_not_pushed(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_imaging(empty_url)) as imaging:
        image = stored(imaging, key())
        imaging.add_auto_scores([auto(image), auto(image, "r1", recipe=by_readout(RECIPE))])
        monkeypatch.setattr(sql_facility, "readouts_among_recipes", lambda connection: {})
        found = imaging.scores_to_push(LAB, now=NOON, limit=10)
        assert ([each.score.work_unit for each in found.scores], found.passed_over) == (["unit-1"], ())
