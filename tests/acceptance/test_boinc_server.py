"""A real BOINC server, named by ``CRYSTAL_SEARCH_BOINC_PROJECT``: from images to scores, with volunteers of all kinds.

The project must run, with nobody else attached, and the tests as its user; they install into it. Volunteers are played;
the program that good ones run is the client itself, frozen where it was frozen.
"""

import json
import os
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from crystal_search.model import default_models_folder
from crystal_search.server.engines.boinc.boinc_database import BoincDatabase
from crystal_search.server.engines.boinc.install import install, set_replication
from crystal_search.server.engines.boinc.invitations import invitation
from crystal_search.server.engines.boinc.project import Project, read_project
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import AutoScore, NewImage
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.installation import Installation, recipe_of
from crystal_search.server.services.cycle import cycle
from crystal_search.server.settings import Settings
from crystal_search.wells import WellKey
from tests.fake_volunteer import Answer, Volunteer, good_answer
from tests.integration.pictures import encoded, well

ROOT = os.environ.get("CRYSTAL_SEARCH_BOINC_PROJECT", "")
FROZEN = sorted((Path(__file__).parents[2] / "dist").glob("crystal-search-client_*-linux-gnu"))
PROGRAM = [str(FROZEN[-1])] if FROZEN else [sys.executable, "-m", "crystal_search.client.volunteer"]
PATIENCE_S = 240

pytestmark = [
    pytest.mark.skipif(not ROOT, reason="no BOINC server: name its folder in CRYSTAL_SEARCH_BOINC_PROJECT"),
    pytest.mark.slow,
]


@dataclass
class Place:
    """An installation that feeds the project, and its volunteers."""

    site: Installation
    project: Project
    images: Path
    good: Answer
    volunteers: list[Volunteer]

    def add(self, count: int) -> list[int]:
        """Make so many new images known, of a plate of their own, and return their ids."""
        plate = f"p{secrets.token_hex(4)}"
        for number in range(count):
            path = self.images / f"{plate}_{number}.jpg"
            path.write_bytes(encoded(well(height=514, width=613, seed=number)))
            self.site.imaging.add_images([NewImage(key=WellKey(plate=plate, row=0, column=number), path=str(path))])
        return [image.id for image in self.site.imaging.plate_images(plate)]

    def one_pass(self) -> None:
        with self.site.started_engine() as engine:
            cycle(self.site, recipe_of(self.site), engine)

    def scores(self, image: int) -> list[AutoScore]:
        return [score for score in self.site.imaging.ledger(image) if isinstance(score, AutoScore)]

    def until_scored(self, images: list[int], *answers: Answer) -> list[str]:
        """Let volunteers work until all images are scored; the first answers come first, good ones after."""
        queue, deadline = list(answers), time.monotonic() + PATIENCE_S
        served: list[str] = []
        while not all(self.scores(image) for image in images):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not scored after {PATIENCE_S} s; the volunteers got {served}")
            self.one_pass()
            for volunteer in self.volunteers:
                answer = queue[0] if queue else self.good
                if done := volunteer.work(answer):
                    served += done
                    del queue[:1]
            time.sleep(0.5)
        return served


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("boinc")
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o755)
    settings = Settings(engine="boinc", boinc_project=ROOT, images_per_unit=4)
    home = Home(folder / "home").made()
    (folder / "images").mkdir()
    project = read_project(Path(ROOT))
    project.run("cancel_jobs", "1", "1000000")
    install(home, settings, take_over=True)
    set_replication(project, settings)
    site = Installation(home=home, settings=settings, imaging=open_imaging(f"sqlite:///{folder}/imaging.sqlite"))
    code = invitation(project)
    volunteers = [Volunteer(project.master_url, f"v{secrets.token_hex(4)}", invitation=code) for _ in range(5)]
    good = good_answer(PROGRAM, folder / "slots", default_models_folder())
    yield Place(site, project, folder / "images", good, volunteers)
    site.imaging.close()


def test_images_are_scored_by_two_hosts_that_agree(place: Place) -> None:
    images = place.add(6)
    served = place.until_scored(images)
    assert {len(place.scores(image)) for image in images} == {1}
    units = {name.rsplit("_a1_", 1)[0] for name in served}
    assert len(units) == 2
    assert all(sum(name.startswith(unit) for name in served) >= 2 for unit in units)
    place.one_pass()
    assert list(place.site.home.submitted.iterdir()) == []


def garbage(_: bytes) -> bytes:
    return bytes(range(256)) * 30


def nothing(_: bytes) -> bytes:
    return b""


def crash(_: bytes) -> int:
    return 193


def deep(_: bytes) -> bytes:
    return b"[" * 100_000


@pytest.mark.parametrize("fault", [garbage, nothing, crash, deep], ids=lambda fault: fault.__name__)
def test_a_bad_volunteer_s_answer_is_refused_and_the_work_goes_on(place: Place, fault: Answer) -> None:
    (image,) = place.add(1)
    served = place.until_scored([image], fault)
    assert len(served) >= 3
    assert len(place.scores(image)) == 1
    assert place.scores(image)[0].outcome != "unreadable"


def test_wrong_numbers_are_outvoted(place: Place) -> None:
    """A result that is a good one in every respect but its numbers: only another host's tells."""

    def liar(unit: bytes) -> bytes | int:
        data = place.good(unit)
        assert isinstance(data, bytes)
        result = json.loads(data)
        for each in result["images"]:
            score = each["score"]
            score["class_probabilities"] = [1.0] + [0.0] * 12
            score["group_peaks"] = [1.0, 0.0, 0.0, 0.0]
            score["score"] = {"outcome": "crystal_harvestable", "probability": 1.0, "above_threshold": True}
            score["best_chops"] = []
        return json.dumps(result).encode()

    (image,) = place.add(1)
    place.until_scored([image], liar)
    (score,) = place.scores(image)
    assert score.found.class_probabilities[0] < 0.99


def test_a_failed_work_unit_is_told_and_its_images_are_tried_one_by_one(place: Place) -> None:
    images = place.add(2)
    place.until_scored(images, *[crash] * 3)
    assert {len(place.scores(image)) for image in images} == {1}


def test_load_is_told(place: Place) -> None:
    load = BoincDatabase(place.project).load()
    assert load["hosts"] >= 3
    assert load["successes_last_day"] > 0
    assert load["errors_last_day"] > 0
