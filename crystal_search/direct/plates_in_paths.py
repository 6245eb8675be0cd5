"""Which plate an image file is of, as far as its path tells: one rule for all that goes plate by plate."""

from collections.abc import Sequence
from itertools import islice
from pathlib import PurePath

from crystal_search.name_parts import ReadName
from crystal_search.naming import Naming
from crystal_search.robot_names import detected, read_name

SAMPLE = 1000  #: names that are looked at to find out the robot's convention


def plates_in(paths: Sequence[PurePath]) -> list[str]:
    """Return the plate of each file: what its name says by a robot's convention, else the folder that it lies in.

    It is empty for a file of which neither tells one.

    >>> plates_in([PurePath("a/first.jpg"), PurePath("b/first.jpg"), PurePath("first.jpg")])
    ['a', 'b', '']
    """
    convention = detected(islice((path.as_posix() for path in paths), SAMPLE))
    naming = Naming(convention=convention) if convention else None
    return [_named(path, naming) or "/".join(path.parent.parts) for path in paths]


def _named(path: PurePath, naming: Naming | None) -> str:
    name = read_name(path.as_posix(), naming) if naming else None
    return name.plate if isinstance(name, ReadName) else ""
