"""What every imaging database does, whatever holds its rows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from crystal_search.errors import DatabaseError, UnknownNameError
from crystal_search.server.imaging import sql_transactions, sql_units
from crystal_search.server.imaging.imaging_database import CLOSED, AutoScore, ImagingDatabase, PlateSummary
from crystal_search.server.imaging.plate_list import PlateQuery
from crystal_search.server.imaging.stored_images import FileVersion, NewImage, Postponement, Removal, StoredImage, Taken
from tests.integration.imaging_nouns import (
    NO_DROP,
    NOON,
    OTHER_RECIPE,
    RECIPE,
    auto,
    key,
    manual,
    new_image,
    stored,
    unit,
    unreadable,
)
from tests.recipes import by_readout


def test_images_come_back_as_they_were_added(imaging: ImagingDatabase) -> None:
    where = key("Plätte 1/ß", row=31, column=47, drop=3, inspection=12, channel="uv")
    imaging.add_images([new_image(where, path="/imager/Größe 'x'/%s/a.jpg")])
    (image,) = imaging.plate_images("Plätte 1/ß")
    assert (image.key, image.path, image.imaged_at) == (where, "/imager/Größe 'x'/%s/a.jpg", NOON)
    assert imaging.images([image.id, image.id + 1]) == {image.id: image}


def test_times_come_back_in_utc(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key(), imaged_at=NOON.astimezone(timezone(timedelta(hours=-5))))
    assert image.imaged_at == NOON
    assert image.imaged_at.tzinfo == UTC
    assert stored(imaging, key(row=1), imaged_at=None).imaged_at is None
    day = NewImage(key=key(row=2), path="/imager/day.jpg", imaged_at=datetime(2026, 1, 31, tzinfo=UTC), day_only=True)
    imaging.add_images([day])
    (found,) = [image for image in imaging.plate_images(day.key.plate) if image.path == day.path]
    assert (found.imaged_at, found.day_only, image.day_only) == (day.imaged_at, True, False)


def test_a_time_without_a_zone_is_refused(imaging: ImagingDatabase) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        imaging.add_images([new_image(key(), imaged_at=datetime(2026, 1, 31))])
    assert imaging.plates() == []


def test_adding_tells_new_known_and_conflicting_images_apart(imaging: ImagingDatabase) -> None:
    first, second = new_image(key(row=0)), new_image(key(row=1))
    assert imaging.add_images([first, first]).added == 1
    same_key = replace(first, path="/elsewhere.jpg")
    same_path = replace(first, key=key(row=7))
    answer = imaging.add_images([first, second, same_key, same_path])
    assert (answer.added, answer.known) == (1, 1)
    assert answer.conflicts == (
        "/elsewhere.jpg would be plate P1 well A01 drop 1 inspection 1 visible, "
        "which is /images/P1/1/visible/A01_1.jpg already",
        "/images/P1/1/visible/A01_1.jpg is known as plate P1 well A01 drop 1 inspection 1 visible, "
        "it cannot be plate P1 well H01 drop 1 inspection 1 visible too",
    )
    assert [image.path for image in imaging.plate_images("P1")] == [first.path, second.path]


def test_conflicts_inside_one_call_are_found(imaging: ImagingDatabase) -> None:
    answer = imaging.add_images(
        [new_image(key()), new_image(key(), path="/b.jpg"), new_image(key(row=2), path="/c.jpg")]
    )
    assert (answer.added, len(answer.conflicts)) == (2, 1)


def test_barcodes_and_paths_differ_in_case_and_in_trailing_spaces(imaging: ImagingDatabase) -> None:
    plates = ["P1", "p1", "P1 ", "Pä", "PÄ"]
    assert imaging.add_images([new_image(key(plate)) for plate in plates]).added == len(plates)
    assert [summary.plate for summary in imaging.plates()] == sorted(plates)


def test_more_images_than_a_statement_holds(imaging: ImagingDatabase) -> None:
    images = [new_image(key(row=number // 48, column=number % 48, inspection=1)) for number in range(1536)]
    assert imaging.add_images(images).added == 1536
    assert imaging.add_images(reversed(images)).known == 1536
    paths = [image.path for image in images]
    assert imaging.known_paths([*paths, "/no/such.jpg"]) == set(paths)
    assert imaging.known_paths([]) == set()


def test_a_path_may_be_long(imaging: ImagingDatabase) -> None:
    path = "/" + "ö" * 2000
    imaging.add_images([new_image(key(), path=path + "1"), new_image(key(row=1), path=path + "2")])
    assert imaging.known_paths([path + "1", path + "3"]) == {path + "1"}


def test_images_without_score_come_newest_first_and_undated_ones_as_they_came(imaging: ImagingDatabase) -> None:
    undated = [stored(imaging, key(row=row), imaged_at=None) for row in (0, 1)]
    old, new = (stored(imaging, key(row=row), imaged_at=NOON + timedelta(days=row)) for row in (2, 3))
    twin = stored(imaging, key(row=4), imaged_at=new.imaged_at)
    expected = [*reversed(undated), twin, new, old]
    assert imaging.images_without_score(RECIPE, limit=10) == expected
    assert imaging.images_without_score(RECIPE, limit=2) == expected[:2]


def test_a_robot_whose_clock_is_ahead_is_not_served_before_all_others(imaging: ImagingDatabase) -> None:
    ahead = stored(imaging, key(row=0), imaged_at=datetime.now(UTC) + timedelta(days=400))
    now = stored(imaging, key(row=1), imaged_at=None)
    assert imaging.images_without_score(RECIPE, limit=10) == [now, ahead]


def test_only_visible_light_waits_for_a_score(imaging: ImagingDatabase) -> None:
    stored(imaging, key(channel="uv"))
    visible = stored(imaging, key())
    assert imaging.images_without_score(RECIPE, limit=10) == [visible]


def test_one_plate_can_be_asked_for(imaging: ImagingDatabase) -> None:
    stored(imaging, key("P1"))
    second = stored(imaging, key("P2"))
    assert imaging.images_without_score(RECIPE, limit=10, plate="P2") == [second]
    assert imaging.images_without_score(RECIPE, limit=10, plate="P3") == []


def test_a_score_counts_for_its_recipe_only(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    imaging.add_auto_scores([auto(image)])
    imaging.add_manual_score(manual(image))
    assert imaging.images_without_score(RECIPE, limit=10) == []
    assert imaging.images_without_score(OTHER_RECIPE, limit=10) == [image]
    assert imaging.images_without_score(replace(RECIPE, threshold=0.9), limit=10) == [image]
    classifier, drop = RECIPE.models
    for changed in ((replace(classifier, sha256="d" * 64), drop), (classifier, replace(drop, sha256="d" * 64))):
        assert imaging.images_without_score(replace(RECIPE, models=changed), limit=10) == [image]
    renamed = replace(RECIPE, models=(replace(classifier, name="other"), drop))
    assert imaging.images_without_score(renamed, limit=10) == []


def test_going_back_to_an_earlier_recipe_scores_nothing_twice(imaging: ImagingDatabase) -> None:
    """Half of the images are scored by one recipe, half by another, one by both, one by none."""
    images = [stored(imaging, key(row=row)) for row in range(6)]
    imaging.add_auto_scores([auto(image, "u1", recipe=RECIPE) for image in images[:3]])
    imaging.add_auto_scores([auto(image, "u2", recipe=OTHER_RECIPE) for image in images[2:5]])
    assert imaging.images_without_score(RECIPE, limit=10) == [images[5], images[4], images[3]]
    assert imaging.images_without_score(OTHER_RECIPE, limit=10) == [images[5], images[1], images[0]]
    assert imaging.images_without_score(OTHER_RECIPE, limit=2) == [images[5], images[1]]
    assert imaging.images_without_score(OTHER_RECIPE, limit=10, plate="P1") == [images[5], images[1], images[0]]


@pytest.mark.parametrize(("state", "waits"), [("open", False), ("failed", False), ("done", True), ("withdrawn", True)])
def test_an_image_in_a_work_unit_does_not_wait(imaging: ImagingDatabase, state: str, waits: bool) -> None:
    image = stored(imaging, key())
    imaging.add_units([unit(image)])
    if state != "open":
        imaging.close_unit("unit-1", state)
    assert imaging.images_without_score(RECIPE, limit=10) == ([image] if waits else [])
    assert imaging.images_without_score(OTHER_RECIPE, limit=10) == [image]


@pytest.mark.parametrize("state", ["open", *CLOSED])
def test_work_units_are_known_in_every_state(imaging: ImagingDatabase, state: str) -> None:
    imaging.add_units([unit(stored(imaging, key()))])
    if state != "open":
        imaging.close_unit("unit-1", state)
    assert imaging.known_units(["unit-1", "of-another-1-0123456789abcdef"]) == {"unit-1"}
    assert imaging.known_units([]) == set()


def test_a_work_unit_that_failed_holds_only_what_was_left_out(imaging: ImagingDatabase) -> None:
    images = [stored(imaging, key(row=row)) for row in range(3)]
    imaging.add_units([unit(*images)])
    imaging.close_unit("unit-1", "failed", "a row was deleted", left_out=[images[1].id])
    imaging.close_unit("unit-1", "failed", "again", left_out=[])
    assert imaging.images_without_score(RECIPE, limit=10) == [images[2], images[0]]
    assert imaging.units("failed")[0].image_ids == tuple(image.id for image in images)


def test_work_units_are_recorded_once_and_closed_once(imaging: ImagingDatabase) -> None:
    images = [stored(imaging, key(row=row)) for row in range(3)]
    late = unit(images[2], images[0], name="late", hours=2)
    early = unit(images[1], name="early", recipe=OTHER_RECIPE, hours=1)
    empty = unit(name="empty", hours=3)
    assert imaging.add_units([late, early]) == {"late", "early"}
    assert imaging.add_units([replace(late, image_ids=()), empty]) == {"empty"}
    assert imaging.add_units([]) == set()
    assert imaging.units("open") == [early, late, empty]
    assert [*imaging.unit_recipes("open").items()] == [("early", OTHER_RECIPE), ("late", RECIPE), ("empty", RECIPE)]
    assert imaging.unit_recipes("done") == {}
    imaging.close_unit("late", "failed", "it was 'killed'")
    imaging.close_unit("late", "done")
    imaging.close_unit("no-such-unit", "done")
    assert imaging.units("failed") == [replace(late, state="failed", reason="it was 'killed'")]
    assert [each.name for each in imaging.units("open")] == ["early", "empty"]
    with pytest.raises(ValueError, match="done or failed or withdrawn"):
        imaging.close_unit("early", "open")


def test_many_work_units_are_finished_at_once(imaging: ImagingDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_units, "BATCH", 4)  # names that a statement holds
    image = stored(imaging, key())
    names = [f"unit-{number}" for number in range(10)]
    for name in (*names, "other"):
        imaging.add_units([unit(image, name=name)])
    imaging.close_unit("unit-7", "failed", "a row was deleted", left_out=[])
    imaging.finish_units([*names, "no-such-unit"])
    imaging.finish_units([])
    assert {each.name for each in imaging.units("done")} == {*names} - {"unit-7"}
    assert [each.name for each in imaging.units("open")] == ["other"]
    assert [each.name for each in imaging.units("failed")] == ["unit-7"]


def test_a_work_unit_that_was_withdrawn_is_opened_again(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    imaging.add_units([unit(image)])
    imaging.close_unit("unit-1", "withdrawn", "another model")
    assert imaging.units("withdrawn") == [replace(unit(image), state="withdrawn", reason="another model")]
    assert imaging.add_units([unit(image, hours=5)]) == {"unit-1"}
    assert imaging.units("open") == [unit(image)]
    assert imaging.units("withdrawn") == []
    assert imaging.images_without_score(RECIPE, limit=10) == []
    assert imaging.add_units([unit(image)]) == set()


def test_work_units_that_are_new_withdrawn_and_known_are_recorded_together(
    imaging: ImagingDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_transactions, "BATCH", 2)
    images = [stored(imaging, key(row=row)) for row in range(4)]
    units = [unit(image, name=f"unit-{image.id}", hours=image.id) for image in images]
    imaging.add_units(units[:2])
    imaging.close_unit(units[0].name, "withdrawn")
    several = [*units, unit(*images, name="all", recipe=OTHER_RECIPE, hours=9)]
    assert imaging.add_units(several) == {units[0].name, units[2].name, units[3].name, "all"}
    assert imaging.units("open") == several


def test_files_of_several_work_units_are_noted_together(imaging: ImagingDatabase) -> None:
    images = [stored(imaging, key(row=row)) for row in range(3)]
    imaging.add_units([unit(*images[:2], name="one"), unit(images[2], name="two", hours=1)])
    versions = {image.id: version(letter) for image, letter in zip(images, "abc", strict=True)}
    imaging.note_versions(versions, packed={images[1].id: "one", images[2].id: "two"})
    assert [each.versions for each in imaging.units("open")] == [(None, version("b")), (version("c"),)]
    assert {image.id: image.version for image in imaging.images(versions).values()} == versions


def test_a_work_unit_with_unknown_images_is_not_recorded(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    with pytest.raises(DatabaseError, match="nothing was changed"):
        imaging.add_units([replace(unit(image), image_ids=(image.id, image.id + 1))])
    assert imaging.units("open") == []


def test_scores_come_back_as_they_were_added(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    scores = [auto(image, "u1", recipe=OTHER_RECIPE, hours=1), unreadable(image, "u2")]
    no_drop = replace(unreadable(image, "u3"), found=NO_DROP)
    assert imaging.add_auto_scores([*scores, no_drop]) == 3
    imaging.add_manual_score(manual(image, hours=0.5))
    assert imaging.ledger(image.id) == [*scores, no_drop, manual(image, hours=0.5)]
    assert imaging.ledger(image.id + 1) == []


def test_an_automatic_score_is_new_once_for_an_image_and_a_work_unit(imaging: ImagingDatabase) -> None:
    one, two = stored(imaging, key(row=0)), stored(imaging, key(row=1))
    assert imaging.add_auto_scores([auto(one), replace(auto(one), found=NO_DROP)]) == 1
    assert imaging.add_auto_scores([auto(one, hours=3), auto(two), auto(one, "unit-2")]) == 2
    assert imaging.add_auto_scores([]) == 0
    assert imaging.ledger(one.id) == [auto(one), auto(one, "unit-2")]


def test_scores_of_unknown_images_leave_nothing_behind(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    with pytest.raises(DatabaseError, match="nothing was changed"):
        imaging.add_auto_scores([auto(image), replace(auto(image), image_id=image.id + 1)])
    with pytest.raises(DatabaseError, match="nothing was changed"):
        imaging.add_manual_score(replace(manual(image), image_id=image.id + 1))
    assert imaging.ledger(image.id) == []


def test_a_persons_score_names_an_outcome(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    imaging.add_manual_score(manual(image, outcome="no_drop"))
    with pytest.raises(UnknownNameError, match="choose from"):
        imaging.add_manual_score(manual(image, outcome="lovely"))
    assert len(imaging.ledger(image.id)) == 1


def test_drops_show_the_score_of_each_kind_that_came_last_whatever_the_clocks_say(imaging: ImagingDatabase) -> None:
    image, bare = stored(imaging, key(row=1)), stored(imaging, key(row=0, column=5))
    stored(imaging, key(row=0, inspection=2))
    stored(imaging, key("P2"))
    imaging.add_manual_score(manual(image, "Ann", hours=9))
    imaging.add_manual_score(manual(image, "Bob", hours=4))
    imaging.add_auto_scores([auto(image, "u1", hours=5), auto(image, "u2", hours=8)])
    imaging.add_auto_scores([auto(image, "u3", hours=7)])
    first, second = imaging.drops("P1", inspection=1)
    assert (first.image, first.auto, first.manual) == (bare, None, None)
    assert (second.image, second.auto) == (image, auto(image, "u3", hours=7))
    assert second.people == (manual(image, "Bob", hours=4), manual(image, "Ann", hours=9))
    assert second.manual == second.people[0]
    assert imaging.drops("P1", inspection=1, channel="uv") == []
    assert imaging.drops("P9", inspection=1) == []


def test_inspections_begin_when_their_first_image_was_taken(imaging: ImagingDatabase) -> None:
    for row, hours in enumerate((5, 2, 9)):
        stored(imaging, key(row=row), imaged_at=NOON + timedelta(hours=hours))
    stored(imaging, key(inspection=2), imaged_at=None)
    day = NewImage(key=key(inspection=3), path="/day.jpg", imaged_at=NOON.replace(hour=0, microsecond=0), day_only=True)
    imaging.add_images([day])
    (gone,) = [stored(imaging, key("P2"))]
    imaging.remove_images([gone.id], Removal(person="Ann", what="plate P2", why="", removed_at=NOON))
    assert imaging.inspections_taken("P1") == {
        1: Taken(at=NOON + timedelta(hours=2), day_only=False),
        3: Taken(at=NOON.replace(hour=0, microsecond=0), day_only=True),
    }
    assert imaging.inspections_taken("P2") == imaging.inspections_taken("P9") == {}


def test_scores_of_readouts_stand_beside_the_automatic_score(imaging: ImagingDatabase) -> None:
    image, ours, theirs = stored(imaging, key()), by_readout(RECIPE), by_readout(RECIPE, "f")
    imaging.add_auto_scores([auto(image, "u1")])
    said = [auto(image, "r1", recipe=ours), auto(image, "r2", recipe=theirs), auto(image, "r3", recipe=ours, hours=1)]
    assert imaging.add_auto_scores(said) == 3
    assert imaging.add_auto_scores(said) == 0
    assert imaging.ledger(image.id) == [auto(image, "u1"), *said]
    shown = {
        readouts: imaging.drops("P1", inspection=1, readouts=readouts)
        for readouts in ((), ("e" * 64,), ("f" * 64, "e" * 64), ("9" * 64,))
    }
    assert [(drop.auto, drop.manual) for drops in shown.values() for drop in drops] == 4 * [(auto(image, "u1"), None)]
    assert [drops[0].readouts for drops in shown.values()] == [(), (said[2],), (said[1], said[2]), ()]


def test_no_image_is_scored_by_a_readout_nor_waits_for_one(imaging: ImagingDatabase) -> None:
    image, ours = stored(imaging, key()), by_readout(RECIPE)
    imaging.postpone([later(image, hours=1)])
    imaging.add_auto_scores([auto(image, "r1", recipe=ours)])
    (plate,) = imaging.plates()
    assert (plate.scored, plate.last_scored_at) == (0, None)
    assert imaging.postponements([image.id])
    assert imaging.count_to_score(RECIPE) == 1
    assert imaging.waits_longest() is not None
    imaging.take_up([image.id])
    assert imaging.images_without_score(RECIPE, limit=9) == [image]
    imaging.add_auto_scores([auto(image, "u1"), auto(image, "r2", recipe=ours, hours=9)])
    (plate,) = imaging.plates()
    assert (plate.scored, plate.last_scored_at) == (1, NOON)
    assert (imaging.images_without_score(RECIPE, limit=9), imaging.count_to_score(RECIPE)) == ([], 0)
    assert imaging.waits_longest() is None


def test_what_a_readout_said_of_a_former_picture_does_not_count(imaging: ImagingDatabase) -> None:
    image, ours = stored(imaging, key()), by_readout(RECIPE)
    imaging.add_auto_scores([auto(image, "u1"), auto(image, "r1", recipe=ours)])
    imaging.discount_scores([image.id])
    imaging.add_auto_scores([auto(image, "u2")])
    (drop,) = imaging.drops("P1", inspection=1, readouts=["e" * 64])
    assert (drop.current, [score.counts for score in drop.readouts]) == (auto(image, "u2"), [False])


def test_scored_images_of_a_recipe_are_gone_through_from_the_newest_on(imaging: ImagingDatabase) -> None:
    days = (3, 1, 4, 1, 5)
    images = [stored(imaging, key(row=at), imaged_at=NOON + timedelta(days=-day)) for at, day in enumerate(days)]
    other, uv = stored(imaging, key(row=9)), stored(imaging, key(row=9, channel="uv"))
    stored(imaging, key(row=10))
    imaging.add_auto_scores([auto(each) for each in (*images, uv)])
    imaging.add_auto_scores([auto(other, recipe=OTHER_RECIPE), auto(images[0], "r1", recipe=by_readout(RECIPE))])
    assert set(imaging.recipes()) == {RECIPE, OTHER_RECIPE}
    assert imaging.scored_images(OTHER_RECIPE, limit=9) == [other]
    newest = [images[at] for at in (3, 1, 0, 2, 4)]
    assert imaging.scored_images(RECIPE, limit=9) == newest
    seen: list[StoredImage] = []
    while part := imaging.scored_images(RECIPE, older_than=age_of(seen[-1]) if seen else None, limit=2):
        seen += part
    assert seen == newest
    assert imaging.scored_images(by_readout(RECIPE), limit=9) == []


def age_of(image: StoredImage) -> tuple[datetime, int]:
    assert image.arrived_at
    return image.arrived_at, image.id


def test_a_readout_takes_no_verdict_back(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    imaging.add_auto_scores([unreadable(image, "u1")])
    imaging.add_auto_scores([auto(image, "r1", recipe=by_readout(RECIPE))])
    assert [each.id for each in imaging.unreadable_images()] == [image.id]


def test_plates_are_summed_up(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key("P2", inspection=3))
    stored(imaging, key("P2", inspection=1, channel="uv"))
    stored(imaging, key("P1"))
    imaging.add_auto_scores([auto(image, "u1", hours=1), auto(image, "u2", hours=7)])
    imaging.add_manual_score(manual(image, hours=50))
    assert imaging.plates() == [
        PlateSummary(plate="P1", inspections=(1,), channels=("visible",), images=1, scored=0, last_scored_at=None),
        PlateSummary(
            plate="P2",
            inspections=(1, 3),
            channels=("uv", "visible"),
            images=2,
            scored=1,
            last_scored_at=NOON + timedelta(hours=7),
        ),
    ]


def waits_longest(imaging: ImagingDatabase) -> datetime:
    """Return since when the image waits that waits longest; there is one."""
    since = imaging.waits_longest()
    assert since is not None
    return since


def test_the_image_that_has_waited_longest_is_told(imaging: ImagingDatabase) -> None:
    assert imaging.waits_longest() is None
    stored(imaging, key(row=2, channel="uv"), imaged_at=NOON - timedelta(days=9))
    assert imaging.waits_longest() is None
    began = datetime.now(UTC)
    first = stored(imaging, key(row=3), imaged_at=NOON - timedelta(days=2000))
    first_since = waits_longest(imaging)
    second = stored(imaging, key(row=4), imaged_at=None)
    assert began <= first_since == waits_longest(imaging) <= datetime.now(UTC)
    imaging.add_auto_scores([auto(first)])
    second_since = waits_longest(imaging)
    assert second_since > first_since
    imaging.add_auto_scores([auto(second)])
    assert imaging.waits_longest() is None
    imaging.discount_scores([first.id])
    assert waits_longest(imaging) > second_since


def test_an_image_that_was_left_out_waits_for_nothing(imaging: ImagingDatabase) -> None:
    left_out, other = stored(imaging, key(row=1)), stored(imaging, key(row=2))
    imaging.add_units([unit(left_out, other, name="demo-1")])
    imaging.close_unit("demo-1", "failed", "left out", left_out=[left_out.id])
    since = waits_longest(imaging)
    imaging.add_auto_scores([auto(other)])
    assert imaging.waits_longest() is None
    imaging.discount_scores([left_out.id])
    assert waits_longest(imaging) > since


def test_an_image_that_was_put_off_waits_for_who_asks(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key(row=1))
    imaging.postpone([later(image, hours=1)])
    assert imaging.waits_longest(put_off=False) is None
    other = stored(imaging, key(row=2))
    assert imaging.waits_longest(put_off=False) is not None
    imaging.add_auto_scores([auto(other)])
    assert imaging.waits_longest() is not None


def test_the_last_units_are_those_that_were_made_last(imaging: ImagingDatabase) -> None:
    images = [stored(imaging, key(row=row)) for row in range(4)]
    for number, image in enumerate(images):
        made = replace(unit(image, name=f"demo-{number}"), created_at=NOON + timedelta(hours=number))
        assert imaging.add_units([made])
    assert [each.name for each in imaging.units("open", last=2)] == ["demo-2", "demo-3"]
    assert (imaging.count_units("open"), imaging.count_units("failed")) == (4, 0)


def test_other_channels_wait_only_for_who_asks(imaging: ImagingDatabase) -> None:
    visible, uv = stored(imaging, key(row=1)), stored(imaging, key(row=1, channel="uv"))
    assert imaging.images_without_score(RECIPE, limit=9) == [visible]
    assert imaging.images_without_score(RECIPE, limit=9, channel="uv") == [uv]
    assert imaging.images_without_score(RECIPE, limit=9, channel="uv", plate=uv.key.plate) == [uv]


def test_many_images_are_read_at_once(imaging: ImagingDatabase) -> None:
    known = [stored(imaging, key(row=row)) for row in range(3)]
    ids = [image.id for image in known]
    assert imaging.images([*ids, max(ids) + 1]) == dict(zip(ids, known, strict=True))
    assert imaging.images([]) == {}
    assert imaging.scored(ids, RECIPE) == set()
    imaging.add_auto_scores([auto(known[1])])
    assert imaging.scored(ids, RECIPE) == {ids[1]}
    assert imaging.scored(ids, OTHER_RECIPE) == set()


def version(letter: str, *, mtime_ns: int = 1) -> FileVersion:
    return FileVersion(sha256=letter * 64, size_bytes=10, mtime_ns=mtime_ns)


def scored_once(imaging: ImagingDatabase) -> StoredImage:
    """Add an image that was packed and scored."""
    image = stored(imaging, key())
    imaging.add_units([unit(image)])
    assert imaging.note_versions({image.id: version("a")}, packed={image.id: "unit-1"}) == set()
    imaging.add_auto_scores([replace(auto(image), version=version("a"))])
    imaging.close_unit("unit-1", "done")
    return imaging.images([image.id])[image.id]


def test_a_file_is_noted_at_its_image_and_at_the_work_unit_that_was_packed_of_it(imaging: ImagingDatabase) -> None:
    one, two = stored(imaging, key()), stored(imaging, key(row=1))
    imaging.add_units([unit(one, two)])
    assert imaging.units("open")[0].versions == ()
    imaging.note_versions({two.id: version("b")}, packed={two.id: "unit-1"})
    assert imaging.units("open")[0].versions == (None, version("b"))
    assert imaging.images([two.id])[two.id].version == version("b")
    assert [image.id for image in imaging.images_read(limit=9)] == [two.id]
    assert imaging.images_read(below=two.id, limit=9) == []


def test_images_that_were_read_are_found_below_many_that_wait(imaging: ImagingDatabase) -> None:
    read = scored_once(imaging)
    waiting = [stored(imaging, key(row=row)) for row in range(1, 4)]
    imaging.add_units([unit(*waiting[:2], name="unit-2")])
    assert imaging.images_read(limit=1) == [read]
    assert imaging.images_read(below=read.id, limit=1) == []


def test_another_picture_in_the_same_file_is_scored_anew_and_the_old_score_is_kept(imaging: ImagingDatabase) -> None:
    image = scored_once(imaging)
    assert imaging.images_without_score(RECIPE, limit=9) == []
    assert imaging.note_versions({image.id: version("b")}) == {image.id}
    assert [each.id for each in imaging.images_without_score(RECIPE, limit=9)] == [image.id]
    assert imaging.scored([image.id], RECIPE) == set()
    assert (imaging.plates()[0].images, imaging.plates()[0].scored) == (1, 0)
    (drop,) = imaging.drops("P1", inspection=1)
    assert (drop.current, drop.why_unscored[:23]) == (None, "the picture has changed")
    imaging.add_auto_scores([replace(auto(image, "unit-2"), version=version("b"))])
    assert imaging.images_without_score(RECIPE, limit=9) == []
    (drop,) = imaging.drops("P1", inspection=1)
    assert drop.current
    assert (drop.current.work_unit, drop.why_unscored) == ("unit-2", "")
    assert [isinstance(each, AutoScore) and each.counts for each in imaging.ledger(image.id)] == [False, True]
    assert imaging.plates()[0].scored == 1


def test_a_file_that_was_only_touched_keeps_its_score(imaging: ImagingDatabase) -> None:
    image = scored_once(imaging)
    assert imaging.note_versions({image.id: version("a", mtime_ns=2)}) == set()
    assert imaging.images_without_score(RECIPE, limit=9) == []
    assert imaging.images([image.id])[image.id].version == version("a", mtime_ns=2)


def test_a_score_of_a_former_picture_that_comes_late_does_not_count(imaging: ImagingDatabase) -> None:
    image = scored_once(imaging)
    imaging.note_versions({image.id: version("b")})
    imaging.add_auto_scores([replace(auto(image, "unit-2"), version=version("a"))])
    assert [each.id for each in imaging.images_without_score(RECIPE, limit=9)] == [image.id]
    assert imaging.plates()[0].scored == 0
    (drop,) = imaging.drops("P1", inspection=1)
    assert drop.current is None


def test_a_score_of_a_former_picture_that_comes_last_hides_none_that_counts(imaging: ImagingDatabase) -> None:
    image = scored_once(imaging)
    imaging.note_versions({image.id: version("b")})
    imaging.add_auto_scores([replace(auto(image, "unit-2"), version=version("b"))])
    imaging.add_auto_scores([replace(auto(image, "unit-3", recipe=OTHER_RECIPE), version=version("a"))])
    (drop,) = imaging.drops("P1", inspection=1)
    assert (drop.current and drop.current.work_unit, drop.why_unscored) == ("unit-2", "")
    assert [each.crystals for each in imaging.list_plates(PlateQuery()).plates] == [1]


def test_scores_that_were_taken_back_are_made_again_also_of_a_failed_unit(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    other = stored(imaging, key(row=1))
    imaging.add_units([unit(image, other)])
    imaging.add_auto_scores([unreadable(image)])
    imaging.close_unit("unit-1", "failed", "three attempts")
    assert [each.id for each in imaging.unreadable_images()] == [image.id]
    assert imaging.images_without_score(RECIPE, limit=9) == []
    imaging.discount_scores([image.id])
    assert [each.id for each in imaging.images_without_score(RECIPE, limit=9)] == [image.id]
    assert imaging.unreadable_images() == []
    assert imaging.ledger(image.id) == [replace(unreadable(image), counts=False)]
    assert imaging.plates()[0].scored == 0
    imaging.add_auto_scores([auto(image, "unit-2")])
    assert imaging.images_without_score(RECIPE, limit=9) == []
    assert imaging.plates()[0].scored == 1


def later(image: StoredImage, *, hours: float, reason: str = "the share is away", tries: int = 1) -> Postponement:
    now = datetime.now(UTC)
    return Postponement(
        image_id=image.id, reason=reason, tries=tries, since=now, next_at=now + timedelta(hours=hours), sha256=""
    )


def test_an_image_that_was_put_off_waits_until_its_time(imaging: ImagingDatabase) -> None:
    one, two, three = (stored(imaging, key(row=row)) for row in range(3))
    put_off = [later(one, hours=1), later(two, hours=-1), later(three, hours=2, reason="its file is gone")]
    imaging.postpone(put_off)
    assert imaging.images_without_score(RECIPE, limit=9) == [two]
    assert imaging.postponements([one.id, three.id]) == {one.id: put_off[0], three.id: put_off[2]}
    assert [(each.reason, each.images) for each in imaging.postponed()] == [
        ("the share is away", 2),
        ("its file is gone", 1),
    ]
    assert imaging.postponed()[0].next_at == put_off[1].next_at
    assert [each.first for each in imaging.postponed(plate="P1")] == [min(one.path, two.path), three.path]
    assert imaging.postponed(plate="P2") == []
    assert imaging.postponed_images() == [one, two, three]
    assert [drop.postponed for drop in imaging.drops("P1", inspection=1)] == put_off
    imaging.postpone([later(one, hours=-1, tries=2)])
    assert imaging.postponements([one.id])[one.id].tries == 2
    imaging.take_up([three.id])
    assert imaging.images_without_score(RECIPE, limit=9) == [three, two, one]


def test_a_time_that_only_a_clock_that_was_set_back_can_have_told_holds_nothing_up(imaging: ImagingDatabase) -> None:
    one, two = (stored(imaging, key(row=row)) for row in range(2))
    imaging.postpone([later(one, hours=23.9), later(two, hours=8_760)])
    assert imaging.images_without_score(RECIPE, limit=9) == [two]
    assert imaging.images_without_score(RECIPE, limit=9, plate="P1") == [two]


def test_a_score_ends_the_wait(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    imaging.postpone([later(image, hours=1)])
    imaging.add_auto_scores([auto(image)])
    assert imaging.postponements([image.id]) == {}


def test_images_to_score_are_counted_by_recipe_and_channel(imaging: ImagingDatabase) -> None:
    one, two = stored(imaging, key()), stored(imaging, key(row=1))
    stored(imaging, key(channel="uv"))
    assert imaging.count_to_score(RECIPE) == 2
    imaging.add_auto_scores([auto(one), auto(two, recipe=OTHER_RECIPE)])
    assert (imaging.count_to_score(RECIPE), imaging.count_to_score(OTHER_RECIPE)) == (1, 1)


def test_what_people_said_last_of_each_image_is_told(imaging: ImagingDatabase) -> None:
    one, bare, two, uv = (
        stored(imaging, where) for where in (key(), key(row=1), key("P2"), key("P2", row=1, channel="uv"))
    )
    assert imaging.newest_by_hand() == []
    imaging.add_auto_scores([auto(one), auto(bare)])
    for image, person, outcome in ((two, "Ann", "clear"), (one, "Ann", "clear"), (uv, "Ann", "clear")):
        imaging.add_manual_score(manual(image, person, outcome=outcome))
    imaging.add_manual_score(manual(one, "Bob", outcome="no_drop", hours=-9))
    said = [(image.path, score.person, score.outcome) for image, score in imaging.newest_by_hand()]
    assert said == [(one.path, "Bob", "no_drop"), (two.path, "Ann", "clear")]
    assert [image.path for image, _ in imaging.newest_by_hand(channel="uv")] == [uv.path]
    imaging.remove_images([one.id], Removal(person="Ann", what="plate P1", why="", removed_at=NOON))
    assert [image.path for image, _ in imaging.newest_by_hand()] == [two.path]


def test_the_newest_image_in_work_is_of_an_open_unit_of_the_recipe(imaging: ImagingDatabase) -> None:
    old, new, newest = (stored(imaging, key(row=row), imaged_at=NOON + timedelta(days=row)) for row in range(3))
    assert imaging.newest_packed(RECIPE) is None
    imaging.add_units([unit(new, old)])
    imaging.add_units([unit(newest, name="unit-2", recipe=OTHER_RECIPE)])
    assert imaging.newest_packed(RECIPE) == new
    imaging.close_unit("unit-1", "done")
    assert imaging.newest_packed(RECIPE) is None
