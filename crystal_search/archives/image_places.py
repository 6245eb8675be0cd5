"""What names in an archive tell: which plate and drop an image shows, and which split a publisher put it in."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from crystal_search.known_names import unknown_name
from crystal_search.name_parts import ReadName
from crystal_search.naming import Naming
from crystal_search.robot_names import detected, read_name
from crystal_search.wells import SPLITS, well_name

VISIBLE = "visible"
WORDS = {word: word for word in SPLITS} | {
    "training": "train",
    "testing": "test",
    "valid": "validation",
    "val": "validation",
}
_WELL = re.compile(r"(?<![A-Za-z0-9])[A-P](?:0?[1-9]|1[0-9]|2[0-4])(?![A-Za-z0-9])", re.I)  #: such as ``B4``, ``P24``
_IN_NAME = re.compile(r"train|valid|(?<![a-z])val(?![a-z])|test", re.I)


@dataclass(frozen=True, slots=True)
class Place:
    """What a name says."""

    well: str
    plate: str = ""
    channel: str = VISIBLE
    is_known: bool = True  #: whether somebody told which drop it is; else `well` is the best that the name gives


def drop_name(plate: str, well: str, drop: int = 1) -> str:
    """Return the name of a drop that is unique in an archive of many plates.

    >>> drop_name("90j8", "C07", 2), drop_name("", "C07")
    ('90j8 C07.2', 'C07.1')
    """
    return f"{plate} {well}.{drop}".strip()


def unknown_place(path: str) -> Place:
    """Return the place of an image whose name tells no drop: its stem, up to a well that stands in it by itself.

    >>> unknown_place("clear/IMG_0007.jpg").well, unknown_place("day 3/lysozyme-B4-t07.jpg").well
    ('IMG_0007', 'lysozyme-B4')
    """
    stem = PurePosixPath(path).stem
    wells = list(_WELL.finditer(stem))
    return Place(stem[: wells[0].end()] if len(wells) == 1 else stem, is_known=False)


class Places:
    """Reads names by the convention of the robot that gave them; what fits none tells no drop."""

    def __init__(self, sample: Iterable[str]) -> None:
        """Find out the convention from a `sample` of paths."""
        convention = detected(sample)
        self._naming = Naming(convention=convention) if convention else None

    def of(self, path: str) -> Place:
        """Return what the path of an image says; with no robot's name, `unknown_place`."""
        name = read_name(path, self._naming) if self._naming else None
        if not isinstance(name, ReadName):
            return unknown_place(path)
        well = f"well {name.well_number}" if name.well_number else well_name(name.row, name.column)
        return Place(drop_name(name.plate, well, name.drop), name.plate, name.channel)


def split_named(text: str) -> str | None:
    """Return the split that somebody calls `text`, None for nothing.

    Raises
    ------
    UnknownNameError
        If there is none.

    >>> split_named("Val"), split_named("")
    ('validation', None)
    """
    if not text:
        return None
    if text.casefold() not in WORDS:
        raise unknown_name((*SPLITS, "or nothing"), text, "split")
    return WORDS[text.casefold()]


def split_in_name(name: str) -> str | None:
    """Return the split that is part of a file's name, None where none or several are.

    >>> split_in_name("train-00001-of-00407"), split_in_name("marcoTestData.tfrecords"), split_in_name("labels.csv")
    ('train', 'test', None)
    """
    found = {WORDS[part.lower()] for part in _IN_NAME.findall(name)}
    return found.pop() if len(found) == 1 else None
