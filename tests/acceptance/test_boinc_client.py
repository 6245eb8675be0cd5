"""Debian's BOINC client runs the frozen program: downloads, starts, suspends, kills, resumes, uploads, reports."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from crystal_search.demo.truth import plate_folder
from crystal_search.model import default_model, default_models, default_models_folder, references
from crystal_search.model_card import CrystalCard
from crystal_search.result_reader import read_result
from crystal_search.server.engines.boinc.staging import model_files, program_at
from crystal_search.work_unit import Parameters, WorkUnit, write_work_unit
from tests.fake_boinc_server import FakeServer, serving
from tests.integration.pictures import encoded, well

CLIENT, COMMAND = shutil.which("boinc"), shutil.which("boinccmd")
FROZEN = sorted((Path(__file__).parents[2] / "dist").glob("crystal-search-client_*-linux-gnu"))
JOB = "demo-1-0123456789abcdef_a1"
PREFERENCES = """<global_preferences>
<suspend_cpu_usage>0</suspend_cpu_usage><run_if_user_active>1</run_if_user_active><max_ncpus_pct>100</max_ncpus_pct>
<cpu_usage_limit>100</cpu_usage_limit><disk_max_used_gb>10</disk_max_used_gb><disk_min_free_gb>0</disk_min_free_gb>
<disk_interval>1</disk_interval>
</global_preferences>
"""
LONG = 150  #: images of a work unit that takes some seconds
WELL = "demo_01D_1.jpg"  #: the first of them, with crystals; the others are drawn, and have none

pytestmark = [
    pytest.mark.skipif(not (CLIENT and COMMAND), reason="no BOINC client (apt-get install boinc-client)"),
    pytest.mark.skipif(not FROZEN, reason="the program was not frozen here: make freeze"),
    pytest.mark.slow,
]


@dataclass
class Attached:
    """A BOINC client in a folder of its own, attached to a played server."""

    folder: Path
    port: int
    server: FakeServer
    unit: WorkUnit

    def start(self) -> subprocess.Popen[bytes]:
        options = ("--dir", str(self.folder), "--allow_multiple_clients", "--no_gpus")
        with (self.folder / "stdout").open("ab") as log:
            return subprocess.Popen(
                [str(CLIENT), *options, "--gui_rpc_port", str(self.port)], stdout=log, stderr=subprocess.STDOUT
            )

    def command(self, *words: str) -> str:
        password = (self.folder / "gui_rpc_auth.cfg").read_text().strip()
        done = subprocess.run(
            [str(COMMAND), "--host", f"localhost:{self.port}", "--passwd", password, *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
        )
        return done.stdout + done.stderr

    def until(self, true: Callable[[], object], seconds: float = 900) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                raise TimeoutError((self.folder / "stdout").read_text()[-3000:])
            time.sleep(0.2)

    def images_done(self) -> int:
        lines = [path.read_text().count("\n") for path in self.folder.glob("slots/*/work/checkpoint.jsonl")]
        return max(lines, default=1) - 1

    def is_still(self) -> bool:
        """Tell whether no image gets done for a while."""
        before = self.images_done()
        time.sleep(3)
        return self.images_done() == before

    def fraction(self) -> float:
        told = self.command("--get_tasks")
        _, _, rest = told.partition("fraction done:")
        return float(rest.split()[0]) if rest else -1.0


@pytest.fixture
def attached(tmp_path: Path) -> Iterator[Attached]:
    drawn = [encoded(well(height=1028, width=1226, seed=number % 4)) for number in range(LONG - 1)]
    images = [(str(number), ".jpg", data) for number, data in enumerate([(plate_folder() / WELL).read_bytes(), *drawn])]
    used = [*default_models(default_models_folder()), default_model(CrystalCard)]
    unit = write_work_unit(
        tmp_path / "unit.zip",
        name=JOB.removesuffix("_a1"),
        models=references(used),
        parameters=Parameters(no_drop="whole_image", overlays=False),
        images=images,
    )
    files = [*program_at(FROZEN[-1]).files, *model_files(used)]
    folder = tmp_path / "boinc"
    folder.mkdir()
    (folder / "global_prefs_override.xml").write_text(PREFERENCES)
    (folder / "gui_rpc_auth.cfg").write_text("secret\n")
    with serving(FakeServer(files, {JOB: (tmp_path / "unit.zip").read_bytes()})) as server:
        found = Attached(folder, 31_500 + os.getpid() % 400, server, unit)
        process = found.start()
        try:
            found.until(lambda: "Played" in found.command("--get_project_status") or _attach(found))
            yield found
        finally:
            found.command("--quit")
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _attach(found: Attached) -> bool:
    found.command("--project_attach", f"{found.server.address}/", "key")
    time.sleep(1)
    return False


def assert_reported(found: Attached) -> None:
    """Wait for upload and report; the result is a good one."""
    found.until(lambda: f"{JOB}_0" in found.server.reports)
    report = found.server.reports[f"{JOB}_0"]
    assert "<exit_status>0</exit_status>" in report
    path = found.folder / "uploaded.json"
    path.write_bytes(found.server.uploads[f"{JOB}_0_r1_0"])
    images = read_result(path, found.unit).images
    assert len(images) == LONG
    assert images[0].score.crystals
    assert json.loads(path.read_text())["work_unit"] == found.unit.name


def test_a_real_client_downloads_runs_uploads_and_reports(attached: Attached) -> None:
    fractions: set[float] = set()
    attached.until(lambda: fractions.add(attached.fraction()) or f"{JOB}_0" in attached.server.reports)  # type: ignore[func-returns-value]
    assert_reported(attached)
    assert any(0 < fraction < 1 for fraction in fractions)


def test_a_real_client_suspends_and_resumes(attached: Attached) -> None:
    attached.until(lambda: attached.images_done() >= 2)
    attached.command("--set_run_mode", "never")
    attached.until(attached.is_still)
    assert 2 <= attached.images_done() < LONG
    attached.command("--set_run_mode", "always")
    assert_reported(attached)


def test_killed_by_the_system_it_goes_on_after_the_last_image(attached: Attached) -> None:
    attached.until(lambda: attached.images_done() >= 2)
    (running,) = processes(attached.folder)
    os.kill(running, signal.SIGKILL)
    half = attached.images_done()
    attached.until(lambda: attached.images_done() > half or f"{JOB}_0" in attached.server.reports)
    assert_reported(attached)


def processes(folder: Path) -> list[int]:
    """Return the processes that run in slots of a client."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if str(path.readlink()).startswith(str(folder / "slots")):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


if sys.platform != "linux":
    pytest.skip("looks into /proc", allow_module_level=True)
