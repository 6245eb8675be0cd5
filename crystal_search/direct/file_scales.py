"""Micrometres a pixel of an image file: as somebody says, else as the settings say of its imager, else as it says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from crystal_search.formats.scale import um_per_px_in
from crystal_search.server.imagers import Imagers
from crystal_search.server.settings import Settings

TOLD, SETTINGS, FILE = "told", "settings", "file"  #: who says it


@dataclass(frozen=True, slots=True)
class FilePath:
    """What tells the imager of a file."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileScale:
    """How large a pixel is, and who says so."""

    um_per_px: float
    said_by: str  #: `TOLD`, `SETTINGS` or `FILE`


@dataclass(frozen=True, slots=True, kw_only=True)
class FileScales:
    """What is known of scales before a file is read."""

    told: float | None = None
    imagers: Imagers = field(default_factory=Imagers)
    by_imager: Mapping[str, float] = field(default_factory=dict)

    def said_of(self, path: Path) -> FileScale | None:
        """Return the scale of a file that is not read; None where neither somebody nor the settings say one."""
        if self.told is not None:
            return FileScale(um_per_px=self.told, said_by=TOLD)
        imager = self.imagers.of(FilePath(str(path.absolute())))
        if imager in self.by_imager:
            return FileScale(um_per_px=self.by_imager[imager], said_by=SETTINGS)
        return None

    def of(self, path: Path, data: bytes) -> FileScale | None:
        """Return the scale of a file with these bytes; None where nobody says one, for it is never guessed."""
        if known := self.said_of(path):
            return known
        said = um_per_px_in(data)
        return None if said is None else FileScale(um_per_px=said, said_by=FILE)


UNTOLD = FileScales()  #: nobody says any; files may


def scales_of(told: float | None, settings: Settings) -> FileScales:
    """Return the scales that an option and settings say."""
    return FileScales(told=told, imagers=settings.imagers, by_imager=settings.micrometres_per_pixel)
