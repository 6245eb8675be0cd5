"""Where names of robots put images: plate formats, inspections, channels, days; and what is none of a robot's files."""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from crystal_search.errors import UserError
from crystal_search.main import main
from crystal_search.naming import Naming
from crystal_search.server.importing.import_command import naming_of
from crystal_search.server.importing.import_images import Remembered, import_folder
from tests.memory_imaging import MemoryImaging
from tests.unit.test_import_images import made, parsed

ROCKIMAGER = "WellImages/{mod}/plateID_{plate}/batchID_{batch}/wellNum_{well}/profileID_{profile}/d1_r42_ef.jpg"
TIMED = r"(?P<plate>[^_]+)_(?P<row>[A-H])(?P<column>\d\d)_(?P<date>\d{14})\.jpg"


@pytest.fixture
def imaging() -> MemoryImaging:
    return MemoryImaging()


def rockimager(*wells: int, plate: int = 1123, batch: int = 4711, profile: int = 1) -> list[str]:
    fields = {"mod": plate % 1000, "plate": plate, "batch": batch, "profile": profile}
    return [ROCKIMAGER.format(well=well, **fields) for well in wells]


def wells(imaging: MemoryImaging, plate: str = "1123") -> list[str]:
    return [image.key.well for image in imaging.plate_images(plate)]


def test_a_plate_of_384_wells_is_told_by_its_highest_well(tmp_path: Path, imaging: MemoryImaging) -> None:
    made(tmp_path, *rockimager(1, 13, 24, 25, 49, 96, 97, 384))
    made(tmp_path, *rockimager(9, 96, plate=5))
    assert import_folder(tmp_path, imaging).added == 10
    assert wells(imaging) == ["A01", "A13", "A24", "B01", "C01", "D24", "E01", "P24"]
    assert wells(imaging, "5") == ["A09", "H12"]


def test_a_plate_whose_format_may_be_several_is_refused_until_somebody_says(
    tmp_path: Path, imaging: MemoryImaging
) -> None:
    paths = made(tmp_path, *rockimager(1, 8, 9, 16, 48, plate=2048))
    report = import_folder(tmp_path, imaging)
    assert (report.added, sorted(report.unmatched)[0]) == (
        0,
        f"{paths[0]}: plate 2048 has wells up to 48, so it may be of 48, 96, 384, 1536 wells; "
        "say which with --plate-format 2048=WELLS, or --plate-format WELLS for all plates",
    )
    assert import_folder(tmp_path, imaging, Naming(plate_formats=(("2048", 48),))).added == 5
    assert wells(imaging, "2048") == ["A01", "A08", "B01", "B08", "F08"]
    made(tmp_path, *rockimager(2, 10, plate=2048))
    assert import_folder(tmp_path, imaging).added == 2
    assert wells(imaging, "2048") == ["A01", "A02", "A08", "B01", "B02", "B08", "F08"]


def test_a_format_that_known_images_contradict_is_refused(tmp_path: Path, imaging: MemoryImaging) -> None:
    made(tmp_path, *rockimager(13))
    import_folder(tmp_path, imaging, Naming(plate_format=96))
    made(tmp_path, *rockimager(97, 14))
    by_itself = import_folder(tmp_path, imaging)
    assert (by_itself.added, len(by_itself.unmatched)) == (1, 1)
    assert "plate 1123 has 96 wells, well 97 is none of them; if it has more, take it back" in by_itself.unmatched[0]
    told = import_folder(tmp_path, imaging, Naming(plate_format=384))
    assert "plate 1123 came in with another format than 384 wells; if it has more, take it" in told.unmatched[0]
    assert wells(imaging) == ["B01", "B02"]


def test_wells_beyond_the_format_that_was_said_are_refused(tmp_path: Path, imaging: MemoryImaging) -> None:
    made(tmp_path, *rockimager(1, 49))
    report = import_folder(tmp_path, imaging, Naming(plate_format=48))
    assert (report.added, len(report.unmatched)) == (1, 1)


def test_a_format_that_was_refused_is_found_when_a_higher_well_comes(tmp_path: Path, imaging: MemoryImaging) -> None:
    memory = Remembered()
    made(tmp_path, *rockimager(1, 13))
    assert import_folder(tmp_path, imaging, remembered=memory).added == 0
    made(tmp_path, *rockimager(96))
    assert import_folder(tmp_path, imaging, remembered=memory).added == 3
    assert wells(imaging) == ["A01", "B01", "H12"]


