"""Importing a robot's folder: what comes in, what is left out, and that numbers given once stay."""

import argparse
import os
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crystal_search.errors import UserError
from crystal_search.files import unwaiting
from crystal_search.main import main
from crystal_search.naming import Naming
from crystal_search.server.imaging.stored_images import Added, NewImage
from crystal_search.server.importing import folder_walk, import_command, import_images
from crystal_search.server.importing.import_command import naming_of, summary
from crystal_search.server.importing.import_images import ImportReport, Remembered, import_folder
from crystal_search.server.importing.inspections import name_order
from crystal_search.wells import PLATE_FORMATS
from tests.memory_imaging import MemoryImaging
from tests.short_of_patience import ShortOfPatience

ANY = Naming(convention="any", plate="P1")


@pytest.fixture
def imaging() -> MemoryImaging:
    return MemoryImaging()


def made(folder: Path, *names: str, content: bytes = b"image") -> list[str]:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return [str(folder / name) for name in names]


def session(day: str, *wells: str, plate: str = "90j8") -> list[str]:
    return [f"{plate}_{day}_RI1000-0081-2drop/{plate}_{well}.jpg" for well in wells]


def inspections(imaging: MemoryImaging, plate: str = "90j8") -> dict[str, int]:
    """Return the inspection of each folder's images."""
    return {Path(image.path).parent.name.split("_")[1]: image.key.inspection for image in imaging.plate_images(plate)}


def wells(imaging: MemoryImaging) -> dict[str, str]:
    return {Path(image.path).name: image.key.well for image in imaging.plate_images("P1")}


def test_a_folder_comes_in_once(tmp_path: Path, imaging: MemoryImaging) -> None:
    paths = made(tmp_path, *session("2026-01-31", "01A_1", "01A_2", "12H_1"))
    first = {("90j8", 1, "visible"): 3}
    assert import_folder(tmp_path, imaging) == ImportReport(convention="xchem", added=3, known=0, sessions=first)
    assert import_folder(tmp_path, imaging) == ImportReport(convention="xchem", added=0, known=3)
    images = imaging.plate_images("90j8")
    assert sorted(image.path for image in images) == sorted(paths)
    assert [(image.key.well, image.key.drop) for image in images] == [("A01", 1), ("A01", 2), ("H12", 1)]
    assert {(str(image.imaged_at), image.day_only) for image in images} == {("2026-01-31 00:00:00+00:00", True)}


def test_paths_are_absolute_however_the_folder_is_named(
    tmp_path: Path, imaging: MemoryImaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, *session("2026-01-31", "01A_1"))
    monkeypatch.chdir(tmp_path)
    assert import_folder(Path("."), imaging).added == 1
    assert import_folder(Path("..") / tmp_path.name, imaging).known == 1
    assert import_folder(tmp_path / session("2026-01-31", "01A_1")[0].split("/", maxsplit=1)[0], imaging).known == 1


