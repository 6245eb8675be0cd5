"""The list of plates: searched, sorted, cut into pages, with counts that are right after whatever came."""

import random
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from crystal_search.errors import UnknownNameError
from crystal_search.result import ImageScore, RankedScore
from crystal_search.server.imaging.imaging_database import ImagingDatabase, ManualScore
from crystal_search.server.imaging.plate_facts import Condition, Ingredient, PlateFacts, Source
from crystal_search.server.imaging.plate_list import SORTS, BestDrop, PlateQuery
from crystal_search.server.imaging.sql_counts import COUNTED
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.imaging.stored_images import FileVersion, Removal
from crystal_search.server.services.cycle import publish_scores
from tests.integration.imaging_nouns import NO_DROP, NOON, auto, key, manual, new_image, stored
from tests.memory_plate_list import listed
from tests.service_site import site_at

ISPYB = Source(name="ispyb")


def found(outcome: str, *, sure: bool = True, p_crystal: float = 0.5) -> ImageScore:
    score = RankedScore(outcome=outcome, probability=0.5, above_threshold=sure)
    return ImageScore(height_px=960, width_px=1280, score=score, group_peaks=(p_crystal, 0.25, 0.0, 0.0))


def test_a_line_tells_what_is_known_of_a_plate(imaging: ImagingDatabase) -> None:
    first = stored(imaging, key("P1"))
    other = stored(imaging, key("P1", row=1))
    stored(imaging, key("P1", channel="uv"))
    stored(imaging, key("P2"), imaged_at=NOON + timedelta(days=1))
    imaging.add_auto_scores(
        [replace(auto(first), found=found("crystal_bad_form")), replace(auto(other), found=NO_DROP)]
    )
    imaging.add_manual_score(manual(other, outcome="crystal_harvestable"))
    imaging.note_plates([PlateFacts(plate="P1", project="mx-1", protein="lysozyme", owner="Zoë")], source=ISPYB)
    page = imaging.list_plates(PlateQuery())
    assert (page.found, page.all, [each.plate for each in page.plates]) == (2, 2, ["P2", "P1"])
    line = page.plates[1]
    assert (line.project, line.protein, line.owner) == ("mx-1", "lysozyme", "Zoë")
    assert (line.inspections, line.channels, line.images, line.scored) == ((1,), ("uv", "visible"), 3, 2)
    assert (line.last_scored_at, line.newest_at) == (NOON, NOON)
    assert (line.crystals, line.crystals_by_hand, line.disagreements) == (1, 1, 1)
    assert line.best == BestDrop(image_id=first.id, well="A01", drop=1, p_crystal=0.5)
    assert page.plates[0].best is None


def test_neighbours_are_those_of_the_list(imaging: ImagingDatabase) -> None:
    for number, hours in enumerate((3, 1, 2, 1)):
        stored(imaging, key(f"P{number}"), imaged_at=NOON + timedelta(hours=hours))
    query = PlateQuery(per_page=1)
    names = [each.plate for each in imaging.list_plates(PlateQuery()).plates]
    assert names == ["P0", "P2", "P1", "P3"]
    for at, name in enumerate(names):
        expected = (names[at - 1] if at else None, names[at + 1] if at + 1 < len(names) else None)
        found = imaging.neighbours(name, query)
        assert (found.previous, found.next) == expected
    turned = imaging.neighbours("P2", PlateQuery(sort="plate", turned=True, search="p"))
    assert (turned.previous, turned.next) == ("P3", "P1")
    for absent in (imaging.neighbours("P9", query), imaging.neighbours("P1", PlateQuery(search="P2"))):
        assert (absent.previous, absent.next) == (None, None)
    with pytest.raises(UnknownNameError):
        imaging.neighbours("P1", PlateQuery(sort="colour"))


def test_one_plate_is_told_by_itself(imaging: ImagingDatabase) -> None:
    stored(imaging, key("P1"))
    stored(imaging, key("P1", channel="uv"))
    stored(imaging, key("P2"))
    (one,) = imaging.plates(plate="P1")
    assert one == imaging.plates()[0]
    assert (one.plate, one.images, imaging.plates(plate="p1"), imaging.plates(plate="P3")) == ("P1", 2, [], [])


