"""New models with BOINC: whatever the order of commands, nobody gets work that needs a model without the model."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from crystal_search.exit_codes import BAD_MODEL, BAD_WORK_UNIT
from crystal_search.main import main
from crystal_search.server.engines.boinc.app_versions import Stock
from crystal_search.server.engines.boinc.boinc_database import BoincDatabase
from crystal_search.server.engines.boinc.boinc_load import MEASURED
from crystal_search.server.home import Home
from crystal_search.server.installation import Installation, opened, recipe_of
from crystal_search.server.services.create_work import create_work
from crystal_search.server.unit_states import State, names_in, newest_first
from tests.boinc_site import (
    LINUX,
    WINDOWS,
    Server,
    add_version,
    boinc_site,
    frozen,
    know,
    step,
    used_server,
    versions_of,
)
from tests.recipes import made_by, other_model
from tests.service_site import RECIPE, add_images

Told = pytest.CaptureFixture[str]
NEW = made_by("new-1", "c")


@pytest.mark.parametrize("old", [(LINUX, WINDOWS), (WINDOWS,)])
def test_units_wait_until_every_platform_s_newest_version_brings_their_models(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, old: tuple[str, ...]
) -> None:
    place = boinc_site(tmp_path, images=4)
    know(place.models, NEW)
    for platform in (LINUX, WINDOWS):
        models = RECIPE.models if platform in old else NEW.models
        add_version(place.server.project, 2, models, platform=platform)
    create_work(place.site, NEW)
    with place.engine as engine:
        engine.submit(newest_first(place.site.home))
        for _ in range(3):
            engine.step()
    assert place.server.created == []
    (name,) = names_in(place.site.home, State.QUEUED)
    waits = [record.message for record in caplog.records if "work units wait" in record.message]
    assert len(waits) == 1  # not each second
    assert f"version 0.02 for {max(old)} does not bring new-1: crystal-search boinc stage" in waits[0]
    for platform in old:
        add_version(place.server.project, 3, [*RECIPE.models, *NEW.models], platform=platform)
    step(place, NEW)
    assert place.server.created == [f"{name}_a1"]


def test_units_wait_where_no_program_is_live(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=4)
    (place.server.project.root / "versions.jsonl").unlink()
    step(place, RECIPE)
    assert place.server.created == []
    add_version(place.server.project, 1, RECIPE.models)
    step(place, RECIPE)
    assert len(place.server.created) == 1


def test_what_nobody_could_compute_goes_out_again_when_a_version_can(tmp_path: Path) -> None:
    """Volunteers got a version by somebody else's hand, and ended for want of a model."""
    place = boinc_site(tmp_path, images=4)
    step(place, RECIPE)
    (job,) = place.server.created
    know(place.models, NEW)
    add_version(place.server.project, 2, NEW.models)
    place.server.fail(job, BAD_MODEL, BAD_MODEL, BAD_MODEL)
    for _ in range(3):
        step(place, RECIPE)
    assert place.server.created == [job]
    assert list(place.site.home.failures.iterdir()) == []
    assert place.site.imaging.postponed() == []
    add_version(place.server.project, 3, [*RECIPE.models, *NEW.models])
    step(place, RECIPE)
    assert place.server.created == [job, job.replace("_a1", "_a2")]


@pytest.mark.parametrize("code", [BAD_MODEL, BAD_WORK_UNIT])
def test_a_program_or_model_that_does_not_fit_costs_no_image_its_attempts(tmp_path: Path, code: int) -> None:
    place = boinc_site(tmp_path, images=1)
    step(place, RECIPE)
    for _ in range(20):
        place.server.fail(place.server.created[-1], code, BAD_MODEL, code)
        for note in place.site.home.submitted.iterdir():
            os.utime(note, (1e9, 1e9))  # hours later
        step(place, RECIPE)
    assert len(place.server.created) == 21
    assert place.site.imaging.postponed() == []