def test_profiles_nobody_knows_are_never_visible(tmp_path: Path, imaging: MemoryImaging) -> None:
    made(tmp_path, *rockimager(96), *rockimager(96, profile=2))
    report = import_folder(tmp_path, imaging)
    assert (report.added, len(report.unmatched), len(report.conflicts)) == (1, 1, 0)
    naming = naming_of(parsed("--channel", "2=UV"))
    assert naming.profiles == (("2", "uv"),)
    assert import_folder(tmp_path, imaging, naming).added == 1
    assert [image.key.channel for image in imaging.plate_images("1123")] == ["uv", "visible"]


def timed(*times: str, plate: str = "P1") -> list[str]:
    return [f"{plate}_A{number:02}_202601{time}.jpg" for number, time in enumerate(times, start=1)]


def inspections(imaging: MemoryImaging, plate: str = "P1") -> dict[str, int]:
    return {Path(image.path).name: image.key.inspection for image in imaging.plate_images(plate)}


def test_times_of_each_image_make_inspections_by_the_gaps_between_them(tmp_path: Path, imaging: MemoryImaging) -> None:
    naming = Naming(convention="pattern", pattern=TIMED)
    first = timed(*(f"011207{4 * number:02}" for number in range(12)))
    second = timed(f"011300{0:02}", "01130004")
    made(tmp_path, *first, *second)
    assert import_folder(tmp_path, imaging, naming).added == 14
    assert inspections(imaging) == dict.fromkeys(first, 1) | dict.fromkeys(second, 2)
    late = ["P1_B01_20260101120750.jpg", "P1_B01_20251231120000.jpg"]
    made(tmp_path, *late)
    import_folder(tmp_path, imaging, naming)
    assert inspections(imaging) == dict.fromkeys(first, 1) | dict.fromkeys(second, 2) | {late[0]: 1, late[1]: 3}


def test_images_that_come_one_by_one_are_of_one_inspection(tmp_path: Path, imaging: MemoryImaging) -> None:
    naming = Naming(convention="pattern", pattern=TIMED)
    for name in timed("01120000", "01122500", "01125000", "01131500"):
        made(tmp_path, name)
        import_folder(tmp_path, imaging, naming)
    assert set(inspections(imaging).values()) == {1}


def test_the_gap_between_inspections_can_be_said(tmp_path: Path, imaging: MemoryImaging) -> None:
    made(tmp_path, *timed("01120000", "01122000", "01124000"))
    naming = naming_of(parsed("--pattern", TIMED, "--gap-minutes", "15"))
    import_folder(tmp_path, imaging, naming)
    assert list(inspections(imaging).values()) == [1, 2, 3]


def hwi(time: str, kind: str, *wells: int) -> list[str]:
    return [f"X000015804{time}-{kind}/X000015804{well:04}{time}.jpg" for well in wells]


def test_uv_some_minutes_later_belongs_to_the_visible_images(tmp_path: Path, imaging: MemoryImaging) -> None:
    made(tmp_path, *hwi("202004011136", "jpg", 1, 2), *hwi("202004011214", "uvt", 1, 2))
    import_folder(tmp_path, imaging)
    made(tmp_path, *hwi("202004081136", "jpg", 1), *hwi("202004081201", "uvt", 1), *hwi("202004081201", "shg", 1))
    made(tmp_path, *hwi("202005011136", "uvt", 1))
    import_folder(tmp_path, imaging)
    found = {(image.key.inspection, image.key.channel) for image in imaging.plate_images("X000015804")}
    assert found == {(1, "visible"), (1, "uv"), (2, "visible"), (2, "uv"), (2, "shg"), (3, "uv")}


def test_a_session_in_another_channel_is_never_put_onto_one_that_is_there(
    tmp_path: Path, imaging: MemoryImaging
) -> None:
    made(tmp_path, *hwi("202004011136", "jpg", 1), *hwi("202004011150", "uvt", 1), *hwi("202004011210", "uvt", 1))
    assert import_folder(tmp_path, imaging).conflicts == ()
    found = [(image.key.inspection, image.key.channel) for image in imaging.plate_images("X000015804")]
    assert found == [(1, "uv"), (1, "visible"), (2, "uv")]


