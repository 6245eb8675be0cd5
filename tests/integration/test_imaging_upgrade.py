"""A database of schema version 1, made by that version's own statements, with scores, opened by this version."""

import json
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from crystal_search.server.home import Home
from crystal_search.server.imaging import schema, schema_progress, schema_upgrades
from crystal_search.server.imaging.comments import Comment
from crystal_search.server.imaging.imaging_database import AutoScore, ImagingDatabase, ManualScore, Recipe
from crystal_search.server.imaging.marks import Mark
from crystal_search.server.imaging.sql_imaging import open_imaging, parsed
from crystal_search.server.installation import opened
from crystal_search.server.services.assimilate import assimilate
from crystal_search.server.services.finalize import finalize
from crystal_search.server.services.set_autoscore import set_autoscores
from crystal_search.server.services.validate import validate
from tests.integration.imaging_nouns import FOUND, NO_DROP, OTHER_RECIPE, RECIPE, auto, manual, unit, unreadable
from tests.service_site import PATIENCE_S
from tests.unit.builders import crystal_score

GOLDEN = Path(__file__).parent.parent / "golden"
FIRST: dict[str, Any] = json.loads((GOLDEN / "imaging-1.json").read_text(encoding="utf-8"))
UNIT = "demo-1-0123456789abcdef"  #: as create-work calls a work unit
NIGHT = datetime(2012, 11, 21, tzinfo=UTC)
BEFORE = replace(FOUND, chops=0, seconds={})  #: version 1 kept neither


def filled(connection: Connection, kind: str) -> None:
    """Make the database that version 1 made, and the rows that it wrote."""
    for statement in FIRST[kind]:
        connection.exec_driver_sql(statement.replace("%", "%%") if kind == "postgresql" else statement)
    for name, rows in FIRST["rows"].items():
        for row in rows:
            names = ", ".join(row)
            values = ", ".join(f":{each}" for each in row)
            connection.execute(text(f"INSERT INTO {name} ({names}) VALUES ({values})"), row)
        if kind == "postgresql" and "id" in rows[0]:
            connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {len(rows)})"))


@pytest.fixture
def first_engine(empty_url: str) -> Iterator[Engine]:
    """A plain engine on a database of version 1."""
    engine = create_engine(parsed(empty_url))
    with engine.begin() as connection:
        filled(connection, engine.dialect.name)
    yield engine
    engine.dispose()


def check_records(database: ImagingDatabase) -> None:
    """Compare what version 1 wrote with what is read."""
    one, two, scored, unread, bare = database.plate_images("P1")
    again = replace(
        OTHER_RECIPE, models=(replace(OTHER_RECIPE.models[0], name="wells-2-again"), OTHER_RECIPE.models[1])
    )
    first = replace(auto(scored, "unit-1"), found=BEFORE)
    second = replace(auto(scored, "unit-3", recipe=OTHER_RECIPE, hours=1), found=BEFORE)
    assert database.ledger(scored.id) == [first, manual(scored), second]
    assert database.ledger(unread.id)[0] == unreadable(unread, "unit-1")
    assert database.ledger(unread.id)[1] == replace(auto(unread, "unit-4", recipe=again, hours=2), found=BEFORE)
    assert database.ledger(bare.id) == [replace(unreadable(bare, "unit-2"), found=NO_DROP)]
    machine = [score for score in database.ledger(scored.id) if isinstance(score, AutoScore)]
    assert [score.recipe.model("classifier").name for score in machine] == ["wells-1", "wells-2"]
    assert database.units("open") == [unit(one, two, name="demo-1")]
    assert [each.name for each in database.units("done")] == ["unit-1"]
    (waiting,) = database.plate_images("P2")
    assert database.images_without_score(RECIPE, limit=9) == [waiting]
    assert database.scored([scored.id, unread.id], again) == {unread.id}  # the last of two that are one now
    shown = {
        drop.image.id: (drop.auto and drop.auto.work_unit, drop.manual) for drop in database.drops("P1", inspection=1)
    }
    assert shown[scored.id] == ("unit-3", manual(scored))
    assert [each.text for each in database.comments(scored.id)] == [manual(scored).comment]


