"""ISPyB as a facility's database: the tables that we use in SQLite, and the real schema in MariaDB."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from crystal_search.crystal import Crystal
from crystal_search.errors import ConfigError, DatabaseError
from crystal_search.geometry import Box
from crystal_search.server.facility.facility_database import Refusal
from crystal_search.server.facility.facility_settings import FacilitySettings
from crystal_search.server.facility.ispyb_crystals import MOST_CRYSTALS, CrystalWriter, FoundCrystal
from crystal_search.server.facility.ispyb_database import IspybDatabase
from crystal_search.server.facility.ispyb_schema import ispyb_site
from crystal_search.server.imaging.imaging_database import Recipe, ScoredImage
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.services.facility_exchange import pull, push
from crystal_search.wells import WellKey
from tests.integration.imaging_nouns import FOUND, NO_DROP, NOON, RECIPE, auto, key, manual, new_image
from tests.integration.scratch_databases import ScratchDatabases
from tests.ispyb_sites import PlayedIspyb, emptied, in_mariadb, in_sqlite
from tests.memory_imaging import MemoryImaging

LAB = "ispyb db.lab/ispyb"
GROUPS = {"crystal": 0.9, "precipitate": 0.1, "other": 0.0, "clear": 0.0}
DRIFT = 1e-5
POINT = FoundCrystal(row_px=10, column_px=20)


@pytest.fixture(scope="module")
def real_site(scratch: ScratchDatabases) -> Iterator[PlayedIspyb]:
    """All tables of ISPyB, made once for it takes long."""
    name = f"ispyb_{uuid.uuid4().hex[:12]}"
    site = in_mariadb(scratch.made("mariadb", name))
    yield site
    site.close()
    scratch.drop("mariadb", name)


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.database)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PlayedIspyb]:
    if request.param == "sqlite":
        found = in_sqlite(tmp_path)
        yield found
        found.close()
        return
    found = request.getfixturevalue("real_site")
    yield found
    with found.engine.begin() as connection:
        emptied(connection, found.tables)


def plate(*wells: tuple[int, int, int], barcode: str = "P1", inspection: int = 1) -> list[Any]:
    return [
        new_image(key(barcode, row=row, column=column, drop=drop, inspection=inspection)) for row, column, drop in wells
    ]


def scored(imaging: MemoryImaging, *, unit: str = "unit-1", recipe: Recipe = RECIPE) -> list[StoredImage]:
    images = [image for each in imaging.plates() for image in imaging.plate_images(each.plate)]
    imaging.add_auto_scores([auto(image, unit, recipe=recipe) for image in images])
    return images


def pulled(site: PlayedIspyb) -> MemoryImaging:
    imaging, database = MemoryImaging(), site.database()
    pull(imaging, database, LAB)
    database.close()
    return imaging


def test_images_come_with_plate_well_drop_and_inspection(site: PlayedIspyb) -> None:
    images = plate((0, 0, 1), (0, 0, 3), (1, 11, 2), (7, 11, 3)) + plate((0, 0, 1), inspection=2)
    site.add_images(images)
    imaging = MemoryImaging()
    report = pull(imaging, site.database(), LAB)
    assert (report.images, report.left_out) == (5, ())
    there = imaging.plate_images("P1")
    assert {image.path: image.key for image in there} == {image.path: image.key for image in images}
    assert {image.imaged_at.replace(microsecond=0) for image in there if image.imaged_at} == {
        NOON.replace(microsecond=0)
    }


def test_inspections_are_counted_as_their_first_images_came(site: PlayedIspyb) -> None:
    site.add_images(plate((0, 0, 1), inspection=2))
    site.add_images(plate((0, 0, 1)))
    imaging = pulled(site)
    assert [image.path for image in imaging.plate_images("P1")] == [
        "/images/P1/2/visible/A01_1.jpg",
        "/images/P1/1/visible/A01_1.jpg",
    ]


def test_a_pull_goes_on_where_the_last_ended(site: PlayedIspyb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crystal_search.server.services.facility_exchange.PULL_ROWS", 3)
    site.add_images(plate(*((row, 0, drop) for row in range(4) for drop in (1, 2, 3))))
    imaging, database = MemoryImaging(), site.database()
    assert pull(imaging, database, LAB).images == 12
    assert pull(imaging, database, LAB).images == 0
    site.add_images(plate((7, 0, 1)))
    assert pull(imaging, database, LAB).images == 1


def test_what_cannot_be_used_is_named_and_holds_up_nothing(site: PlayedIspyb) -> None:
    site.add_images(plate((0, 0, 1), (0, 1, 1), (0, 2, 1), (0, 3, 1)))
    site.run("UPDATE BLSample SET location = 'A2' WHERE location = '4'")
    site.run("UPDATE BLSampleImage SET imageFullPath = '/images/notes.txt' WHERE imageFullPath LIKE '%A03_1.jpg'")
    site.run("UPDATE BLSampleImage SET containerInspectionId = NULL WHERE imageFullPath LIKE '%A04_1.jpg'")
    imaging = MemoryImaging()
    report = pull(imaging, site.database(), LAB)
    assert report.images == 1
    reasons = sorted(each.partition(": ")[2] for each in report.left_out)
    assert reasons[0] == "it is of no inspection of its plate"
    assert reasons[1].startswith("its file ends in none of .")
    assert reasons[2] == "the location of its sample is 'A2', no number from 1"


def test_duplicate_images_of_a_drop_are_named(site: PlayedIspyb) -> None:
    (image,) = plate((0, 0, 1))
    site.add_images([image, replace(image, path="/images/P1/copy.jpg")])
    report = pull(MemoryImaging(), site.database(), LAB)
    assert report.images == 1
    assert report.left_out[0].startswith("/images/P1/copy.jpg would be plate P1 well A01")


def test_plate_types_tell_drops_with_and_without_reservoir(site: PlayedIspyb) -> None:
    (image,) = plate((2, 6, 2))
    site.add_images([image])
    site.run("UPDATE ContainerType SET dropPerWellX = 1, dropPerWellY = 2, wellDrop = -1, capacity = 192")
    site.run("UPDATE BLSample SET location = '62'")
    assert [each.key.well for each in pulled(site).plate_images("P1")] == ["C07"]
    site.run("UPDATE ContainerType SET dropPerWellX = 2, dropPerWellY = 2, wellDrop = 1, capacity = 288")


def test_peoples_scores_come_once_and_those_that_are_no_outcome_are_named(site: PlayedIspyb) -> None:
    images = plate((0, 0, 1), (0, 1, 1))
    site.add_images(images)
    site.score(images[0].path, "3D Crystals", at=datetime(2026, 2, 1, 12))
    site.run("UPDATE BLSampleImageScore SET name = 'Slime' WHERE name = 'Clear'")
    site.score(images[1].path, "Slime")
    imaging, database = MemoryImaging(), site.database()
    first, second = pull(imaging, database, LAB), pull(imaging, database, LAB)
    site.run("UPDATE BLSampleImageScore SET name = 'Clear' WHERE name = 'Slime'")
    assert (first.scores, second.scores) == (1, 0)
    assert first.left_out == ("people's score 'Slime' is no outcome; say which it is in [facility.outcomes]",)
    ((image, score),) = imaging.newest_by_hand()
    assert (image.path, score.outcome, score.person) == (images[0].path, "crystal_harvestable", "ISPyB")
    assert score.scored_at == datetime(2026, 2, 1, 12, tzinfo=UTC)
    named = site.database(outcomes={"Clear": "clear_with_features"})
    pull(imaging, named, LAB)
    assert {score.outcome for _, score in imaging.newest_by_hand()} == {"crystal_harvestable", "clear_with_features"}


def test_a_score_here_is_not_hidden_by_an_older_one_from_there(site: PlayedIspyb) -> None:
    images = plate((0, 0, 1))
    site.add_images(images)
    imaging, database = MemoryImaging(), site.database()
    pull(imaging, database, LAB)
    (image,) = imaging.plate_images("P1")
    imaging.add_manual_score(manual(image, outcome="precipitate", hours=5))
    site.score(image.path, "3D Crystals", at=(NOON + timedelta(hours=4)).replace(tzinfo=None))
    assert pull(imaging, database, LAB).scores == 1
    assert [score.outcome for _, score in imaging.newest_by_hand()] == ["precipitate"]
    site.score(image.path, "Clear", at=(NOON + timedelta(hours=6)).replace(tzinfo=None))
    pull(imaging, database, LAB)
    assert [score.outcome for _, score in imaging.newest_by_hand()] == ["clear"]


def test_owners_proteins_and_conditions_come_along(site: PlayedIspyb) -> None:
    site.add_images(plate((0, 0, 1)))
    site.run("SET FOREIGN_KEY_CHECKS = 0") if site.engine.dialect.name == "mariadb" else None
    site.run(
        "INSERT INTO Person (personId, login, givenName, familyName) VALUES (1, 'zoe', 'Zoë', 'Amsel')",
        "INSERT INTO Person (personId, login, givenName, familyName) VALUES (2, NULL, 'Max', 'Igel')",
        "INSERT INTO Proposal (proposalId, proposalCode, proposalNumber) VALUES (1, 'mx', '123')"
        if site.engine.dialect.name == "sqlite"
        else "INSERT INTO Proposal (proposalId, personId, proposalCode, proposalNumber) VALUES (1, 1, 'mx', '123')",
        "INSERT INTO ProposalHasPerson (proposalId, personId) VALUES (1, 1), (1, 2)",
        "INSERT INTO Protein (proteinId, proposalId, name, acronym) VALUES (1, 1, 'lysozyme', 'LYS')",
        "INSERT INTO Protein (proteinId, proposalId, name, acronym) VALUES (2, 1, 'sodium chloride', 'NaCl')",
        "INSERT INTO Crystal (crystalId, proteinId) VALUES (1, 1)",
        "UPDATE BLSample SET crystalId = 1",
        "INSERT INTO Screen (screenId, name) VALUES (1, 'JCSG+')"
        if site.engine.dialect.name == "sqlite"
        else "INSERT IGNORE INTO Screen (screenId, name, proposalId) VALUES (1, 'JCSG+', 1)",
        "INSERT INTO ScreenComponentGroup (screenComponentGroupId, screenId, position) VALUES (1, 1, 14)",
        "INSERT INTO ScreenComponent (screenComponentId, screenComponentGroupId, componentId, concentration, pH) "
        "VALUES (1, 1, 2, 2.5, 7.5)",
        "UPDATE Container SET ownerId = 1, screenId = 1",
    )
    imaging = pulled(site)
    if site.engine.dialect.name == "mariadb":
        site.run(
            "UPDATE Container SET screenId = NULL",
            "DELETE FROM ScreenComponent",
            "DELETE FROM ScreenComponentGroup",
            "DELETE FROM Screen",
        )
    facts = imaging.plate_facts(["P1"])["P1"]
    assert (facts.project, facts.protein, facts.owner, facts.people) == ("mx123", "LYS", "zoe", ("Max Igel",))
    assert facts.plate_type == "SWISSCI 3 Drop"
    (condition,) = imaging.conditions("P1")
    assert (condition.well, condition.drop, condition.name) == ("B02", 0, "JCSG+ 14")
    assert [each.text for each in condition.ingredients] == ["2.5 sodium chloride pH 7.5"]


def test_every_score_goes_with_its_groups_and_outcomes(site: PlayedIspyb) -> None:
    site.add_images(plate((0, 0, 1), (0, 1, 1)))
    imaging, database = pulled(site), site.database()
    images = scored(imaging)
    assert push(imaging, database, LAB) == replace(push(imaging, database, LAB), taken=2)
    assert site.given() == {image.path: pytest.approx(GROUPS, abs=DRIFT) for image in images}
    outcomes = site.given("CrystalSearch 13")[images[0].path]
    assert len(outcomes) == 13
    assert (outcomes["harvestable"], outcomes["clear, features"]) == (0.1, 0.075)


def test_pushed_again_nothing_changes_and_a_later_score_stands(site: PlayedIspyb) -> None:
    site.add_images(plate((0, 0, 1)))
    imaging, database = pulled(site), site.database()
    (image,) = scored(imaging)
    (first,) = imaging.scores_to_push(LAB, now=NOON, limit=9).scores
    for _ in range(2):
        assert database.push([first]) == ()
    later = replace(first, score=replace(first.score, found=replace(FOUND, group_peaks=(0.2, 0.3, 0.4, 0.5))))
    assert database.push([later]) == ()
    assert site.given() == {image.path: {"crystal": 0.2, "precipitate": 0.3, "other": 0.4, "clear": 0.5}}


def test_an_image_without_a_drop_has_no_class(site: PlayedIspyb) -> None:
    site.add_images(plate((0, 0, 1)))
    imaging, database = pulled(site), site.database()
    (image,) = scored(imaging)
    (first,) = imaging.scores_to_push(LAB, now=NOON, limit=9).scores
    database.push([first])
    assert database.push([replace(first, score=replace(first.score, found=NO_DROP))]) == ()
    assert site.given() == {image.path: dict.fromkeys(GROUPS, 0.0)}


def test_a_persons_score_is_never_touched(site: PlayedIspyb) -> None:
    images = plate((0, 0, 1), (0, 1, 1))
    site.add_images(images)
    site.score(images[0].path, "Clear")
    before = site.run("SELECT * FROM BLSampleImage ORDER BY blSampleImageId")
    imaging, database = pulled(site), site.database()
    scored(imaging)
    assert push(imaging, database, LAB).taken == 2
    assert site.run("SELECT * FROM BLSampleImage ORDER BY blSampleImageId") == before


def refused(site: PlayedIspyb, *scores: ScoredImage) -> list[str]:
    database = site.database()
    found = [each.why for each in database.push(scores)]
    database.close()
    return found


def test_what_is_not_taken_is_named_and_the_rest_is(site: PlayedIspyb) -> None:
    site.add_images(plate(*((0, column, 1) for column in range(6))))
    imaging = pulled(site)
    scored(imaging)
    one, two, three, four, five, six = imaging.scores_to_push(LAB, now=NOON, limit=9).scores
    wild = replace(two, score=replace(two.score, found=replace(FOUND, group_peaks=(1.7, 0, 0, 0))))
    none = replace(three, score=replace(three.score, found=replace(FOUND, group_peaks=(float("nan"), 0, 0, 0))))
    long = replace(four, image=replace(four.image, path="/" + "x" * 300 + ".jpg"))
    gone = replace(five, image=replace(five.image, path="/gone.jpg"))
    case = replace(six, image=replace(six.image, path=six.image.path.replace("/images/", "/Images/")))
    reasons = refused(site, one, wild, none, long, gone, case)
    assert [each.partition(": ")[2] for each in reasons[:4]] == [
        "the probability of 'crystal' is 1.7, which is not from 0 to 1",
        "the probability of 'crystal' is nan, which is not from 0 to 1",
        "ISPyB keeps 255 letters of a path, this one has 305",
        "ISPyB has no image /gone.jpg",
    ]
    expected = "has no image" if site.engine.dialect.name == "sqlite" else f"ISPyB calls it {six.image.path}"
    assert expected in reasons[4]
    assert site.given().keys() == {one.image.path}


def test_a_schema_or_class_that_is_missing_is_named(site: PlayedIspyb) -> None:
    site.add_images(plate((0, 0, 1)))
    imaging = pulled(site)
    scored(imaging)
    (one,) = imaging.scores_to_push(LAB, now=NOON, limit=9).scores
    database = site.database(schemas={"groups": "CS 2"})
    assert "no score schema 'CS 2' that is enabled" in database.push([one])[0].why
    assert any("score schema 'CS 2'" in each for each in database.check().missing)
    model = one.score.recipe.model("classifier").name
    database = site.database(schemas={model: "CrystalSearch 13"})
    assert "has no class 'crystal'" in database.push([one])[0].why
    site.run("UPDATE BLSampleImageAutoScoreSchema SET enabled = 0 WHERE schemaName = 'CrystalSearch'")
    assert "no score schema 'CrystalSearch' that is enabled" in refused(site, one)[0]
    site.run("UPDATE BLSampleImageAutoScoreSchema SET enabled = 1 WHERE schemaName = 'CrystalSearch'")
    assert refused(site, one) == []


def test_one_row_in_ten_that_is_refused_holds_up_no_other(site: PlayedIspyb) -> None:
    site.add_images(plate(*((row, column, 1) for row in range(2) for column in range(10))))
    signal = (
        "SELECT RAISE(ABORT, 'not this one');"
        if site.engine.dialect.name == "sqlite"
        else "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not this one';"
    )
    when = "NEW.blSampleImageId % 10 = 0"
    body = (
        f"WHEN {when} BEGIN {signal} END"
        if site.engine.dialect.name == "sqlite"
        else f"FOR EACH ROW BEGIN IF {when} THEN {signal} END IF; END"
    )
    site.run(f"CREATE TRIGGER moody BEFORE INSERT ON BLSampleImage_has_AutoScoreClass {body}")
    imaging, database = pulled(site), site.database()
    scored(imaging)
    report = push(imaging, database, LAB)
    site.run("DROP TRIGGER moody")
    assert (report.taken, len(report.refused)) == (18, 2)
    assert all("not this one" in each for each in report.refused)
    assert len(site.given()) == 18
    due = imaging.scores_to_push(LAB, now=datetime.now(UTC) + timedelta(minutes=2), limit=99)
    assert database.push(due.scores) == ()
    assert len(site.given()) == 20


def test_a_server_that_goes_away_in_the_middle_leaves_nothing_half(site: PlayedIspyb) -> None:
    site.add_images(plate((0, 0, 1), (0, 1, 1)))
    imaging, database = pulled(site), site.database()
    scored(imaging)
    engine: Engine = database._engine

    def cut(connection: Any, *_: object) -> None:
        if engine.dialect.name == "mariadb":
            number = connection.connection.dbapi_connection.thread_id()
            site.run(f"KILL {number}")
        else:
            connection.connection.dbapi_connection.interrupt()
            raise DatabaseError("cut")

    event.listen(engine, "commit", cut)
    with pytest.raises(DatabaseError):
        push(imaging, database, LAB)
    event.remove(engine, "commit", cut)
    assert site.given() == {}
    assert push(imaging, database, LAB).taken == 2
    assert len(site.given()) == 2


def test_a_plate_that_was_deleted_there_is_named_and_waits(site: PlayedIspyb) -> None:
    site.add_images(plate((0, 0, 1)))
    imaging, database = pulled(site), site.database()
    scored(imaging)
    site.run("DELETE FROM BLSampleImage")
    report = push(imaging, database, LAB)
    assert report.refused == ("/images/P1/1/visible/A01_1.jpg: ISPyB has no image /images/P1/1/visible/A01_1.jpg",)
    assert pull(imaging, database, LAB).images == 0
    assert len(imaging.plate_images("P1")) == 1


def test_folders_are_called_otherwise_there(site: PlayedIspyb) -> None:
    images = plate((0, 0, 1))
    site.add_images(images)
    database = site.database(folders={"/images": "/mnt/imager"})
    imaging = MemoryImaging()
    pull(imaging, database, LAB)
    (image,) = scored(imaging)
    assert image.path == "/mnt/imager/P1/1/visible/A01_1.jpg"
    assert push(imaging, database, LAB).taken == 1
    assert site.given().keys() == {images[0].path}


def test_a_missing_column_is_named(site: PlayedIspyb) -> None:
    site.run("ALTER TABLE BLSampleImage RENAME COLUMN modifiedTimeStamp TO changedAt")
    missing = site.database().check().missing
    renamed = site.database(names={"BLSampleImage.modifiedTimeStamp": "changedAt"})
    with pytest.raises(DatabaseError, match="modifiedTimeStamp"):
        pull(MemoryImaging(), site.database(), LAB)
    site.add_images(plate((0, 0, 1)))
    found, images = renamed.check().missing, pull(MemoryImaging(), renamed, LAB).images
    site.run("ALTER TABLE BLSampleImage RENAME COLUMN changedAt TO modifiedTimeStamp")
    assert len(missing) == 1
    assert "column BLSampleImage.modifiedTimeStamp" in missing[0]
    assert (found, images) == ((), 1)


def test_a_check_says_what_is_there_and_writes_nothing(site: PlayedIspyb) -> None:
    site.add_images(plate((0, 0, 1)))
    found = site.database().check()
    assert found.missing == ()
    told = "\n".join(found.found)
    assert "1 of the newest 1 files are not here, as /images/P1/1/visible/A01_1.jpg" in told
    assert "would write BLSampleImage_has_AutoScoreClass, by rows: schema 'CrystalSearch'" in told
    assert site.given() == {}
    assert site.database(push=False).check().found[-1] == "would write nothing"


def test_without_push_nothing_can_be_written(site: PlayedIspyb) -> None:
    site.add_images(plate((0, 0, 1)))
    imaging = pulled(site)
    scored(imaging)
    with pytest.raises(DatabaseError, match="refused to run in a database that is not ours"):
        push(imaging, site.database(push=False), LAB)


def prepared(database: IspybDatabase, statement: str) -> IspybDatabase:
    """Have every connection of ours begin with a statement."""

    def begin(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    event.listen(database._engine, "connect", begin)
    return database


def test_clocks_that_differ_do_not_hide_a_score_given_here(site: PlayedIspyb) -> None:
    if site.engine.dialect.name == "sqlite":
        pytest.skip("a file has our clock")
    site.add_images(plate((0, 0, 1)))
    imaging = pulled(site)
    (image,) = imaging.plate_images("P1")
    now = datetime.now(UTC)
    imaging.add_manual_score(replace(manual(image, outcome="precipitate"), scored_at=now))
    their_hour = now + timedelta(hours=1) - timedelta(minutes=10)  # ten minutes before ours, by a clock that is ahead
    site.score(image.path, "Clear", at=their_hour.replace(tzinfo=None))
    database = prepared(site.database(), f"SET SESSION timestamp = {(now + timedelta(hours=1)).timestamp():.0f}")
    assert pull(imaging, database, LAB).scores == 1
    assert [score.outcome for _, score in imaging.newest_by_hand()] == ["precipitate"]


def test_a_lock_that_is_not_given_leaves_the_scores_for_the_next_time(site: PlayedIspyb) -> None:
    if site.engine.dialect.name == "sqlite":
        pytest.skip("a file is locked as a whole, and waited for")
    site.add_images(plate((0, 0, 1), (0, 1, 1)))
    imaging = pulled(site)
    scored(imaging)
    database = prepared(site.database(), "SET SESSION innodb_lock_wait_timeout = 1")
    with site.engine.begin() as other:
        other.execute(text("SELECT * FROM BLSampleImage FOR UPDATE"))
        with pytest.raises(DatabaseError, match="Lock wait timeout"):
            push(imaging, database, LAB)
        assert site.given() == {}
    assert push(imaging, database, LAB).taken == 2
    assert len(site.given()) == 2


def crystals(site: PlayedIspyb) -> list[tuple[float | None, ...]]:
    rows = site.run(
        "SELECT a.posX, a.posY, b.posX, b.posY FROM BLSubSample s JOIN Position a ON a.positionId = s.positionId "
        "LEFT JOIN Position b ON b.positionId = s.position2Id WHERE s.source = 'auto' ORDER BY s.blSubSampleId"
    )
    return [tuple(None if each is None else float(each) for each in row) for row in rows]


def test_crystals_are_given_once_and_nothing_else_is_touched(site: PlayedIspyb) -> None:
    images = plate((0, 0, 1), (0, 1, 1))
    site.add_images(images)
    (sample,) = site.run("SELECT blSampleId, blSampleImageId FROM BLSampleImage ORDER BY blSampleImageId LIMIT 1")
    site.run("INSERT INTO Position (positionId, posX, posY) VALUES (1, 20, 10)")
    site.run(
        "INSERT INTO BLSubSample (blSampleId, blSampleImageId, positionId, source) "
        "VALUES (:sample, :image, 1, 'manual')",
        sample=sample[0],
        image=sample[1],
    )
    by_hand = site.run("SELECT * FROM BLSubSample")
    found = {
        images[0].path: [
            FoundCrystal(row_px=10, column_px=20),
            FoundCrystal(row_px=5, column_px=5, box=Box(1, 2, 8, 9)),
        ],
        "/gone.jpg": [FoundCrystal(row_px=1, column_px=1)],
    }
    database = site.database()
    for _ in range(2):
        assert database.push_crystals(found) == ("/gone.jpg: ISPyB has no image /gone.jpg",)
    assert crystals(site) == [(20, 10, None, None), (2, 1, 9, 8)]
    moved = {images[0].path: [FoundCrystal(row_px=11, column_px=21), FoundCrystal(row_px=40, column_px=20)]}
    assert database.push_crystals(moved) == ()
    assert crystals(site) == [(20, 10, None, None), (2, 1, 9, 8), (20, 40, None, None)]
    assert site.run("SELECT * FROM BLSubSample WHERE source = 'manual'") == by_hand


def box_of(row: float, column: float, long_px: float, short_px: float) -> Crystal:
    top, bottom, left, right = row - short_px / 2, row + short_px / 2, column - long_px / 2, column + long_px / 2
    outline = ((top, left), (top, right), (bottom, right), (bottom, left))
    sides = {"long_px": long_px, "short_px": short_px}
    return Crystal(probability=0.9, row=row, column=column, angle_rad=0.0, outline=outline, **sides)


def found_in(imaging: MemoryImaging, *crystals: Crystal) -> list[ScoredImage]:
    """Return the scores that wait to be pushed, with these crystals in each."""
    scores = imaging.scores_to_push(LAB, now=NOON, limit=10).scores
    return [replace(each, score=replace(each.score, found=replace(FOUND, crystals=crystals))) for each in scores]


def test_crystals_go_with_scores_those_that_are_sure_once_each(site: PlayedIspyb) -> None:
    site.add_images(plate((0, 0, 1)))
    imaging, database = pulled(site), site.database()
    scored(imaging)
    sure, faint = box_of(50, 60, 40, 20), replace(box_of(90, 60, 40, 20), contrast=0.001)
    for _ in range(2):
        assert database.push(found_in(imaging, sure, faint)) == ()
    assert crystals(site) == [(40, 40, 80, 60)]
    assert len(site.given()) == 1
    assert database.push(found_in(imaging, box_of(53, 62, 44, 20), box_of(100, 100, 20, 10))) == ()
    assert crystals(site) == [(40, 40, 80, 60), (90, 95, 110, 105)]
    many = [box_of(300 + 20 * number, 60, 10, 8) for number in range(MOST_CRYSTALS + 5)]
    assert database.push(found_in(imaging, *many)) == ()
    assert len(crystals(site)) == 2 + MOST_CRYSTALS


def test_crystals_that_cross_each_other_are_both_given_and_once_each(site: PlayedIspyb) -> None:
    site.add_images(plate((0, 0, 1)))
    imaging, database = pulled(site), site.database()
    scored(imaging)
    one, other = box_of(100, 100, 60, 40), box_of(102, 101, 60, 40)  # upright boxes that share nearly all
    for _ in range(2):
        assert database.push(found_in(imaging, one, other)) == ()
        assert len(crystals(site)) == 2


def test_crystals_that_are_not_taken_leave_the_score_there_and_are_given_again(site: PlayedIspyb) -> None:
    site.add_images(plate((0, 0, 1)))
    imaging, database = pulled(site), site.database()
    scored(imaging)
    (one,) = found_in(imaging, box_of(50, 60, 40, 20))
    path = one.image.path
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CrystalWriter, "push", lambda _, told: ((each, f"{each}: a lock") for each in told))
        assert database.push([one]) == (Refusal(image_id=one.image.id, why=f"crystals of {path}: a lock"),)
    assert (len(site.given()), crystals(site)) == (1, [])
    assert database.push([one]) == ()
    assert crystals(site) == [(40, 40, 80, 60)]


def test_a_site_that_wants_no_crystals_gets_none(site: PlayedIspyb) -> None:
    site.add_images(plate((0, 0, 1)))
    imaging = pulled(site)
    scored(imaging)
    database = site.database(options={"time_zone": "UTC", "crystals": "no"})
    assert database.push(found_in(imaging, box_of(50, 60, 40, 20))) == ()
    assert (len(site.given()), crystals(site)) == (1, [])
    assert "would write no crystals, as the option crystals says" in database.check().found
    assert any("into BLSubSample and Position" in each for each in site.database().check().found)


def test_the_option_for_crystals_is_yes_or_no() -> None:
    told = FacilitySettings(kind="ispyb", url="mariadb://db.lab/ispyb", options={"crystals": "maybe"})
    with pytest.raises(ConfigError, match='crystals must be "yes" or "no"'):
        ispyb_site(told)
    assert not ispyb_site(replace(told, options={"crystals": "no"})).crystals


def test_a_well_key_survives_the_way(site: PlayedIspyb) -> None:
    where = WellKey(plate="Plate/7", row=3, column=4, drop=2)
    site.add_images([new_image(where, path="/images/a.jpg")])
    report = pull(MemoryImaging(), site.database(), LAB)
    assert "no plate with a barcode" in report.left_out[0]