def test_a_unit_that_is_damaged_is_packed_again(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=4)
    create_work(place.site, RECIPE)
    (path,) = newest_first(place.site.home)
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    for _ in range(2):
        step(place, RECIPE)
    assert path.read_bytes() == whole
    assert place.server.created == [f"{path.stem}_a1"]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A project that commands use."""
    found = used_server(tmp_path / "project", monkeypatch)
    monkeypatch.setattr(BoincDatabase, "load", lambda _: dict.fromkeys(MEASURED, 0))
    return found


@pytest.fixture
def home(tmp_path: Path, server: Server) -> Home:
    found = Home(tmp_path / "home").made()
    found.settings.write_text(f'engine = "boinc"\nboinc_project = "{server.project.root}"\n')
    return found


@pytest.fixture
def site(home: Home) -> Iterator[Installation]:
    with opened(home.path) as found:
        yield found


def command(*words: object, home: Home) -> int:
    anyway = ["--anyway"] if words[:2] == ("models", "use") else []
    return main([*map(str, words), *anyway, "--home", str(home.path)])


def name_in_use(site: Installation) -> str:
    return recipe_of(site).model("classifier").name


def test_use_stages_the_model_for_all_platforms_and_it_is_live_before_it_is_in_use(
    home: Home, site: Installation, server: Server, tmp_path: Path, capsys: Told
) -> None:
    assert command("boinc", "stage", frozen(tmp_path), frozen(tmp_path, WINDOWS), home=home) == 0
    before = recipe_of(site)
    assert command("models", "use", other_model(tmp_path / "out"), home=home) == 0
    told = capsys.readouterr().out
    assert f"version 0.02 for {WINDOWS} is live\nversion 0.02 for {LINUX} is live\nours-1 (" in told
    stock = Stock.of(versions_of(server.project), [home.models])
    assert stock.trouble([*before.models, *recipe_of(site).models]) == ""  # what is out is finished with the older one


def test_the_older_model_comes_back_at_once_while_its_version_is_live(
    home: Home, site: Installation, server: Server, tmp_path: Path
) -> None:
    command("boinc", "stage", frozen(tmp_path), home=home)
    shipped = name_in_use(site)
    command("models", "use", other_model(tmp_path / "out"), home=home)
    for name in (shipped, "ours-1", shipped):
        assert command("models", "use", name, home=home) == 0
        assert name_in_use(site) == name
    assert [each.number for each in versions_of(server.project)] == [2]


def test_the_older_model_is_staged_again_where_it_is_no_longer_live(
    home: Home, site: Installation, server: Server, tmp_path: Path
) -> None:
    command("boinc", "stage", frozen(tmp_path), home=home)
    shipped = recipe_of(site)
    command("models", "use", other_model(tmp_path / "out"), home=home)
    command("boinc", "stage", frozen(tmp_path, content="second"), home=home)
    assert "does not bring" in Stock.of(versions_of(server.project), [home.models]).trouble(shipped.models)
    assert command("models", "use", shipped.model("classifier").name, home=home) == 0
    assert Stock.of(versions_of(server.project), [home.models]).trouble(shipped.models) == ""
    assert [each.number for each in versions_of(server.project)] == [4]


@pytest.mark.parametrize("words", [(), ("--no-update",)])
def test_until_a_model_is_live_the_former_one_is_in_use(
    home: Home, site: Installation, server: Server, tmp_path: Path, words: tuple[str, ...]
) -> None:
    command("boinc", "stage", frozen(tmp_path), home=home)
    before, idle = name_in_use(site), server.project.root / "bin" / "update_versions.idle"
    idle.touch()
    assert command("models", "use", other_model(tmp_path / "out"), *words, home=home) == 2 - (not words)
    assert name_in_use(site) == before
    add_images(site, tmp_path / "images", 4)
    assert command("create-work", home=home) == 0
    assert len(server.created) == 1
    idle.unlink()
    assert command("models", "use", "ours-1", home=home) == 0
    assert name_in_use(site) == "ours-1"
    assert [each.number for each in versions_of(server.project)] == [2]


def test_a_model_that_is_only_staged_can_be_forgotten(
    home: Home, site: Installation, server: Server, tmp_path: Path
) -> None:
    command("boinc", "stage", frozen(tmp_path), home=home)
    command("models", "use", other_model(tmp_path / "out"), "--no-update", home=home)
    assert command("models", "forget", "ours-1", home=home) == 0
    assert command("boinc", "stage", home=home) == 0
    assert [each.number for each in versions_of(server.project)] == [1]
    assert Stock.of(versions_of(server.project), [home.models, site.models]).trouble(recipe_of(site).models) == ""


def test_used_before_anything_is_staged_it_is_in_use_and_units_wait(
    home: Home, site: Installation, server: Server, tmp_path: Path, capsys: Told
) -> None:
    assert command("models", "use", other_model(tmp_path / "out"), home=home) == 0
    assert "work units wait for crystal-search boinc stage PROGRAM" in capsys.readouterr().out
    add_images(site, tmp_path / "images", 4)
    command("create-work", home=home)
    assert server.created == []
    assert command("health", home=home) == 1
    said = "1 work units wait: no version of the program is live: crystal-search boinc stage PROGRAM"
    assert said in capsys.readouterr().err
    command("status", home=home)
    assert said in capsys.readouterr().out
    command("boinc", "stage", frozen(tmp_path), "--no-update", home=home)
    assert said in capsys.readouterr().out
    command("boinc", "stage", frozen(tmp_path), home=home)
    assert "wait" not in capsys.readouterr().out
    command("create-work", home=home)
    assert len(server.created) == 1


def test_a_staged_program_brings_the_models_of_work_that_is_out(
    home: Home, site: Installation, server: Server, tmp_path: Path
) -> None:
    command("boinc", "stage", frozen(tmp_path), home=home)
    add_images(site, tmp_path / "images", 4)
    command("create-work", home=home)
    out = recipe_of(site)
    home.running.joinpath(f"{names_in(home, State.QUEUED)[0]}.boinc").mkdir()  # a volunteer has it
    command("models", "use", other_model(tmp_path / "out"), home=home)
    command("boinc", "stage", frozen(tmp_path, content="second"), home=home)
    assert [each.number for each in versions_of(server.project)] == [3]
    stock = Stock.of(versions_of(server.project), [home.models])
    assert stock.trouble([*out.models, *recipe_of(site).models]) == ""


def test_a_project_that_works_for_another_home_is_left_alone(
    home: Home, server: Server, tmp_path: Path, capsys: Told
) -> None:
    command("boinc", "stage", frozen(tmp_path), home=home)
    (server.project.root / "crystal_search.home").write_text("/srv/another\n")
    assert command("boinc", "stage", frozen(tmp_path, content="second"), home=home) == 2
    assert command("models", "use", other_model(tmp_path / "out"), home=home) == 2
    assert capsys.readouterr().err.count("works for /srv/another") == 2
    assert [each.number for each in versions_of(server.project)] == [1]
