"""ISPyB as its developers release it, with procedures and grants: what an account with two of its roles can do.

Set CRYSTAL_SEARCH_TEST_ISPYB_RELEASE to the folder of an unpacked release of ispyb-database.
"""

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import DBAPIError

from crystal_search.errors import DatabaseError
from crystal_search.geometry import Box
from crystal_search.server.facility.facility_settings import FacilitySettings
from crystal_search.server.facility.ispyb_crystals import FoundCrystal
from crystal_search.server.facility.ispyb_database import IspybDatabase, open_ispyb
from crystal_search.server.facility.ispyb_schema import SCHEMA
from crystal_search.server.imaging.sql_imaging import parsed
from crystal_search.server.services.facility_exchange import pull, push
from tests.integration.imaging_nouns import auto, key, new_image
from tests.integration.scratch_databases import usual_server
from tests.ispyb_sites import PlayedIspyb, registered
from tests.memory_imaging import MemoryImaging

RELEASE = os.environ.get("CRYSTAL_SEARCH_TEST_ISPYB_RELEASE", "")
SCHEMAS = ("tables", "lookups", "data", "routines")
ROLES = ("ispyb_import", "ispyb_ro_nopii")
LAB, ACCOUNT, PASSWORD = "ispyb db.lab/ispyb", "cs_least", "geheim-%42"

pytestmark = [
    pytest.mark.database,
    pytest.mark.skipif(not RELEASE, reason="set CRYSTAL_SEARCH_TEST_ISPYB_RELEASE to an unpacked ispyb-database"),
    pytest.mark.skipif(not shutil.which("mariadb"), reason="the program mariadb is not installed"),
]


def server() -> URL:
    return parsed(usual_server("mariadb"))


def load(database: str, files: list[Path]) -> None:
    """Run files of SQL as MariaDB's own program reads them."""
    url = server()
    account = [f"--user={url.username}", f"--host={url.host}", f"--port={url.port or 3306}"]
    secret = {"MYSQL_PWD": url.password} if url.password else {}
    for file in files:
        with file.open("rb") as script:
            subprocess.run(["mariadb", *account, database], stdin=script, check=True, env={**os.environ, **secret})


@pytest.fixture(scope="module")
def release() -> Iterator[PlayedIspyb]:
    """A released ISPyB, and an account with two of its roles, both gone at the end."""
    name = f"crystal_search_{uuid.uuid4().hex[:12]}"
    engine = create_engine(server(), isolation_level="AUTOCOMMIT")
    with engine.connect() as owner:
        owner.execute(text(f"CREATE DATABASE {name} CHARACTER SET latin1"))
        load(name, [Path(RELEASE) / "schemas" / "ispyb" / f"{each}.sql" for each in SCHEMAS])
        load(name, [Path(RELEASE) / "grants" / f"{each}.sql" for each in ROLES])
        for statement in (
            f"CREATE OR REPLACE ROLE {ACCOUNT}_role",
            *(f"GRANT {role} TO {ACCOUNT}_role" for role in ROLES),
            f"CREATE OR REPLACE USER {ACCOUNT}@'%%' IDENTIFIED BY '{PASSWORD.replace('%', '%%')}'",
            f"CREATE OR REPLACE USER {ACCOUNT}@localhost IDENTIFIED BY '{PASSWORD.replace('%', '%%')}'",
            *(f"GRANT {ACCOUNT}_role TO {ACCOUNT}@{host}" for host in ("'%%'", "localhost")),
            *(f"SET DEFAULT ROLE {ACCOUNT}_role FOR {ACCOUNT}@{host}" for host in ("'%%'", "localhost")),
        ):
            owner.exec_driver_sql(statement)
    site = registered(PlayedIspyb(server().set(database=name).render_as_string(hide_password=False)))
    yield site
    site.close()
    with engine.connect() as owner:
        for statement in (
            f"DROP USER IF EXISTS {ACCOUNT}@'%%', {ACCOUNT}@localhost",
            f"DROP ROLE IF EXISTS {ACCOUNT}_role, {', '.join(ROLES)}",
            f"DROP DATABASE {name}",
        ):
            owner.exec_driver_sql(statement)
    engine.dispose()


