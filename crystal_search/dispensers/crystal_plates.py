"""What dispensers and harvesting tools call the drops of a plate, by its kind.

Sources are the programs that write such files: the drops 1, 2 and 3 of a SWISSCI 3 Drop plate are the sub-wells a, c
and d, and lie at 384 positions, as XChem's tools have them (xchembku, ECHO marker); those of an MRC 2 Drop plate are a
and b, in 16 rows of 12, as NSLS-II's fragment screening has them (recap).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from crystal_search.errors import UserError
from crystal_search.wells import PLATE_FORMATS, WellKey, well_name


@dataclass(frozen=True, slots=True, kw_only=True)
class CrystalPlate:
    """A kind of plate."""

    title: str
    letters: str  #: of its sub-wells, drop by drop; empty: each well is one drop, without a letter
    places: tuple[tuple[int, int], ...]  #: row and column of each drop among those that a dispenser gives its well
    grid: tuple[int, int]  #: rows and columns that a dispenser gives each well
    wells: int = 0  #: a key of `PLATE_FORMATS`; 0: any number
    shifter: str = ""  #: what the Shifter calls the plate; empty: not known


CRYSTAL_PLATES: Mapping[str, CrystalPlate] = {
    "swissci-3": CrystalPlate(
        title="SWISSCI 3 Drop, 384 positions",
        letters="acd",
        places=((0, 0), (1, 0), (1, 1)),
        grid=(2, 2),
        wells=96,
        shifter="SwissCI-MRC-3d",
    ),
    "mrc-2": CrystalPlate(
        title="MRC 2 Drop, 16 rows of 12",
        letters="ab",
        places=((0, 0), (1, 0)),
        grid=(2, 1),
        wells=96,
        shifter="SwissCI-MRC-2d",
    ),
    "one-drop": CrystalPlate(title="one drop a well", letters="", places=((0, 0),), grid=(1, 1)),
}


def check_drop(plate: CrystalPlate, key: WellKey) -> None:
    """Refuse a drop that such a plate does not have.

    Raises
    ------
    UserError
        That says so.
    """
    rows, columns = PLATE_FORMATS.get(plate.wells, (key.row + 1, key.column + 1))
    if key.row >= rows or key.column >= columns:
        raise UserError(
            f"{key.plate} has a well {key.well}, and plates of the kind {plate.title!r} have {rows} rows of {columns}; "
            "choose the kind of plate that it is"
        )
    if key.drop > len(plate.places):
        raise UserError(
            f"{key.plate} {key.well} has a drop {key.drop}, and plates of the kind {plate.title!r} have only "
            f"{len(plate.places)} in a well; choose the kind of plate that it is"
        )


def dispenser_well(plate: CrystalPlate, key: WellKey) -> str:
    """Return the well at which a dispenser finds a drop, its number without a zero before.

    >>> plate = CRYSTAL_PLATES["swissci-3"]
    >>> [dispenser_well(plate, WellKey(plate="P", row=0, column=8, drop=drop)) for drop in (1, 2, 3)]
    ['A17', 'B17', 'B18']
    """
    check_drop(plate, key)
    (rows, columns), (row, column) = plate.grid, plate.places[key.drop - 1]
    name = well_name(key.row * rows + row, key.column * columns + column)
    letters = name.rstrip("0123456789")
    return f"{letters}{int(name[len(letters) :])}"


def lettered_well(plate: CrystalPlate, key: WellKey) -> str:
    """Return the well with the letter of its sub-well.

    >>> lettered_well(CRYSTAL_PLATES["swissci-3"], WellKey(plate="P", row=0, column=8, drop=2))
    'A09c'
    """
    check_drop(plate, key)
    return f"{key.well}{plate.letters[key.drop - 1] if plate.letters else ''}"
