"""How fast the services feed a BOINC server and take results over.

``python -m benchmarks.bench_boinc`` packs images of the demo plate into work units and submits them to a project of its
own, whose `create_work` only reads what it is told. The validator's script checks generated results, with its daemon
and without, in turn. Then these go from the assimilator's spool into the ledger, on SQLite. With ``--project FOLDER``
the jobs are created in a real project, and cancelled at the end.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from benchmarks.table import Row, table
from crystal_search.client.program import score_work_unit
from crystal_search.model import default_models, default_models_folder, references
from crystal_search.result import RESULT_FILE, ImageResult, ImageScore, Result, result_to_json
from crystal_search.result_reader import read_result
from crystal_search.server.engines.boinc.app_versions import AppVersion, VolunteersModel
from crystal_search.server.engines.boinc.boinc_database import BoincDatabase, Job, Jobs
from crystal_search.server.engines.boinc.boinc_engine import BoincEngine
from crystal_search.server.engines.boinc.boinc_failures import FailedCopy
from crystal_search.server.engines.boinc.project import Project, job_name, read_project
from crystal_search.server.engines.boinc.returned_results import check
from crystal_search.server.engines.boinc.scripts import ALONE, ANSWER, CHECK, COMPARE, scripts
from crystal_search.server.folders import unit_files
from crystal_search.server.home import Home
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.server.installation import Installation, recipe_of
from crystal_search.server.services.assimilate import assimilate
from crystal_search.server.services.create_work import create_work
from crystal_search.server.services.cycle import cycle
from crystal_search.server.services.finalize import finalize
from crystal_search.server.services.set_autoscore import set_autoscores
from crystal_search.server.services.validate import validate
from crystal_search.server.settings import Settings
from crystal_search.wells import WellKey
from crystal_search.work_unit import Parameters, WorkUnit, read_work_unit, write_work_unit

DEMO = Path(__file__).parents[1] / "crystal_search" / "demo" / "plate"
TOOL = "#!/bin/sh\ncat >/dev/null\n"
PASSES = 9  #: in which nothing happens
CALLS, PLAIN_EVERY = 300, 10  #: of the validator's script, and every which without the daemon too
CONFIG = """<boinc><config><db_name>none</db_name><db_user>none</db_user><uldl_dir_fanout>1024</uldl_dir_fanout>
<master_url>http://127.0.0.1/none/</master_url><download_dir>{root}/download</download_dir>
<upload_dir>{root}/upload</upload_dir></config></boinc>
"""


@dataclass
class Nothing:
    """A server's database that knows of no job but those it is told of."""

    known: dict[str, Job]

    def jobs(self, names: Sequence[str]) -> dict[str, Job]:
        """Return those of these jobs that are known."""
        return {name: self.known[name] for name in names if name in self.known}

    def failed_copies(self, job_id: int) -> list[FailedCopy]:
        """Return that nothing went wrong."""
        return []

    def want_another_copy(self, job: Job) -> None:
        """Have no copies to send."""

    def nobody_left_for(self, jobs: Sequence[Job]) -> list[Job]:
        """Return none."""
        return []

    def versions(self) -> list[AppVersion]:
        """Return one that brings the shipped models."""
        models = default_models(default_models_folder())
        names = frozenset[str]().union(*(VolunteersModel.of(model.card).file_names for model in models))
        return [AppVersion(number=1, platform="x86_64-pc-linux-gnu", files=names)]


def own_project(root: Path) -> Project:
    """Make a project folder whose tools do nothing."""
    for name in ("bin", "download", "upload"):
        (root / name).mkdir(parents=True)
    (root / "config.xml").write_text(CONFIG.format(root=root))
    for tool in ("create_work", "cancel_jobs"):
        (root / "bin" / tool).write_text(TOOL)
        (root / "bin" / tool).chmod(0o755)
    return read_project(root)


