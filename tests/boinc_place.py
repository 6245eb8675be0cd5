"""A real BOINC server, an installation that feeds it, and played volunteers: what the tests on it work with."""

import json
import os
import secrets
import shlex
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from crystal_search.files import write_whole
from crystal_search.model import default_models
from crystal_search.server.engines.boinc.boinc_database import BoincDatabase
from crystal_search.server.engines.boinc.install import install, set_replication
from crystal_search.server.engines.boinc.invitations import invitation
from crystal_search.server.engines.boinc.project import Project, read_project
from crystal_search.server.engines.boinc.supplying import supply
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import AutoScore
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.server.installation import Installation, recipe_of
from crystal_search.server.services.create_work import EVERYTHING, Order
from crystal_search.server.services.cycle import cycle
from crystal_search.server.settings import Settings
from crystal_search.wells import WellKey
from tests.fake_volunteer import Answer, Task, Volunteer, good_answer
from tests.integration.pictures import encoded, well

ROOT = os.environ.get("CRYSTAL_SEARCH_BOINC_PROJECT", "")
#: A command to which ``start``, ``stop`` or ``kill`` is added: what it does to the server's database.
DATABASE = shlex.split(os.environ.get("CRYSTAL_SEARCH_BOINC_DATABASE", ""))
FROZEN = sorted((Path(__file__).parents[1] / "dist").glob("crystal-search-client_*-linux-gnu"))
PATIENCE_S = 600  #: long enough for a machine that others use too; only what never happens takes it
VOLUNTEERS = 5


@dataclass
class Place:
    """An installation that feeds the project, and its volunteers."""

    site: Installation
    project: Project
    images: Path
    good: Answer
    volunteers: list[Volunteer]
    added: list[int] = field(default_factory=list)
    order: Order = EVERYTHING  #: what is packed

    def add(self, count: int) -> list[int]:
        """Make so many new images known, of a plate of their own, and return their ids."""
        plate = f"p{secrets.token_hex(4)}"
        for number in range(count):
            path = self.images / f"{plate}_{number}.jpg"
            path.write_bytes(encoded(well(height=514, width=613, seed=number)))
            self.site.imaging.add_images([NewImage(key=WellKey(plate=plate, row=0, column=number), path=str(path))])
        found = [image.id for image in self.site.imaging.plate_images(plate)]
        self.added += found
        return found

    def one_pass(self) -> None:
        with self.site.started_engine() as engine:
            cycle(self.site, recipe_of(self.site), engine, self.order)

    def scores(self, image: int) -> list[AutoScore]:
        return [score for score in self.site.imaging.ledger(image) if isinstance(score, AutoScore)]

    def outcomes(self) -> Counter[tuple[int, str]]:
        """Return how often each number of scores, and each outcome, came out over all images so far."""
        found = {image: self.scores(image) for image in self.added}
        return Counter((len(scores), scores[0].outcome if scores else "") for scores in found.values())

    def until_scored(self, images: list[int], *answers: Answer) -> list[str]:
        """Let volunteers work until all images are scored; the first answers come first, good ones after."""
        queue, served = list(answers), list[str]()

        def work() -> bool:
            for volunteer in self.volunteers:
                if done := volunteer.work(queue[0] if queue else self.good):
                    served.extend(done)
                    del queue[:1]
            return all(self.scores(image) for image in images)

        self.until(work, lambda: f"not scored; the volunteers got {served}")
        return served

    def handed_out(self, hosts: int) -> list[tuple[Volunteer, Task]]:
        """Return so many volunteers with the tasks that they got, and keep."""
        found: list[tuple[Volunteer, Task]] = []

        def hand() -> bool:
            for volunteer in self.volunteers:
                if len(found) < hosts:
                    found.extend((volunteer, task) for task in volunteer.tasks())
            return len(found) >= hosts

        self.until(hand)
        return found

    def served(self, tasks: int) -> int:
        """Let volunteers work, and nobody else, until so many tasks are done; return how many were."""
        done, deadline = 0, time.monotonic() + PATIENCE_S
        while done < tasks and time.monotonic() < deadline:
            done += sum(len(volunteer.work(self.good)) for volunteer in self.volunteers)
            time.sleep(0.5)
        return done

    def until(self, is_so: Callable[[], bool], said: Callable[[], str] = lambda: "not so") -> None:
        """Go on with our part until something is so."""
        deadline = time.monotonic() + PATIENCE_S
        self.one_pass()
        while not is_so():
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {PATIENCE_S} s {said()}")
            time.sleep(0.5)
            self.one_pass()

    def change(self, **settings: Any) -> None:
        """Give the installation other settings, and put them into the project as somebody does who changed them."""
        changed = replace(self.site.settings, **settings)
        write_whole(self.site.home.settings, settings_text(changed))
        self.site = replace(self.site, settings=changed)
        install(self.site.home, changed)

    def rows(self, query: str, *values: object) -> Sequence[tuple[Any, ...]]:
        """Ask, or change, the server's database."""
        with BoincDatabase(self.project).cursor() as cursor:
            cursor.execute(query, values)
            return list(cursor.fetchall())

    def restart(self) -> None:
        """Have all daemons run, with what ``config.xml`` says by now."""
        self.project.run("stop")
        self.project.run("start")

    def kill(self, daemon: str) -> None:
        """Kill a daemon of the project."""
        self.signal(daemon, signal.SIGKILL)

    def signal(self, daemon: str, number: signal.Signals) -> None:
        """Send a signal to a daemon of the project."""
        (path,) = self.project.root.glob(f"pid_*/{daemon}.pid")
        os.kill(int(path.read_text()), number)

    def files(self, unit: str) -> list[Path]:
        """Return the files of a work unit that volunteers get, or have sent."""
        folders = (self.project.download_dir, self.project.upload_dir)
        return [path for folder in folders for path in folder.glob(f"*/{unit}*")]

    def eventually(self, is_so: Callable[[], object]) -> None:
        """Wait until the server by itself has made something so."""
        deadline = time.monotonic() + PATIENCE_S
        while not is_so():
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {PATIENCE_S} s the server has not done it")
            time.sleep(0.5)

    def wait(self, seconds: float) -> None:
        """Let the server do what it does by itself."""
        time.sleep(seconds)

    def database(self, what: str) -> None:
        """Start, stop or kill the server's database."""
        subprocess.run([*DATABASE, what], check=True)


