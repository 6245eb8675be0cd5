"""The local engine with clients that crash, hang, lie, or work."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from crystal_search.errors import AnotherRunningError, EngineError
from crystal_search.exit_codes import BAD_MODEL
from crystal_search.server.engines.attempts import failures, fraction_done, running_fractions
from crystal_search.server.engines.local_engine import LocalEngine
from crystal_search.server.folders import unit_files, unit_names
from crystal_search.server.installation import Installation
from crystal_search.server.services.create_work import create_work
from crystal_search.server.services.validate import validate
from crystal_search.server.services.work import work
from tests.service_site import PATIENCE_S, RECIPE, auto_scores, engine_of, score_everything, site_at, with_settings


def scored_once(site: Installation) -> bool:
    return all(len(scores) == 1 for scores in auto_scores(site).values())


def packed_site(folder: Path, images: int = 4) -> Installation:
    site = site_at(folder, images=images)
    create_work(site, RECIPE)
    return site


def test_work_returns_a_folder_for_every_unit(tmp_path: Path) -> None:
    site = packed_site(tmp_path, 10)
    with engine_of(site) as engine:
        work(site.home, engine)
        work(site.home, engine)
    assert sorted(unit_names(site.home.returned)) == sorted(path.stem for path in unit_files(site.home.queue))
    assert not list(site.home.running.iterdir())


def test_a_second_engine_is_refused(tmp_path: Path) -> None:
    site = site_at(tmp_path)
    with engine_of(site), pytest.raises(AnotherRunningError, match="runs already"), engine_of(site):
        pass
    with engine_of(site):
        pass


@pytest.mark.parametrize("fault", ["1", "killed", "0", "garbage", "other", "3"])
def test_a_fault_costs_an_attempt(tmp_path: Path, fault: str) -> None:
    site = site_at(tmp_path, images=3)
    with engine_of(site, once=fault) as engine:
        score_everything(site, engine)
    assert scored_once(site)
    assert all(scores[0].outcome != "unreadable" for scores in auto_scores(site).values())
    assert not site.imaging.units("open")
    assert not list(site.home.failures.iterdir())


def test_a_failure_says_why(tmp_path: Path) -> None:
    site = packed_site(tmp_path, 1)
    name = site.imaging.units("open")[0].name
    with engine_of(site, once="1") as engine:
        while not failures(site.home, name):
            engine.submit(unit_files(site.home.queue))
            engine.step()
    text = failures(site.home, name)[0].read_text()
    assert text.startswith("the client ended with exit code 1")
    assert "this is why" in text


def test_a_client_without_its_models_is_no_attempt_at_an_image(tmp_path: Path) -> None:
    site = packed_site(tmp_path, 1)
    with engine_of(site, always=str(BAD_MODEL)) as engine:
        engine.submit(unit_files(site.home.queue))
        for _ in range(2 * site.settings.attempts):
            with pytest.raises(EngineError, match="no client can work: it ended with exit code 4"):
                until_it_ends(engine)
    assert not list(site.home.failures.iterdir())
    with engine_of(site) as engine:
        score_everything(site, engine)
    assert scored_once(site)


def until_it_ends(engine: LocalEngine) -> None:
    """Keep the engine going until it raises."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        engine.step()
        time.sleep(0.01)


def test_only_the_image_that_crashes_the_client_waits(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=8)
    with engine_of(site, crash_on=("3", "8")) as engine:
        score_everything(site, engine)
    assert [image_id for image_id, scores in auto_scores(site).items() if not scores] == [3, 8]
    assert [image.id for image in site.imaging.postponed_images()] == [3, 8]
    assert "SIGSEGV" in site.imaging.postponements([3])[3].reason
    assert not site.imaging.units("open")


def test_a_client_that_hangs_is_stopped(tmp_path: Path) -> None:
    site, now = packed_site(tmp_path, 2), [0.0]
    with engine_of(site, clock=lambda: now[0], once="hang") as engine:
        engine.submit(unit_files(site.home.queue))
        engine.step()
        while len(list(site.home.running.glob("*/hanging"))) < 2:
            time.sleep(0.01)
        engine.step()  # which sees the last that they did
        now[0] += site.settings.seconds_per_image
        engine.step()
        assert not list(site.home.failures.iterdir())
        now[0] += 1
        engine.step()
        texts = [failures(site.home, unit.name)[0].read_text() for unit in site.imaging.units("open")]
        assert [text.strip() for text in texts] == ["the client made no progress for 120 s"] * 2
        score_everything(site, engine)
    assert scored_once(site)
    assert all(scores[0].outcome != "unreadable" for scores in auto_scores(site).values())


def test_a_client_that_cannot_work_condemns_nothing(tmp_path: Path) -> None:
    site = packed_site(tmp_path, 4)
    with engine_of(site, always="1", probe_too=True) as engine, pytest.raises(EngineError, match="even a good picture"):
        score_everything(site, engine)
    assert not unit_files(site.home.failed)
    assert len(unit_files(site.home.queue)) == 2
    with engine_of(site) as engine:
        score_everything(site, engine)
    assert all(scores[0].outcome != "unreadable" for scores in auto_scores(site).values())


@pytest.mark.parametrize("code", ["2", "4"])
def test_a_missing_model_stops_the_engine_at_once(tmp_path: Path, code: str) -> None:
    site = packed_site(tmp_path, 2)
    with (
        engine_of(site, always=code) as engine,
        pytest.raises(EngineError, match=rf"exit code {code}(.|\n)*this is why"),
    ):
        score_everything(site, engine)
    assert not list(site.home.failures.iterdir())


