"""Rock Maker as a facility's database: the same statements on SQL Server's SQL in H2, and on SQLite."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, insert, update

from crystal_search.errors import ConfigError, DatabaseError
from crystal_search.server.facility import rockmaker_database, rockmaker_pull, rockmaker_statements
from crystal_search.server.facility.folder_mapping import FolderMapping
from crystal_search.server.facility.rockmaker_database import RockMakerDatabase
from crystal_search.server.facility.rockmaker_schema import RockMakerSite, rockmaker_tables
from crystal_search.server.imaging.plate_facts import Condition, Ingredient, PlateFacts
from tests.rockmaker_site import FIRST, SHARE, PlayedRockMaker

SITE = RockMakerSite(outcomes={"Crystals": "crystal_harvestable", "Clear": "clear"}, time_zone="UTC")
OWNERS = {"mssql": "dbo"}


class Both:
    """A played site, and what we see of it."""

    def __init__(self, kind: str, engine: Callable[[str], Engine], site: RockMakerSite, names: dict[str, str]) -> None:
        own, self.ours = engine(kind), engine(kind)
        if kind == "mssql":
            with own.begin() as connection:
                connection.exec_driver_sql("CREATE SCHEMA [dbo]")
        self.tables = rockmaker_tables(names, owner=OWNERS.get(kind, ""))
        self.played = PlayedRockMaker(own, self.tables)
        self.facility = RockMakerDatabase(self.ours, self.tables, site, FolderMapping({SHARE: "/mnt/rm"}).here)
        self.committed = 0
        event.listen(self.ours, "commit", self._note)

    def _note(self, _: object) -> None:
        self.committed += 1


Make = Callable[..., Both]


@pytest.fixture(params=["mssql", "sqlite"])
def make(request: pytest.FixtureRequest, foreign_engine: Callable[[str], Engine]) -> Make:
    def made(site: RockMakerSite = SITE, **names: str) -> Both:
        return Both(request.param, foreign_engine, site, names)

    return made


def test_images_conditions_owners_and_scores_come_with_their_places(make: Make) -> None:
    site = make()
    played = site.played
    first, second = played.plate(10054, "CI54")
    played.cocktail(1, "HEPES", 0.1, "M", ph=7.5, role="Buffer")
    played.cocktail(1, "PEG 6000", 20, "% w/v", ph=None, role="Precipitant")
    batches = [played.batch(10054, FIRST), played.batch(10054, FIRST + timedelta(days=7))]
    for drop, batch in ((first, batches[0]), (second, batches[0]), (first, batches[1])):
        played.image(drop, batch, type_=2)  # one slice of those that make the image
        played.image(drop, batch)
    played.score(first, batches[1], 1)
    played.score(second, batches[0], 3)  # by a machine
    found = site.facility.pull("", limit=1000)
    assert [(each.key.well, each.key.inspection, each.path, each.imaged_at) for each in found.images] == [
        ("A01", 1, "/mnt/rm/WellImages/54/plateID_10054/batchID_1/wellNum_1/profileID_1/d1_r1_ef.jpg", at(0)),
        ("A02", 1, "/mnt/rm/WellImages/54/plateID_10054/batchID_1/wellNum_2/profileID_1/d1_r2_ef.jpg", at(0)),
        ("A01", 2, "/mnt/rm/WellImages/54/plateID_10054/batchID_2/wellNum_1/profileID_1/d1_r1_ef.jpg", at(7)),
    ]
    assert {(each.key.plate, each.key.channel) for each in found.images} == {("CI54", "visible")}
    assert found.facts == (
        PlateFacts(plate="CI54", project="project of zoe", owner="zoe", plate_type="SWISSCI 3 Drop"),
    )
    buffer = Ingredient(name="HEPES", concentration=0.1, unit="M", ph=7.5, role="buffer")
    precipitant = Ingredient(name="PEG 6000", concentration=20, unit="% w/v", role="precipitant")
    assert found.conditions == (Condition(plate="CI54", row=0, column=0, ingredients=(buffer, precipitant)),)
    assert [(each.path, each.person, each.outcome, each.scored_at) for each in found.scores] == [
        (found.images[2].path, "Rock Maker", "crystal_harvestable", at(7))
    ]
    assert (found.left_out, found.more) == ((), False)
    assert set(site.facility.newest_files()) == {each.path for each in found.images}
    again = site.facility.pull(found.mark, limit=1000)
    assert (again.images, again.scores) == (found.images, found.scores)  # the last are looked at again


def at(days: int) -> object:
    return FIRST.replace(tzinfo=UTC) + timedelta(days=days)


def test_small_steps_find_every_image_once_in_the_right_inspection(make: Make) -> None:
    site = make()
    drops = site.played.plate(7, None, wells=3)
    for week in range(3):
        batch = site.played.batch(7, FIRST + timedelta(days=7 * week))
        for drop in drops:
            site.played.image(drop, batch)
    mark, more, keys = "", True, []
    while more:
        found = site.facility.pull(mark, limit=2)
        keys += [(each.key.plate, each.key.inspection, each.key.well) for each in found.images]
        mark, more = found.mark, found.more
    assert keys == [("7", week, f"A0{well}") for week in (1, 2, 3) for well in (1, 2, 3)]


def test_other_profiles_folders_and_classes_are_told_once_each(make: Make) -> None:
    site = make()
    drops = site.played.plate(7, "P7")
    batch = site.played.batch(7, FIRST)
    for drop in drops:
        site.played.image(drop, batch, profile=2)
        site.played.image(drop, batch)
        site.played.score(drop, batch, 2)
    site.facility = RockMakerDatabase(
        site.ours, site.tables, replace(SITE, outcomes={}), FolderMapping({SHARE: "/m"}).here
    )
    found = site.facility.pull("", limit=100)
    assert len(found.images) == 2
    assert sorted(found.left_out) == [
        "images by profile 'UV' (2): no channel is said of it in [facility.channels] (2 times)",
        "scores 'Clear': no outcome is said of it in [facility.outcomes] (2 times)",
    ]
    nowhere = RockMakerDatabase(site.ours, site.tables, SITE, FolderMapping({}).here).pull("", limit=100)
    assert nowhere.images == ()
    told = f"images in {SHARE}: no folder of this machine is said of it in [facility.folders]"
    assert [line for line in nowhere.left_out if line.startswith(told)]


def test_profiles_get_the_channels_that_the_site_says(make: Make) -> None:
    site = make(replace(SITE, channels={"UV": "uv", "1": "visible"}))
    (drop,) = site.played.plate(7, "P7", wells=1)
    batch = site.played.batch(7, None)
    site.played.image(drop, batch, profile=2)
    site.played.image(drop, batch)
    found = site.facility.pull("", limit=100)
    assert sorted((each.key.channel, each.imaged_at) for each in found.images) == [("uv", None), ("visible", None)]


def test_a_path_whose_case_changed_is_found(make: Make, tmp_path: Path) -> None:
    site = make()
    (drop,) = site.played.plate(7, "P7", wells=1)
    site.played.image(drop, site.played.batch(7, FIRST))
    real = tmp_path / "wellimages/7/plateid_7/batchID_1/wellNum_1/profileID_1/D1_R1_EF.JPG"
    real.parent.mkdir(parents=True)
    real.touch()
    here = FolderMapping({SHARE: str(tmp_path)}).here
    (image,) = RockMakerDatabase(site.ours, site.tables, SITE, here).pull("", limit=9).images
    assert image.path == str(real)


def test_a_site_may_lack_what_only_adds_to_images(make: Make) -> None:
    site = make(Users="none", WellLayer="none", WellDropScoreGroup="none", Plate="Plates", Image="Pictures")
    (drop,) = site.played.plate(7, "P7", wells=1)
    site.played.image(drop, site.played.batch(7, FIRST))
    assert site.facility.check().missing == ()
    found = site.facility.pull("", limit=9)
    assert (len(found.images), found.facts, found.conditions, found.scores) == (1, (), (), ())


def test_nothing_is_ever_written(make: Make) -> None:
    site = make()
    (drop,) = site.played.plate(7, "P7", wells=1)
    site.played.image(drop, site.played.batch(7, FIRST))
    site.facility.check()
    site.facility.pull("", limit=9)
    assert site.committed == 0
    with pytest.raises(ConfigError, match="only read: writing to its database risks it and voids its maintenance"):
        site.facility.push([])
    plate = site.tables["Plate"]
    for statement in (insert(plate), update(plate).values(barcode="x"), plate.delete()):
        with pytest.raises(DatabaseError, match="refused to run"), site.ours.begin() as connection:
            connection.execute(statement)
    for module in (rockmaker_database, rockmaker_pull, rockmaker_statements):
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        assert not re.findall(r"\b(insert|update|delete|merge|text|exec_driver_sql)\(", source)


def test_check_names_what_is_not_there(make: Make) -> None:
    site = make()
    names = {"Image": "Pictures", "Well.RowLetter": "RowName"}
    tables = rockmaker_tables(names, owner=str(site.tables["Plate"].schema or ""))
    missing = RockMakerDatabase(site.ours, tables, SITE, str).check().missing
    found = [line.split(": ")[0].replace("dbo.", "") for line in missing]
    assert found == ["column Well.RowName", "table Pictures"]


def test_an_account_that_may_write_is_told_of(foreign_engine: Callable[[str], Engine]) -> None:
    site = Both("sqlite", foreign_engine, SITE, {})

    def permit(connection: object, _record: object) -> None:
        connection.create_function("has_perms_by_name", 3, lambda *_: 1)  # type: ignore[attr-defined]

    event.listen(site.ours, "connect", permit)
    site.ours.dispose()
    assert site.facility.check().missing == (
        "too many rights: this account may change plates; let db_datareader be its only role",
    )
