"""Which plate and drop an image of an archive shows, by its name."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from crystal_search.robot_names import Naming, ReadName, detected, read_name
from crystal_search.wells import WellKey

VISIBLE = "visible"


@dataclass(frozen=True, slots=True)
class Place:
    """What a name says."""

    well: str
    plate: str = ""
    channel: str = VISIBLE


def drop_name(plate: str, well: str, drop: int = 1) -> str:
    """Return the name of a drop that is unique in an archive of many plates.

    >>> drop_name("90j8", "C07", 2), drop_name("", "C07")
    ('90j8 C07.2', 'C07.1')
    """
    return f"{plate} {well}.{drop}".strip()


class Places:
    """Reads names by the convention of the robot that gave them; what fits none is a drop by itself."""

    def __init__(self, sample: Iterable[str]) -> None:
        """Find out the convention from a `sample` of paths."""
        convention = detected(sample)
        self._naming = Naming(convention=convention) if convention else None

    def of(self, path: str) -> Place:
        """Return what the path of an image says; with no robot's name, the file's stem is the drop."""
        name = read_name(path, self._naming) if self._naming else None
        if not isinstance(name, ReadName):
            return Place(PurePosixPath(path).stem)
        well = WellKey(plate=name.plate, row=name.row, column=name.column).well
        return Place(drop_name(name.plate, well, name.drop), name.plate, name.channel)