def test_what_is_no_image_yet_is_left_out(tmp_path: Path, imaging: MemoryImaging) -> None:
    good = session("2026-01-31", "01A_1")[0]
    made(
        tmp_path,
        good,
        good + ".part",
        good + ".tmp",
        good.replace("90j8_01", ".90j8_02"),
        ".hidden/" + good,
        "notes.txt",
    )
    made(tmp_path, *session("2026-01-31", "02A_1"), content=b"")
    (tmp_path / "linked").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "nothing")
    (tmp_path / "folder.jpg").mkdir()
    assert import_folder(tmp_path, imaging) == ImportReport(
        convention="xchem", added=1, known=0, waiting=1, sessions={("90j8", 1, "visible"): 1}
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> "Clock":
    clock = Clock()
    for module in (import_images, folder_walk):
        monkeypatch.setattr(module, "time", clock)
    return clock


class Clock:
    """A clock that goes on when it is told to, or when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.meanwhile: Callable[[], object] = lambda: None  #: what happens while somebody sleeps

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile()


def test_a_pipe_that_a_file_turned_into_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    assert folder_walk.look_at(str(tmp_path / "a.jpg")) is None


@pytest.mark.parametrize("written", [0, 4_000_000_000], ids=["its clock is late", "its clock is early"])
def test_files_that_still_change_wait(tmp_path: Path, imaging: MemoryImaging, clock: Clock, written: int) -> None:
    """Whatever the file server's clock says: only what two looks find counts."""
    memory = Remembered()
    (path,) = made(tmp_path, *session("2026-01-31", "01A_1"))

    def look(after: float) -> tuple[int, int]:
        clock.now += after
        report = import_folder(tmp_path, imaging, settled_seconds=1.5, remembered=memory)
        return report.added, report.waiting

    os.utime(path, (written, written))
    assert look(0) == (0, 1)
    Path(path).write_bytes(b"image, longer")
    os.utime(path, (written, written))
    assert look(2) == (0, 1)
    os.utime(path, (written + 1, written + 1))
    assert look(2) == (0, 1)
    assert look(1) == (0, 1)
    assert look(0.5) == (1, 0)
    assert not memory.looks


def test_a_look_that_takes_long_is_not_two_looks(
    tmp_path: Path, imaging: MemoryImaging, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share that takes 0.1 s a file: at the end of a look the first is 2 s old, and still seen only once."""
    made(tmp_path, *session("2026-01-31", *(f"{column:02d}A_{drop}" for column in range(1, 11) for drop in (1, 2))))
    memory, real = Remembered(), folder_walk.look_at

    def slow(path: str) -> folder_walk.Look | str | None:
        clock.now += 0.1
        return real(path)

    monkeypatch.setattr(folder_walk, "look_at", slow)
    reports = [import_folder(tmp_path, imaging, settled_seconds=1.5, remembered=memory) for _ in range(2)]
    assert [(each.added, each.waiting) for each in reports] == [(0, 20), (20, 0)]


def test_a_share_that_hangs_is_named_and_the_others_are_imported(
    tmp_path: Path, imaging: MemoryImaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / "here", *session("2026-01-31", "01A_1"))
    away = tmp_path / "away"
    away.mkdir()
    end, real = threading.Event(), folder_walk._listed

    def listed(folder: str) -> list[os.DirEntry[str]]:
        if folder == str(away):
            end.wait()
        return real(folder)

    monkeypatch.setattr(folder_walk, "_listed", listed)
    try:
        report = import_folder(tmp_path, imaging, remembered=Remembered(files=ShortOfPatience(str(away))))
    finally:
        end.set()
    assert report.added == 1
    assert report.unmatched == (f"{away}: {away} has not answered for 0.05 s",)


def test_the_command_leaves_half_a_file_alone(tmp_path: Path, clock: Clock) -> None:
    """As cron runs it: nothing is remembered between two commands, so each looks twice."""
    _, growing = made(tmp_path / "robot", *session("2026-01-31", "01A_1", "01A_2"))
    clock.meanwhile = lambda: Path(growing).write_bytes(b"image, whole")
    imaging = MemoryImaging()
    report = import_images.import_settled(tmp_path / "robot", imaging)
    assert (report.added, report.known, report.waiting) == (1, 0, 1)
    clock.meanwhile = lambda: None
    report = import_images.import_settled(tmp_path / "robot", imaging)
    assert (report.added, report.known, report.waiting) == (1, 1, 0)
    before = clock.now
    import_images.import_settled(tmp_path / "robot", imaging)
    assert clock.now == before


def test_what_does_not_match_is_listed_with_its_reason(tmp_path: Path, imaging: MemoryImaging) -> None:
    _, odd, other = made(tmp_path, *session("2026-01-31", "01A_1"), "odd.jpg", "P_2026-01-31_x/Q_01A_1.jpg")
    report = import_folder(tmp_path, imaging)
    assert report.added == 1
    assert sorted(report.unmatched) == [
        f"{other}: the folder is of plate P, the file of plate Q",
        f"{odd}: not like PLATE_01A_1.jpg",
    ]


def test_names_of_no_convention_are_all_listed(tmp_path: Path, imaging: MemoryImaging) -> None:
    made(tmp_path, "a.jpg", "b.png")
    report = import_folder(tmp_path, imaging)
    assert (report.convention, report.added, len(report.unmatched)) == ("", 0, 2)
    assert "follows none of rigaku, formulatrix, rm-export, xchem, hwi, plate-well, well" in report.unmatched[0]
    assert "try --names pattern, or --plate BARCODE" in summary(report)


def test_two_files_of_one_drop_are_a_conflict(tmp_path: Path, imaging: MemoryImaging) -> None:
    name = session("2026-01-31", "01A_1")[0]
    first, second = made(tmp_path, f"a/{name}", f"b/{name}")
    report = import_folder(tmp_path, imaging)
    assert report.added == 1
    assert report.conflicts == (
        f"{second} would be plate 90j8 well A01 drop 1 inspection 1 visible, which is {first} already",
    )
    again = import_folder(tmp_path, imaging)
    assert (again.added, again.known, again.conflicts) == (0, 1, report.conflicts)


def test_sessions_are_numbered_by_date_and_keep_their_numbers(tmp_path: Path, imaging: MemoryImaging) -> None:
    made(tmp_path, *session("2026-02-10", "01A_1"), *session("2026-02-01", "01A_1"))
    import_folder(tmp_path, imaging)
    assert inspections(imaging) == {"2026-02-01": 1, "2026-02-10": 2}
    made(tmp_path, *session("2026-02-05", "01A_1"), *session("2026-02-10", "01B_1"), *session("2026-03-01", "01A_1"))
    import_folder(tmp_path, imaging)
    assert inspections(imaging) == {"2026-02-01": 1, "2026-02-10": 2, "2026-02-05": 3, "2026-03-01": 4}


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=st.permutations(range(1, 8)), parts=st.integers(1, 7))
def test_no_number_ever_changes(tmp_path_factory: pytest.TempPathFactory, days: list[int], parts: int) -> None:
    folder, imaging = tmp_path_factory.mktemp("share"), MemoryImaging()
    before: dict[str, int] = {}
    for part in range(parts):
        for day in days[part::parts]:
            made(folder, *session(f"2026-02-{day:02}", "01A_1", "01A_2"))
        import_folder(folder, imaging)
        after = inspections(imaging)
        assert after.items() >= before.items()
        assert sorted(after.values()) == list(range(1, len(after) + 1))
        new = sorted(after.keys() - before.keys())
        assert [after[day] for day in new] == sorted(after[day] for day in new)
        before = after


def test_batches_of_formulatrix_are_numbered_within_a_plate(tmp_path: Path, imaging: MemoryImaging) -> None:
    path = "WellImages/{mod}/plateID_{plate}/batchID_{batch}/wellNum_{well}/profileID_1/d2_r17_{kind}.jpg"
    for plate, batch, well in ((1007, 99, 1), (1007, 100, 25), (2007, 100, 384), (1007, 1000, 1)):
        fields = {"mod": plate % 1000, "plate": plate, "batch": batch, "well": well}
        made(tmp_path, path.format(kind="ef", **fields), path.format(kind="2", **fields))
    report = import_folder(tmp_path, imaging, Naming(plate_format=384))
    assert (report.convention, report.added, len(report.unmatched)) == ("formulatrix", 4, 4)
    assert [(image.key.inspection, image.key.well, image.key.drop) for image in imaging.plate_images("1007")] == [
        (1, "A01", 2),
        (2, "B01", 2),
        (3, "A01", 2),
    ]
    assert [(image.key.inspection, image.key.well) for image in imaging.plate_images("2007")] == [(1, "P24")]


def test_with_a_barcode_every_file_is_the_next_well(tmp_path: Path, imaging: MemoryImaging) -> None:
    made(tmp_path, *(f"shot{number}.jpg" for number in range(1, 14)))
    assert import_folder(tmp_path, imaging, Naming(plate="P1")).convention == "any"
    assert wells(imaging) == {f"shot{number}.jpg": f"A{number:02}" for number in range(1, 13)} | {"shot13.jpg": "B01"}
    made(tmp_path, "a.jpg", "c.jpg")
    assert import_folder(tmp_path, imaging, ANY).added == 2
    assert wells(imaging) == wells(imaging) | {"shot1.jpg": "A01", "a.jpg": "B02", "c.jpg": "B03"}


def test_a_plate_that_is_full_takes_no_more(tmp_path: Path, imaging: MemoryImaging) -> None:
    made(tmp_path, *(f"{number:03}.jpg" for number in range(50)))
    small = Naming(convention="any", plate="P1", plate_format=48)
    report = import_folder(tmp_path, imaging, small)
    assert report.added == 48
    assert [line.split(": ")[1] for line in report.unmatched] == [
        "the 48 wells of plate P1 are full; see --plate-format"
    ] * 2
    assert len(import_folder(tmp_path, imaging, small).unmatched) == 2


def test_another_plate_format_is_refused(tmp_path: Path, imaging: MemoryImaging) -> None:
    made(tmp_path, *(f"{number:03}.jpg" for number in range(24)))
    import_folder(tmp_path, imaging, Naming(convention="any", plate="P1", plate_format=384))
    made(tmp_path, "new.jpg")
    with pytest.raises(UserError, match="has well A13, a plate of 96 has not; give the --plate-format"):
        import_folder(tmp_path, imaging, ANY)


def test_a_barcode_never_overrules_robot_names_in_silence(tmp_path: Path, imaging: MemoryImaging) -> None:
    made(tmp_path, *session("2026-01-31", "01A_1"), "b.jpg")
    with pytest.raises(UserError, match=r"follow the convention xchem.*--names any"):
        import_folder(tmp_path, imaging, Naming(plate="P1"))
    assert import_folder(tmp_path, imaging, ANY).added == 2


def test_what_is_remembered_spares_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imaging, memory = MemoryImaging(), Remembered()
    name = session("2026-01-31", "01A_1")[0]
    made(tmp_path, f"a/{name}", f"b/{name}", "odd.jpg")
    first = import_folder(tmp_path, imaging, remembered=memory)
    monkeypatch.setattr(imaging, "known_paths", None)
    monkeypatch.setattr(imaging, "add_images", None)
    second = import_folder(tmp_path, imaging, remembered=memory)
    assert len(first.conflicts) == len(first.unmatched) == 1
    assert second == replace(first, added=0, known=1, sessions={})
    monkeypatch.undo()
    made(tmp_path, *session("2026-01-31", "01A_2"))
    third = import_folder(tmp_path, imaging, remembered=memory)
    assert (third.added, third.known, third.convention) == (1, 1, "xchem")


def test_the_convention_that_was_found_stays(tmp_path: Path, imaging: MemoryImaging) -> None:
    memory = Remembered()
    made(tmp_path, *session("2026-01-31", "01A_1"))
    import_folder(tmp_path, imaging, remembered=memory)
    made(tmp_path, *(f"a_b_c_d_e_f_g_0000P1_003_121121_0{number}_01_01_x.jpg" for number in range(1, 9)))
    report = import_folder(tmp_path, imaging, remembered=memory)
    assert (report.convention, len(report.unmatched)) == ("xchem", 8)


def test_an_empty_folder_and_a_missing_one(tmp_path: Path, imaging: MemoryImaging) -> None:
    assert import_folder(tmp_path, imaging) == ImportReport(convention="", added=0, known=0)
    with pytest.raises(UserError, match="there is no folder"):
        import_folder(tmp_path / "missing", imaging)
    with pytest.raises(UserError, match="there is no folder"):
        import_folder(Path(made(tmp_path, "file.jpg")[0]), imaging)


def test_a_folder_that_cannot_be_read_is_listed(
    tmp_path: Path, imaging: MemoryImaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, *session("2026-01-31", "01A_1"), "secret/x.jpg", "gone/x.jpg")
    scandir = os.scandir

    def guarded(path: str) -> object:
        if path.endswith("secret"):
            raise PermissionError(13, "Permission denied")
        if path.endswith("gone"):
            raise FileNotFoundError(2, "No such file or directory")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    report = import_folder(tmp_path, imaging)
    assert (report.added, report.unmatched) == (1, (f"{tmp_path}/secret: cannot be read: Permission denied",))


def test_a_file_that_cannot_be_read_is_named_and_comes_in_when_it_can(
    tmp_path: Path, imaging: MemoryImaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    (_, closed), memory = made(tmp_path, *session("2026-01-31", "01A_1", "01B_1")), Remembered()
    real = unwaiting

    def guarded(path: str, flags: int) -> int:
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return real(path, flags)

    with monkeypatch.context() as patch:
        patch.setattr(folder_walk, "unwaiting", guarded)
        report = import_folder(tmp_path, imaging, remembered=memory)
    assert (report.added, report.waiting) == (1, 0)
    assert report.unmatched == (f"{closed}: cannot be read: Permission denied",)
    report = import_folder(tmp_path, imaging, remembered=memory)
    assert (report.added, report.unmatched) == (1, ())


def test_names_in_another_encoding_are_listed(tmp_path: Path, imaging: MemoryImaging) -> None:
    path = os.fsencode(tmp_path) + b"/gr\xf6n.jpg"
    with open(path, "wb") as file:
        file.write(b"image")
    report = import_folder(tmp_path, imaging, ANY)
    assert report.added == 0
    assert summary(report).endswith("gr\\udcf6n.jpg: the name is not UTF-8; rename it")


def test_the_installation_inside_the_folder_is_left_out(tmp_path: Path, imaging: MemoryImaging) -> None:
    made(tmp_path, "a.jpg", "crystal-search-data/archive/unit/overlays/0000.jpg")
    report = import_folder(tmp_path, imaging, ANY, leave_out=[tmp_path / "crystal-search-data"])
    assert report.added == 1


def test_large_imports_keep_plates_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imaging = MemoryImaging()
    sizes: list[int] = []
    monkeypatch.setattr(import_images, "IMAGES_AT_ONCE", 3)
    add = imaging.add_images

    def counted(images: list[NewImage], *, import_id: int) -> Added:
        sizes.append(len(images))
        return add(images, import_id=import_id)

    monkeypatch.setattr(imaging, "add_images", counted)
    for plate in ("P1", "P2", "P3", "P4"):
        made(tmp_path, *session("2026-01-31", "01A_1", "01B_1", plate=plate))
    assert import_folder(tmp_path, imaging).added == 8
    assert sizes == [4, 4]


def test_names_are_ordered_as_people_do() -> None:
    names = ["p1/2.jpg", "p1/10.jpg", "p2/1.jpg", "p10/1.jpg", "p10/01a.jpg", "q.jpg", "٣.jpg"]
    shuffled = random.Random(1).sample(names, len(names))
    assert sorted(shuffled, key=name_order) == names


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    import_command.add_arguments(parser)
    return parser.parse_args(["folder", *words])


def test_options_say_how_names_are_read() -> None:
    assert naming_of(parsed()) == Naming()
    assert naming_of(parsed("--plate", "P1", "--plate-format", "48")) == Naming(plate="P1", plate_format=48)
    pattern = r"(?P<plate>\w+)/(?P<row>[A-H])(?P<column>\d+)\.jpg"
    assert naming_of(parsed("--pattern", pattern)) == Naming(convention="pattern", pattern=pattern)
    assert set(PLATE_FORMATS) == {48, 96, 384, 1536}


@pytest.fixture
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the command wait less between its two looks at a file."""
    monkeypatch.setattr("crystal_search.server.importing.import_images.SETTLED_S", 0.05)


@pytest.mark.usefixtures("in_a_hurry")
def test_the_command_tells_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(tmp_path, *session("2026-01-31", "01A_1"), *(f"odd{number:02}.jpg" for number in range(25)))
    words = ["import", str(tmp_path), "--home", str(tmp_path / "home")]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert out.startswith("1 image added, 0 known before (names: xchem).\n25 files left out:\n")
    assert out.endswith("odd19.jpg: not like PLATE_01A_1.jpg\n  and 5 more; --verbose lists all\n")
    assert main([*words, "--verbose"]) == 0
    assert capsys.readouterr().out.count("\n") == 27
    assert main(["import", str(tmp_path / "missing"), "--home", str(tmp_path / "home")]) == 2
    assert not (tmp_path / "missing").exists()


@pytest.mark.usefixtures("in_a_hurry")
def test_names_that_look_like_wells_are_told_of_when_every_file_is_the_next_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "plate"
    folder.mkdir()
    (folder / "demo_01B_1.jpg").write_bytes(b"any bytes")
    words = ["import", str(folder), "--plate", "P1", "--names", "any", "--home", str(tmp_path / "home")]
    assert main(words) == 0
    assert "demo_01B_1.jpg looks as if its name told the well" in capsys.readouterr().out
    (folder / "demo_01B_1.jpg").rename(folder / "night 3.jpg")
    assert main(words) == 0
    assert "looks as if" not in capsys.readouterr().out
