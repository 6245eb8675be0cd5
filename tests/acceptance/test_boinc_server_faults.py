"""A real BOINC server with faults of this machine, of the network, and of volunteers that come and go.

None of them is an image's fault: each image gets its one score, and no work unit a failure.
"""

import sys
import urllib.error
from pathlib import Path

import pytest

from crystal_search.errors import EngineError
from crystal_search.server.engines.attempts import failures
from crystal_search.server.engines.boinc.boinc_daemons import dead_daemons
from crystal_search.server.engines.boinc.install import install
from crystal_search.server.unit_states import State, names_in
from tests.boinc_place import DATABASE, Place
from tests.fake_volunteer import DOWNLOAD_ERROR

pytestmark = pytest.mark.slow


def new_unit(place: Place) -> tuple[list[int], str]:
    """Return one new image, and the work unit that brings it to volunteers, of which both copies may be sent."""
    before = set(names_in(place.site.home, State.QUEUED))
    images = place.add(1)
    place.one_pass()
    (unit,) = set(names_in(place.site.home, State.QUEUED)) - before
    place.until(lambda: count(place, unit, "server_state = 2") == 2)
    return images, unit


def count(place: Place, unit: str, what: str = "sent_time > 0") -> int:
    """Return for how many copies of the jobs of a work unit something is so; by default, that they were sent."""
    ((found,),) = place.rows(f"SELECT COUNT(*) FROM result WHERE name LIKE %s AND {what}", f"{unit}%")
    return int(found)


def test_hosts_that_go_dark_are_no_failures(place: Place) -> None:
    """All of them over night: in the morning each may have what it had before."""
    images, unit = new_unit(place)
    for hosts in (2, 2, 1):
        place.handed_out(hosts)
        place.rows("UPDATE result SET report_deadline = 1 WHERE name LIKE %s AND server_state = 4", f"{unit}%")
        place.rows("UPDATE workunit SET transition_time = 1 WHERE name LIKE %s AND error_mask = 0", f"{unit}%")
    assert failures(place.site.home, unit) == []
    place.until_scored(images)


def test_a_dark_pc_is_followed_by_another_host(place: Place) -> None:
    """Long before its deadline."""
    images, unit = new_unit(place)
    place.handed_out(1)
    place.rows("UPDATE result SET sent_time = sent_time - 700 WHERE name LIKE %s AND server_state = 4", f"{unit}%")
    place.until_scored(images)
    assert count(place, unit) == 3


def test_a_file_that_the_server_lost_is_put_back(place: Place) -> None:
    """Those that asked for it meanwhile have done nothing wrong, and their image neither."""
    images, unit = new_unit(place)
    holders = place.handed_out(2)
    for path in place.project.download_dir.glob(f"*/{unit}*"):
        path.unlink()
    for volunteer, task in holders:
        with pytest.raises(urllib.error.HTTPError):
            task.unit()
        volunteer.report([(task, DOWNLOAD_ERROR)])
    place.until_scored(images)
    assert failures(place.site.home, unit) == []


def test_uploads_that_got_lost_are_no_failures(place: Place) -> None:
    """Three hosts report what the server does not have."""
    images, unit = new_unit(place)
    for volunteer, task in place.handed_out(2):
        volunteer.report([(task, b"lost")])
    for volunteer, task in place.handed_out(1):
        volunteer.report([(task, b"lost")])
    place.until_scored(images)
    assert failures(place.site.home, unit) == []


@pytest.mark.parametrize("fault", ["a typo in the settings", "a home that cannot be entered", "no Python"])
def test_a_fault_of_this_machine_costs_no_result(
    place: Place, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What two volunteers returned while it lasted is enough afterwards."""
    home, settings = place.site.home, place.site.home.settings.read_text()
    python = stand_in_for_python(tmp_path)
    monkeypatch.setattr(sys, "executable", str(python))
    install(home, place.site.settings)
    place.restart()
    images, unit = new_unit(place)
    if fault == "no Python":
        python.rename(tmp_path / "away")
        place.kill("crystal_search_answer")
    elif fault == "a typo in the settings":
        home.settings.write_text(settings + "boinc_tolerrance = 0.1\n")
    else:
        home.path.chmod(0)
    try:
        served = place.served(2)
        place.wait(5)
    finally:
        if fault == "no Python":
            (tmp_path / "away").rename(python)
        home.path.chmod(0o755)
        home.settings.write_text(settings)
    assert served == 2
    place.until(lambda: all(place.scores(image) for image in images))
    assert failures(home, unit) == []
    assert count(place, unit) == 2


def stand_in_for_python(folder: Path) -> Path:
    """Return a Python that can be taken away without taking that of the tests."""
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    for each in (python, folder, *folder.parents[:2]):
        each.chmod(0o755)
    return python


@pytest.mark.skipif(not DATABASE, reason="name what starts and kills the database in CRYSTAL_SEARCH_BOINC_DATABASE")
def test_the_server_s_database_goes_away_and_comes_back(place: Place) -> None:
    """What ends meanwhile is started again by what cron or a timer calls."""
    images, _ = new_unit(place)
    place.database("kill")
    try:
        with pytest.raises(EngineError):
            place.one_pass()
        place.wait(5)
        assert dead_daemons(place.project) != []
    finally:
        place.database("start")
    place.project.run("start", "--cron")
    place.until_scored(images)


def test_a_killed_daemon_is_missed_and_started_again(place: Place) -> None:
    """Although its number was left behind, and may be another's by now."""
    place.kill("transitioner")
    place.until(lambda: dead_daemons(place.project) == ["transitioner"])
    place.project.run("start", "--cron")
    place.until(lambda: dead_daemons(place.project) == [])


def test_clients_come_back_within_minutes_after_an_outage(place: Place) -> None:
    place.project.run("stop")
    try:
        assert 0 < place.volunteers[0].delay_s() <= 300
    finally:
        place.project.run("start")