def test_days_that_were_kept_as_midnight_are_days_after_the_upgrade(first_engine: Engine, empty_url: str) -> None:
    with first_engine.begin() as connection:
        connection.execute(text("UPDATE image SET imaged_at = '2012-11-21T00:00:00.000000Z' WHERE id = 1"))
        connection.execute(text("UPDATE image SET imaged_at = '2012-11-21T00:01:00.000000Z' WHERE id = 2"))
    with closing(open_imaging(empty_url)) as database:
        day, time = database.images([1, 2]).values()
    assert (day.imaged_at, day.day_only, day.arrived_at) == (NIGHT, True, NIGHT)
    assert (time.imaged_at, time.day_only) == (NIGHT + timedelta(minutes=1), False)


def test_scores_units_and_recipes_are_the_same_after_the_upgrade(first_engine: Engine, empty_url: str) -> None:
    for _ in range(2):
        database = open_imaging(empty_url)
        check_records(database)
        database.close()
    with first_engine.connect() as connection:
        versions = connection.scalars(text("SELECT version FROM schema_version ORDER BY version")).all()
        assert versions == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
        assert connection.scalars(text("SELECT id FROM recipe ORDER BY id")).all() == [1, 2, 3]


def test_new_scores_go_on_under_the_same_recipe(first_engine: Engine, empty_url: str) -> None:
    database = open_imaging(empty_url)
    one, *_ = database.plate_images("P1")
    database.add_auto_scores([auto(one, "demo-1"), auto(one, "unit-9", recipe=replace(RECIPE, threshold=0.5))])
    assert database.ledger(one.id)[0] == auto(one, "demo-1")
    database.close()
    with first_engine.connect() as connection:
        ids = connection.scalars(text("SELECT recipe_id FROM score WHERE image_id = :id ORDER BY id"), {"id": one.id})
        assert ids.all() == [1, 4]


def test_an_upgraded_database_is_like_a_new_one(first_engine: Engine, empty_url: str) -> None:
    open_imaging(empty_url).close()
    upgraded = tables(first_engine)
    with first_engine.begin() as connection:
        connection.execute(text("DROP TABLE schema_version"))
        schema.metadata.drop_all(connection)
    open_imaging(empty_url).close()
    assert upgraded == tables(first_engine)


def tables(engine: Engine) -> dict[str, Any]:
    found = inspect(engine)
    return {
        name: (
            {
                each["name"]: (str(each["type"]), each["nullable"], each.get("comment"))
                for each in found.get_columns(name)
            },
            sorted((each["name"], each["column_names"]) for each in found.get_unique_constraints(name)),
            sorted((each["name"], each["referred_table"]) for each in found.get_foreign_keys(name)),
            found.get_pk_constraint(name)["constrained_columns"],
        )
        for name in found.get_table_names()
    }


def test_an_upgrade_says_how_much_there_is_to_do_and_that_it_goes_on(
    first_engine: Engine, empty_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    images = scalar(first_engine, "SELECT count(*) FROM image")
    monkeypatch.setattr(schema_progress, "AGAIN_S", 0.01)

    def slow(_: Connection) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while "goes on, for" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.01)

    monkeypatch.setattr(schema_upgrades, "UPGRADES", (*schema_upgrades.UPGRADES, slow))
    open_imaging(empty_url).close()
    assert f"upgrading the imaging database to schema version 12: {images} images" in caplog.messages
    assert "goes on, for" in caplog.text
    said = len(caplog.messages)
    open_imaging(empty_url).close()
    assert len(caplog.messages) == said


