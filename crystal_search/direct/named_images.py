"""The images that somebody names, or that lie in folders which somebody names: each once."""

import os
import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from crystal_search.errors import UserError
from crystal_search.files import is_housekeeping
from crystal_search.hostile_json import printable
from crystal_search.images import SUFFIXES
from crystal_search.plurals import counted

MASKS = (".mask.png", ".outcomes.png")  #: of ``NAME.mask.png``, which belongs to the image ``NAME``
RENDERED, SHEETS = "checksums.sha256", ("contact-sheet.png", "histograms.png")  #: of a folder of `render`


def inputs(arguments: Sequence[Path]) -> list[Path]:
    """Return the images to score, in the order given; a folder stands for its images, sorted, at any depth.

    A folder that may not be read, and a file that is not there beside others, stand for themselves, so that whoever
    looks at the answers learns of it.

    Raises
    ------
    UserError
        If there is nothing to score, or nothing of what is named is there: whoever mistypes it keeps an earlier table.
    """
    found: list[Path] = []
    for path in arguments:
        found += images_in(path) if os.path.isdir(path) else [path]
    if arguments and not any(map(os.path.lexists, arguments)):
        said = f"{printable(str(arguments[0]))} is not there" + (", nor is what else is named" if arguments[1:] else "")
        raise UserError(f"{said}: name images, or folders of images; nothing was looked at or written")
    if not found:
        raise UserError(f"no images in {', '.join(map(str, arguments))}; images end in {', '.join(SUFFIXES)}")
    return found


def once(paths: Iterable[Path]) -> list[Path]:
    """Return each file once, where it is named first, and warn of those that are named again, by whatever path."""
    files, said = told_once(paths)
    if said:
        sys.stderr.write(f"warning: {said}\n")
    return files


def told_once(paths: Iterable[Path]) -> tuple[list[Path], str]:
    """Return each file once, where it is named first, and what is to be said of those that are named again, if any."""
    first: dict[str, Path] = {}
    again = [path for path in paths if first.setdefault(os.path.realpath(path), path) is not path]
    if not again:
        return list(first.values()), ""
    named = f"{counted(len(again), 'image')} {'was' if len(again) == 1 else 'were'} named again"
    return list(first.values()), f"{named}, as {printable(str(again[0]))}; each is looked at once"


def images_in(folder: Path) -> list[Path]:
    """Return its images with what cannot be looked at: closed folders, links that lead nowhere, pipes called as images.

    What file servers keep there, what is hidden, and what `render` writes beside its images, is passed over.
    """
    closed: list[Path] = []
    images: list[Path] = []
    for inside, folders, names in os.walk(folder, onerror=lambda error: closed.append(Path(error.filename))):
        folders[:] = [each for each in folders if not is_housekeeping(each)]
        there = frozenset(map(str.lower, names))
        images += [Path(inside) / name for name in names if _is_shown(name.lower(), there)]
    return sorted([*closed, *images])


def _is_shown(name: str, names: Collection[str]) -> bool:
    """Tell whether a file is an image of its folder, in which there are files of these names, all in small letters.

    >>> [each for each in ("a.jpg", "a.mask.png", "b.mask.png") if _is_shown(each, ("a.jpg", "a.mask.png"))]
    ['a.jpg', 'b.mask.png']
    """
    if not name.endswith(SUFFIXES) or is_housekeeping(name):
        return False
    masked = next((name.removesuffix(each) for each in MASKS if name.endswith(each)), None)
    is_mask = masked is not None and any(f"{masked}{each}" in names for each in SUFFIXES)
    return not (is_mask or (name in SHEETS and RENDERED in names))
