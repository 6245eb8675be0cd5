"""The services as commands and processes, with the real client, models and SQLite."""

import json
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from crystal_search.demo import run as demo
from crystal_search.main import main
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.result_reader import result_from_json
from crystal_search.server.home import Home
from crystal_search.server.installation import opened
from tests.integration.pictures import encoded, well
from tests.service_site import PATIENCE_S, auto_scores, pass_time

ROOT = Path(__file__).parents[2]
FOLDER = "90j8_2018-04-11_RI1000-0081-2drop"  #: as XChem names them


def robot_folder(folder: Path, images: int, start: int = 0) -> Path:
    """Write images as a robot would."""
    inspection = folder / "robot" / FOLDER
    inspection.mkdir(parents=True, exist_ok=True)
    for number in range(start, start + images):
        (inspection / f"90j8_{number + 1:02d}A_1.jpg").write_bytes(encoded(well(seed=number)))
    return folder / "robot"


def scores_per_image(home: Path) -> list[int]:
    with opened(home) as site:
        return [len(found) for found in auto_scores(site).values()]


def test_every_step_as_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    (tmp_path / "robot").mkdir()
    robot = robot_folder(tmp_path, 3)
    (robot / FOLDER / "90j8_04A_1.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    steps = [["import", str(robot)], ["create-work"], ["work"], ["validate"], ["assimilate"]]
    for words in [*steps, ["finalize"], ["set-autoscore"]]:
        assert main([*words, "--home", str(home)]) == 0
    assert scores_per_image(home) == [1, 1, 1, 0]
    with opened(home) as site:
        pass_time(site, seconds=100)
    assert main(["create-work", "--home", str(home)]) == 0  # it is still the same, and cannot be decoded here either
    assert scores_per_image(home) == [1, 1, 1, 1]
    capsys.readouterr()
    assert main(["status", "--json", "--home", str(home)]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["images"], status["scored"], status["open_units"], status["failed"]) == (4, 4, 0, [])
    assert set(status["stages"].values()) == {0}
    with opened(home) as site:
        outcomes = [found[0].outcome for found in auto_scores(site).values()]
    assert outcomes[3] == "unreadable"
    assert set(outcomes[:3]) <= {*OUTCOME_NAMES, "no_drop"}
    for folder in Home(home).archive.iterdir():
        for image in result_from_json((folder / "result.json").read_bytes()).images:
            assert not image.overlay or (folder / image.overlay.file).is_file()
    for words in [*steps, ["finalize", "--automatic"]]:
        assert main([*words, "--home", str(home)]) == 0
    assert scores_per_image(home) == [1, 1, 1, 1]


def test_the_status_tells_what_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["import", str(robot_folder(tmp_path, 1)), "--home", str(tmp_path / "home")])
    main(["create-work", "--home", str(tmp_path / "home")])
    with opened(tmp_path / "home") as site:
        site.imaging.close_unit(site.imaging.units("open")[0].name, "failed", "it exploded\nat once")
    capsys.readouterr()
    main(["status", "--home", str(tmp_path / "home")])
    told = capsys.readouterr().out
    assert "0 of 1 images are scored" in told
    assert "it exploded\n" in told


def test_a_look_creates_no_installation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("missing", "empty"):
        assert main(["status", "--home", str(tmp_path / name)]) == 2
        assert f"there is no Crystal Search installation in {tmp_path / name}" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_the_main_job_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plate = tmp_path / "plate"
    plate.mkdir()
    for name in ("demo_01A_1.jpg", "demo_02A_1.jpg", "demo_01B_1.jpg"):
        (plate / name).write_bytes(encoded(well(seed=len(name))))
    rows = ["demo_01A_1.jpg,A,1,1,clear,1,clear", "demo_02A_1.jpg,A,2,1,clear,1,clear"]
    rows.append("demo_01B_1.jpg,B,1,1,precipitate,13,precipitate")
    (plate / "truth.csv").write_text("\n".join(["file,row,column,drop,outcome,score_number,group", *rows, ""]))
    monkeypatch.setattr(demo, "plate_folder", lambda: plate)
    words = ["run", "--serve", "no", "--home", str(tmp_path / "home")]
    assert main(words) == 0
    first = capsys.readouterr()
    assert "scored 3 wells in" in first.out
    assert "3 of 3 wells have a score" in first.out
    assert all(f"{bar:7}: 100%" in first.err for bar in ("import", "pack", "score", "set"))
    assert main(words) == 0
    second = capsys.readouterr()
    assert "nothing was scored twice" in second.out
    assert first.out.partition("demo plate:")[2] == second.out.partition("demo plate:")[2]
    assert scores_per_image(tmp_path / "home") == [1, 1, 1]
    moved = plate.rename(tmp_path / "moved")
    monkeypatch.setattr(demo, "plate_folder", lambda: moved)
    assert main(words) == 0
    third = capsys.readouterr()
    assert second.out.partition("demo plate:")[2] == third.out.partition("demo plate:")[2]
    assert "3 images are known from another folder" in third.out
    assert third.out.count(f"{moved}/demo_") == 1


class Watch:
    """`crystal-search watch` as a process."""

    def __init__(self, robot: Path, home: Path, *options: str) -> None:
        self.home = home
        words = ["watch", str(robot), "--home", str(home), *options]
        self.process = subprocess.Popen([sys.executable, "-m", "crystal_search.main", *words], cwd=ROOT)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def viewer(self) -> psutil.Process | None:
        for child in self.children():
            with suppress(psutil.NoSuchProcess):  # so psutil calls zombies, too
                if "view" in child.cmdline():
                    return child
        return None

    def wait_for(self, images: int, patience_s: float = PATIENCE_S) -> None:
        """Wait until so many images have a score."""
        began = time.monotonic()
        while not self.home.exists() or sum(scores_per_image(self.home)) < images:
            assert time.monotonic() - began < patience_s
            assert self.process.poll() is None
            time.sleep(0.1)

    def end(self, number: int) -> int:
        """Send a signal, and check that nothing lives on."""
        children = self.children()
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        assert not psutil.wait_procs(children, timeout=PATIENCE_S)[1]
        return code


@pytest.mark.slow
def test_watch_scores_what_comes_and_ends_in_order(tmp_path: Path) -> None:
    robot = robot_folder(tmp_path, 1)
    watch = Watch(robot, tmp_path / "home", "--no-view")
    watch.wait_for(1)
    robot_folder(tmp_path, 1, start=1)
    watch.wait_for(2)
    assert watch.end(signal.SIGTERM) == 0
    assert scores_per_image(tmp_path / "home") == [1, 1]


@pytest.mark.slow
def test_watch_goes_on_after_every_kill(tmp_path: Path) -> None:
    moments = random.Random(85)
    robot = robot_folder(tmp_path, 4)
    for kill in range(5):
        watch = Watch(robot, tmp_path / "home", "--port", "0")
        time.sleep(moments.uniform(0.5, 4))
        robot_folder(tmp_path, 1, start=4 + kill)
        assert watch.end(signal.SIGKILL) == -signal.SIGKILL
    watch = Watch(robot, tmp_path / "home", "--port", "0")
    watch.wait_for(9)
    first = watch.viewer()
    assert first
    first.kill()
    deadline = time.monotonic() + PATIENCE_S
    while watch.viewer() in (None, first):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    watch.end(signal.SIGINT)
    assert scores_per_image(tmp_path / "home") == [1] * 9
