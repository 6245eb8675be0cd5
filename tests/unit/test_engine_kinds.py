"""An engine of a third kind is plugged in by one line in the registry, and everything works with it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from crystal_search.main import main
from crystal_search.server.engines.attempts import attempt_folder
from crystal_search.server.engines.engine import EngineKind, EngineReport, HomeEngine, Waiting
from crystal_search.server.engines.engine_kinds import ENGINES, engine_kind
from crystal_search.server.home import Home
from crystal_search.server.installation import opened
from crystal_search.server.settings import Settings
from crystal_search.server.unit_states import WITH_RESULT, State, is_in, move, names_in, place_of
from crystal_search.work_unit import read_work_unit
from tests.fake_client import Plan, score
from tests.service_site import add_images, auto_scores

IMAGES = 5


class ToyEngine(HomeEngine):
    """Scores one work unit a step, in this process."""

    def step(self) -> None:
        waiting = [path for path in self._queued if path.exists() and not is_in(self._home, path.stem, *WITH_RESULT)]
        for path in waiting[:1]:
            folder = attempt_folder(self._home, path.stem)
            score(path, folder, Plan())
            move(self._home, path.stem, State.RUNNING, State.RETURNED, at=folder)


def toy_kind(*, clients_here: bool) -> EngineKind:
    """Return what the toy declares: clients on this machine, or a cluster that tells how it is."""

    def start(home: Home, settings: Settings, models: Path) -> ToyEngine:
        return ToyEngine(home, settings)

    def report(waiting: Waiting) -> EngineReport:
        return EngineReport(load={"nodes": 7}, dead_daemons=("cooling",), complaints=("node 7 is on fire",))

    return EngineKind(
        title="Toy",
        start=start,
        clients_here=clients_here,
        overlays=not clients_here,
        when_still="wind it up",
        report=None if clients_here else report,
    )


@pytest.fixture
def toy_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], str]:
    """Register the toy, and make an installation that uses it and has images."""

    def made(clients_here: bool) -> str:
        monkeypatch.setitem(ENGINES, "toy", toy_kind(clients_here=clients_here))
        home = tmp_path / "home"
        home.mkdir()
        (home / "settings.toml").write_text('engine = "toy"\nworkers = 2\n')
        with opened(home) as site:
            add_images(site, tmp_path / "images", IMAGES)
        return str(home)

    return made


def overlays_and_sizes(home: Home) -> list[tuple[bool, int]]:
    """Return of each queued work unit whether clients draw, and how many images it has."""
    units = [read_work_unit(place_of(home, name, State.QUEUED)) for name in names_in(home, State.QUEUED)]
    return sorted((unit.parameters.overlays, len(unit.images)) for unit in units)


def test_an_engine_with_clients_here_takes_every_step(
    toy_home: Callable[[bool], str], capsys: pytest.CaptureFixture[str]
) -> None:
    home = toy_home(True)
    assert main(["create-work", "--home", home]) == 0
    assert overlays_and_sizes(Home(Path(home))) == [(False, 2), (False, 3)]  # so that both clients have work
    for command in ("work", "validate", "assimilate", "finalize", "set-autoscore", "health"):
        assert main([command, "--home", home]) == 0, command
    with opened(Path(home)) as site:
        assert [len(found) for found in auto_scores(site).values()] == [1] * IMAGES
    capsys.readouterr()
    assert main(["status", "--home", home]) == 0
    assert f"{IMAGES} of {IMAGES} images are scored" in capsys.readouterr().out


def test_an_engine_elsewhere_is_handed_the_work_and_tells_how_it_is(
    toy_home: Callable[[bool], str], capsys: pytest.CaptureFixture[str]
) -> None:
    home = toy_home(False)
    assert main(["create-work", "--home", home]) == 0
    assert overlays_and_sizes(Home(Path(home))) == [(True, IMAGES)]
    assert main(["work", "--home", home]) == 2
    assert "create-work and watch look after that one" in capsys.readouterr().err
    for command in ("validate", "assimilate", "finalize", "set-autoscore"):
        assert main([command, "--home", home]) == 0, command
    with opened(Path(home)) as site:
        assert [len(found) for found in auto_scores(site).values()] == [1] * IMAGES
    assert main(["health", "--home", home]) == 1
    assert "node 7 is on fire" in capsys.readouterr().err
    told = {}
    for form in ("--json", "--metrics", "--verbose"):
        assert main(["status", form, "--home", home]) == 0
        told[form] = capsys.readouterr().out
    found = json.loads(told["--json"])
    assert (found["engine"], found["toy"]["load"], found["boinc"]) == ("toy", {"nodes": 7}, None)
    assert 'crystal_search_toy{what="nodes"} 7' in told["--metrics"]
    assert "crystal_search_toy_dead_daemons 1" in told["--metrics"]
    assert "Toy:\n  nodes" in told["--verbose"]
    assert "! node 7 is on fire" in told["--verbose"]


@pytest.mark.parametrize("command", ["work", "create-work", "status", "view"])
def test_an_unknown_engine_is_refused_and_the_known_ones_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    Home(tmp_path).made()
    (tmp_path / "settings.toml").write_text('engine = "bonic"')
    assert main([command, "--home", str(tmp_path)]) == 2
    assert "settings: no engine 'bonic'; choose from local, boinc" in capsys.readouterr().err
    (tmp_path / "settings.toml").write_text('engine = "boinc"')
    assert main([command, "--home", str(tmp_path)]) == 2
    assert "they must say boinc_project too" in capsys.readouterr().err


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_stands_in_the_docs(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "services.md").read_text()
    (row,) = (line for line in page.splitlines() if line.startswith("| `engine` |"))
    assert f"`{name}`" in row
    assert engine_kind(Settings(engine=name, boinc_project="somewhere")) is ENGINES[name]


def test_no_engine_is_known_by_name_outside_its_room() -> None:
    server = Path(__file__).parents[2] / "crystal_search" / "server"
    for path in server.rglob("*.py"):
        if "engines" not in path.relative_to(server).parts and path.parent.name != "boinc":
            for name in ENGINES:
                assert f'"{name}"' not in path.read_text().replace('engine: str = "local"', ""), path
