"""Files of annotations and the images that they are of: found, named, and never outside of their folder."""

import os
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

from PIL import Image as Pillow

from crystal_search.errors import UserError
from crystal_search.files import is_housekeeping
from crystal_search.formats.picture import MAX_SIDE_PX
from crystal_search.images import SUFFIXES

PICTURES = ("images", "JPEGImages")  #: folders below annotations in which images lie, if not beside them


def files_ending_in(path: Path, suffix: str, *, but_in: Collection[str] = ()) -> list[Path]:
    """Return the file `path`, or all files of a folder whose names end in `suffix`, at any depth, by name.

    Parameters
    ----------
    but_in
        Names of folders right below it that are passed over.

    Raises
    ------
    UserError
        If there is none.
    """
    if path.is_file():
        return [path]
    found = [
        Path(here, name)
        for here, _, names in os.walk(path)
        for name in names
        if name.lower().endswith(suffix) and _is_open(Path(here, name), path, but_in)
    ]
    if not found:
        raise UserError(f"there is no file *{suffix} in {path}; name a folder of annotations")
    return sorted(found)


def _is_open(file: Path, folder: Path, but_in: Collection[str]) -> bool:
    parts = file.relative_to(folder).parts
    return parts[0] not in but_in and not any(map(is_housekeeping, parts))


def name_beside(file: Path, path: Path, name: str) -> str:
    """Return the name of an image that lies beside a file of annotations below the folder `path`.

    >>> name_beside(Path("a/day 3/x.json"), Path("a"), "x.png"), name_beside(Path("x.json"), Path("x.json"), "x.png")
    ('day 3/x.png', 'x.png')
    """
    folder = file.relative_to(path).parent if file != path else Path()
    return (PurePosixPath(folder.as_posix()) / name).as_posix()


def new_file(folder: Path, name: str, suffix: str) -> Path:
    """Return where the file of an image goes that ends in `suffix`, and make the folders before it.

    Raises
    ------
    UserError
        If there is one already, or it would be passed over where annotations are read.
    """
    if any(map(is_housekeeping, PurePosixPath(name).parts)):
        raise UserError(f"nobody would find what belongs to {name}, which is hidden or a file server's own; rename it")
    path = folder / PurePosixPath(name).with_suffix(suffix)
    if path.exists():
        raise UserError(f"two images would both be told in {path.name}; give {name} another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def picture_of(name: str, folders: Iterable[Path]) -> Path | None:
    """Return the file of an image, None where it lies in none of the folders."""
    places = (folder / each / name for folder in folders for each in (*PICTURES, ""))
    return next((place for place in places if _is_file(place)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, or a folder that one may not enter
        return False


def same_stem(stem: str, folders: Iterable[Path]) -> str | None:
    """Return the name of the image that is called `stem` but for its ending, None where there is none."""
    where = list(folders)
    return next((stem + suffix for suffix in SUFFIXES if picture_of(stem + suffix, where)), None)


def size_in(path: Path) -> tuple[int, int]:
    """Return height and width of an image file, px.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    try:
        with Pillow.open(path, formats=("JPEG", "PNG", "TIFF", "BMP")) as picture:
            width, height = picture.size
    except Exception as error:  # Pillow's readers raise a dozen kinds on damaged files
        raise UserError(f"cannot read the image {path}: {error}") from error
    if max(height, width) > MAX_SIDE_PX:
        raise UserError(f"{path} has {width} x {height} px; each side of an image has at most {MAX_SIDE_PX}")
    return height, width
