"""An archive that is a folder with one sub-folder for each class (docs/archives.md)."""

import os
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path

from crystal_search.archives.archive import Archive, ArchiveImage, ArchiveOptions, Items, LeftOut, naming
from crystal_search.archives.channel_mates import is_image, is_mate, is_outlines, mates_of
from crystal_search.archives.image_places import VISIBLE, Places
from crystal_search.archives.label_names import Labels
from crystal_search.archives.outlines import BAD_OUTLINES, read_outlines
from crystal_search.class_schemes import scheme_named
from crystal_search.errors import UserError

DEFAULT_SCHEME = "outcomes-13"
SAMPLE = 200  #: names of a class that are looked at to find out the robot's convention


def open_folder(path: Path, options: ArchiveOptions) -> Archive:
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
    labels, outcomes = Labels(scheme, chops=options.chops), {}
    for name in names:
        with naming(f"the folder {path / name}"):
            outcomes[name] = labels.outcome(name)
    images = partial(_images, path, outcomes, is_chop=options.chops)
    return Archive(name=f"folder {path.name or path}", scheme=scheme, images=images)


def _images(folder: Path, outcomes: Mapping[str, str], *, is_chop: bool) -> Items:
    """Yield the images of sub-folders whose outcomes are known, class after class, by name."""
    places = Places(path for each in outcomes for path in islice(_files(folder / each), SAMPLE))
    for entry in sorted(folder.iterdir()):
        if not entry.is_dir() and not entry.name.startswith("."):
            yield LeftOut(entry.name, "not in the folder of a class")
    for name, outcome in outcomes.items():
        for path in map(Path, _files(folder / name)):
            if path.name.startswith(".") or (is_image(path.name) and is_mate(path.name)) or is_outlines(path):
                continue
            yield _image(path, folder, outcome, places, is_chop=is_chop)


def _image(path: Path, folder: Path, outcome: str, places: Places, *, is_chop: bool) -> ArchiveImage | LeftOut:
    name, place = path.relative_to(folder).as_posix(), places.of(path.as_posix())
    if not is_image(path.name):
        return LeftOut(name, "not the file of an image", path.suffix)
    if place.channel != VISIBLE:
        return LeftOut(name, "not taken in visible light", place.channel)
    mates = mates_of(path)
    try:
        outlines = read_outlines(mates.outlines)
    except UserError as error:
        return LeftOut(name, BAD_OUTLINES, str(error))
    return ArchiveImage(
        name=name,
        content=path,
        outcome=outcome,
        well=place.well,
        plate=place.plate,
        is_drop_known=place.is_known,
        uv=mates.uv,
        drop_mask=mates.drop_mask or outlines.drop_mask,
        objects=outlines.objects,
        outcome_map=mates.outcome_map,
        is_chop=is_chop,
    )


def _files(folder: Path) -> Iterator[str]:
    """Yield the paths of all files below a folder, always in the same order."""

    def refuse(error: OSError) -> None:
        raise UserError(f"cannot read the folder {error.filename}: {error.strerror}; see to its permissions") from error

    for here, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(here, name) for name in sorted(files))