def other_installation(place: Place, folder: Path) -> Installation:
    """Return an installation for the same project, with a home and a database of its own and nothing to score."""
    home = Home(folder / "other").made()
    write_whole(home.settings, settings_text(place.site.settings))
    imaging = open_imaging(f"sqlite:///{folder}/other.sqlite")
    return Installation(home=home, settings=place.site.settings, imaging=imaging)


def settings_text(settings: Settings) -> str:
    """Return what a file of settings says, of those that are not as they come."""
    told = {each.name: getattr(settings, each.name) for each in fields(settings)}
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in told.items() if value != each_default(name))


def each_default(name: str) -> Any:
    """Return what a setting is when nobody sets it."""
    return getattr(Settings(), name)


def made_place(folder: Path) -> Place:
    """Install into the project that `ROOT` names, with the program of `FROZEN`, from nothing in flight."""
    settings = Settings(engine="boinc", boinc_project=ROOT, images_per_unit=4)
    home = Home(folder / "home").made()
    write_whole(home.settings, settings_text(settings))
    (folder / "images").mkdir()
    project = read_project(Path(ROOT))
    project.run("cancel_jobs", "1", "1000000")
    install(home, settings, take_over=True)
    set_replication(project, settings)
    site = Installation(home=home, settings=settings, imaging=open_imaging(f"sqlite:///{folder}/imaging.sqlite"))
    supply(project, BoincDatabase(project), default_models(site.models), [FROZEN[-1]])
    project.run("stop")
    project.run("start")
    code = invitation(project)
    volunteers = [Volunteer(project.master_url, f"v{secrets.token_hex(4)}", invitation=code) for _ in range(VOLUNTEERS)]
    place = Place(site, project, folder / "images", good_answer(folder / "volunteer"), volunteers)
    place.rows("UPDATE host SET rpc_time = 1 WHERE rpc_time > 0")  # volunteers of former runs are gone for good
    return place
