"""Which drops a dispenser can be sent to by the names of images; what no name tells is left out, with the reason."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from crystal_search.direct.named_drops import NamedDrops, named_drops
from crystal_search.dispensers.crystal_plates import CRYSTAL_PLATES
from crystal_search.errors import UserError
from crystal_search.naming import Naming

SWISS, ONE = CRYSTAL_PLATES["swissci-3"], CRYSTAL_PLATES["one-drop"]
DAY = "/x/90j8_2018-04-11_RI1000"


def drops_of(*paths: str, naming: Naming | None = None, plate: str = "swissci-3") -> NamedDrops:
    return named_drops([Path(path) for path in paths], naming or Naming(), CRYSTAL_PLATES[plate])


def told(drops: NamedDrops) -> dict[str, tuple[str, str, int]]:
    return {path.as_posix(): (key.plate, key.well, key.drop) for path, key in drops.keys.items()}


def reasons(of: Mapping[Path, str]) -> dict[str, str]:
    return {path.as_posix(): reason for path, reason in of.items()}


def test_drops_follow_each_other_by_plate_and_well() -> None:
    drops = drops_of(f"{DAY}/90j8_02A_1.jpg", f"{DAY}/90j8_01B_3.jpg", f"{DAY}/90j8_01A_1.jpg")
    assert list(told(drops).values()) == [("90j8", "A01", 1), ("90j8", "A02", 1), ("90j8", "B01", 3)]
    assert (drops.untold, drops.passed) == ({}, {})


def test_a_name_that_tells_no_well_is_left_out_with_its_reason() -> None:
    drops = drops_of(f"{DAY}/90j8_02A_1.jpg", f"{DAY}/overview.jpg")
    assert told(drops) == {f"{DAY}/90j8_02A_1.jpg": ("90j8", "A02", 1)}
    assert reasons(drops.untold) == {f"{DAY}/overview.jpg": "not like PLATE_01A_1.jpg"}
    assert drops.cells_of(Path(f"{DAY}/overview.jpg")) == {"left_out": "not like PLATE_01A_1.jpg"}
    assert drops.cells_of(Path(f"{DAY}/90j8_02A_1.jpg")) == {"plate": "90j8", "well": "A02", "drop": 1}


def test_the_newest_image_of_a_drop_counts() -> None:
    later = "/x/90j8_2018-05-01_RI1000/90j8_02A_1.jpg"
    drops = drops_of(later, f"{DAY}/90j8_02A_1.jpg", f"{DAY}/90j8_03A_1.jpg")
    assert list(told(drops)) == [later, f"{DAY}/90j8_03A_1.jpg"]
    assert reasons(drops.passed) == {f"{DAY}/90j8_02A_1.jpg": f"{later} shows the drop later"}


def test_of_images_that_are_as_new_as_each_other_none_counts() -> None:
    twice = [f"/x/{folder}/90j8_2018-04-11_RI1000/90j8_02A_1.jpg" for folder in "ab"]
    drops = drops_of(*twice, f"{DAY}/90j8_03A_1.jpg")
    assert list(told(drops)) == [f"{DAY}/90j8_03A_1.jpg"]
    assert set(reasons(drops.passed)) == set(twice)
    assert {reason[:42] for reason in drops.passed.values()} == {"2 images show this drop at the same time, "}


def test_only_visible_images_count() -> None:
    later = "/x/90j8_2018-05-01_UV/90j8_02A_1.jpg"
    drops = drops_of(later, f"{DAY}/90j8_02A_1.jpg")
    assert list(told(drops)) == [f"{DAY}/90j8_02A_1.jpg"]
    assert "in the channel uv" in drops.passed[Path(later)]


FORMULATRIX = "/x/plateID_7/batchID_1/wellNum_13/profileID_1/d1_r2_ef.jpg"


def test_where_names_count_wells_the_kind_of_plate_tells_how_many_there_are() -> None:
    assert told(drops_of(FORMULATRIX)) == {FORMULATRIX: ("7", "B01", 1)}
    assert told(drops_of(FORMULATRIX, naming=Naming(plate_format=384))) == {FORMULATRIX: ("7", "A13", 1)}
    with pytest.raises(UserError, match="it counts wells; say --plate-format"):
        drops_of(FORMULATRIX, plate="one-drop")
    with pytest.raises(UserError, match="well 97 is not on a plate of 96"):
        drops_of(FORMULATRIX.replace("wellNum_13", "wellNum_97"))


def test_plain_names_are_read_only_if_somebody_says_so() -> None:
    with pytest.raises(UserError, match=r"nothing tells their wells; say by --names or --pattern"):
        drops_of("/x/lysozyme_B2.jpg")
    assert told(drops_of("/x/lysozyme_B2.jpg", naming=Naming(convention="plate-well"))) == {
        "/x/lysozyme_B2.jpg": ("lysozyme", "B02", 1)
    }
    pattern = r"(?P<plate>[^_/]+)_(?P<column>\d+)(?P<row>[A-H])_(?P<drop>\d)\.jpg"
    flat = drops_of("/x/90j8_02A_3.jpg", naming=Naming(convention="pattern", pattern=pattern))
    assert told(flat) == {"/x/90j8_02A_3.jpg": ("90j8", "A02", 3)}


def test_a_folder_is_the_plate_also_where_images_are_named_from_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "P7").mkdir()
    monkeypatch.chdir(tmp_path / "P7")
    assert told(drops_of("A01.jpg", naming=Naming(convention="well"))) == {"A01.jpg": ("P7", "A01", 1)}


def test_without_a_drop_it_says_of_an_image_why() -> None:
    with pytest.raises(UserError, match=r"no image tells a drop to dispense into, as .*02A_1\.jpg: .* channel uv"):
        drops_of("/x/90j8_2018-05-01_UV/90j8_02A_1.jpg")
