"""The plate of a file by its path: what the robot's name says, else its folder."""

from pathlib import Path

from crystal_search.direct.plates_in_paths import plates_in


def test_names_of_a_robot_tell_plates_wherever_they_lie() -> None:
    paths = [Path(f"flat/{plate}_2026-01-05/{plate}_01A_1.jpg") for plate in ("90j8", "90j9")]
    assert plates_in(paths) == ["90j8", "90j9"]


def test_in_one_folder_names_like_those_of_xchem_tell_plates() -> None:
    flat = [Path(f"/lab/flat/{name}") for name in ("90j8_01A_1.jpg", "90j9_12H_2.jpg", "notes.jpg")]
    assert plates_in(flat) == ["90j8", "90j9", "//lab/flat"]
    assert plates_in([Path("one/demo_01A_1.jpg"), Path("two/demo_01A_1.jpg")]) == ["one", "two"]


def test_a_file_that_no_robot_named_is_of_its_folder() -> None:
    assert plates_in([Path("/lab/one/x.jpg"), Path("two/three/y.jpg"), Path("z.jpg")])[1:] == ["two/three", ""]
    assert len(set(plates_in([Path("/lab/one/x.jpg"), Path("/lab/two/x.jpg")]))) == 2
    assert plates_in([]) == []
