"""Which imager took a picture: as the settings say, else by the serial number in the path of its file.

`Imagers.of` is the one answer to this question. It is asked of an image, not of a path, so that a facility's database
can tell it one day.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol

from crystal_search.errors import ConfigError
from crystal_search.formats.scale import PIXEL_UM

WHOLE = "all images"  #: the imager, where nothing tells one
ROCK_IMAGER = re.compile(r"(?<![A-Za-z])RI\d{1,4}-\d{2,6}")  #: serial numbers, as Formulatrix' folders have them
WILDCARD = re.compile(r"[*?\[]")
UNCLOSED = re.compile(r"\[(?!!?\]?[^\]]*\])")  #: of `fnmatch`, for which it is a letter then
LONGEST_NAME = 100


class Photograph(Protocol):
    """An image as far as its imager is told by it."""

    @property
    def path(self) -> str:
        """Of its file."""


@dataclass(frozen=True, slots=True)
class ImagerPlace:
    """Where the images of one imager lie."""

    imager: str
    where: str  #: a folder, or a pattern of paths

    @property
    def is_pattern(self) -> bool:
        """Whether it has wildcards as a shell has them; one of them stands for any number of folders, too."""
        return WILDCARD.search(self.where) is not None

    def has(self, path: str) -> bool:
        """Tell whether an image's file lies there.

        >>> ImagerPlace("left", "/robot/left").has("/robot/left/1.jpg"), ImagerPlace("left", "*_L.jpg").has("/1_L.jpg")
        (True, True)
        """
        return fnmatchcase(path, self.where) if self.is_pattern else path.startswith(f"{self.where.rstrip('/')}/")


@dataclass(frozen=True, slots=True)
class Imagers:
    """The imagers of a facility, as its settings tell them apart; the first place that has an image counts."""

    places: tuple[ImagerPlace, ...] = ()

    def of(self, image: Photograph) -> str:
        """Return which imager took an image.

        It is the one that the settings name, else the serial number in the path, else `WHOLE`.
        """
        named = next((place.imager for place in self.places if place.has(image.path)), None)
        return named or serial_number(image.path) or WHOLE

    def may_be(self, name: str) -> bool:
        """Tell whether an image could be of an imager of this name.

        >>> Imagers((ImagerPlace("left", "/robot/left"),)).may_be("left"), Imagers().may_be("RI1000-008l")
        (True, False)
        """
        named = {place.imager for place in self.places} | {WHOLE}
        return name in named or ROCK_IMAGER.fullmatch(name) is not None


def calibration_in(table: Any, imagers: Imagers, where: Path) -> dict[str, float]:
    """Return how large a pixel of each imager is, in micrometres, as a table of the settings file `where` says.

    Raises
    ------
    ConfigError
        If it is no such table, names what no imager can be called, or a size is none.
    """
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: micrometres_per_pixel must be a table of imagers with numbers, got {table!r}")
    for name, size in table.items():
        if not imagers.may_be(name):
            raise ConfigError(
                f"{where}: micrometres_per_pixel: no image is of an imager {name!r}; name one of [imagers], "
                f"a serial number like RI1000-0081, or {WHOLE!r}"
            )
        low, high = PIXEL_UM
        if not isinstance(size, int | float) or isinstance(size, bool) or not low <= size <= high:
            raise ConfigError(
                f"{where}: micrometres_per_pixel: {name!r} must be a number from {low:g} to {high:g}, got {size!r}"
            )
    return {name: float(size) for name, size in table.items()}


def serial_number(path: str) -> str:
    """Return the serial number of an imager that stands last in a path; empty where there is none.

    >>> serial_number("/x/90j8_2018-04-11_RI1000-0081-2drop/90j8_02C_1.jpg"), serial_number("/x/90j8_02C_1.jpg")
    ('RI1000-0081', '')
    """
    found: list[str] = ROCK_IMAGER.findall(path)
    return found[-1] if found else ""


def file_name_of(imager: str) -> str:
    """Return what files about an imager are called.

    >>> file_name_of("RI1000-0081"), file_name_of("all images")
    ('RI1000-0081', 'all_images')
    """
    return re.sub("[^A-Za-z0-9-]", "_", imager)


def imagers_in(table: Any, where: Path) -> Imagers:
    """Return the imagers that a table of the settings file `where` names: for each a folder or pattern, or several.

    Folders are relative to that file's.

    Raises
    ------
    ConfigError
        If it is no such table, a name or place cannot be one, or an imager can have no image since another has all.
    """
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: imagers must be a table of names with their folders, got {table!r}")
    _check_names(table, where)
    places = tuple(place for name, given in table.items() for place in _places(name, given, where))
    _check_reached(places, where)
    return Imagers(places)


def _check_names(names: Iterable[str], where: Path) -> None:
    files = {file_name_of(WHOLE): WHOLE}
    for name in names:
        if not (0 < len(name) <= LONGEST_NAME and name.isprintable() and name == name.strip()):
            raise ConfigError(
                f"{where}: an imager cannot be called {name!r}; use 1 to {LONGEST_NAME} printable letters"
            )
        if other := files.get(file_name_of(name)):
            raise ConfigError(f"{where}: imagers {other!r} and {name!r} would share their files; call one otherwise")
        files[file_name_of(name)] = name


def _places(imager: str, given: Any, where: Path) -> Iterator[ImagerPlace]:
    values = given if isinstance(given, list) else [given]
    if not values or not all(isinstance(each, str) and each for each in values):
        raise ConfigError(
            f"{where}: imagers: {imager!r} must be a folder, a pattern like '*_L.jpg', or a list of them, got {given!r}"
        )
    for each in values:
        if WILDCARD.search(each) is None:
            yield ImagerPlace(imager, os.path.abspath(where.parent / each))
        elif UNCLOSED.search(each):
            raise ConfigError(
                f"{where}: imagers: {imager!r}: a [ has no ] in the pattern {each!r}; close it, or write [[] for it"
            )
        elif each[0] in "/*":
            yield ImagerPlace(imager, each)
        else:
            raise ConfigError(
                f"{where}: imagers: {imager!r}: the pattern {each!r} fits no whole path; begin with / or *"
            )


def _check_reached(places: tuple[ImagerPlace, ...], where: Path) -> None:
    for at, place in enumerate(places):
        for before in places[:at]:
            hidden = before.where == place.where or (not before.is_pattern and before.has(f"{place.where}/"))
            if hidden and before.imager != place.imager:
                raise ConfigError(
                    f"{where}: imagers: {place.where} of {place.imager!r} lies in {before.where} of {before.imager!r}, "
                    "which comes first and has all of its images; put the inner folder first"
                )
