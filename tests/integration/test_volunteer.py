"""The volunteer's program in a slot folder, as BOINC's client starts it; frozen too, where it was frozen."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from crystal_search.client.program import CHECKPOINT
from crystal_search.client.slot import REQUEST, SHARED_BYTES
from crystal_search.model import default_models_folder
from crystal_search.result import Result
from crystal_search.result_reader import read_result
from crystal_search.work_unit import Parameters, WorkUnit, write_work_unit
from tests.integration.pictures import encoded, well
from tests.integration.test_client import models, without_times
from tests.service_site import PATIENCE_S
from tests.unit.test_slot import INIT, Client, eventually

FROZEN = sorted((Path(__file__).parents[2] / "dist").glob("crystal-search-client_*-linux-gnu"))
PROGRAMS = [pytest.param([sys.executable, "-m", "crystal_search.client.volunteer"], id="source")]
PROGRAMS += [pytest.param([str(path)], id="frozen") for path in FROZEN[-1:]]


@dataclass
class Place:
    """A slot folder with a work unit of so many images, and the program to start there."""

    folder: Path
    unit: WorkUnit
    command: list[str]
    running: list[subprocess.Popen[bytes]]

    def start(self) -> subprocess.Popen[bytes]:
        source = self.command[0] == sys.executable
        environment = {"PATH": os.defpath}
        if source:
            environment["PYTHONPATH"] = str(Path(__file__).parents[2])
        process = subprocess.Popen(
            self.command, cwd=self.folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        self.running.append(process)
        return process

    def finished(self) -> str:
        return (self.folder / "boinc_finish_called").read_text().strip()

    def result(self) -> Result:
        return read_result(self.folder / "result.json", self.unit)

    def done(self) -> int:
        """Return how many images stand in the checkpoint."""
        try:
            return (self.folder / "work" / CHECKPOINT).read_text().count("\n") - 1
        except FileNotFoundError:
            return 0

    def keep(self, images: int) -> None:
        """Have a program that has ended done so many images only."""
        path = self.folder / "work" / CHECKPOINT
        path.write_text("".join(path.read_text().splitlines(keepends=True)[: images + 1]))
        (self.folder / "boinc_finish_called").unlink()

    def has_heard(self) -> bool:
        """Tell whether the program has read what it was asked to do."""
        return (self.folder / "boinc_mmap_file").read_bytes()[REQUEST] == 0


def cpu_s(process: subprocess.Popen[bytes]) -> float:
    """Return the processor time that a program and all below it have used; that of one that has ended stands still."""
    try:
        program = psutil.Process(process.pid)
        return sum(each.cpu_times().user + each.cpu_times().system for each in [program, *program.children(True)])
    except psutil.NoSuchProcess:
        return 0.0


def rests(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether a program leaves the processor alone for a while; what else runs here cannot make it use more."""
    before = cpu_s(process)
    time.sleep(1)
    return cpu_s(process) - before < 0.1


@pytest.fixture(params=PROGRAMS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    folder = tmp_path / "slots" / "0"
    folder.mkdir(parents=True)
    for path in default_models_folder().iterdir():
        shutil.copy(path, folder)
    images = [(str(number), ".jpg", encoded(well(height=1028, width=1226, seed=number))) for number in range(6)]
    parameters = Parameters(no_drop="whole_image", overlays=False)
    unit = write_work_unit(folder / "unit.zip", name="unit", models=models(), parameters=parameters, images=images)
    found = Place(folder, unit, request.param, [])
    (folder / "init_data.xml").write_text(INIT.format(pid=os.getpid()))
    (folder / "boinc_mmap_file").write_bytes(bytes(SHARED_BYTES))
    yield found
    for process in found.running:
        process.kill()
        process.communicate()


def test_a_unit_is_scored_and_its_end_is_told(place: Place) -> None:
    process, client = place.start(), Client(place.folder)
    said = set()
    while process.poll() is None:
        said.add(client.hear())
        time.sleep(0.05)
    assert process.returncode == 0
    assert place.finished() == "0"
    assert len(place.result().images) == 6
    fractions = {float(each.partition("<fraction_done>")[2].partition("<")[0]) for each in said if each}
    assert fractions
    assert fractions <= {0.0, *(number / 6 for number in range(7))} | {round(number / 6, 7) for number in range(7)}


def test_killed_in_mid_image_it_goes_on_and_finds_the_same(place: Place) -> None:
    process = place.start()
    assert eventually(lambda: place.done() >= 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (place.folder / "boinc_finish_called").exists()
    half = place.done()
    assert 2 <= half < 6
    assert place.start().wait(PATIENCE_S) == 0
    interrupted = without_times(place.result())
    shutil.rmtree(place.folder / "work")
    assert place.start().wait(PATIENCE_S) == 0
    assert without_times(place.result()) == interrupted


def test_suspended_it_uses_no_processor_and_goes_on_when_it_may(place: Place) -> None:
    client = Client(place.folder)
    client.ask("<suspend/>")  # before it starts, so that it cannot be through before it hears of it
    process = place.start()
    assert eventually(lambda: place.has_heard() and rests(process))
    assert place.done() == 0
    assert process.poll() is None
    client.ask("<resume/>")
    assert eventually(lambda: place.done() >= 1)
    client.ask("<suspend/>")
    assert eventually(lambda: place.has_heard() or process.poll() is not None)
    done = place.done()
    assert eventually(lambda: rests(process))
    assert place.done() <= done + 1  # the image in work is finished
    client.ask("<resume/>")
    assert process.wait(PATIENCE_S) == 0
    assert len(place.result().images) == 6


def test_asked_to_quit_it_leaves_no_end_behind(place: Place) -> None:
    assert place.start().wait(PATIENCE_S) == 0
    place.keep(2)
    client = Client(place.folder)
    client.ask("<suspend/>")  # so that it cannot be through before it hears the next
    process = place.start()
    assert eventually(place.has_heard)
    client.ask("<quit/>")
    assert process.wait(PATIENCE_S) == 0
    assert not (place.folder / "boinc_finish_called").exists()
    assert place.done() == 2


def test_a_damaged_unit_and_a_missing_model_are_told_apart(place: Place) -> None:
    for path in place.folder.glob("*.onnx"):
        path.unlink()
    process = place.start()
    assert process.wait(PATIENCE_S) == 4
    assert place.finished() == "4"
    assert b"install the model again" in (process.stderr.read() if process.stderr else b"")
    (place.folder / "unit.zip").write_bytes(b"PK not really")
    assert place.start().wait(PATIENCE_S) == 3
    assert place.finished() == "3"


def test_frozen_it_is_small() -> None:
    if not FROZEN:
        pytest.skip("the program was not frozen here: make freeze")
    assert FROZEN[-1].stat().st_size <= 60_000_000
