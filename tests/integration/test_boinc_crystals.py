"""The crystal detector with volunteers: staged, run in a slot of what a version brings, checked and assimilated.

The volunteer's program is the real one, frozen too where it was frozen; so are the scripts that BOINC's daemons call.
"""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from crystal_search.crystal import Crystal
from crystal_search.demo.truth import plate_folder
from crystal_search.exit_codes import BAD_MODEL, OK
from crystal_search.main import main
from crystal_search.model import default_model
from crystal_search.model_card import CrystalCard
from crystal_search.result import Result, result_to_json
from crystal_search.result_reader import read_result
from crystal_search.server.engines.boinc.app_versions import Stock
from crystal_search.server.engines.boinc.boinc_engine import BoincEngine
from crystal_search.server.engines.boinc.install import install
from crystal_search.server.engines.boinc.scripts import ASSIMILATE, CHECK, COMPARE
from crystal_search.server.engines.boinc.staging import DESCRIPTION, place_of
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.server.installation import Installation, opened, recipe_of
from crystal_search.server.services.cycle import cycle
from crystal_search.wells import WellKey
from crystal_search.work_unit import read_work_unit
from tests.boinc_site import BoincSite, Server, call, frozen, uploaded, used_server, versions_of
from tests.integration.test_volunteer import PROGRAMS
from tests.service_site import PATIENCE_S, auto_scores

NAME = "dense-crystals-3"
WELLS = ("demo_01D_1.jpg", "demo_12D_1.jpg")  #: with crystals
Crystals = tuple[Crystal, ...]


@dataclass
class Volunteer:
    """A PC that gets what a version brings."""

    folder: Path
    command: list[str]

    def download(self, version: Path) -> None:
        """Lay the files of a version into a slot, as a client does; the program is one of this machine."""
        self.folder.mkdir(parents=True)
        for file in ET.parse(version / DESCRIPTION).getroot().findall("file"):
            if file.find("main_program") is None:
                shutil.copy(
                    version / str(file.findtext("physical_name")), self.folder / str(file.findtext("logical_name"))
                )

    def work(self, unit: Path) -> int:
        """Score a work unit and return what the program ended with."""
        shutil.copy(unit, self.folder / "unit.zip")
        environment = {"PATH": os.defpath}
        if self.command[0] == sys.executable:
            environment["PYTHONPATH"] = str(Path(__file__).parents[2])
        return subprocess.run(
            self.command, cwd=self.folder, env=environment, timeout=10 * PATIENCE_S, check=False
        ).returncode


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    return used_server(tmp_path / "project", monkeypatch)


