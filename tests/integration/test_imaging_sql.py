"""What only databases do: schemas and their upgrades, guards, several processes, being killed, errors."""

import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from crystal_search.errors import ConfigError, DatabaseError, SchemaError
from crystal_search.server.imaging import schema, schema_preparing, schema_upgrades
from crystal_search.server.imaging.sql_imaging import open_imaging, parsed
from crystal_search.server.imaging.stored_images import NewImage
from tests.integration.imaging_nouns import OTHER_RECIPE, RECIPE, auto, key, manual, new_image, stored


def test_a_new_database_has_the_newest_version_and_is_opened_again(empty_url: str, engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT version FROM schema_version")).all() == [
            schema_preparing.newest_version()
        ]
    database = open_imaging(empty_url)
    image = stored(database, key())
    database.close()
    database = open_imaging(empty_url)
    assert database.images([image.id]) == {image.id: image}
    database.close()


def test_an_older_schema_is_upgraded_and_keeps_its_scores(
    empty_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = open_imaging(empty_url)
    image = stored(database, key())
    database.add_auto_scores([auto(image)])
    database.close()

    def add_colour(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE plate ADD COLUMN colour VARCHAR(20) DEFAULT 'grey'"))

    monkeypatch.setattr(schema_upgrades, "UPGRADES", (*schema_upgrades.UPGRADES, add_colour))
    for _ in range(2):
        database = open_imaging(empty_url)
        assert database.ledger(image.id) == [auto(image)]
        database.close()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT colour FROM plate")) == "grey"
        assert connection.scalar(text("SELECT max(version) FROM schema_version")) == schema_preparing.newest_version()


def test_an_upgrade_that_fails_leaves_the_older_version(
    empty_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: Connection) -> None:
        connection.execute(text("INSERT INTO plate (barcode) VALUES ('half')"))
        connection.execute(text("ALTER TABLE no_such_table ADD COLUMN colour VARCHAR(20)"))

    before = schema_preparing.newest_version()
    monkeypatch.setattr(schema_upgrades, "UPGRADES", (*schema_upgrades.UPGRADES, fail))
    with pytest.raises(DatabaseError, match="cannot open it"):
        open_imaging(empty_url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT max(version) FROM schema_version")) == before
        if engine.dialect.name != "mariadb":  # commits what comes before a change of a table
            assert connection.scalar(text("SELECT count(*) FROM plate")) == 0


def test_a_newer_schema_is_refused(empty_url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO schema_version (version, applied_at) VALUES (99, '2030')"))
    known = schema_preparing.newest_version()
    with pytest.raises(SchemaError, match=f"version 99, this program knows {known}; install the newest"):
        open_imaging(empty_url)


def test_tables_of_somebody_else_are_left_alone(empty_url: str) -> None:
    engine = create_engine(parsed(empty_url))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE image (id INTEGER)"))
    with pytest.raises(SchemaError, match="tables image that Crystal Search did not make"):
        open_imaging(empty_url)
    with engine.begin() as connection:
        assert inspect(connection).get_table_names() == ["image"]
    engine.dispose()


@pytest.mark.parametrize("statement", ["UPDATE score SET outcome = 'clear'", "DELETE FROM score"])
def test_the_database_itself_refuses_to_change_scores(empty_url: str, engine: Engine, statement: str) -> None:
    database = open_imaging(empty_url)
    image = stored(database, key())
    database.add_manual_score(manual(image))
    with pytest.raises(DBAPIError, match="never changed or deleted"), engine.begin() as connection:
        connection.execute(text(statement))
    assert database.ledger(image.id) == [manual(image)]
    database.close()


ROOT = Path(__file__).parents[2]
RECOUNTED = """
SELECT plate_id, inspection, channel, count(*),
    sum(CASE WHEN EXISTS (SELECT 1 FROM score WHERE image_id = image.id AND recipe_id IS NOT NULL) THEN 1 ELSE 0 END)
FROM image GROUP BY plate_id, inspection, channel ORDER BY 1, 2, 3
"""
COUNTED = "SELECT plate_id, number, channel, images, scored FROM inspection ORDER BY 1, 2, 3"


def test_what_is_counted_on_the_way_equals_what_is_there(empty_url: str, engine: Engine) -> None:
    database = open_imaging(empty_url)
    chance = random.Random(20)
    for number in range(30):
        where = [key(chance.choice("AB"), row=chance.randrange(4), inspection=chance.randrange(1, 3)) for _ in range(3)]
        database.add_images([new_image(each) for each in where])
        images = database.plate_images(where[0].plate)
        recipes = chance.choices((RECIPE, OTHER_RECIPE), k=2)
        chosen = zip(chance.choices(images, k=2), recipes, strict=True)
        database.add_auto_scores([auto(image, f"unit-{number % 9}", recipe=recipe) for image, recipe in chosen])
        with engine.connect() as connection:
            counted, recounted = (connection.execute(text(query)).all() for query in (COUNTED, RECOUNTED))
        assert [tuple(map(str, row)) for row in counted] == [tuple(map(str, row)) for row in recounted]
    database.close()


def test_servers_keep_the_comments_of_every_table(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite keeps no comments")
    found = inspect(engine)
    for table in schema.metadata.tables.values():
        assert found.get_table_comment(table.name)["text"] == table.comment
        comments = {column["name"]: column["comment"] for column in found.get_columns(table.name)}
        assert comments == {column.name: column.comment for column in table.columns}


def _add(url: str, first: int, count: int) -> None:
    database = open_imaging(url)
    for start in range(first, first + count, 10):
        database.add_images(new_image(key(f"P{number % 3}", row=number)) for number in range(start, start + 10))
    database.close()


def test_processes_open_and_fill_one_database_at_once(empty_url: str) -> None:
    """Four processes find it empty together; their images overlap, each comes in once."""
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_add, args=(empty_url, first, 60)) for first in (0, 30, 0, 30)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * 4
    database = open_imaging(empty_url)
    assert sum(plate.images for plate in database.plates()) == 90
    database.close()


KILLED = """
import sys
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.wells import WellKey
database = open_imaging(sys.argv[1])
def images():
    for number in range(40_000):
        yield NewImage(key=WellKey(plate=f"P{number // 1536}", row=number % 1536, column=0), path=f"/{number}.jpg")
images = list(images())
print("begin", flush=True)
database.add_images(images)
print("end", flush=True)
"""


def test_a_killed_process_leaves_nothing_half(empty_url: str) -> None:
    open_imaging(empty_url).close()
    with subprocess.Popen([sys.executable, "-c", KILLED, empty_url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begin\n"
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGKILL)
        assert process.stdout.read() == ""
    database = open_imaging(empty_url)
    assert database.plates() == []
    assert database.add_images([new_image(key())]).added == 1
    database.close()


def test_a_database_that_cannot_be_reached_says_so_without_the_password(tmp_path: Path) -> None:
    for url in ("postgresql://reader:s3cret@127.0.0.1:1/x", "mariadb://reader:s3cret@127.0.0.1:1/x?ssl_key=s3cret"):
        with pytest.raises(DatabaseError, match=r"reader:\*\*\*@127.0.0.1:1/x.*settings.toml") as caught:
            open_imaging(url)
        assert "s3cret" not in str(caught.value)
    with pytest.raises(DatabaseError, match="unable to open database file"):
        open_imaging(f"sqlite:///{tmp_path}/no/such/folder/imaging.sqlite")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "imaging.sqlite"
    path.write_bytes(b"these are not the rows that you look for" * 100)
    with pytest.raises(DatabaseError, match=r"imaging\.sqlite: cannot open it: file is not a database"):
        open_imaging(f"sqlite:///{path}")
    assert path.stat().st_size == 4000


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3cret", "is no URL"),
        ("mssql://reader:s3cret@host/x", "starts with 'mssql'; choose from mariadb, mysql, postgresql, sqlite"),
        ("postgresql://reader:s3cret@host:port/x", "is no URL"),
        ("://", "is no URL"),
    ],
)
def test_a_url_that_cannot_be_is_a_matter_of_settings(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        open_imaging(url)
    assert "s3cret" not in str(caught.value)


def test_every_table_and_column_is_documented() -> None:
    page = (ROOT / "docs" / "imaging-database.md").read_text(encoding="utf-8")
    for table in schema.metadata.tables.values():
        assert f"`{table.name}`" in page
        for column in table.columns:
            assert f"`{column.name}`" in page, f"{table.name}.{column.name}"


#: tables whose rows may be deleted: none of them holds what anybody said of an image
MAY_GO = ("postponement", "likely_crystal", "person", "session", "token", "subscription", "outbox", "reach")


def test_no_statement_changes_or_deletes_scores() -> None:
    of_ours = r"\bscores\.update\(\)\.where\((ours|never\(\))\)"  # a facility's rows that have our name on them
    for path in (ROOT / "crystal_search").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        if path.name == "xtaltrak_statements.py":
            source = re.sub(of_ours, "", source)
        changing = r"\bupdate\((schema\.)?score|\bscore\w*\.(update|delete)\("
        deleting = rf"\b(?<!np\.)delete\((?!({'|'.join(MAY_GO)})\))"
        assert not re.search(f"{changing}|{deleting}", source), path


def test_a_missing_driver_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymysql", None)
    with pytest.raises(ConfigError, match=r"mariadb needs pymysql: pip install 'crystal-search\[mariadb\]'"):
        open_imaging("mariadb://reader@host/x")


@pytest.mark.parametrize("score", [{"comment": "\ud800"}, {"image_id": 2**70}, {"person": "\udcff"}])
def test_what_no_database_can_keep_is_an_error(empty_url: str, score: dict[str, Any]) -> None:
    database = open_imaging(empty_url)
    image = stored(database, key())
    with pytest.raises(DatabaseError, match=r"cannot add a person's score: .*nothing was changed"):
        database.add_manual_score(replace(manual(image), **score))
    assert database.ledger(image.id) == []
    database.close()


def test_a_value_that_does_not_fit_is_an_error_and_changes_nothing(empty_url: str) -> None:
    """SQLite takes texts of any length; the servers must refuse what they would cut."""
    database = open_imaging(empty_url)
    images = [new_image(key(row=1)), NewImage(key=key("P" * 101, row=2), path="/x.jpg")]
    if empty_url.startswith("sqlite"):
        assert database.add_images(images).added == 2
    else:
        with pytest.raises(DatabaseError, match="nothing was changed"):
            database.add_images(images)
        assert database.plates() == []
    database.close()