def filled_site(folder: Path, project: Project, images: int, images_per_unit: int) -> Installation:
    """Return an installation that knows so many images, all links to the demo plate's."""
    settings = Settings(
        engine="boinc", boinc_project=str(project.root), images_per_unit=images_per_unit, max_queue=1_000_000
    )
    site = Installation(
        home=Home(folder / "home").made(), settings=settings, imaging=open_imaging(f"sqlite:///{folder}/imaging.sqlite")
    )
    pictures = sorted(DEMO.glob("*.jpg"))
    (folder / "images").mkdir()
    new = []
    for number in range(images):
        plate, place = divmod(number, 96)
        path = folder / "images" / f"p{plate}_{place}.jpg"
        os.link(pictures[place], path)
        key = WellKey(plate=f"{folder.name}-{plate}", row=place // 12, column=place % 12)
        new.append(NewImage(key=key, path=str(path)))
    site.imaging.add_images(new)
    return site


@cache
def demo_score() -> ImageScore:
    """Return what the client finds out about an image of the demo plate."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = references(default_models(default_models_folder()))
        images = [("1", ".jpg", min(DEMO.glob("*01A*.jpg")).read_bytes())]
        path, parameters = folder / "unit.zip", Parameters(overlays=False)
        unit = write_work_unit(path, name="demo", models=models, parameters=parameters, images=images)
        score_work_unit(path, folder / "scored", [default_models_folder()])
        return read_result(folder / "scored" / RESULT_FILE, unit).images[0].score


def good_result(unit: WorkUnit) -> bytes:
    """Return what a volunteer's good result looks like, for every image the same."""
    images = tuple(ImageResult(id=image.id, sha256=image.sha256, score=demo_score()) for image in unit.images)
    return result_to_json(
        Result(work_unit=unit.name, client_version="bench", models=unit.models, images=images)
    ).encode()


def seconds(work: Callable[[], object]) -> float:
    """Return how long `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def rows(images: int, images_per_unit: int, project_root: Path | None) -> list[Row]:
    """Measure both ways: out to the server, and back into the ledger."""
    with tempfile.TemporaryDirectory(dir=project_root and project_root.parent) as name:
        folder = Path(name)
        folder.chmod(0o755)
        project = read_project(project_root) if project_root else own_project(folder / "project")
        site = filled_site(folder, project, images, images_per_unit)
        nothing = Nothing({})
        jobs: Jobs = BoincDatabase(project) if project_root else nothing
        out = seconds(lambda: _send(site, project, jobs))
        units = [path.stem for path in unit_files(site.home.queue)]
        if project_root:
            for unit in units:
                project.run("cancel_jobs", "--name", job_name(unit, 1))
        idle = _idle_pass(site, project)
        checks = _come_back(site, nothing)
        asked = _script_calls(site.home, folder / "bin")
        back = seconds(lambda: _take(site, project, nothing))
        scored = sum(plate.scored for plate in site.imaging.plates())
        site.imaging.close()
    if scored != images:
        sys.exit(f"{scored} of {images} images were scored")
    rate = images / back
    return [
        Row("create-work, packed and submitted", f"{images / out:.0f} images/s", "200", images / out >= 200),
        Row(f"a pass while {len(units)} work units are out, processor time", f"{1000 * idle:.0f} ms"),
        Row("a result checked as BOINC's validator asks, without Python's start", f"{1000 * checks:.1f} ms"),
        Row("results checked by the validator's script", f"{1 / asked.check:.0f}/s", "200", 1 / asked.check >= 200),
        Row("  without its daemon", f"{1 / asked.alone:.1f}/s, {asked.alone / asked.check:.0f} times slower"),
        Row("  answers where two hosts must agree", f"{1 / asked.quorum:.0f}/s", "200", 1 / asked.quorum >= 200),
        Row("validate, assimilate, finalize, set-autoscore: images", f"{rate:.0f}/s", "500", rate >= 500),
        Row(f"  work units of {images_per_unit} images", f"{len(units) / back:.1f}/s"),
    ]


def _send(site: Installation, project: Project, jobs: Jobs) -> None:
    while create_work(site, recipe_of(site)).units:
        pass
    with BoincEngine(site.home, site.settings, project, jobs, site.models) as engine:
        engine.submit(reversed(unit_files(site.home.queue)))
        engine.step()


def _idle_pass(site: Installation, project: Project) -> float:
    """Return how much processor time a pass takes, s, while all work units are out and nothing comes back."""
    names = [job_name(path.stem, 1) for path in unit_files(site.home.queue)]
    known = {name: Job(id=1, name=name, error_mask=0, assimilated=False, in_progress=1) for name in names}
    took = []
    with BoincEngine(site.home, site.settings, project, Nothing(known), site.models) as engine:
        for _ in range(PASSES):
            began_s = time.process_time()
            cycle(site, recipe_of(site), engine)
            took.append(time.process_time() - began_s)
    return statistics.median(took)


def _come_back(site: Installation, server: Nothing) -> float:
    """Lay good results into the assimilator's spool; return how long the check of one takes, s."""
    took = []
    for number, path in enumerate(unit_files(site.home.queue), start=1):
        folder = site.home.incoming / str(number)
        folder.mkdir()
        file = folder / f"{job_name(path.stem, 1)}_0_r1_0"
        file.write_bytes(good_result(read_work_unit(path)))
        took.append(seconds(lambda: check(site.home, [file])))  # noqa: B023
        job = Job(id=number, name=job_name(path.stem, 1), error_mask=0, assimilated=True, in_progress=0)
        server.known[job.name] = replace(job)
    return sorted(took)[len(took) // 2]


@dataclass(frozen=True)
class Questions:
    """How long BOINC's validator waits for the answer to one question, s."""

    check: float  #: whether a result is valid
    alone: float  #: the same without the daemon
    quorum: float  #: of three: whether each of two results of one work unit is, and whether they say the same


def _script_calls(home: Home, folder: Path) -> Questions:
    """Return how long the validator's scripts take, with their daemon and without."""
    folder.mkdir()
    for name, text in scripts(home, Settings().boinc_tolerance).items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    paths = sorted(home.incoming.glob("*/*"))[:CALLS]
    with subprocess.Popen([folder / ANSWER]) as daemon:
        try:
            while not home.answers.is_socket():
                time.sleep(0.1)
            return Questions(
                check=statistics.mean(_asked(folder / CHECK, path) for path in paths),
                alone=statistics.mean(_asked(folder / (CHECK + ALONE), path) for path in paths[::PLAIN_EVERY]),
                quorum=statistics.mean(_asked_of_two(folder, path) for path in paths),
            )
        finally:
            daemon.kill()


def _asked(script: Path, *paths: Path) -> float:
    """Ask a script, and return how long it took, s."""
    return seconds(lambda: _checked(f"{script} {' '.join(map(str, paths))}"))


def _asked_of_two(folder: Path, path: Path) -> float:
    """Ask what the validator asks when a second host has returned the same; return how long a question took, s."""
    other = folder / path.name.replace("_0_r1_", "_1_r2_")
    other.write_bytes(path.read_bytes().replace(b'"bench"', b'"other"'))
    took = [_asked(folder / CHECK, path), _asked(folder / CHECK, other), _asked(folder / COMPARE, path, other)]
    return statistics.mean(took)


def _checked(command: str) -> None:
    if os.system(command) != 0:  # as the validator calls it
        sys.exit(f"{command}: a good result was not found valid")


def _take(site: Installation, project: Project, server: Nothing) -> None:
    with BoincEngine(site.home, site.settings, project, server, site.models) as engine:
        engine.submit(reversed(unit_files(site.home.queue)))
        engine.step()
    validate(site.home)
    assimilate(site)
    finalize(site)
    set_autoscores(site)


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4800)
    parser.add_argument("--images-per-unit", type=int, default=16)
    parser.add_argument("--project", type=Path, help="a real BOINC project on this machine")
    arguments = parser.parse_args()
    found = rows(arguments.images, arguments.images_per_unit, arguments.project)
    print(table(found))


if __name__ == "__main__":
    main()
