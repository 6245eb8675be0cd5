"""What status and health tell, for people, programs and Prometheus."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crystal_search.main import main
from crystal_search.server.engines.attempts import set_aside
from crystal_search.server.engines.boinc import boinc_database as database
from crystal_search.server.engines.boinc.boinc_load import MEASURED
from crystal_search.server.folders import unit_files
from crystal_search.server.health.pace import Flow, Rates, Sample, add_sample, flow, rates, read_samples
from crystal_search.server.health.prometheus import as_metrics
from crystal_search.server.health.status import SHOWN_FAILURES, as_text, status
from crystal_search.server.health.troubles import troubles
from crystal_search.server.imaging.stored_images import FileVersion, NewImage, Postponement
from crystal_search.server.services.create_work import create_work
from crystal_search.server.services.packing import recorded
from crystal_search.server.services.watch import noted
from crystal_search.wells import WellKey
from tests.boinc_site import boinc_site
from tests.service_site import PICTURE, RECIPE, site_at
from tests.viewer_site import auto_score

LOAD = dict.fromkeys(MEASURED, 0) | {"unsent": 7, "hosts_last_day": 5, "accounts_last_day": 2, "hosts_last_hour": 3}


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


def stages_with(**counts: int) -> dict[str, int]:
    names = ("queued", "running", "returned", "validated", "spooled", "csv_files", "set_aside")
    return dict.fromkeys(names, 0) | counts


def moving(verdict: str, still_minutes: float = 1.0) -> dict[str, Any]:
    return {"verdict": verdict, "still_since": "2026-01-31T12:00:00+00:00", "still_minutes": still_minutes}


def found_with(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "engine": "local",
        "images": 10,
        "scored": 10,
        "open_units": 0,
        "oldest_unscored_hours": None,
        "rates": None,
        "flow": {"verdict": "nothing waits", "still_since": None, "still_minutes": None},
        "free_bytes": 10**12,
        "stages": stages_with(),
        "strays": [],
        "running": {},
        "postponed": [],
        "imagers": [],
        "readouts": [],
        "offers": [],
        "readout_trouble": "",
        "model_trouble": "",
        "facility": None,
        "trouble": "",
        "failed_units": 0,
        "failed": [],
        "boinc": None,
        "newest": {},
    }
    return found | changes


def test_when_all_is_well_nothing_is_said() -> None:
    assert troubles(found_with()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"oldest_unscored_hours": 25.0}, "waited 25.0 hours"),
        ({"model_trouble": "the classifier is lost"}, "no image can be scored: the classifier is lost"),
        ({"readouts": [{"idle": "the readout ours reads other answers"}]}, "the readout ours reads other answers"),
        ({"imagers": ["RI1000-0081: defocus since noon"]}, "looks other than usual: RI1000-0081: defocus since noon"),
        (
            {"oldest_unscored_hours": 25.0, "flow": moving("falls behind")},
            "more images come in",
        ),
        ({"flow": moving("stands still", 31.0)}, "nothing was scored since 2026-01-31"),
        ({"flow": moving("stands still", 31.0)}, "see that `watch` or `work --forever` runs"),
        (
            {"flow": moving("stands still", 31.0), "engine": "boinc"},
            "see that `watch` runs, that volunteers ask",
        ),
        (
            {"flow": moving("stands still", 31.0), "trouble": "no client can work: it ended with exit code 4"},
            ": no client can work: it ended with exit code 4",
        ),
        (
            {"flow": moving("stands still", 31.0), "stages": stages_with(csv_files=2, queued=1)},
            "2 CSV files wait for set-autoscore",
        ),
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


def test_set_aside_units_are_said_until_create_work_has_seen_them(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=2)
    create_work(site, RECIPE)
    set_aside(site.home, unit_files(site.home.queue)[0].stem)
    assert "1 work units are set aside" in "; ".join(troubles(status(site)))
    create_work(site, RECIPE)
    assert troubles(status(site)) == []


def test_only_the_last_units_of_which_images_were_left_out_are_told(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=SHOWN_FAILURES + 5)
    for image in site.imaging.plate_images("90j8"):
        (record,) = recorded(site, RECIPE, [[image]])
        site.imaging.close_unit(record.name, "failed", f"left out of {image.id}.csv")
    found = status(site)
    assert (found["failed_units"], len(found["failed"])) == (SHOWN_FAILURES + 5, SHOWN_FAILURES)
    assert found["failed"][-1]["reason"] == f"left out of {SHOWN_FAILURES + 5}.csv"
    assert f"{SHOWN_FAILURES + 5} work units have images" in as_text(found)
    assert found["flow"]["verdict"] == "nothing waits"


def test_images_that_wait_with_nothing_moving_are_told_after_half_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = site_at(tmp_path, images=1)
    assert troubles(status(site)) == []
    began = datetime.now(UTC) - timedelta(minutes=40)
    monkeypatch.setattr(type(site.imaging), "waits_longest", lambda *_, **__: began)
    found = status(site)
    assert found["flow"]["verdict"] == "stands still"
    assert "nothing was scored since" in "; ".join(troubles(found))
    assert troubles(found, max_still_minutes=50) == []
    assert "it stands still since" in as_text(found)
    site.imaging.postpone(
        [Postponement(image_id=1, reason="gone", tries=1, since=datetime.now(UTC), next_at=datetime.now(UTC))]
    )
    monkeypatch.undo()
    assert status(site)["flow"]["verdict"] == "nothing waits"


def test_what_kept_watch_from_scoring_is_told_until_it_is_over(tmp_path: Path) -> None:
    site = site_at(tmp_path)
    assert status(site)["trouble"] == ""
    assert noted(site.home, "no client can work\nits log ends") == "no client can work\nits log ends"
    assert status(site)["trouble"] == "no client can work"
    noted(site.home, "")
    assert status(site)["trouble"] == ""
    assert not site.home.trouble.exists()


def test_every_metric_is_documented() -> None:
    report = {"trouble": "", "dead_daemons": [], "load": dict.fromkeys(MEASURED, 1), "complaints": []}
    rated = {"images_per_hour": 10.0, "scores_per_hour": 20.0, "over_hours": 1.0}
    found = found_with(
        engine="boinc", boinc=report, oldest_unscored_hours=1.0, rates=rated, flow=moving("keeps up", 1.0)
    )
    page = (Path(__file__).parents[2] / "docs" / "services.md").read_text(encoding="utf-8")
    names = set(re.findall(r"^crystal_search_([a-z_]+)", as_metrics(found), re.MULTILINE)) | set(MEASURED)
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []


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
    assert "no image waits for its score" in as_text(found_with())
    away = [{"reason": "its file is gone", "images": 2, "hours": 1.0, "first": "/a/b.jpg"}]
    assert "no image waits that can be scored now\n" in as_text(found_with(postponed=away))
    assert "does not keep up" in as_text(found_with(rates=pace, flow=moving("falls behind")))
    assert "it keeps up" in as_text(found_with(rates=pace, flow=moving("keeps up")))
    assert "it stands still since 2026-01-31" in as_text(found_with(flow=moving("stands still")))


NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def counted(*samples: tuple[float, int, int]) -> list[Sample]:
    """Return samples: minutes ago, images, scores."""
    return [Sample(ago(minutes).timestamp(), images, scored) for minutes, images, scored in samples]


#: Samples, since how many minutes an image waits, and since when there was no score; what is said of it.
FLOWS: dict[str, tuple[list[Sample], float | None, float | None, Flow]] = {
    "nothing waits": (counted((60, 9, 9), (0, 9, 9)), None, 500, Flow(verdict="nothing waits")),
    "as many": (
        counted((60, 0, 0), (0, 90, 90)),
        5,
        1,
        Flow(verdict="keeps up", still_since=ago(1), still_minutes=1),
    ),
    "too few": (
        counted((60, 0, 0), (0, 90, 40)),
        50,
        1,
        Flow(verdict="falls behind", still_since=ago(1), still_minutes=1),
    ),
    "none for long": (
        counted((60, 90, 40), (0, 90, 40)),
        500,
        45,
        Flow(verdict="stands still", still_since=ago(45), still_minutes=45),
    ),
    "none for long, and rates have no base": (
        counted((0, 90, 40)),
        500,
        45,
        Flow(verdict="stands still", still_since=ago(45), still_minutes=45),
    ),
    "never any": (
        counted((0, 90, 0)),
        31,
        None,
        Flow(verdict="stands still", still_since=ago(31), still_minutes=31),
    ),
    "an image came after a quiet night": (
        counted((60, 90, 90), (0, 96, 90)),
        4,
        600,
        Flow(verdict="not known yet", still_since=ago(4), still_minutes=4),
    ),
    "first look": (counted((0, 90, 40)), 20, 1, Flow(verdict="not known yet", still_since=ago(1), still_minutes=1)),
    "clock set back, and moving": (
        counted((10, 90, 40), (5, 90, 50), (0, 90, 60)),
        500,
        -50,
        Flow(verdict="keeps up", still_since=NOW, still_minutes=0),
    ),
    "clock set back, and still": (
        counted((50, 90, 30), (40, 90, 40), (5, 90, 40), (0, 90, 40)),
        500,
        -50,
        Flow(verdict="stands still", still_since=ago(40), still_minutes=40),
    ),
    "clock set back since an image came": (
        counted((0, 90, 0)),
        -20,
        None,
        Flow(verdict="not known yet", still_since=NOW, still_minutes=0),
    ),
}


@pytest.mark.parametrize("case", FLOWS)
def test_it_keeps_up_only_where_scores_come(case: str) -> None:
    samples, waits, scored, expected = FLOWS[case]
    found = flow(
        samples,
        waits_since=None if waits is None else ago(waits),
        last_score=None if scored is None else ago(scored),
    )
    assert found == expected


def test_rates_rest_on_five_minutes_at_least_and_count_only_what_comes_in() -> None:
    assert rates(counted((4, 0, 0), (0, 900, 900))) is None
    taken_back = counted((60, 100, 100), (30, 200, 200), (15, 50, 50), (0, 60, 55))
    assert rates(taken_back) == Rates(images_per_hour=110, scores_per_hour=105, over_hours=1)


def test_the_age_of_an_image_counts_from_when_it_came_in(tmp_path: Path) -> None:
    site = site_at(tmp_path)
    path = tmp_path / "a.jpg"
    path.write_bytes(PICTURE)
    taken = datetime.now(UTC) - timedelta(days=5000)
    site.imaging.add_images([NewImage(key=WellKey(plate="p", row=0, column=0), path=str(path), imaged_at=taken)])
    assert status(site)["oldest_unscored_hours"] == pytest.approx(0, abs=0.1)


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


def test_the_newest_scores_are_counted_and_unsure_is_no_group(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=5)
    ids = [image.id for image in site.imaging.plate_images("90j8")]
    site.imaging.note_versions({each: FileVersion(sha256="c" * 64, size_bytes=1, mtime_ns=1) for each in ids})
    unsure = auto_score(ids[1], "clear", 0.5)
    scores = [auto_score(ids[0], "clear"), unsure, auto_score(ids[2], "no_drop"), auto_score(ids[3], "unreadable")]
    site.imaging.add_auto_scores([replace(each, version=None) for each in scores])
    found = status(site)
    assert {name: count for name, count in found["newest"].items() if count} == {
        "clear": 1,
        "unsure": 1,
        "no_drop": 1,
        "unreadable": 1,
    }
    assert "of the newest 4 scores: 1 clear, 1 unsure, 1 no drop, 1 unreadable" in as_text(found)
    assert "of the newest" not in as_text(found_with())
