"""The real-time service's loop, with an engine that does what the test says."""

import errno
import logging
import os
import signal
import socket
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from crystal_search.errors import DatabaseError, EngineError, UserError
from crystal_search.naming import Naming
from crystal_search.server.folders import unit_files
from crystal_search.server.importing.import_images import ImportReport
from crystal_search.server.installation import Installation
from crystal_search.server.interrupts import terminated_as_interrupt
from crystal_search.server.services import cycle as cycling
from crystal_search.server.services import watch as watching
from crystal_search.server.services.create_work import create_work
from crystal_search.server.services.cycle import cycle
from crystal_search.server.services.watch import Backlog, Complaints, Inbox, kept_viewer, watch
from tests.service_site import (
    PATIENCE_S,
    PICTURE,
    RECIPE,
    auto_scores,
    engine_of,
    return_results,
    site_at,
    with_settings,
)
from tests.viewer_site import auto_score


@dataclass
class ObedientEngine:
    """Raises what it was told to, then ends the loop as Ctrl-C does."""

    troubles: list[BaseException] = field(default_factory=list)
    submitted: list[Path] = field(default_factory=list)

    def submit(self, units: Iterable[Path]) -> None:
        self.submitted = list(units)

    def step(self) -> None:
        raise self.troubles.pop(0) if self.troubles else KeyboardInterrupt

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "REST_S", 0.01)
    monkeypatch.setattr(watching, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(watching, "recipe_of", lambda _: RECIPE)


def nothing_new() -> ImportReport:
    return ImportReport(convention="", added=0, known=0)


def test_troubles_are_said_once_and_do_not_end_the_service(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    site = site_at(tmp_path, images=2)
    engine = ObedientEngine([EngineError("no client can work") for _ in range(6)])
    looks = iter([UserError("the folder is away"), OSError("disk")])

    def look() -> ImportReport:
        raise next(looks, KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt):
        watch(site, engine, look, {})
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert told == ["import: the folder is away", "score: no client can work", "import: disk"]
    assert len(unit_files(site.home.queue)) == 2


def test_what_came_back_before_the_engine_broke_gets_into_the_ledger(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=2)
    create_work(site, RECIPE)
    return_results(site)
    with pytest.raises(EngineError, match="no client can work"):
        cycle(site, RECIPE, ObedientEngine([EngineError("no client can work")]))
    assert [len(found) for found in auto_scores(site).values()] == [1, 1]


def test_what_came_back_goes_on_though_nothing_more_can_be_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = site_at(tmp_path, images=2)
    create_work(site, RECIPE)
    return_results(site)

    def full(*_: object, **__: object) -> object:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cycling, "create_work", full)
    with pytest.raises(OSError, match="No space left"):
        cycle(site, RECIPE, ObedientEngine())
    assert [len(found) for found in auto_scores(site).values()] == [1, 1]
    assert not unit_files(site.home.queue)


def test_a_fault_of_ours_is_said_with_its_place_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = site_at(tmp_path, images=2)
    engine = ObedientEngine([ZeroDivisionError("in a step") for _ in range(3)])
    looks = iter([KeyError("in a look"), KeyError("in a look")])

    def look() -> ImportReport:
        raise next(looks, KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt):
        watch(site, engine, look, {})
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert [text.partition(":")[0] for text in told] == ["import", "score"]
    assert all("Traceback" in text and "test_watch.py" in text for text in told)


def test_fresh_images_come_first_and_the_queue_stays_short(tmp_path: Path) -> None:
    site = with_settings(site_at(tmp_path, images=40), images_per_unit=2)
    engine = ObedientEngine()
    with pytest.raises(KeyboardInterrupt):
        watch(site, engine, nothing_new, {})
    assert len(engine.submitted) == 6
    assert engine.submitted == unit_files(site.home.queue)[::-1]


def test_a_database_or_share_that_is_away_at_the_start_does_not_end_the_service(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for trouble in (DatabaseError("the database restarts"), OSError("stale file handle")):

        class Away(Inbox):
            def begin(self, trouble: Exception = trouble) -> None:
                raise trouble

        watching._begun(Away(site_at(tmp_path), tmp_path, Naming()))
    told = [record.getMessage() for record in caplog.records]
    assert told == ["import: the database restarts", "import: stale file handle"]


def test_how_much_is_done_and_when_the_rest_will_be_is_told() -> None:
    now = [1_000_000.0]
    backlog = Backlog(lambda: now[0])
    now[0] += 1_000
    backlog.begins()
    now[0] += 60
    backlog.begins()
    ends_at = time.strftime("%H:%M", time.localtime(now[0] + 30 * 6))
    assert backlog.said(10, 30) == f"scored 10 of 40, done about {ends_at}"
    now[0] += 60
    assert backlog.said(30, 0) == "scored 40 of 40"
    assert backlog.said(1, 0) == "scored 1 of 1"


def test_what_is_no_work_unit_is_named_once_and_makes_no_haste(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = site_at(tmp_path)
    (site.home.returned / "Thumbs.db").touch()
    (site.home.queue / "lost+found").mkdir()
    (site.home.queue / "copy of a.zip").touch()
    passes = [0]

    def look() -> ImportReport:
        passes[0] += 1
        if passes[0] == 4:
            raise KeyboardInterrupt
        return nothing_new()

    began = time.monotonic()
    with engine_of(site) as engine, pytest.raises(KeyboardInterrupt):
        watch(site, engine, look, {})
    assert time.monotonic() - began >= 3 * watching.LOOK_EVERY_S
    told = [record.getMessage() for record in caplog.records if "is no work unit" in record.getMessage()]
    assert sorted(each.partition(": ")[2].partition(" is no")[0] for each in told) == sorted(
        str(path) for path in (site.home.returned / "Thumbs.db", *site.home.queue.iterdir())
    )


def test_images_that_come_are_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SETTLED_S", 0.0)
    site = site_at(tmp_path)
    robot = tmp_path / "robot" / "90j8_2018-04-11_x"
    robot.mkdir(parents=True)
    inbox = Inbox(site, tmp_path / "robot", Naming())
    deadline = time.monotonic() + PATIENCE_S

    def look() -> ImportReport:
        scores = auto_scores(site)
        if (len(scores) == 2 and all(scores.values())) or time.monotonic() > deadline:
            raise KeyboardInterrupt
        (robot / f"90j8_{len(scores) % 2 + 1:02d}A_1.jpg").write_bytes(PICTURE)
        return inbox.look()

    with engine_of(site) as engine, pytest.raises(KeyboardInterrupt):
        watch(site, engine, look, {})
    assert [len(found) for found in auto_scores(site).values()] == [1, 1]


def test_images_that_were_scored_by_the_same_models_before_others_are_not_told_to_wait(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = site_at(tmp_path, images=2)
    former = auto_score(1, "clear")
    between = replace(former, work_unit="between", recipe=replace(RECIPE, threshold=0.5))
    site.imaging.add_auto_scores([replace(former, recipe=RECIPE), between])
    assert site.imaging.count_to_score(RECIPE) == 2
    deadline = time.monotonic() + PATIENCE_S

    def look() -> ImportReport:
        if auto_scores(site).get(2) or time.monotonic() > deadline:
            raise KeyboardInterrupt
        return nothing_new()

    with engine_of(site) as engine, pytest.raises(KeyboardInterrupt):
        watch(site, engine, look, {})
    assert capsys.readouterr().out.endswith(" scored 1 of 1\n")
    assert [len(found) for found in auto_scores(site).values()] == [2, 1]


def test_what_lies_there_already_is_imported_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SETTLED_S", 0.05)
    site = site_at(tmp_path)
    robot = tmp_path / "robot" / "90j8_2018-04-11_x"
    robot.mkdir(parents=True)
    (robot / "90j8_01A_1.jpg").write_bytes(PICTURE)
    Inbox(site, tmp_path / "robot", Naming()).begin()
    assert [plate.images for plate in site.imaging.plates()] == [1]


def test_files_that_are_left_out_are_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    inbox = Inbox(site_at(tmp_path), tmp_path / "robot", Naming(convention="xchem"))
    (tmp_path / "robot").mkdir()
    (tmp_path / "robot" / "hello.jpg").write_bytes(PICTURE)
    (tmp_path / "robot" / "other.jpg").write_bytes(PICTURE)
    inbox.look()
    inbox.look()
    (tmp_path / "robot" / "third.jpg").write_bytes(PICTURE)
    inbox.look()
    robot = tmp_path / "robot"
    assert [record.getMessage() for record in caplog.records] == [
        f"left out: 2\n  {robot}/hello.jpg: not like PLATE_01A_1.jpg\n  {robot}/other.jpg: not like PLATE_01A_1.jpg",
        f"left out: 1\n  {robot}/third.jpg: not like PLATE_01A_1.jpg",
    ]


def test_what_comes_in_is_said_as_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(watching, "SETTLED_S", 0.0)
    inbox = Inbox(site_at(tmp_path), tmp_path / "robot", Naming())

    def taken(day: str, *wells: str) -> list[str]:
        folder = tmp_path / "robot" / f"90j8_{day}_x"
        folder.mkdir(parents=True, exist_ok=True)
        for well in wells:
            (folder / f"90j8_{well}_1.jpg").write_bytes(PICTURE)
        inbox.look()
        return [line.partition(" ")[2] for line in capsys.readouterr().out.splitlines()]

    assert taken("2018-04-11", "01A", "02A", "03A") == ["plate 90j8, inspection 1: 3 of 3 images"]
    assert taken("2018-04-12", "01A") == ["plate 90j8, inspection 2: 1 of 3 images"]
    assert taken("2018-04-12", "02A") == ["plate 90j8, inspection 2: 2 of 3 images"]
    assert taken("2018-04-12") == []


def test_a_plate_that_counts_wells_waits_until_its_highest_one_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watching, "SETTLED_S", 0.0)
    monkeypatch.setattr(watching, "QUIET_S", 0.5)
    site = site_at(tmp_path)
    inbox = Inbox(site, tmp_path / "robot", Naming(plate_formats=(("7", 1536),)))

    def look(plate: int, *wells: int) -> list[str]:
        for well in wells:
            folder = tmp_path / "robot" / f"plateID_{plate}/batchID_2/wellNum_{well}/profileID_1"
            folder.mkdir(parents=True)
            (folder / "d1_r1_ef.jpg").write_bytes(PICTURE)
        inbox.look()
        return [image.key.well for image in site.imaging.plate_images(str(plate))]

    assert look(7, 60) == ["B12"]
    assert look(1123, 1, 60) == []
    assert "plate 1123: waits until no higher well came for 0.00833333 minutes" in caplog.records[-1].getMessage()
    assert look(1123, 97) == []
    time.sleep(0.6)
    assert look(1123) == ["A01", "C12", "E01"]


def test_a_complaint_that_comes_back_is_said_again(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints()
    for trouble in ("a", "a", "", "a"):
        complaints.about("x", trouble)
    assert [record.getMessage() for record in caplog.records] == ["x: a", "x: a"]


def starts_of_viewer(site: Installation, port: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how often a viewer that cannot listen is started."""
    monkeypatch.setattr(watching, "VIEWER_REST_S", 0.0)
    viewer, starts = kept_viewer(site, port), set()
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        viewer.look_after()
        starts.add(viewer._process.pid if viewer._process else 0)
        if viewer._process and viewer._process.poll() is not None:
            viewer.look_after()
            starts.add(viewer._process.pid)
            break
        time.sleep(0.05)
    viewer.close()
    return len(starts)


def test_a_viewer_whose_port_is_taken_is_not_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert starts_of_viewer(site_at(tmp_path), taken.getsockname()[1], monkeypatch) == 1


class IdleEngine(ObedientEngine):
    """Has nothing to do, and gives up on a service that does not end."""

    def step(self) -> None:
        self.submitted.append(Path())
        if len(self.submitted) > 500:
            raise SystemExit("the service goes on")


def test_an_interrupt_that_was_lost_ends_the_service_all_the_same(tmp_path: Path) -> None:
    def look() -> ImportReport:
        with suppress(KeyboardInterrupt):  # as Python drops it in a destructor
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
        return nothing_new()

    with terminated_as_interrupt() as ending, pytest.raises(KeyboardInterrupt):
        watch(site_at(tmp_path), IdleEngine(), look, {}, check=ending.check)