@pytest.fixture
def least(release: PlayedIspyb) -> Iterator[IspybDatabase]:
    """The same as an account with least rights sees it."""
    url = parsed(release.settings.url).set(username=ACCOUNT, password=None, drivername="mariadb")
    settings = FacilitySettings(
        kind="ispyb", url=url.render_as_string(hide_password=False), options={"time_zone": "UTC"}
    )
    database = open_ispyb(settings, PASSWORD)
    yield database
    database.close()


def test_two_roles_are_enough(release: PlayedIspyb, least: IspybDatabase) -> None:
    images = [new_image(key("CS-1", row=row, column=2, drop=3)) for row in range(3)]
    release.add_images(images)
    release.score(images[0].path, "Clear")
    by_people = release.by_people()
    found = least.check()
    assert found.missing == ()
    assert "would do without Person, which may not be read" in found.found
    assert f"would write BLSampleImage_has_AutoScoreClass, by procedure: schema {SCHEMA!r}" in found.found
    imaging = MemoryImaging()
    assert pull(imaging, least, LAB).scores == 1
    there = imaging.plate_images("CS-1")
    assert {image.path: image.key for image in there} == {image.path: image.key for image in images}
    imaging.add_auto_scores([auto(image) for image in there])
    for _ in range(2):
        assert push(imaging, least, LAB).refused == ()
    assert release.given().keys() == {image.path for image in images}
    assert release.by_people() == by_people


def test_what_is_not_there_is_named(release: PlayedIspyb, least: IspybDatabase) -> None:
    images = [new_image(key("CS-2", row=row)) for row in range(2)]
    release.add_images(images)
    imaging = MemoryImaging()
    imaging.add_images(
        [*images, new_image(key("CS-2", row=5), path="/gone.jpg"), new_image(key("CS-2", row=6), path="/雨.jpg")]
    )
    imaging.add_auto_scores([auto(image) for image in imaging.plate_images("CS-2")])
    report = push(imaging, least, LAB)
    assert report.taken == 2
    assert sorted(each.partition(": ")[2] for each in report.refused) == [
        "ISPyB has no image /gone.jpg",
        "ISPyB keeps paths in latin1, which cannot write /雨.jpg",
    ]


def test_crystals_by_procedure_are_given_once(release: PlayedIspyb, least: IspybDatabase) -> None:
    image = new_image(key("CS-3"))
    release.add_images([image])
    found = {
        image.path: [
            FoundCrystal(row_px=10, column_px=20),
            FoundCrystal(row_px=5, column_px=5, box=Box(1, 2, 8, 9)),
        ]
    }
    for _ in range(2):
        assert least.push_crystals(found) == ()
    rows = release.run(
        "SELECT s.source FROM BLSubSample s JOIN BLSampleImage i ON i.blSampleImageId = s.blSampleImageId "
        "WHERE i.imageFullPath = :path",
        path=image.path,
    )
    assert [row[0] for row in rows] == ["auto", "auto"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE BLSampleImage SET blSampleImageScoreId = NULL",
        "DELETE FROM BLSampleImage_has_AutoScoreClass",
        "INSERT INTO BLSampleImageAutoScoreSchema (schemaName) VALUES ('another')",
        "SELECT login FROM Person",
    ],
)
def test_the_account_can_do_no_more(least: IspybDatabase, statement: str) -> None:
    engine = create_engine(least._engine.url)
    with pytest.raises(DBAPIError, match="denied"), engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_a_wrong_password_is_not_repeated(release: PlayedIspyb, least: IspybDatabase) -> None:
    url = least._engine.url.set(drivername="mariadb", password=None)
    settings = FacilitySettings(kind="ispyb", url=url.render_as_string(hide_password=False))
    with pytest.raises(DatabaseError, match="Access denied") as caught:
        open_ispyb(settings, "wr0ng-secret").check()
    assert "wr0ng-secret" not in f"{caught.value}{caught.value.__cause__!r}{caught.value.__context__!r}"