def test_a_stopped_client_goes_on_where_it_was(tmp_path: Path) -> None:
    site = with_settings(site_at(tmp_path, images=6), workers=1, images_per_unit=6)
    create_work(site, RECIPE)
    (tmp_path / "notes").mkdir()
    plan: dict[str, Any] = {"seconds": 0.1, "notes": str(tmp_path / "notes")}
    with engine_of(site, **plan) as engine:
        engine.submit(unit_files(site.home.queue))
        engine.step()
        (folder,) = site.home.running.iterdir()
        while fraction_done(folder) < 0.4:
            time.sleep(0.01)
    assert list(site.home.running.iterdir()) == [folder]
    with engine_of(site, **plan) as engine:
        work(site.home, engine)
    assert len({note.name.partition("-")[0] for note in (tmp_path / "notes").iterdir()}) == 6
    assert len(list((tmp_path / "notes").iterdir())) == 6


def test_closing_stops_the_clients(tmp_path: Path) -> None:
    site = packed_site(tmp_path, 4)
    others = psutil.Process().children()  # of the test run itself
    with engine_of(site, seconds=100) as engine:
        engine.submit(unit_files(site.home.queue))
        engine.step()
        clients = [each for each in psutil.Process().children() if each not in others]
        assert len(clients) == 2
    assert not any(process.is_running() for process in clients)
    assert not list(site.home.failures.iterdir())


def test_what_a_finished_unit_left_is_swept(tmp_path: Path) -> None:
    site = site_at(tmp_path)
    (site.home.running / "p-1-0123456789abcdef.00000000").mkdir()
    with engine_of(site):
        assert not list(site.home.running.iterdir())


def test_what_is_no_work_unit_is_left_alone_where_clients_work(tmp_path: Path) -> None:
    site = packed_site(tmp_path, 2)
    (site.home.running / "Thumbs.db").touch()
    (site.home.running / "photos").mkdir()
    with engine_of(site) as engine:
        work(site.home, engine)
    assert running_fractions(site.home) == {}
    assert sorted(path.name for path in site.home.running.iterdir()) == ["Thumbs.db", "photos"]
    assert len(unit_names(site.home.returned)) == len(unit_files(site.home.queue))


def test_strangers_and_invalid_results_do_not_pass(tmp_path: Path) -> None:
    site = packed_site(tmp_path, 2)
    with engine_of(site) as engine:
        work(site.home, engine)
    first, second = unit_names(site.home.returned)
    (site.home.returned / first / "overlays" / "evil").symlink_to("/etc/passwd")
    (site.home.returned / second / "result.json").write_text("{}")
    found = validate(site.home)
    assert (found.valid, found.invalid) == (1, 1)
    kept = sorted(
        str(path.relative_to(site.home.validated / first)) for path in (site.home.validated / first).rglob("*")
    )
    assert kept == ["overlays", "overlays/0000.jpg", "result.json"]
    assert "refused" in failures(site.home, second)[0].read_text()
    assert not (site.home.returned / second).exists()
    assert (site.home.queue / f"{second}.zip").exists()


def test_a_late_result_is_discarded(tmp_path: Path) -> None:
    site = packed_site(tmp_path, 1)
    (site.home.returned / "nobody-1-0123456789abcdef").mkdir()
    name = site.imaging.units("open")[0].name
    (site.home.returned / name).mkdir()
    (site.home.archive / name).mkdir()
    assert validate(site.home).valid == 0
    assert not unit_names(site.home.returned)
    assert not list(site.home.failures.iterdir())


def test_our_own_fault_condemns_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = packed_site(tmp_path, 1)
    with engine_of(site) as engine:
        work(site.home, engine)

    def broken(*_: object) -> None:
        raise PermissionError("disk")

    with monkeypatch.context() as patch:
        patch.setattr("crystal_search.server.services.validate.drop_strangers", broken)
        found = validate(site.home)
    assert (found.valid, found.invalid) == (0, 0)
    assert validate(site.home).valid == 1


def test_a_damaged_work_unit_is_packed_again(tmp_path: Path) -> None:
    site = packed_site(tmp_path, 1)
    (path,) = unit_files(site.home.queue)
    path.write_bytes(path.read_bytes()[:100])
    with engine_of(site, once="3") as engine:
        score_everything(site, engine)
    assert scored_once(site)


def hang_in(folder: str) -> None:
    """Supervise clients that take their time."""
    site = site_at(Path(folder))
    with engine_of(site, seconds=100) as engine:
        engine.submit(unit_files(site.home.queue))
        engine.step()
        time.sleep(1000)


def is_client(process: psutil.Process) -> bool:
    """Tell whether a leash has become the client that it was given."""
    return "fake_client" in " ".join(process.cmdline()) and "leash" not in " ".join(process.cmdline())


def test_clients_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    site = packed_site(tmp_path, 4)
    code = f"from tests.unit.test_engine import hang_in; hang_in({str(tmp_path)!r})"
    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2]) as process:
        supervisor = psutil.Process(process.pid)
        while len(clients := supervisor.children()) < 2 or not all(is_client(each) for each in clients):
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    assert not psutil.wait_procs(clients, timeout=PATIENCE_S)[1]
    with LocalEngine(site.home, site.settings, Path("models")):
        pass
