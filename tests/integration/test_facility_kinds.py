"""What every facility's database does to which scores are given, whatever holds its rows."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from crystal_search.server.facility.facility_database import NEWEST_FILES
from crystal_search.server.facility.facility_kinds import FACILITIES
from crystal_search.server.imaging.imaging_database import ToPush
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.server.services.facility_exchange import pull, push
from tests.facility_sites import SITES, PlayedSite
from tests.integration.imaging_nouns import NOON, OTHER_RECIPE, RECIPE, auto
from tests.memory_imaging import MemoryImaging
from tests.xtaltrak_site import FIRST, image_of, key

LAB = "kind host/lab"
IMAGES = [image_of(key((row, column), inspection)) for inspection in (1, 2) for row in (0, 1) for column in range(3)]


@pytest.fixture(params=sorted(SITES))
def site(request: pytest.FixtureRequest, tmp_path: Path) -> PlayedSite:
    return SITES[request.param](tmp_path)


def test_each_kind_that_takes_scores_is_tested_here() -> None:
    assert {name for name, kind in FACILITIES.items() if kind.takes_scores} <= SITES.keys()


def scored(imaging: MemoryImaging, unit: str = "unit-1") -> MemoryImaging:
    recipe = RECIPE if unit == "unit-1" else OTHER_RECIPE
    for each in imaging.plates():
        imaging.add_auto_scores([auto(image, unit, recipe=recipe) for image in imaging.plate_images(each.plate)])
    return imaging


def known(imaging: MemoryImaging) -> dict[str, object]:
    return {image.path: image.key for each in imaging.plates() for image in imaging.plate_images(each.plate)}


def test_every_image_comes_with_its_place(site: PlayedSite) -> None:
    site.take(IMAGES)
    imaging = MemoryImaging()
    assert pull(imaging, site.facility, LAB).images == len(IMAGES)
    assert known(imaging) == {image.path: image.key for image in IMAGES}
    assert pull(imaging, site.facility, LAB).images == 0


def test_the_newest_files_are_those_of_the_newest_images(site: PlayedSite) -> None:
    assert site.facility.newest_files() == ()
    site.take(IMAGES)
    assert set(site.facility.newest_files()) == {image.path for image in IMAGES}
    many = [image_of(key((row, column), 3)) for row in range(3) for column in range(12)]
    site.take(many)
    newest = site.facility.newest_files()
    assert len(newest) == NEWEST_FILES
    assert set(newest) <= {image.path for image in many}


@pytest.mark.parametrize("limit", [1, 5, 12])
def test_whatever_a_look_asks_for_all_images_come(site: PlayedSite, limit: int) -> None:
    site.take(IMAGES[:7])
    paths, mark, more = set(), "", True
    while more:
        found = site.facility.pull(mark, limit=limit)
        paths |= {image.path for image in found.images}
        more, mark = found.more, found.mark
    site.take(IMAGES[7:])
    more = True
    while more:
        found = site.facility.pull(mark, limit=limit)
        paths |= {image.path for image in found.images}
        more, mark = found.more, found.mark
    assert paths == {image.path for image in IMAGES}


def test_asked_again_with_the_same_mark_it_says_the_same(site: PlayedSite) -> None:
    site.take(IMAGES)
    site.find_crystals(IMAGES[0], FIRST + timedelta(days=1))
    first, second = site.facility.pull("", limit=1000), site.facility.pull("", limit=1000)
    assert (first.images, first.scores, first.mark) == (second.images, second.scores, second.mark)


def test_a_persons_score_comes_once(site: PlayedSite) -> None:
    site.take(IMAGES)
    site.find_crystals(IMAGES[0], FIRST + timedelta(days=1))
    imaging = MemoryImaging()
    assert [pull(imaging, site.facility, LAB).scores for _ in range(2)] == [1, 0]
    ((image, score),) = imaging.newest_by_hand()
    assert (image.path, score.outcome) == (IMAGES[0].path, "crystal_harvestable")
    assert score.scored_at == FIRST + timedelta(days=1)


def test_scores_go_once_and_leave_what_people_said(site: PlayedSite) -> None:
    site.take(IMAGES)
    site.find_crystals(IMAGES[0], FIRST + timedelta(days=1))
    before = site.by_people()
    imaging = MemoryImaging()
    pull(imaging, site.facility, LAB)
    scored(imaging)
    assert push(imaging, site.facility, LAB).taken == len(IMAGES)
    ours = site.ours()
    assert len(ours) == len(IMAGES)
    assert push(imaging, site.facility, LAB).taken == 0
    assert pull(imaging, site.facility, LAB).scores == 0
    assert (site.ours(), site.by_people()) == (ours, before)


def test_a_push_whose_note_was_lost_changes_nothing_the_second_time(site: PlayedSite) -> None:
    site.take(IMAGES)
    imaging = MemoryImaging()
    pull(imaging, site.facility, LAB)
    given = scored(imaging).scores_to_push(LAB, now=NOON, limit=1000).scores
    assert site.facility.push(given) == ()
    ours = site.ours()
    assert site.facility.push(given) == ()
    assert site.ours() == ours
    assert push(imaging, site.facility, LAB).taken == len(IMAGES)
    assert site.ours() == ours


def test_what_it_does_not_know_is_refused_by_name_and_the_rest_is_taken(site: PlayedSite) -> None:
    site.take(IMAGES)
    imaging = MemoryImaging()
    pull(imaging, site.facility, LAB)
    stranger = NewImage(key=replace(IMAGES[0].key, plate="CI9"), path="/images/CI9/1/RMM3_A01_1_1_HF_99.jpg")
    imaging.add_images([stranger])
    report = push(scored(imaging), site.facility, LAB)
    assert (report.taken, len(report.refused)) == (len(IMAGES), 1)
    assert stranger.path in report.refused[0]
    assert len(site.ours()) == len(IMAGES)


def test_a_later_score_takes_the_place_of_ours(site: PlayedSite) -> None:
    site.take(IMAGES)
    imaging = MemoryImaging()
    pull(imaging, site.facility, LAB)
    push(scored(imaging), site.facility, LAB)
    assert push(scored(imaging, "unit-2"), site.facility, LAB).taken == len(IMAGES)
    assert len(site.ours()) == len(IMAGES)
    assert imaging.scores_to_push(LAB, now=NOON, limit=10) == ToPush()
