"""The BOINC engine: what is submitted, once; what comes back; what is followed up when nothing does."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from crystal_search.errors import AnotherRunningError, DatabaseError, EngineError
from crystal_search.main import main
from crystal_search.model import default_models, default_models_folder, references
from crystal_search.server.engines.boinc.boinc_database import BoincDatabase
from crystal_search.server.engines.boinc.project import spread, unit_of
from crystal_search.server.folders import unit_files, unit_names
from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.server.services.assimilate import assimilate
from crystal_search.server.services.create_work import create_work
from crystal_search.server.services.cycle import cycle, keep_going, publish_scores
from crystal_search.server.services.validate import validate
from crystal_search.work_unit import read_work_unit
from tests.boinc_site import add_version, boinc_site, come_back, know, result_of, step
from tests.recipes import made_by
from tests.service_site import RECIPE, add_images, auto_scores


def test_work_units_are_staged_and_created_once(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=10)
    step(place)
    units = [path.stem for path in unit_files(place.site.home.queue)]
    assert sorted(place.server.created) == sorted(f"{name}_a1" for name in units)
    (call,) = place.server.calls
    assert call["words"][:6] == [
        *("--appname", "crystal_search", "--wu_template", "templates/crystal_search_in"),
        *("--result_template", "templates/crystal_search_out"),
    ]
    assert call["words"][-3:] == ["--delay_bound", "7200", "--stdin"]
    assert call["cwd"] == str(place.server.project.root)
    for line in call["text"].splitlines():
        flag, name, _, priority, file = line.split()
        assert (flag, file) == ("--wu_name", f"{name}.zip")
        assert int(priority) > 1_700_000_000
        staged = place.server.project.root / "download" / spread(file, 1024) / file
        assert read_work_unit(staged).name == name.removesuffix("_a1")
        digest = hashlib.md5(staged.read_bytes(), usedforsecurity=False).hexdigest()
        assert staged.with_name(f"{file}.md5").read_text() == f"{digest} {staged.stat().st_size}\n"
    step(place)
    assert len(place.server.calls) == 1


def test_clients_draw_no_overlays_since_only_the_result_is_uploaded(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=1)
    step(place)
    (unit,) = unit_files(place.site.home.queue)
    assert not read_work_unit(unit).parameters.overlays


@pytest.mark.parametrize("noted", [True, False])
def test_dying_after_create_work_submits_nothing_twice(tmp_path: Path, noted: bool) -> None:
    place = boinc_site(tmp_path, images=4)
    step(place)
    if not noted:
        for path in place.site.home.submitted.iterdir():
            path.unlink()
    step(place)
    assert len(place.server.created) == len(set(place.server.created)) == 1


def test_a_failing_create_work_is_told_and_tried_again(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=4)
    fails = place.server.project.root / "bin" / "create_work.fails"
    fails.touch()
    with pytest.raises(EngineError, match="create_work of the BOINC project ended with code 1: the disk"):
        step(place)
    assert place.server.created == []
    fails.unlink()
    step(place)
    assert len(place.server.created) == 1


def test_a_server_that_is_away_changes_nothing(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=4)
    step(place)
    come_back(place, tmp_path)
    place.server.away = True
    with pytest.raises(EngineError, match="went away"):
        step(place)
    assert len(list(place.site.home.incoming.iterdir())) == 1
    place.server.away = False
    step(place)
    assert validate(place.site.home).valid == 1


def test_results_go_their_way_into_the_ledger(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=6)
    step(place)
    come_back(place, tmp_path)
    step(place)
    assert validate(place.site.home).valid == 2
    assert assimilate(place.site) == 2
    publish_scores(place.site)
    assert {len(scores) for scores in auto_scores(place.site).values()} == {1}
    step(place)
    assert list(place.site.home.submitted.iterdir()) == []
    assert len(place.server.created) == 2
    assert [call["tool"] for call in place.server.calls] == ["create_work"]


def test_a_result_that_comes_twice_counts_once(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=4)
    step(place)
    (unit,) = unit_files(place.site.home.queue)
    data = result_of(place, unit, tmp_path / "made")
    for number, copy in enumerate((0, 1), start=1):
        place.spool(f"{unit.stem}_a1_{copy}_r99_0", data, number=number)
    place.server.change(f"{unit.stem}_a1", assimilated=True)
    step(place)
    assert validate(place.site.home).valid == 1
    assimilate(place.site)
    publish_scores(place.site)
    place.spool(f"{unit.stem}_a1_3_r98_0", data, number=3)
    step(place)
    assert validate(place.site.home).valid == 0
    assert {len(scores) for scores in auto_scores(place.site).values()} == {1}


def test_a_lost_result_is_followed_by_another_attempt(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=4)
    step(place)
    (unit,) = unit_files(place.site.home.queue)
    place.server.change(f"{unit.stem}_a1", assimilated=True)
    step(place)
    assert place.server.created == [f"{unit.stem}_a1", f"{unit.stem}_a2"]
    step(place)
    assert len(place.server.created) == 2
    come_back(place, tmp_path, attempt=2)
    step(place)
    assert validate(place.site.home).valid == 1


def test_what_volunteers_have_is_running(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=8)
    step(place)
    first, _ = place.server.created
    place.server.change(first, in_progress=2)
    step(place)
    assert [path.name for path in place.site.home.running.iterdir()] == [f"{first.removesuffix('_a1')}.boinc"]
    place.server.change(first, in_progress=0)
    step(place)
    assert list(place.site.home.running.iterdir()) == []


def test_a_retired_model_s_work_is_cancelled_unless_a_volunteer_has_it(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=4)
    step(place)
    (old,) = place.server.created
    other = made_by("fake-2", "c")
    know(place.models, other)
    add_version(place.server.project, 2, [*RECIPE.models, *other.models])
    create_work(place.site, other)
    with place.engine as engine:
        engine.submit(reversed(unit_files(place.site.home.queue)))
        engine.step()
    assert [call["words"] for call in place.server.calls if call["tool"] == "cancel_jobs"] == [["--name", old]]
    assert len(place.server.created) == 2
    assert place.server.created[1] != old


@pytest.mark.parametrize(
    "name", ["result.json", "demo_0_r1_0", "a" * 300, "x_a1_0_r1_0.part", "..._a1_0_r1_0", "demo-1_a1_0_rX_0"]
)
def test_an_upload_that_is_not_ours_is_put_aside(tmp_path: Path, name: str) -> None:
    place = boinc_site(tmp_path, images=1)
    place.spool(name[:200], b"{}")
    step(place)
    assert list(place.site.home.incoming.iterdir()) == []
    assert [path.name for path in place.site.home.refused.iterdir()] == ["boinc-1"]
    assert list(place.site.home.returned.iterdir()) == []


def test_links_and_many_files_are_put_aside(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=1)
    step(place)
    (job,) = place.server.created
    folder = place.site.home.incoming / "5"
    folder.mkdir()
    (folder / f"{job}_0_r1_0").symlink_to("/etc/passwd")
    place.spool(f"{job}_0_r1_0", b"{}", number=6)
    (place.site.home.incoming / "6" / f"{job}_0_r1_1").write_bytes(b"more")
    step(place)
    assert list(place.site.home.returned.iterdir()) == []
    assert len(list(place.site.home.refused.iterdir())) == 2


def test_a_half_written_spool_waits(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=1)
    place.site.home.incoming.mkdir(exist_ok=True)
    (place.site.home.incoming / ".7.part").mkdir()
    step(place)
    assert (place.site.home.incoming / ".7.part").is_dir()
    os.utime(place.site.home.incoming / ".7.part", (0, 0))
    step(place)
    assert list(place.site.home.incoming.iterdir()) == []


def test_garbage_that_was_spooled_is_refused_and_the_unit_goes_out_again(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=1)
    step(place)
    (job,) = place.server.created
    place.spool(f"{job}_0_r1_0", b"\x00garbage")
    place.server.change(job, assimilated=True)
    step(place)
    assert validate(place.site.home).invalid == 1
    step(place)
    assert place.server.created[-1] == job.replace("_a1", "_a2")


def test_results_that_we_refuse_again_and_again_set_the_unit_aside(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=2)
    for attempt in (1, 2):
        step(place)
        job = place.server.created[-1]
        assert job.endswith(f"_a{attempt}")
        place.spool(f"{job}_0_r1_0", b"{}", number=attempt)
        place.server.change(job, assimilated=True)
        step(place)
        assert validate(place.site.home).invalid == 1
    step(place)
    assert len(unit_files(place.site.home.failed)) == 1
    step(place)  # its images are tried one by one
    assert len(place.server.created) == 4


def test_an_end_in_vain_is_noted_and_taken_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = boinc_site(tmp_path, images=1)
    place.site.home.incoming.mkdir(exist_ok=True)
    (place.site.home.incoming / "error-5").write_text("error mask 2, demo_a1, work unit 5, batch 0\n")
    step(place)
    assert "BOINC gave up: error mask 2, demo_a1" in caplog.text
    assert list(place.site.home.incoming.iterdir()) == []


def test_the_server_is_asked_twice_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = boinc_site(tmp_path, images=1)
    step(place)
    slept: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append)
    monkeypatch.setattr("crystal_search.server.services.cycle.time", clock)
    with place.engine as engine:
        keep_going(place.site, engine, until=2.0)
    assert len(slept) == 4


def test_a_home_has_one_engine(tmp_path: Path) -> None:
    place = boinc_site(tmp_path)
    with place.engine, pytest.raises(AnotherRunningError):
        _ = place.engine


def test_new_images_go_before_an_archive_that_was_packed_earlier(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=4)
    step(place)
    add_images(place.site, tmp_path / "images", 4, plate="fresh")
    create_work(place.site, RECIPE)
    newest = unit_files(place.site.home.queue)[-1]
    os_later(newest)
    step(place)
    priorities = [int(line.split()[3]) for call in place.server.calls for line in call["text"].splitlines()]
    assert priorities[1] > priorities[0]


def os_later(path: Path) -> None:
    """Make a file one minute younger."""
    status = path.stat()
    os.utime(path, (status.st_atime, status.st_mtime + 60))


def test_names_of_uploads_are_taken_apart() -> None:
    assert unit_of("90j8-1-0123456789abcdef_a12_3_r1804289383_0") == ("90j8-1-0123456789abcdef", 12)


class Flaky:
    """An imaging database that can be away."""

    def __init__(self, imaging: ImagingDatabase) -> None:
        self._imaging, self.away = imaging, False

    def __getattr__(self, name: str) -> object:
        if self.away:
            raise DatabaseError("the imaging database cannot be reached")
        return getattr(self._imaging, name)


def test_while_the_imaging_database_is_away_results_are_kept_and_then_scored_once(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=8)
    flaky = Flaky(place.site.imaging)
    place.site = replace(place.site, imaging=cast(ImagingDatabase, flaky))
    step(place)
    flaky.away = True
    come_back(place, tmp_path)
    with place.engine as engine:  # the engine itself needs no imaging database
        engine.submit(unit_files(place.site.home.queue))
        for _ in range(3):
            with pytest.raises(DatabaseError):
                cycle(place.site, RECIPE, engine)
            engine.step()
    validate(place.site.home)
    assert len(unit_names(place.site.home.validated)) == 2
    assert len(place.server.created) == 2
    flaky.away = False
    with place.engine as engine:
        cycle(place.site, RECIPE, engine)
        cycle(place.site, RECIPE, engine)
    assert {len(scores) for scores in auto_scores(place.site).values()} == {1}
    assert len(place.server.created) == 2


def test_a_clock_that_is_wrong_loses_and_repeats_nothing(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=4)
    step(place)
    (unit,) = unit_files(place.site.home.queue)
    os.utime(unit, (0, 0))  # a file server in 1970
    step(place)
    assert len(place.server.created) == 1
    come_back(place, tmp_path)
    os.utime(place.site.home.incoming / "1", (4e9, 4e9))
    step(place)
    assert validate(place.site.home).valid == 1
    assert assimilate(place.site) == 1
    publish_scores(place.site)
    assert {len(scores) for scores in auto_scores(place.site).values()} == {1}


def test_the_command_packs_and_submits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = boinc_site(tmp_path)
    home, images = str(tmp_path / "other-home"), tmp_path / "robot"
    add_images(place.site, images, 3)
    (tmp_path / "other-home").mkdir()
    (tmp_path / "other-home" / "settings.toml").write_text(
        f'engine = "boinc"\nboinc_project = "{place.server.project.root}"\n'
    )
    add_version(place.server.project, 2, references(default_models(default_models_folder())))
    monkeypatch.setattr(BoincDatabase, "jobs", lambda _, names: place.server.jobs(names))
    monkeypatch.setattr(BoincDatabase, "versions", lambda _: place.server.versions())
    assert main(["import", str(images), "--names", "any", "--plate", "p1", "--home", home]) == 0
    for _ in range(2):
        assert main(["create-work", "--home", home]) == 0
        assert len(place.server.created) == 1
    assert main(["work", "--home", home]) == 2