def test_pages_follow_each_other_without_a_gap(imaging: ImagingDatabase) -> None:
    for number in range(7):
        stored(imaging, key(f"P{number}"), imaged_at=NOON + timedelta(hours=number % 3))
    pages = [imaging.list_plates(PlateQuery(page=page, per_page=3)) for page in (1, 2, 3, 4)]
    assert [[each.plate for each in page.plates] for page in pages] == [
        ["P2", "P5", "P1"],
        ["P4", "P0", "P3"],
        ["P6"],
        [],
    ]
    assert {(page.found, page.all) for page in pages} == {(7, 7)}


@pytest.mark.parametrize(
    ("search", "plates"),
    [
        ("", "ABC"),
        ("  ", "ABC"),
        ("MX-1", "AB"),
        ("mx-1 zoë", "A"),
        ("peg", "A"),
        ("PEG 3350", "A"),
        ("peg 4000", ""),
        ("jcsg", "C"),
        ("100%", "B"),
        ("_", "B"),
        ("o'neill", "B"),
        ("plate-c", "C"),
        ("nothing", ""),
    ],
)
def test_every_word_must_be_found_somewhere(imaging: ImagingDatabase, search: str, plates: str) -> None:
    for letter in "ABC":
        stored(imaging, key(f"plate-{letter}"))
    facts = [
        PlateFacts(plate="plate-A", project="mx-1", owner="Zoë"),
        PlateFacts(plate="plate-B", project="MX-1", protein="a_b 100% pure", people=("Tom O'Neill",)),
    ]
    imaging.note_plates(facts, source=ISPYB)
    peg = Ingredient(name="PEG 3350", concentration=25.0, unit="% w/v")
    wells = [
        Condition(plate="plate-A", row=0, column=0, ingredients=(peg,)),
        Condition(plate="plate-C", row=0, column=0, name="JCSG A1"),
    ]
    imaging.note_conditions(wells, source=ISPYB)
    page = imaging.list_plates(PlateQuery(search=search, sort="plate"))
    assert "".join(each.plate[-1] for each in page.plates) == plates
    assert (page.found, page.all) == (len(plates), 3)


@pytest.mark.parametrize(
    ("projects", "search", "plates"),
    [(("mx-1",), "", "A"), (("mx-1", "100%"), "", "AB"), ((), "", ""), (("MX-1",), "", ""), (("mx-1",), "b", "")],
)
def test_only_plates_of_some_projects_are_listed(
    imaging: ImagingDatabase, projects: tuple[str, ...], search: str, plates: str
) -> None:
    for letter in "ABC":
        stored(imaging, key(letter))
    facts = [PlateFacts(plate="A", project="mx-1"), PlateFacts(plate="B", project="100%")]
    imaging.note_plates(facts, source=ISPYB)
    page = imaging.list_plates(PlateQuery(projects=projects, search=search, sort="plate"))
    assert "".join(each.plate for each in page.plates) == plates
    assert (page.found, page.all) == (len(plates), len(imaging.plates_of(projects)))
    beyond = imaging.list_plates(PlateQuery(projects=projects, search=search, page=9))
    assert (beyond.found, beyond.all) == (page.found, page.all)


def test_what_plates_are_not_sorted_by_is_refused(imaging: ImagingDatabase) -> None:
    with pytest.raises(UnknownNameError, match="no order of plates 'colour'; choose from newest_at, plate"):
        imaging.list_plates(PlateQuery(sort="colour"))
    with pytest.raises(ValueError, match="pages count from 1"):
        imaging.list_plates(PlateQuery(page=0))


def test_plates_without_images_are_not_listed(imaging: ImagingDatabase) -> None:
    imaging.note_plates([PlateFacts(plate="P1", project="x")], source=ISPYB)
    image = stored(imaging, key("P2"))
    assert [each.plate for each in imaging.list_plates(PlateQuery()).plates] == ["P2"]
    imaging.remove_images([image.id], Removal(person="Ada", what="plate P2", why="", removed_at=NOON))
    page = imaging.list_plates(PlateQuery())
    assert (page.plates, page.found, page.all) == ((), 0, 0)


