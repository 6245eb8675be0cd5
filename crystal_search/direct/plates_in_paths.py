"""Which plate an image file is of, as far as its path tells: one rule for all that goes plate by plate."""

from collections.abc import Sequence
from itertools import islice
from pathlib import PurePath

from crystal_search.name_parts import ReadName
from crystal_search.naming import Naming
from crystal_search.robot_conventions import xchem_barcode
from crystal_search.robot_names import detected, read_name

SAMPLE = 1000  #: names that are looked at to find out the robot's convention


def plates_in(paths: Sequence[PurePath]) -> list[str]:
    """Return the plate of each file: what its name says by a robot's convention, else the folder that it lies in.

    Where all lie in one folder, a name like XChem's (``BARCODE_01A_1.jpg``) is believed without the folder that XChem
    puts it into. It is empty for a file of which nothing tells one.

    >>> plates_in([PurePath("a/first.jpg"), PurePath("b/first.jpg"), PurePath("first.jpg")])
    ['a', 'b', '']
    >>> plates_in([PurePath("90j8_01A_1.jpg"), PurePath("90j9_01A_1.jpg")])
    ['90j8', '90j9']
    """
    convention = detected(islice((path.as_posix() for path in paths), SAMPLE))
    naming = Naming(convention=convention) if convention else None
    is_flat = len({path.parent for path in paths}) == 1
    barcodes = [_named(path, naming) or (xchem_barcode(path.name) if is_flat else "") for path in paths]
    return [barcode or "/".join(path.parent.parts) for barcode, path in zip(barcodes, paths, strict=True)]


def _named(path: PurePath, naming: Naming | None) -> str:
    name = read_name(path.as_posix(), naming) if naming else None
    return name.plate if isinstance(name, ReadName) else ""
