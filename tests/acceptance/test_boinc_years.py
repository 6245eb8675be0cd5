"""A real BOINC server in the years after it was set up: what grows is cleared, what hangs is named, homes change."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest

from crystal_search.errors import ConfigError
from crystal_search.exit_codes import FAILED
from crystal_search.server.engines.boinc.boinc_daemons import dead_daemons
from crystal_search.server.engines.boinc.boinc_report import report
from crystal_search.server.engines.boinc.install import PURGE_DAYS, SWEEPERS, install, set_replication
from crystal_search.server.health.status import status
from crystal_search.server.health.troubles import troubles
from crystal_search.server.installation import recipe_of
from crystal_search.server.models_in_use import units_waiting
from crystal_search.server.services.cycle import cycle
from crystal_search.server.services.retry import retry
from crystal_search.server.unit_states import State, names_in
from tests.acceptance.test_boinc_server_faults import count, new_unit
from tests.boinc_place import Place, other_installation
from tests.fake_volunteer import Task

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parents[2] / "scripts"
ROWS = "SELECT * FROM {} WHERE name LIKE %s ORDER BY id"


def complaints(place: Place) -> str:
    return "; ".join(report(units_waiting(place.site)).complaints)


def test_another_home_is_refused_and_harms_nothing_where_it_takes_over(place: Place, tmp_path: Path) -> None:
    """Volunteers are at work for the former home meanwhile; what they return is lost, and computed once more."""
    images, unit = new_unit(place)
    holders = place.handed_out(2)
    other = other_installation(place, tmp_path)
    scripts, config = place.project.root / "bin", place.project.root / "config.xml"
    before = {path: path.read_bytes() for path in (config, *scripts.glob("crystal_search_*"))}
    queue = {path: path.read_bytes() for path in place.site.home.queue.iterdir()}
    jobs = place.rows(ROWS.format("workunit"), f"{unit}%")
    with pytest.raises(ConfigError, match="install --take-over"):
        install(other.home, other.settings)
    assert before == {path: path.read_bytes() for path in before}
    install(other.home, other.settings, take_over=True)
    try:
        place.restart()
        assert {path: path.read_bytes() for path in queue} == queue
        assert place.rows(ROWS.format("workunit"), f"{unit}%") == jobs
        with pytest.raises(ConfigError, match="works for"):
            place.one_pass()
        for volunteer, task in holders:
            volunteer.finish([task], place.good)
        place.eventually(
            lambda: place.rows("SELECT id FROM workunit WHERE assimilate_state = 2 AND name LIKE %s", f"{unit}%")
        )
        with other.started_engine() as engine:
            cycle(other, recipe_of(other), engine)
        assert list(other.home.incoming.iterdir()) == []
        assert [names_in(other.home, state) for state in (State.RETURNED, State.QUEUED, State.SPOOLED)] == [[]] * 3
        assert {path: path.read_bytes() for path in queue} == queue
    finally:
        install(place.site.home, place.site.settings, take_over=True)
        place.restart()
    assert any(name.startswith(f"{unit}_a2") for name in place.until_scored(images))
    assert len(place.scores(images[0])) == 1


@pytest.mark.parametrize("words", [SWEEPERS[1], SWEEPERS[1].replace("--no_archive", "--gzip")], ids=["gone", "kept"])
def test_what_is_older_than_the_setting_vanishes_and_nothing_else(place: Place, words: str) -> None:
    old, of_old = new_unit(place)
    place.until_scored(old)
    in_work, of_work = new_unit(place)
    holders = place.handed_out(1)
    recent, of_recent = new_unit(place)
    place.until_scored(recent)
    place.eventually(lambda: not place.files(of_old))
    assert place.files(of_work)
    archives = place.project.root / "archives"
    kept = set(archives.glob("*"))
    long_ago = "mod_time = NOW() - INTERVAL %s DAY"
    for unit, days in ((of_old, PURGE_DAYS + 1), (of_work, PURGE_DAYS + 1), (of_recent, PURGE_DAYS - 1)):
        place.rows(f"UPDATE workunit SET {long_ago} WHERE name LIKE %s", days, f"{unit}%")
        place.rows(f"UPDATE result SET {long_ago} WHERE name LIKE %s", days, f"{unit}%")
    tool, *options = words.split()
    place.project.run(tool, *options, "--one_pass")
    assert [place.rows(ROWS.format(table), f"{of_old}%") for table in ("workunit", "result")] == [[], []]
    assert place.rows(ROWS.format("workunit"), f"{of_recent}%")
    assert count(place, of_work) >= 1
    written = {path.name.rpartition("_")[0] for path in set(archives.glob("*.gz")) - kept}
    assert written == ({"wu_archive", "result_archive", "wu_index", "result_index"} if "--gzip" in words else set())
    place.one_pass()
    assert place.rows(ROWS.format("workunit"), f"{of_old}%") == []
    holders[0][0].finish([holders[0][1]], place.good)
    place.until_scored(in_work)
    for image in (*old, *in_work, *recent):
        assert len(place.scores(image)) == 1


def test_a_host_is_trusted_once_it_has_shown_that_it_can_be(place: Place) -> None:
    place.change(boinc_replication="adaptive")
    set_replication(place.project, place.site.settings)
    place.restart()
    trust = "UPDATE host_app_version SET consecutive_valid = %s"
    try:
        place.rows(trust, 0)
        assert len(place.until_scored(place.add(1))) == 2
        place.rows(trust, 1_000_000)  # of so many, the last ten are looked at again
        assert len(place.until_scored(place.add(1))) == 1
    finally:
        place.change(boinc_replication="quorum")
        set_replication(place.project, place.site.settings)
        place.restart()


def test_daemons_go_on_writing_where_logs_are_rotated(place: Place, tmp_path: Path) -> None:
    if not (logrotate := shutil.which("logrotate", path="/usr/sbin:/usr/bin")):
        pytest.skip("no logrotate here")
    place.until_scored(place.add(1))
    logs = {path: path.read_bytes() for path in place.project.root.glob("log_*/*.log")}
    text = (SCRIPTS / "logrotate").read_text().replace("/home/boincadm/projects/cs", str(place.project.root))
    rules = tmp_path / "rules"
    rules.write_text(re.sub(r"(?m)^ *su .*\n", "", text))
    subprocess.run([logrotate, "--force", "--state", str(tmp_path / "state"), str(rules)], check=True)
    place.until_scored(place.add(1))
    for daemon in ("transitioner", "script_validator", "script_assimilator", "scheduler", "file_upload_handler"):
        (path,) = (path for path in logs if path.stem == daemon)
        now = path.read_bytes()
        assert now, daemon
        assert b"\0" not in now, daemon
        assert path.with_name(f"{path.name}.1").read_bytes().startswith(logs[path]), daemon


@contextmanager
def standing_still(place: Place, daemon: str) -> Iterator[None]:
    """Have a daemon live, and do nothing."""
    place.signal(daemon, SIGSTOP)
    try:
        yield
    finally:
        place.signal(daemon, SIGCONT)


def test_a_transitioner_that_stands_still_is_named(place: Place) -> None:
    with standing_still(place, "transitioner"):
        images = place.add(1)
        place.one_pass()
        place.rows("UPDATE workunit SET transition_time = transition_time - 400 WHERE transition_time < 2000000000")
        assert dead_daemons(place.project) == []
        assert "BOINC's transitioner is stuck: " in complaints(place)
    place.until_scored(images)
    assert "stuck" not in complaints(place)


def test_a_feeder_that_stands_still_is_named(place: Place) -> None:
    images = place.add(1)
    with standing_still(place, "feeder"):
        place.one_pass()
        place.until(lambda: bool(place.rows("SELECT id FROM result WHERE server_state = 2")))
        for volunteer in place.volunteers:
            assert volunteer.tasks() == []
        place.rows("UPDATE result SET create_time = create_time - 2000, sent_time = GREATEST(sent_time, 2000) - 2000")
        assert "the feeder" in complaints(place)
    place.until_scored(images)
    assert "feeder" not in complaints(place)


SETTLING = {
    "script_validator": ("workunit", "need_validate = 1", "work units wait to be validated"),
    "script_assimilator": ("workunit", "assimilate_state = 1", "results wait to be taken over"),
    "file_deleter": ("result", "file_delete_state = 1", "are no longer needed"),
}


@pytest.mark.parametrize("daemon", SETTLING)
def test_a_daemon_that_stands_still_while_results_are_back_is_named(place: Place, daemon: str) -> None:
    table, waits, said = SETTLING[daemon]
    images, _ = new_unit(place)
    with standing_still(place, daemon):
        place.served(2)
        place.until(lambda: bool(place.rows(f"SELECT id FROM {table} WHERE {waits}")))
        place.rows(f"UPDATE {table} SET mod_time = NOW() - INTERVAL 2 HOUR WHERE {waits}")
        assert dead_daemons(place.project) == []
        assert f"BOINC's {daemon} is stuck" in complaints(place)
        assert said in complaints(place)
    place.until_scored(images)
    place.eventually(lambda: "stuck" not in complaints(place))


def test_an_answering_daemon_that_stands_still_is_named_and_results_count(place: Place) -> None:
    with standing_still(place, "crystal_search_answer"):
        place.until_scored(place.add(1))
        assert "crystal_search_answer of the BOINC project is stuck" in complaints(place)
    assert "stuck" not in complaints(place)


def test_a_dead_daemon_whose_number_another_process_has_is_started_again(place: Place) -> None:
    with subprocess.Popen(["sleep", "600"]) as stranger:
        place.kill("transitioner")
        place.until(lambda: dead_daemons(place.project) == ["transitioner"])
        (path,) = place.project.root.glob("pid_*/transitioner.pid")
        path.write_text(f"{stranger.pid}\n")
        assert dead_daemons(place.project) == ["transitioner"]
        subprocess.run([SCRIPTS / "boinc-daemons", place.project.root], check=True)
        place.eventually(lambda: dead_daemons(place.project) == [])
        assert path.read_text() != f"{stranger.pid}\n"
        assert stranger.poll() is None
        stranger.kill()
    place.until_scored(place.add(1))


def failing(_: Task) -> int:
    return FAILED


def health(place: Place) -> str:
    """Return what health says of images; volunteers are few, and it may say so."""
    return "; ".join(each for each in troubles(status(place.site)) if "images" in each or "set aside" in each)


def test_health_is_green_again_when_what_was_set_aside_is_scored(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crystal_search.server.health.troubles.MAX_POSTPONED_HOURS", 0.0)
    (image,) = place.add(1)

    def given_up() -> bool:
        for volunteer in place.volunteers:
            volunteer.work(failing)
        return bool(place.site.imaging.postponed())

    place.until(given_up)
    assert "1 images are not scored yet" in health(place)
    retry(place.site)
    place.until_scored([image])
    assert health(place) == ""
    assert place.scores(image)[0].outcome != "unreadable"
