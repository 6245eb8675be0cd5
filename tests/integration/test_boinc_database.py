"""What is read from a BOINC server's database, on a real MariaDB: of its tables the columns that are asked for."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text

from crystal_search.errors import EngineError
from crystal_search.server.engines.boinc.app_versions import AppVersion
from crystal_search.server.engines.boinc.boinc_database import BoincDatabase
from crystal_search.server.engines.boinc.install import set_replication
from crystal_search.server.engines.boinc.project import Project
from crystal_search.server.imaging.sql_imaging import parsed
from crystal_search.server.settings import Settings
from tests.boinc_site import made_project
from tests.integration.scratch_databases import on_server, usual_server

TABLES = (
    "CREATE TABLE app (id INT PRIMARY KEY, name VARCHAR(254), target_nresults INT DEFAULT 0, "
    "min_version INT DEFAULT 0)",
    "CREATE TABLE platform (id INT PRIMARY KEY, name VARCHAR(191), deprecated TINYINT DEFAULT 0)",
    "CREATE TABLE app_version (id INT PRIMARY KEY AUTO_INCREMENT, appid INT DEFAULT 1, version_num INT, "
    "platformid INT, xml_doc MEDIUMBLOB, deprecated TINYINT DEFAULT 0, plan_class VARCHAR(128) DEFAULT '')",
    "CREATE TABLE workunit (id INT PRIMARY KEY, appid INT, name VARCHAR(191) UNIQUE, error_mask INT DEFAULT 0, "
    "assimilate_state INT DEFAULT 0, need_validate SMALLINT DEFAULT 0, min_quorum INT DEFAULT 2, "
    "target_nresults INT DEFAULT 2, max_total_results INT DEFAULT 7, max_success_results INT DEFAULT 5, "
    "canonical_resultid INT DEFAULT 0, transition_time INT DEFAULT 2147483647, "
    "mod_time TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)",
    "CREATE TABLE result (id INT PRIMARY KEY AUTO_INCREMENT, appid INT DEFAULT 1, workunitid INT, name VARCHAR(191), "
    "hostid INT DEFAULT 0, userid INT DEFAULT 0, server_state INT, outcome INT DEFAULT 0, exit_status INT DEFAULT 0, "
    "stderr_out BLOB, validate_state INT DEFAULT 0, received_time INT DEFAULT 0, sent_time INT DEFAULT 0, "
    "create_time INT DEFAULT 0, file_delete_state INT DEFAULT 0, "
    "mod_time TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)",
    "CREATE TABLE host (id INT PRIMARY KEY, rpc_time INT, userid INT DEFAULT 1)",
    "CREATE TABLE user (id INT PRIMARY KEY)",
)
NOW = "UNIX_TIMESTAMP()"
AN_HOUR_AGO = "NOW() - INTERVAL 4000 SECOND"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Connection, Project]]:
    """A database with a BOINC server's tables, and the project that names it."""
    name = f"boinc_{tmp_path.name[-12:].replace('-', '_')}"
    usual = usual_server("mariadb")
    on_server("mariadb", usual, f"DROP DATABASE IF EXISTS {name}")
    on_server("mariadb", usual, f"CREATE DATABASE {name}")
    url = parsed(usual)
    project = replace(
        made_project(tmp_path / "project"),
        db_name=name,
        db_user=url.username or "",
        db_password=url.password or "",
        db_host=f"{url.host}:{url.port or 3306}",
    )
    engine = create_engine(url.set(database=name), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in TABLES:
            connection.execute(text(statement))
        connection.execute(text("INSERT INTO app (id, name) VALUES (1, 'crystal_search'), (2, 'another')"))
        yield connection, project
    engine.dispose()
    on_server("mariadb", usual, f"DROP DATABASE {name}")


@pytest.mark.database
def test_jobs_are_read_by_name(server: tuple[Connection, Project]) -> None:
    connection, project = server
    connection.execute(
        text(
            "INSERT INTO workunit (id, appid, name, error_mask, assimilate_state) VALUES "
            "(1, 1, 'a_a1', 0, 0), (2, 1, 'b_a1', 0, 2), (3, 1, 'c_a1', 17, 2), (4, 1, 'd_a1', 2, 2)"
        )
    )
    connection.execute(
        text(
            "INSERT INTO result (workunitid, name, server_state, sent_time) VALUES "
            f"(1, 'x', 4, {NOW} - 5000), (1, 'y', 2, 0), (1, 'z', 4, {NOW} - 700), (1, 'w', 5, {NOW})"
        )
    )
    connection.execute(text("UPDATE workunit SET target_nresults = 3 WHERE id = 1"))
    jobs = BoincDatabase(project).jobs(["a_a1", "b_a1", "c_a1", "d_a1", "e_a1", "x'; DROP TABLE result; --"])
    assert {name: (job.id, job.assimilated, job.error_mask) for name, job in jobs.items()} == {
        "a_a1": (1, False, 0),
        "b_a1": (2, True, 0),
        "c_a1": (3, True, 17),
        "d_a1": (4, True, 2),
    }
    assert (jobs["a_a1"].in_progress, jobs["a_a1"].unsent, jobs["a_a1"].extra) == (2, 1, 1)
    assert 700 <= jobs["a_a1"].silent_s < 5000
    assert (jobs["b_a1"].in_progress, jobs["b_a1"].unsent, jobs["b_a1"].extra, jobs["b_a1"].silent_s) == (0, 0, 0, 0)
    assert BoincDatabase(project).jobs([]) == {}
    assert len(BoincDatabase(project).jobs([f"n{number}" for number in range(2500)])) == 0


@pytest.mark.database
@pytest.mark.parametrize(
    ("states", "expected"), [((0,), False), ((0, 0), True), ((4, 4), False), ((4, 4, 0), True), ((2, 0), False)]
)
def test_results_that_may_be_enough_are_known(
    server: tuple[Connection, Project], states: tuple[int, ...], expected: bool
) -> None:
    """BOINC's validator has yet to look at one (0), and there are two that are not invalid (2); 4 is inconclusive."""
    connection, project = server
    connection.execute(text("INSERT INTO workunit (id, appid, name) VALUES (1, 1, 'a')"))
    for state in states:
        connection.execute(
            text(f"INSERT INTO result (workunitid, server_state, outcome, validate_state) VALUES (1, 5, 1, {state})")
        )
    connection.execute(text("INSERT INTO result (workunitid, server_state) VALUES (1, 4)"))
    assert BoincDatabase(project).jobs(["a"])["a"].to_validate is expected


@pytest.mark.database
def test_copies_that_ended_in_vain_are_read(server: tuple[Connection, Project]) -> None:
    connection, project = server
    connection.execute(
        text(
            "INSERT INTO result (workunitid, name, hostid, server_state, outcome, exit_status, stderr_out) VALUES "
            "(7, 'a_a1_0', 3, 5, 3, 193, 'core dumped'), (7, 'a_a1_1', 4, 5, 4, 0, NULL), "
            "(7, 'a_a1_2', 5, 5, 6, 0, NULL), (7, 'a_a1_3', 6, 5, 1, 0, NULL), (7, 'a_a1_4', 0, 5, 5, 0, NULL), "
            "(8, 'b', 1, 5, 3, 1, NULL)"
        )
    )
    assert [str(copy) for copy in BoincDatabase(project).failed_copies(7)] == [
        "a copy was ended by a signal\na_a1_0 on host 3; it said:\ncore dumped",
        "a copy never came back\na_a1_1 on host 4",
        "a copy returned a result that was refused\na_a1_2 on host 5",
    ]


@pytest.mark.database
@pytest.mark.parametrize(("quorum", "of_app", "expected"), [(2, 0, (3, 2)), (1, 2, (3, 2)), (1, 0, (2, 1))])
def test_another_copy_is_asked_for_once(
    server: tuple[Connection, Project], quorum: int, of_app: int, expected: tuple[int, int]
) -> None:
    connection, project = server
    connection.execute(text(f"UPDATE app SET target_nresults = {of_app} WHERE id = 1"))  # 2: adaptive replication
    connection.execute(
        text(
            "INSERT INTO workunit (id, appid, name, min_quorum, target_nresults, error_mask, canonical_resultid) "
            f"VALUES (1, 1, 'a', {quorum}, {quorum}, 0, 0), (2, 1, 'over', 2, 2, 16, 0), (3, 1, 'done', 2, 2, 0, 9)"
        )
    )
    database = BoincDatabase(project)
    before = database.jobs(["a", "over", "done"])
    assert not before["a"].to_transition
    for job in [*before.values(), before["a"]]:
        database.want_another_copy(job)
    columns = "target_nresults, min_quorum, max_total_results, max_success_results, transition_time"
    rows = connection.execute(text(f"SELECT {columns} - IF(id = 1, {NOW}, 0) FROM workunit ORDER BY id")).fetchall()
    assert rows[0][:4] == (*expected, 8, 6)
    assert -60 < rows[0][4] <= 0
    assert [tuple(row) for row in rows[1:]] == [(2, 2, 7, 5, 2_147_483_647)] * 2
    known = database.jobs(["a"])["a"]
    assert (known.extra, known.unsent, known.to_transition) == (1, 0, True)  # no second one until the first is made


@pytest.mark.database
def test_jobs_that_nobody_is_left_for(server: tuple[Connection, Project]) -> None:
    """Hosts 1 and 2 have had `a`, of `b` only host 1; host 3 is off or gone, host 4 of another application."""
    connection, project = server

    def left(*, per_user: bool = False) -> list[str]:
        database = BoincDatabase(replace(project, one_copy_per_user=per_user))
        return [job.name for job in database.nobody_left_for(list(database.jobs(["a", "b"]).values()))]

    assert left() == []
    connection.execute(
        text(
            f"INSERT INTO host (id, rpc_time, userid) VALUES (1, {NOW}, 1), (2, {NOW}, 1), (3, {NOW} - 3700, 3), "
            f"(4, {NOW}, 4)"
        )
    )
    connection.execute(text("INSERT INTO workunit (id, appid, name) VALUES (1, 1, 'a'), (2, 1, 'b')"))
    connection.execute(
        text(
            "INSERT INTO result (appid, workunitid, hostid, userid, server_state) VALUES (1, 1, 1, 1, 5), "
            "(1, 1, 2, 1, 5), (1, 1, 0, 0, 2), (1, 2, 1, 1, 5), (1, 2, 0, 0, 2), (1, 9, 3, 3, 5), (2, 9, 4, 4, 5)"
        )
    )
    assert left() == ["a"]
    project = replace(project, poll_s=1800)  # by two times of which nobody is gone yet
    assert left() == []
    project = replace(project, poll_s=15)
    assert left(per_user=True) == []  # they are of one user, and do not confirm each other
    connection.execute(text(f"INSERT INTO host (id, rpc_time, userid) VALUES (5, {NOW}, 5)"))
    connection.execute(
        text(
            "INSERT INTO result (appid, workunitid, hostid, userid, server_state) VALUES "
            "(1, 1, 5, 5, 5), (1, 2, 5, 5, 5)"
        )
    )
    assert left(per_user=True) == ["a", "b"]
    connection.execute(text("DELETE FROM result WHERE hostid = 5"))
    connection.execute(text("DELETE FROM host WHERE id = 5"))
    connection.execute(text("UPDATE workunit SET min_quorum = 3"))
    assert left() == []  # not even all hosts together are enough
    connection.execute(text("UPDATE workunit SET min_quorum = 2"))
    connection.execute(text("UPDATE result SET server_state = 4 WHERE hostid = 2"))
    assert left() == []  # one may still bring it


@pytest.mark.database
def test_load_counts_our_application_only(server: tuple[Connection, Project]) -> None:
    connection, project = server
    connection.execute(
        text(
            "INSERT INTO workunit (id, appid, name, assimilate_state, need_validate, transition_time, mod_time) VALUES "
            f"(1, 1, 'a', 1, 0, {NOW} + 9000, {AN_HOUR_AGO}), (2, 1, 'b', 0, 1, {NOW} - 9000, {AN_HOUR_AGO}), "
            f"(3, 2, 'c', 1, 1, 0, {AN_HOUR_AGO}), (4, 1, 'd', 1, 1, {NOW}, NOW())"
        )
    )
    connection.execute(
        text(
            "INSERT INTO result (appid, workunitid, server_state, outcome, received_time, create_time, sent_time, "
            f"file_delete_state, mod_time) VALUES (1, 1, 2, 0, 0, {NOW} - 500, 0, 0, NOW()), "
            f"(1, 1, 2, 0, 0, {NOW} - 100, 0, 0, NOW()), (1, 1, 4, 0, 0, {NOW} - 800, {NOW} - 700, 0, NOW()), "
            f"(1, 1, 5, 1, {NOW}, 1, 1, 1, {AN_HOUR_AGO}), (1, 1, 5, 1, {NOW} - 90000, 1, 1, 1, NOW()), "
            f"(1, 1, 5, 3, {NOW}, 1, 1, 0, NOW()), (2, 3, 2, 0, 0, 1, {NOW}, 1, {AN_HOUR_AGO})"
        )
    )
    connection.execute(text(f"INSERT INTO host VALUES (1, {NOW}, 7), (2, {NOW} - 7200, 7), (3, {NOW} - 90000, 8)"))
    connection.execute(text("INSERT INTO user VALUES (7), (8)"))
    load = BoincDatabase(project).load()
    assert 500 <= load.pop("unsent_seconds") < 560
    assert 700 <= load.pop("nothing_sent_seconds") < 760
    assert load == {
        "unsent": 2,
        "in_progress": 1,
        "to_validate": 2,
        "to_assimilate": 2,
        "overdue_transitions": 1,
        "overdue_validations": 1,
        "overdue_assimilations": 1,
        "overdue_deletions": 1,
        "errors_last_day": 1,
        "successes_last_day": 1,
        "hosts_last_hour": 1,
        "hosts_last_day": 2,
        "accounts_last_day": 1,
        "hosts": 3,
        "users": 2,
    }
    connection.execute(text("UPDATE result SET sent_time = 0"))
    assert BoincDatabase(project).load()["nothing_sent_seconds"] > 10**6  # since the first task was made
    connection.execute(text("DELETE FROM result"))
    load = BoincDatabase(project).load()
    assert (load["unsent_seconds"], load["nothing_sent_seconds"]) == (0, 0)


@pytest.mark.database
def test_replication_is_set_where_the_server_looks(server: tuple[Connection, Project]) -> None:
    connection, project = server
    for replication, number in (("adaptive", 2), ("quorum", 0), ("none", 0)):
        set_replication(project, Settings(boinc_replication=replication))
        found = connection.execute(text("SELECT target_nresults FROM app WHERE name = 'crystal_search'")).scalar()
        assert found == number


@pytest.mark.database
def test_volunteers_get_the_newest_version_of_each_platform_and_plan_class(server: tuple[Connection, Project]) -> None:
    connection, project = server
    assert BoincDatabase(project).highest_version() == 0
    connection.execute(
        text("INSERT INTO platform VALUES (1, 'x86_64-pc-linux-gnu', 0), (2, 'windows_x86_64', 0), (3, 'powerpc', 1)")
    )
    document = "<app_version><file_ref><file_name>{}</file_name><open_name>x</open_name></file_ref></app_version>"
    rows = [
        (1, 99, 1, "", 0, "old"),
        (1, 101, 1, "", 0, "newest"),
        (1, 102, 1, "", 1, "deprecated"),
        (1, 100, 1, "avx2", 0, "planned"),
        (1, 3, 2, "", 0, "windows"),
        (1, 200, 3, "", 0, "platform deprecated"),
        (2, 300, 1, "", 0, "another application's"),
    ]
    for *row, name in rows:
        values = dict(zip(("app", "number", "platform", "plan", "deprecated"), row, strict=True))
        connection.execute(
            text(
                "INSERT INTO app_version (appid, version_num, platformid, plan_class, deprecated, xml_doc) "
                "VALUES (:app, :number, :platform, :plan, :deprecated, :document)"
            ),
            values | {"document": document.format(name)},
        )
    windows = AppVersion(number=3, platform="windows_x86_64", files=frozenset({"windows"}))
    newest = [
        AppVersion(number=101, platform="x86_64-pc-linux-gnu", files=frozenset({"newest"})),
        AppVersion(number=100, platform="x86_64-pc-linux-gnu__avx2", files=frozenset({"planned"})),
    ]
    assert BoincDatabase(project).versions() == [windows, *newest]
    assert BoincDatabase(project).highest_version() == 200
    connection.execute(text("UPDATE app SET min_version = 100"))
    assert BoincDatabase(project).versions() == newest


def test_a_server_that_cannot_be_reached_is_the_engine_s_trouble(tmp_path: Path) -> None:
    project = replace(made_project(tmp_path / "project"), db_host="127.0.0.1:1")
    with pytest.raises(EngineError, match="the BOINC server's database cs"):
        BoincDatabase(project).load()
