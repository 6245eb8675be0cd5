"""Pictures that can be told apart by their size, and files that will never be pictures."""

from dataclasses import dataclass
from pathlib import Path

from crystal_search.model import sha256_of
from tests.integration.pictures import encoded, well

SMALLEST_PX, WIDTHS = 200, 150


@dataclass(frozen=True, slots=True)
class Picture:
    """What a robot writes: each has a size that no other has."""

    number: int
    data: bytes
    whole: bool = True  #: whether it can be decoded

    @property
    def sha256(self) -> str:
        """Hash of the file."""
        return sha256_of(self.data)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return SMALLEST_PX + self.number // WIDTHS, SMALLEST_PX + 50 + self.number % WIDTHS


def drawn(number: int) -> Picture:
    """Return a good picture, of a well with a drop or without."""
    height, width = Picture(number, b"").size
    return Picture(number, encoded(well(height=height, width=width, drop=number % 3 != 0, seed=number)))


def broken(number: int) -> Picture:
    """Return a file that is no whole picture, and will not be: cut off, filled up with zeros, something else."""
    data = drawn(number).data
    half = data[: len(data) // 2]
    forms = (half, half + bytes(len(data) - len(half)), b"no picture at all, number %d" % number)
    return Picture(number, forms[number % len(forms)], whole=False)


def place(folder: Path, plate: int, well: int) -> Path:
    """Return where a robot puts the picture of a well of a plate."""
    name = f"{plate:04d}"
    return folder / f"{name}_2026-01-31_robot" / f"{name}_{well % 12 + 1:02d}{'ABCDEFGH'[well // 12]}_1.jpg"