def test_drops_called_by_letters(tmp_path: Path, imaging: MemoryImaging) -> None:
    made(tmp_path, *(f"98ju/A01{letter}.jpg" for letter in "acd"), *(f"ab/A01{letter}.jpg" for letter in "ab"))
    pattern = r"(?P<plate>{})/(?P<row>[A-H])(?P<column>\d\d)(?P<drop>[a-d])\.jpg"
    import_folder(tmp_path, imaging, naming_of(parsed("--pattern", pattern.format("98ju"))))
    assert [image.key.drop for image in imaging.plate_images("98ju")] == [1, 2, 3]
    import_folder(tmp_path, imaging, naming_of(parsed("--pattern", pattern.format("ab"), "--drops", "ab")))
    assert [image.key.drop for image in imaging.plate_images("ab")] == [1, 2]


def test_days_stay_days_and_times_are_the_robots(tmp_path: Path, imaging: MemoryImaging) -> None:
    rigaku = "RMM3_01_222_ROBO_Test_1_Clon1_CI_0000CI022987_003_121121_01_02_03_HF_99_030_001_RDI.jpg"
    made(tmp_path, f"r/{rigaku}", *(f"hw/{name}" for name in hwi("202004011136", "jpg", 1)))
    for folder in ("r", "hw"):
        import_folder(tmp_path / folder, imaging, Naming(time_zone="America/New_York"))
    (day,), (time,) = imaging.plate_images("CI022987"), imaging.plate_images("X000015804")
    assert (day.imaged_at, day.day_only) == (datetime(2012, 11, 21, tzinfo=UTC), True)
    assert (time.imaged_at, time.day_only) == (datetime(2020, 4, 1, 15, 36, tzinfo=UTC), False)
    assert (day.key.row, day.key.column, day.key.drop, day.key.inspection) == (1, 0, 3, 3)


def test_an_export_of_rockmaker_has_its_times_in_a_report(tmp_path: Path, imaging: MemoryImaging) -> None:
    made(tmp_path, "03c3/Clear/03c3_A1_ImagerDefaults_1_12.jpg", "03c3/Crystal/03c3_B2_UVDefaults_6_12.jpg")
    made(tmp_path, "03c3/Crystal/03c3_B2_ImagerDefaults_6_9.jpg")
    (tmp_path / "03c3" / "report.csv").write_text(
        "01/20/26 10:00:00\n"
        '"C:\\out\\03c3\\Clear\\03c3_A1_ImagerDefaults_1_12.jpg","Clear",Drop,01/31/26 15:30:07\n'
        '"C:\\out\\03c3\\Crystal\\03C3_B2_UVDefaults_6_12.jpg","Crystal",Drop,02.13.26 15:31:00\n'
        '"C:\\out\\03c3\\Crystal\\03c3_B2_ImagerDefaults_6_9.jpg","Crystal",Drop,13/13/26 15:31:00\n'
    )
    report = import_folder(tmp_path, imaging, Naming(time_zone="UTC"))
    assert (report.convention, report.added) == ("rm-export", 3)
    found = [(each.key.inspection, each.key.well, each.key.channel) for each in imaging.plate_images("03c3")]
    assert found == [(1, "B02", "visible"), (2, "B02", "uv"), (2, "A01", "visible")]
    assert [image.imaged_at for image in imaging.plate_images("03c3")] == [
        None,
        datetime(2026, 2, 13, 15, 31, tzinfo=UTC),
        datetime(2026, 1, 31, 15, 30, 7, tzinfo=UTC),
    ]


def test_a_second_drop_in_an_export_of_rockmaker_is_named_with_what_to_do(
    tmp_path: Path, imaging: MemoryImaging
) -> None:
    made(tmp_path, "03c3/Clear/03c3_A1_ImagerDefaults_1_12.jpg", "03c3/Crystal/03c3_A1_ImagerDefaults_6_12.jpg")
    (conflict,) = import_folder(tmp_path, imaging).conflicts
    assert "Crystal/03c3_A1_ImagerDefaults_6_12.jpg would be plate 03c3 well A01 drop 1" in conflict
    assert "these names tell no drop: where wells have several, import RockImager's own folders" in conflict


def test_a_barcode_with_names_of_wells_uses_them(tmp_path: Path, imaging: MemoryImaging) -> None:
    _, copy, _ = made(tmp_path, "photos/A1.jpg", "photos/B10 copy.jpg", "photos/H12_UV.jpg")
    report = import_folder(tmp_path, imaging, Naming(plate="P1"))
    assert report.convention == "well"
    assert report.unmatched == (f"{copy}: 'copy' is neither a drop nor a channel",)
    assert [(image.key.well, image.key.channel) for image in imaging.plate_images("P1")] == [
        ("H12", "uv"),
        ("A01", "visible"),
    ]


