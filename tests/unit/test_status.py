"""What status and health tell, for people, programs and Prometheus."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crystal_search.main import main
from crystal_search.server.engines.boinc import boinc_database as database
from crystal_search.server.engines.boinc.boinc_report import complaints, dead_daemons
from crystal_search.server.health.status import (
    Sample,
    add_sample,
    as_metrics,
    as_text,
    rates,
    read_samples,
    status,
    troubles,
)
from crystal_search.server.imaging.imaging_database import NewImage
from crystal_search.server.services.create_work import create_work
from crystal_search.wells import WellKey
from tests.boinc_site import boinc_site, made_project
from tests.service_site import PICTURE, RECIPE, site_at
from tests.unit.test_slot import dead_process

LOAD = {
    "unsent": 7,
    "in_progress": 3,
    "to_validate": 2,
    "to_assimilate": 1,
    "errors_last_day": 4,
    "successes_last_day": 90,
    "hosts_last_day": 5,
    "hosts": 6,
    "users": 2,
}


def test_samples_are_taken_from_time_to_time_and_give_rates(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    assert rates(add_sample(path, 100, 0, now=0.0)) is None
    add_sample(path, 150, 10, now=10.0)
    assert read_samples(path) == [Sample(0.0, 100, 0)]
    found = rates(add_sample(path, 300, 100, now=1800.0))
    assert found is not None
    assert (found.images_per_hour, found.scores_per_hour, found.over_hours) == (400, 200, 0.5)
    assert len(read_samples(path)) == 2


def test_a_clock_set_back_and_spoiled_lines_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    add_sample(path, 100, 0, now=10_000.0)
    path.write_text(path.read_text() + "not json\n[1, 2]\n{}\n")
    assert rates(add_sample(path, 110, 5, now=5_000.0)) is None
    assert read_samples(path) == [Sample(5_000.0, 110, 5)]


def test_a_folder_that_cannot_be_written_is_no_trouble(tmp_path: Path) -> None:
    assert len(add_sample(tmp_path / "gone" / "samples.jsonl", 1, 1)) == 1


def found_with(**changes: Any) -> dict[str, Any]:
    stages = dict.fromkeys(("queued", "running", "returned", "validated", "spooled", "csv_files", "set_aside"), 0)
    found: dict[str, Any] = {
        "engine": "local",
        "images": 10,
        "scored": 10,
        "open_units": 0,
        "oldest_unscored_hours": None,
        "rates": None,
        "keeps_up": None,
        "free_bytes": 10**12,
        "stages": stages,
        "strays": [],
        "running": {},
        "postponed": [],
        "failed": [],
        "boinc": None,
    }
    return found | changes


def test_when_all_is_well_nothing_is_said() -> None:
    assert troubles(found_with()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"oldest_unscored_hours": 25.0}, "waited 25.0 hours"),
        ({"oldest_unscored_hours": 25.0, "keeps_up": False}, "more images come in"),
        ({"free_bytes": 10**9}, "1.0 GB left"),
        (
            {"postponed": [{"reason": "its file is gone", "images": 2, "hours": 1.0, "first": "/a/b.jpg"}]},
            "2 images are not scored yet, first /a/b.jpg: its file is gone; `retry` tries them now",
        ),
        ({"engine": "boinc", "boinc": {"complaints": ["its database is away"]}}, "database is away"),
    ],
)
def test_what_needs_looking_after_is_said(changes: dict[str, Any], said: str) -> None:
    assert said in "; ".join(troubles(found_with(**changes)))


def test_a_boinc_server_that_does_not_work_is_said() -> None:
    assert list(complaints([], LOAD)) == []
    assert "do not run: feeder" in next(complaints(["feeder"], LOAD))
    alone = LOAD | {"unsent": 3, "hosts_last_day": 0}
    assert list(complaints([], alone)) == ["3 tasks wait, and no volunteer has asked for work since yesterday"]


def test_set_aside_units_are_said() -> None:
    found = found_with()
    found["stages"]["set_aside"] = 2
    assert "2 work units are set aside" in troubles(found)[0]


def test_metrics_are_in_prometheus_format() -> None:
    found = found_with(
        oldest_unscored_hours=2.0,
        rates={"images_per_hour": 10.0, "scores_per_hour": 20.0, "over_hours": 1.0},
        engine="boinc",
        boinc={"trouble": "", "dead_daemons": [], "load": {"unsent": 7}, "complaints": []},
    )
    text = as_metrics(found)
    assert text.endswith("\n")
    for line in text.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[a-z_]+"\})? -?[0-9.e+]+', line), line
    assert "crystal_search_oldest_unscored_seconds 7200.0" in text
    assert 'crystal_search_boinc{what="unsent"} 7' in text
    assert "crystal_search_boinc_dead_daemons 0" in text
    names = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert len(names) == len(set(names))


def test_text_says_whether_it_keeps_up() -> None:
    pace = {"images_per_hour": 100.0, "scores_per_hour": 20.0, "over_hours": 1.0}
    assert "does not keep up" in as_text(found_with(rates=pace, keeps_up=False))
    assert "it keeps up" in as_text(found_with(rates=pace, keeps_up=True))


def test_the_age_of_an_image_counts_from_when_it_came_in(tmp_path: Path) -> None:
    site = site_at(tmp_path)
    path = tmp_path / "a.jpg"
    path.write_bytes(PICTURE)
    taken = datetime.now(UTC) - timedelta(days=5000)
    site.imaging.add_images([NewImage(key=WellKey(plate="p", row=0, column=0), path=str(path), imaged_at=taken)])
    assert status(site)["oldest_unscored_hours"] == pytest.approx(0, abs=0.1)


def test_daemons_that_do_not_run_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = made_project(tmp_path / "project")
    monkeypatch.setattr("socket.gethostname", lambda: "lab.example.org")
    assert dead_daemons(project) == ["feeder", "transitioner"]
    folder = project.root / "pid_lab"
    folder.mkdir()
    (folder / "feeder.pid").write_text("1\n")
    (folder / "transitioner.pid").write_text(f"{dead_process()}\n")
    assert dead_daemons(project) == ["transitioner"]


def test_the_boinc_server_s_load_is_part_of_the_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = boinc_site(tmp_path, images=2)
    create_work(place.site, RECIPE)
    monkeypatch.setattr(database.BoincDatabase, "load", lambda _: LOAD)
    monkeypatch.setattr(database.BoincDatabase, "versions", lambda _: place.server.versions())
    found = status(place.site)
    assert found["boinc"]["load"]["unsent"] == 7
    assert "feeder" in found["boinc"]["dead_daemons"]
    assert "hosts last day" in as_text(found)
    assert "! daemons of the BOINC project do not run" in as_text(found)


def test_a_boinc_server_that_is_away_is_told_not_raised(tmp_path: Path) -> None:
    place = boinc_site(tmp_path)
    project = place.server.project.root / "config.xml"
    project.write_text(project.read_text().replace("localhost", "127.0.0.1:1"))
    found = status(place.site)
    assert "database cs" in found["boinc"]["trouble"]
    assert "database cs" in "; ".join(troubles(found))


def test_health_is_silent_or_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = str(tmp_path / "home")
    assert main(["create-work", "--home", home]) == 0
    capsys.readouterr()
    assert main(["health", "--home", home]) == 0
    assert capsys.readouterr().out == ""
    (tmp_path / "home" / "engine" / "failed" / "demo-1-0123456789abcdef.zip").touch()
    assert main(["health", "--home", home]) == 1
    assert "1 work units are set aside" in capsys.readouterr().err
    assert main(["health", "--home", str(tmp_path / "none")]) == 2


def test_status_can_be_written_for_a_collector(tmp_path: Path) -> None:
    home, out = str(tmp_path / "home"), tmp_path / "crystal_search.prom"
    assert main(["create-work", "--home", home]) == 0
    assert main(["status", "--home", home, "--metrics", "--out", str(out)]) == 0
    assert "crystal_search_images 0" in out.read_text()
    assert main(["status", "--home", home, "--json", "--out", str(out)]) == 0
    assert json.loads(out.read_text())["images"] == 0
