"""What people said of images, counted by the database."""

from collections import Counter
from dataclasses import replace

from crystal_search.server.imaging.imaging_database import ImagingDatabase
from tests.integration.imaging_nouns import NOON, auto, key, manual, stored


def test_the_newest_score_of_each_image_is_counted(imaging: ImagingDatabase) -> None:
    images = [stored(imaging, key(plate, column=at)) for plate in ("P1", "P2") for at in range(3)]
    uv = stored(imaging, key("P1", channel="uv"))
    before = imaging.hand_state()
    assert (imaging.hand_counts(), imaging.scored_by_several()) == ([], [])
    imaging.add_auto_scores([auto(each) for each in images])
    assert imaging.hand_state() == before
    for image in (*images[:4], uv):
        imaging.add_manual_score(manual(image, outcome="clear"))
    imaging.add_manual_score(replace(manual(images[0], outcome="no_drop"), person="Ben"))
    counted = imaging.hand_counts()
    expected = Counter((image.key.plate, score.outcome) for image, score in imaging.newest_by_hand())
    assert {(each.plate, each.outcome): each.images for each in counted} == expected
    clear = next(each for each in counted if (each.plate, each.outcome) == ("P1", "clear"))
    assert (clear.first_path, clear.last_path) == (images[1].path, images[2].path)
    assert [each.outcome for each in imaging.hand_counts(channel="uv")] == ["clear"]
    assert [each.id for each in imaging.scored_by_several()] == [images[0].id]


def test_what_is_taken_back_is_said_by_nobody(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    states = [imaging.hand_state()]
    for person in ("Ada", "Ben"):
        imaging.add_manual_score(replace(manual(image, outcome="clear"), person=person))
        states.append(imaging.hand_state())
    (drop,) = imaging.drops("P1", inspection=1)
    assert imaging.take_back(drop.people[0].id, person="Ben", at=NOON)
    states.append(imaging.hand_state())
    assert len(set(states)) == 4
    assert imaging.scored_by_several() == []
    assert [each.images for each in imaging.hand_counts()] == [1]
    assert imaging.take_back(drop.people[1].id, person="Ada", at=NOON)
    assert imaging.hand_counts() == []
