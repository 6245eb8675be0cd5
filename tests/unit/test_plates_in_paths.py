"""The plate of a file by its path: what the robot's name says, else its folder."""

from pathlib import Path

from crystal_search.direct.plates_in_paths import plates_in


def test_names_of_a_robot_tell_plates_wherever_they_lie() -> None:
    paths = [Path(f"flat/{plate}_2026-01-05/{plate}_01A_1.jpg") for plate in ("90j8", "90j9")]
    assert plates_in(paths) == ["90j8", "90j9"]


def test_a_file_that_no_robot_named_is_of_its_folder() -> None:
    assert plates_in([Path("/lab/one/x.jpg"), Path("two/three/y.jpg"), Path("z.jpg")])[1:] == ["two/three", ""]
    assert len(set(plates_in([Path("/lab/one/x.jpg"), Path("/lab/two/x.jpg")]))) == 2
    assert plates_in([]) == []