def test_a_large_upgrade_says_how_long_it_may_take(
    first_engine: Engine, empty_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    images = scalar(first_engine, "SELECT count(*) FROM image")
    monkeypatch.setattr(schema_progress, "IMAGES_A_SECOND", 1)
    open_imaging(empty_url).close()
    assert f"{images} images, some {images} s; let it run" in caplog.text


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE score SET outcome = 'clear'",
        "DELETE FROM score",
        "DELETE FROM score_taken_back",
        "DELETE FROM image_comment",
        "DELETE FROM comment_taken_back",
        "DELETE FROM image_mark",
        "DELETE FROM mark_taken_back",
    ],
)
def test_the_ledger_is_guarded_as_before(first_engine: Engine, empty_url: str, statement: str) -> None:
    with closing(open_imaging(empty_url)) as database:
        image = database.plate_images("P1")[0]
        database.add_manual_score(manual(image, "Ann"))
        (score,) = database.ledger(image.id)
        assert isinstance(score, ManualScore)
        assert database.take_back(score.id, person="Ann", at=NIGHT)
        database.add_comment(Comment(image_id=image.id, person="Ann", written_at=NIGHT, text="tiny"))
        comment = database.comments(image.id)[0]
        assert database.take_comment_back(comment.id, person="Ann", at=NIGHT)
        database.add_mark(Mark(image_id=image.id, person="Ann", marked_at=NIGHT, kind="favourite"))
        (mark,) = database.marks([image.id])
        assert database.take_mark_back(mark.id, person="Ann", at=NIGHT)
    with pytest.raises(DBAPIError, match="never changed or deleted"), first_engine.begin() as connection:
        connection.execute(text(statement))


#: after which statements an upgrade is cut off; only MariaDB keeps what was changed until then
CUTS = [
    *(("sqlite", cut) for cut in range(0, 68, 11)),
    *(pytest.param("postgresql", cut, marks=pytest.mark.database) for cut in range(0, 68, 11)),
    *(pytest.param("mariadb", cut, marks=pytest.mark.database) for cut in range(68)),
]


@pytest.mark.usefixtures("first_engine")
@pytest.mark.parametrize(("empty_url", "statements"), CUTS, indirect=["empty_url"])
def test_an_upgrade_that_was_cut_off_is_begun_again(
    empty_url: str, statements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute, done, upgrades = Connection.execute, 0, schema_upgrades.UPGRADES

    def until(connection: Connection, *words: Any, **more: Any) -> Any:
        nonlocal done
        done += 1
        if done > statements:
            raise KeyboardInterrupt
        return execute(connection, *words, **more)

    def cut_off(connection: Connection) -> None:
        patched.setattr(Connection, "execute", until)
        for upgrade in upgrades:
            upgrade(connection)
        raise KeyboardInterrupt  # before the version is noted

    with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
        patched.setattr(schema_upgrades, "UPGRADES", (cut_off,))
        open_imaging(empty_url)
    database = open_imaging(empty_url)
    check_records(database)
    database.close()


def test_a_result_of_version_1_in_flight_counts_under_its_recipe(tmp_path: Path) -> None:
    """A unit was packed, and scored by an old client, before the upgrade."""
    home = Home(tmp_path / "home").made()
    engine = create_engine(f"sqlite:///{home.path / 'imaging.sqlite'}")
    with engine.begin() as connection:
        filled(connection, "sqlite")
        connection.execute(text("UPDATE work_unit SET name = :name WHERE name = 'demo-1'"), {"name": UNIT})
    engine.dispose()
    (home.returned / UNIT).mkdir()
    result = (GOLDEN / "result-1.json").read_text().replace('"demo-1"', f'"{UNIT}"')
    (home.returned / UNIT / "result.json").write_text(result)
    with ZipFile(GOLDEN / "work-unit-1.zip") as golden, ZipFile(home.queue / f"{UNIT}.zip", "w") as packed:
        for member in golden.infolist():
            packed.writestr(member, golden.read(member).replace(b'"demo-1"', f'"{UNIT}"'.encode()))
    with opened(home.path) as site:
        assert (validate(home).valid, assimilate(site)) == (1, 1)
        assert finalize(site)
        assert set_autoscores(site).new == 2
        recipes: set[Recipe] = set()
        for image in site.imaging.plate_images("P1")[:2]:
            (score,) = site.imaging.ledger(image.id)
            assert isinstance(score, AutoScore)
            assert score.found == crystal_score()
            recipes.add(score.recipe)
        assert recipes == {RECIPE}
        assert {each.name for each in site.imaging.units("done")} == {UNIT, "unit-1"}
        assert recipes_in(home) == 3


def recipes_in(home: Home) -> int:
    engine = create_engine(f"sqlite:///{home.path / 'imaging.sqlite'}")
    count = scalar(engine, "SELECT count(*) FROM recipe")
    engine.dispose()
    return count


def scalar(engine: Engine, query: str) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(text(query)) or 0)
