"""Lists for dispensers from image files: the same lists as from the viewer, with what they leave out said aloud."""

import argparse
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.crystals.dispensing import Dispense, DispensePoint, DispensingUm
from crystal_search.direct.crystal_files import SearchedFile
from crystal_search.direct.dispenser_files import NAMED, DispenserLists, add_lists, lists_of, write_lists
from crystal_search.direct.file_scales import TOLD, FileScale
from crystal_search.direct.target_files import dispense_rows
from crystal_search.dispensers.transfer_lists import TRANSFER_LISTS, Aim, ListOptions
from crystal_search.errors import UserError
from crystal_search.wells import WellKey

DAY = "/x/P1_2018-04-11_RI1000"
SCALE = FileScale(um_per_px=2.5, said_by=TOLD)
ECHO = ("--volume-nl", "25", "--source-plate", "DMSO", "--source-well", "A1")


def point(row: float, column: float) -> DispensePoint:
    return DispensePoint(row=row, column=column, to_border_px=50, to_crystal_px=60)


def image(name: str, *points: DispensePoint, scale: FileScale | None = SCALE) -> SearchedFile:
    """Return an image of 240 x 320 px with places to dispense at."""
    near = DispensePoint(row=1, column=1, to_border_px=4, to_crystal_px=8)
    dispense = Dispense(points=points, best=points[0]) if points else Dispense(best=near, refused="too near")
    return SearchedFile(path=Path(f"{DAY}/{name}"), height_px=240, width_px=320, scale=scale, dispense=dispense)


PLACES = (point(121, 141), point(30, 30))
IMAGES = [image("P1_01C_1.jpg", *PLACES), image("P1_11C_3.jpg", *PLACES[:1]), image("P1_02C_2.jpg")]


def asked(folder: Path, *words: str, images: list[SearchedFile] = IMAGES) -> DispenserLists | None:
    parser = argparse.ArgumentParser()
    add_lists(parser)
    named = [word.replace("FOLDER", str(folder)) for word in words]
    return lists_of(parser.parse_args(named), [each.path for each in images])


def written(folder: Path, *words: str, images: list[SearchedFile] = IMAGES) -> DispenserLists:
    lists = asked(folder, *words, images=images)
    assert lists
    write_lists(lists, images, DispensingUm())
    return lists


def test_the_best_place_of_each_drop_is_in_both_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = ("--echo", "FOLDER/echo.csv", "--soakdb", "FOLDER/soakdb.csv", "--plate-kind", "swissci-3")
    written(tmp_path, *both, *ECHO)
    header, *lines = (tmp_path / "echo.csv").read_text().splitlines()
    assert header.split(",")[3:5] == ["Destination Well", "Transfer Volume"]
    assert lines == ["DMSO,A1,P1,E1,25,-48,-2", "DMSO,A1,P1,F22,25,-48,-2"]
    assert (tmp_path / "soakdb.csv").read_text() == "C01a,-48,2\nC11d,-48,2\n"
    told = capsys.readouterr()
    assert told.out.splitlines() == [f"2 of 3 drops are in {tmp_path / name}.csv" for name in ("echo", "soakdb")]
    assert told.err == (
        f"left out: {DAY}/P1_02C_2.jpg: the best place is 20 um from a crystal and 10 um from the drop's border; "
        "wanted are 84 um\n"
    )


@given(st.integers(1, 40_000))
def test_a_volume_is_written_to_its_last_digit_without_an_exponent(droplets: int) -> None:
    options = ListOptions(plate_kind="one-drop", volume_nl=2.5 * droplets, source_plate="D", source_well="A01")
    aim = Aim(key=WellKey(plate="P1", row=0, column=0), offsets_um=((0.0, 0.0),))
    kind = TRANSFER_LISTS["echo"]
    kind.check([aim.key], options)
    volume = kind.write([aim], options).splitlines()[1].split(",")[4]
    assert re.fullmatch(r"[0-9]+(\.5)?", volume)
    assert float(volume) == 2.5 * droplets


def test_what_is_left_out_is_told_and_stands_in_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = [*IMAGES, *(image(f"{number}.jpg", *PLACES) for number in range(NAMED))]
    lists = written(tmp_path, "--soakdb", "FOLDER/s.csv", "--plate-kind", "swissci-3", images=images)
    *told, last = capsys.readouterr().err.splitlines()
    assert (len(told), last) == (NAMED, "left out: 1 more; --dispense CSV tells all")
    assert told[1] == f"left out: {DAY}/0.jpg: not like PLATE_01A_1.jpg"
    rows = [row for each in images for row in dispense_rows(each, DispensingUm(), lists.drops)]
    assert [(row.get("well"), row.get("candidate"), row.get("left_out")) for row in rows[:6]] == [
        ("C01", 1, None),
        ("C01", 2, None),
        ("C11", 1, None),
        ("C02", None, None),
        (None, 1, "not like PLATE_01A_1.jpg"),
        (None, 2, "not like PLATE_01A_1.jpg"),
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--echo", "FOLDER/e.csv", *ECHO), "say by --plate-kind which kind of plate it is"),
        (("--echo", "FOLDER/e.csv", "--plate-kind", "swissci-3"), "say by --volume-nl how much to dispense, a mult"),
        (("--echo", "FOLDER/e.csv", "--plate-kind", "swissci-3", *ECHO[:4]), "--source-plate and --source-well"),
        (("--echo", "FOLDER/e.csv", "--plate-kind", "swissci-3", "--volume-nl", "1000002.5"), "0; got 1000002.5"),
        (("--echo", "FOLDER/e.csv", "--plate-kind", "swissci-3", *ECHO[:5], "ZZ99"), "no plate .* has a well 'ZZ99'"),
        (("--soakdb", "FOLDER/s.csv", "--plate-kind", "mrc-2"), "P1 C11 has a drop 3"),
        (ECHO, "name a file by --echo or --soakdb"),
        (("--names", "xchem"), "name a file by --echo or --soakdb"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_searched(
    tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        asked(tmp_path, *words)


def test_a_list_for_soakdb_is_of_one_plate(tmp_path: Path) -> None:
    other = SearchedFile(path=Path("/x/P2_2018-04-11_RI1000/P2_01C_1.jpg"))
    with pytest.raises(UserError, match="one plate; ask once for each of P1, P2"):
        asked(tmp_path, "--soakdb", "FOLDER/s.csv", "--plate-kind", "swissci-3", images=[*IMAGES, other])


def test_nobody_who_asks_for_no_list_is_asked_anything(tmp_path: Path) -> None:
    assert asked(tmp_path, images=[image("any name.jpg")]) is None


def test_without_a_scale_there_is_no_list_and_it_says_how_to_tell_one(tmp_path: Path) -> None:
    images = [image("P1_01C_1.jpg", scale=None)]
    with pytest.raises(UserError, match=r"no place to dispense at in any of these drops: .*P1_01C_1.*--um-per-px"):
        written(tmp_path, "--soakdb", "FOLDER/s.csv", "--plate-kind", "swissci-3", images=images)
    assert not (tmp_path / "s.csv").exists()


def test_a_well_that_such_a_plate_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"P1 has a well C13, and plates of the kind .* have 8 rows of 12"):
        asked(tmp_path, "--soakdb", "FOLDER/s.csv", "--plate-kind", "swissci-3", images=[image("P1_13C_1.jpg")])