def test_counts_are_right_after_whatever_came(imaging: ImagingDatabase) -> None:
    """Every step is compared with a list that is made anew of the drops."""
    chance = random.Random(5)
    outcomes = ("crystal_harvestable", "crystal_bad_form", "clear", "precipitate", "no_drop")
    keys = [key(plate, row=row, inspection=number) for plate in "AB" for row in range(3) for number in (1, 2)]
    imaging.add_images([new_image(each) for each in keys])
    images = [image for plate in "AB" for image in imaging.plate_images(plate)]
    versions = [FileVersion(sha256=letter * 64, size_bytes=1, mtime_ns=1) for letter in "ab"]
    for step in range(60):
        image = chance.choice(images)
        act = chance.randrange(6)
        if act < 2:
            version = chance.choice((None, *versions))
            score = replace(
                auto(image, f"u{step}"),
                found=found(chance.choice(outcomes[:4]), sure=bool(act), p_crystal=chance.random()),
            )
            imaging.add_auto_scores([replace(score, version=version)])
        elif act == 2:
            imaging.add_manual_score(manual(image, chance.choice("xy"), outcome=chance.choice(outcomes)))
        elif act == 3:
            given = [each for each in imaging.ledger(image.id) if isinstance(each, ManualScore) and each.counts]
            if given:
                imaging.take_back(given[-1].id, person=given[-1].person, at=NOON)
        elif act == 4:
            imaging.note_versions({image.id: chance.choice(versions)})
        else:
            imaging.remove_images([image.id], Removal(person="Ada", what="x", why="", removed_at=NOON))
            imaging.list_plates(PlateQuery())
            imaging.add_images([new_image(image.key)])
        sort = chance.choice(SORTS[1:])
        query = PlateQuery(sort=sort, turned=chance.random() < 0.5)
        shown, expected = imaging.list_plates(query), listed(imaging, query)
        assert shown.plates == tuple(
            replace(each, scored=line.scored, last_scored_at=line.last_scored_at)
            for each, line in zip(expected.plates, shown.plates, strict=True)
        )


def test_a_service_counts_so_that_the_list_is_right_at_once(imaging: ImagingDatabase, tmp_path: Path) -> None:
    images = [stored(imaging, key(f"P{number}")) for number in range(COUNTED + 5)]
    imaging.add_auto_scores([replace(auto(image), found=found("crystal_bad_form")) for image in images])
    publish_scores(site_at(tmp_path, imaging=imaging))
    assert [line.crystals for line in imaging.list_plates(PlateQuery()).plates] == [1] * len(images)


def test_nobody_waits_for_counts_while_somebody_writes(empty_url: str, engine: Engine) -> None:
    """The counts are those of before meanwhile, and right afterwards."""
    with closing(open_imaging(empty_url)) as database:
        image = stored(database, key())
        assert database.list_plates(PlateQuery()).plates[0].crystals == 0
        database.add_auto_scores([replace(auto(image), found=found("crystal_bad_form"))])
        if engine.dialect.name == "sqlite":
            with engine.connect() as writer:
                writer.exec_driver_sql("BEGIN IMMEDIATE")
                assert database.list_plates(PlateQuery()).plates[0].crystals == 0
                writer.exec_driver_sql("ROLLBACK")
        assert database.list_plates(PlateQuery()).plates[0].crystals == 1


def test_what_waits_is_counted_with_all_that_is_newer(imaging: ImagingDatabase) -> None:
    for plate, hours in (("old", 0), ("new", 2), ("between", 1)):
        for row in range(2):
            stored(imaging, key(plate, row=row), imaged_at=NOON + timedelta(hours=hours))
    stored(imaging, key("uv", channel="uv"))
    (scored, _) = imaging.plate_images("between")
    imaging.add_auto_scores([auto(scored, "u1")])
    assert imaging.scored_until(["old", "new", "between", "uv", "none"]) == {"new": 2, "between": 3, "old": 5}
    assert imaging.scored_until([]) == {}


def test_the_last_scores_tell_when_they_were_made(imaging: ImagingDatabase) -> None:
    images = [stored(imaging, key("P1", row=row)) for row in range(3)]
    assert imaging.last_scored(9) == []
    imaging.add_auto_scores(
        [auto(image, f"u{image.id}", hours=hours) for image, hours in zip(images, (2, 0, 1), strict=True)]
    )
    imaging.add_manual_score(manual(images[0]))
    assert imaging.last_scored(2) == [NOON + timedelta(hours=1), NOON]
