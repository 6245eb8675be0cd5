"""An archive that is a folder with one sub-folder for each class (docs/archives.md)."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from crystal_search.archives.archive import ArchiveImage, LeftOut
from crystal_search.archives.archive_options import ArchiveOptions
from crystal_search.archives.channel_mates import is_image, is_mate, mates_of
from crystal_search.archives.image_places import VISIBLE, Places
from crystal_search.archives.label_names import Labels
from crystal_search.class_schemes import Scheme, scheme_named
from crystal_search.errors import UnknownNameError, UserError

DEFAULT_SCHEME = "outcomes-13"
SAMPLE = 200  #: names of a class that are looked at to find out the robot's convention


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderArchive:
    """One sub-folder a class, images below it at any depth."""

    folder: Path
    scheme: Scheme
    outcomes: dict[str, str] = field(default_factory=dict)  #: of each sub-folder, by its name
    chops: bool = False

    @property
    def name(self) -> str:
        """What people call it."""
        return f"folder {self.folder.name or self.folder}"

    def images(self) -> Iterator[ArchiveImage | LeftOut]:
        """Yield its images class after class, by name.

        Raises
        ------
        UserError
            If a folder cannot be read.
        """
        places = Places(path for each in self.outcomes for path in islice(_files(self.folder / each), SAMPLE))
        for entry in sorted(self.folder.iterdir()):
            if not entry.is_dir() and not entry.name.startswith("."):
                yield LeftOut(entry.name, "not in the folder of a class")
        for folder, outcome in self.outcomes.items():
            for path in _files(self.folder / folder):
                if (entry := Path(path)).name.startswith(".") or (is_image(entry.name) and is_mate(entry.name)):
                    continue
                yield self._image(entry, outcome, places)

    def _image(self, path: Path, outcome: str, places: Places) -> ArchiveImage | LeftOut:
        name = path.relative_to(self.folder).as_posix()
        if not is_image(path.name):
            return LeftOut(name, "not the file of an image", path.suffix)
        place = places.of(path.as_posix())
        if place.channel != VISIBLE:
            return LeftOut(name, "not taken in visible light", place.channel)
        mates = mates_of(path)
        return ArchiveImage(
            name=name,
            content=path,
            outcome=outcome,
            well=place.well,
            plate=place.plate,
            uv=mates.uv,
            drop_mask=mates.drop_mask,
            outcome_map=mates.outcome_map,
            is_chop=self.chops,
        )


def open_folder(path: Path, options: ArchiveOptions) -> FolderArchive:
    """Return the archive in the folder `path`.

    Raises
    ------
    UserError
        If there is no such folder, it has no sub-folders, or one whose name is no class.
    """
    scheme = scheme_named(options.scheme or DEFAULT_SCHEME)
    try:
        names = sorted(each.name for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))
    except OSError as error:
        raise UserError(f"cannot read the folder {path}: {error.strerror}; name the folder of an archive") from error
    if not names:
        raise UserError(
            f"{path} has no sub-folders, expected one for each class ({', '.join(scheme.class_names)}); "
            f"sort the images into them"
        )
    labels = Labels(scheme, chops=options.chops)
    outcomes = {name: _outcome(path / name, labels) for name in names}
    return FolderArchive(folder=path, scheme=scheme, outcomes=outcomes, chops=options.chops)


def _outcome(folder: Path, labels: Labels) -> str:
    try:
        return labels.outcome(folder.name)
    except UnknownNameError as error:
        raise UnknownNameError(f"the folder {folder}: {error}") from error
    except UserError as error:
        raise UserError(f"the folder {folder}: {error}") from error


def _files(folder: Path) -> Iterator[str]:
    """Yield the paths of all files below a folder, always in the same order."""

    def refuse(error: OSError) -> None:
        raise UserError(f"cannot read the folder {error.filename}: {error.strerror}; see to its permissions") from error

    for here, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(here, name) for name in sorted(files))