@pytest.fixture
def place(tmp_path: Path, server: Server) -> Iterator[BoincSite]:
    """An installation whose volunteers have no detector yet."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "settings.toml").write_text(f'engine = "boinc"\nboinc_project = "{server.project.root}"\n')
    with opened(home) as site:
        install(site.home, site.settings)
        paths = {name: WellKey(plate="90j8", row=0, column=column) for column, name in enumerate(WELLS)}
        site.imaging.add_images([NewImage(key=key, path=str(plate_folder() / name)) for name, key in paths.items()])
        assert main(["boinc", "stage", str(frozen(tmp_path)), "--home", str(home)]) == OK
        yield BoincSite(site, server)


def one_pass(site: Installation, server: Server) -> None:
    with BoincEngine(site.home, site.settings, server.project, server, site.models) as engine:
        cycle(site, recipe_of(site), engine)


def only_the_newest_works(slots: Path, command: list[str], versions: tuple[Path, Path], unit: Path) -> Volunteer:
    """Return a volunteer of the newest of two versions who has done a work unit; one of the former cannot."""
    before, now = versions
    former = Volunteer(slots / "0", command)
    former.download(before)  # no server would send it this work; if one did, nobody would be blamed
    assert former.work(unit) == BAD_MODEL
    volunteer = Volunteer(slots / "1", command)
    volunteer.download(now)
    assert volunteer.work(unit) == OK
    return volunteer


def newest(server: Server) -> Path:
    (version,) = versions_of(server.project)
    return place_of(server.project, version.number, version.platform)


def with_crystals(result: Result, change: Callable[[Crystals], Crystals]) -> bytes:
    """Return a result whose images have other crystals."""
    scores = [replace(each.score, crystals=change(each.score.crystals or ())) for each in result.images]
    images = tuple(replace(each, score=score) for each, score in zip(result.images, scores, strict=True))
    return result_to_json(replace(result, images=images)).encode()


def nudged(crystals: Crystals) -> Crystals:
    """Return crystals as another processor may have them, each a little elsewhere."""
    return tuple(replace(each, row=each.row + 0.1, probability=each.probability - 1e-5) for each in crystals)


def without_the_first(crystals: Crystals) -> Crystals:
    """Return what a liar tells who keeps the clearest crystal back."""
    return crystals[1:]


@pytest.mark.parametrize("command", PROGRAMS)
def test_volunteers_get_the_detector_and_their_crystals_come_into_the_ledger(
    place: BoincSite, server: Server, command: list[str], tmp_path: Path
) -> None:
    site, before = place.site, newest(server)
    assert main(["models", "use", NAME, "--home", str(site.home.path)]) == OK
    detector = default_model(CrystalCard)
    (version,) = versions_of(server.project)
    assert newest(server) != before
    assert Stock.of([version], [site.home.models]).trouble(recipe_of(site).models) == ""
    one_pass(site, server)
    (job,) = server.created
    unit = server.project.place_of(f"{job}.zip")
    assert detector.card.sha256 in {each.sha256 for each in read_work_unit(unit).models}

    volunteer = only_the_newest_works(tmp_path / "slots", command, (before, newest(server)), unit)
    data = (volunteer.folder / "result.json").read_bytes()
    result = read_result(volunteer.folder / "result.json", read_work_unit(unit))

    paths = [
        uploaded(place, content, f"{job}_{host}_r{host}_0")
        for host, content in enumerate((data, with_crystals(result, nudged), with_crystals(result, without_the_first)))
    ]
    for path in paths:
        done = call(place, CHECK, path)
        assert (done.returncode, done.stderr) == (0, "")
    assert call(place, COMPARE, paths[0], paths[1]).returncode == 0
    refused = call(place, COMPARE, paths[0], paths[2])
    assert refused.returncode == 1
    assert "only one has the crystal" in refused.stderr
    assert call(place, ASSIMILATE, "1", paths[0]).returncode == 0
    server.change(job, assimilated=True)
    one_pass(site, server)
    found = {image: score.found.crystals for image, (score,) in auto_scores(site).items()}
    told = {int(each.id): each.score.crystals for each in result.images}
    assert found == told
    assert all(found.values())


def test_a_detector_put_to_use_or_forgotten_while_work_is_out_changes_nothing_of_that_work(
    place: BoincSite, server: Server
) -> None:
    site, home = place.site, str(place.site.home.path)
    plain = recipe_of(site)
    one_pass(site, server)
    server.change(server.created[0], in_progress=1)  # a volunteer has it
    one_pass(site, server)
    assert main(["models", "use", NAME, "--home", home]) == OK
    for _ in range(2):
        one_pass(site, server)
    first, second = server.created
    recipes = site.imaging.unit_recipes("open")
    assert [recipes[each.removesuffix("_a1")].models for each in (first, second)] == [
        plain.models,
        recipe_of(site).models,
    ]
    server.change(second, in_progress=1)
    one_pass(site, server)
    assert main(["models", "forget", NAME, "--home", home]) == OK
    assert recipe_of(site) == plain
    assert main(["boinc", "stage", "--home", home]) == OK  # still brings what is out
    one_pass(site, server)
    assert [call for call in server.calls if call["tool"] == "cancel_jobs"] == []
    (version,) = versions_of(server.project)
    stock = Stock.of([version], [site.home.models, site.models])
    assert [stock.trouble(each.models) for each in site.imaging.unit_recipes("open").values()] == ["", ""]