@pytest.mark.parametrize("name", ["demo_03B_1.jpg", "well B7 late.jpg"])
def test_a_barcode_with_names_that_seem_to_tell_a_well_is_refused(
    tmp_path: Path, imaging: MemoryImaging, name: str
) -> None:
    made(tmp_path, name, "other.jpg")
    with pytest.raises(UserError, match=r"looks as if its name told the well; say how with --pattern, or say --names"):
        import_folder(tmp_path, imaging, Naming(plate="P1"))
    assert import_folder(tmp_path, imaging, Naming(plate="P1", convention="any")).added == 2


def test_folders_are_plates_of_files_that_are_wells(tmp_path: Path, imaging: MemoryImaging) -> None:
    made(tmp_path, "P1/2026-01-31/A1.jpg", "P1/2026-02-10/A1.jpg", "P2/A01.jpg")
    assert import_folder(tmp_path, imaging).convention == "well"
    assert [(image.key.inspection, image.imaged_at) for image in imaging.plate_images("P1")] == [
        (1, datetime(2026, 1, 31, tzinfo=UTC)),
        (2, datetime(2026, 2, 10, tzinfo=UTC)),
    ]
    assert wells(imaging, "P2") == ["A01"]


def test_housekeeping_of_file_servers_is_passed_over(tmp_path: Path, imaging: MemoryImaging) -> None:
    made(
        tmp_path,
        "P1/20260101/A01.jpg",
        "P1/20260101/@eaDir/A01.jpg/SYNOPHOTO_THUMB_XL.jpg",
        "P1/20260101/._A01.jpg",
        "#recycle/P1/20251224/A01.jpg",
        "$RECYCLE.BIN/S-1-5-21/$R1A2B3C.jpg",
        ".snapshot/hourly.0/P1/20260101/A02.jpg",
        "System Volume Information/P1/20260101/A03.jpg",
        "lost+found/P1/20260101/A04.jpg",
        "__MACOSX/P1/20260101/A05.jpg",
    )
    pattern = r"(?P<plate>[^/]+)/(?P<date>\d{8})/(?P<row>[A-H])(?P<column>\d\d)\.jpg"
    report = import_folder(tmp_path, imaging, Naming(convention="pattern", pattern=pattern))
    assert (report.added, report.unmatched) == (1, ())
    (image,) = imaging.plate_images("P1")
    assert (image.imaged_at, image.day_only) == (datetime.combine(date(2026, 1, 1), datetime.min.time(), UTC), True)


def test_more_can_be_passed_over(tmp_path: Path, imaging: MemoryImaging) -> None:
    made(tmp_path, "P1/A01.jpg", "P1/A02_thumb.jpg", "old/P1/A03.jpg", "P2/old/A04.jpg")
    naming = naming_of(parsed("--exclude", "*_thumb.jpg", "--exclude", "old/*"))
    report = import_folder(tmp_path, imaging, naming)
    assert (report.added, wells(imaging, "P1"), report.unmatched) == (2, ["A01"], ())


def test_links_that_lead_out_of_the_folder_are_not_followed(tmp_path: Path, imaging: MemoryImaging) -> None:
    (outside,) = made(tmp_path, "elsewhere/secret.jpg")
    (inside,) = made(tmp_path, "robot/P1/A01.jpg")
    (tmp_path / "robot" / "P1" / "A02.jpg").symlink_to(outside)
    (tmp_path / "robot" / "P1" / "A03.jpg").symlink_to(inside)
    (tmp_path / "robot" / "P1" / "A04.jpg").symlink_to("A04.jpg")
    (tmp_path / "door").symlink_to(tmp_path / "robot")
    for folder in ("robot", "door"):
        report = import_folder(tmp_path / folder, imaging)
        link = os.path.join(tmp_path, folder, "P1", "A02.jpg")
        assert f"{link}: a link that leads out of {tmp_path / folder}; import where it leads to" in report.unmatched
    assert wells(imaging, "P1") == ["A01", "A03"]


@pytest.mark.parametrize(
    ("names", "code"),
    [(["odd.jpg"], 1), (["P1/A01.jpg", "odd.jpg"], 0), ([], 0)],
    ids=["all left out", "some left out", "nothing there"],
)
def test_the_exit_code_tells_when_everything_was_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], code: int
) -> None:
    monkeypatch.setattr("crystal_search.server.importing.import_images.SETTLED_S", 0.05)
    (tmp_path / "robot").mkdir()
    made(tmp_path / "robot", *names)
    words = ["import", str(tmp_path / "robot"), "--home", str(tmp_path / "home")]
    assert [main(words), main(words)] == [code, code]
