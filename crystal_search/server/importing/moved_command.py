"""``crystal-search moved OLD NEW``: follows a folder of images that was moved, or that is mounted elsewhere now."""

import argparse
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crystal_search.errors import ImageError, UserError
from crystal_search.plurals import counted
from crystal_search.server.imaging.stored_images import FileVersion, StoredImage
from crystal_search.server.installation import Installation, add_home_argument, opened, say
from crystal_search.server.locks import only_service

SHOWN = 20  #: files that are named


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What was found of a folder that moved."""

    moved: int  #: images whose files are in the new place
    away: int  #: images that were taken back; they stay away from the new place too
    left: tuple[str, ...]  #: files that could not be followed, each as ``path: reason``


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("old", type=Path, help="the folder as it was when it was imported")
    parser.add_argument("new", type=Path, help="where it is now; files inside are called as before")
    add_home_argument(parser)


def run(arguments: argparse.Namespace) -> None:
    """Follow the files, and tell of those that could not be.

    Raises
    ------
    ImageError
        If not one image could be followed.
    """
    with opened(arguments.home, create=False) as site:
        found = follow(site, arguments.old, arguments.new)
    say(f"{counted(found.moved, 'image')} followed to {arguments.new}")
    if found.away:
        say(f"{counted(found.away, 'image')} of that folder, taken back before, will stay away from there too")
    if found.left:
        more = [f"  and {len(found.left) - SHOWN} more"] if len(found.left) > SHOWN else []
        say("\n".join([f"{counted(len(found.left), 'file')} not followed:", *found.left[:SHOWN], *more]))
    if not found.moved and not found.away:
        raise ImageError("nothing was followed; see above")


def follow(site: Installation, old: Path, new: Path) -> Followed:
    """Note the new place of every image below `old` whose file is below `new`, under the same name and unchanged.

    Raises
    ------
    UserError
        If no image lies below `old`, there is no folder `new`, or files are where they were.
    """
    before, after = os.path.abspath(old), os.path.abspath(new)
    if not os.path.isdir(after):
        raise UserError(f"there is no folder {after}")
    with only_service(site.home):
        images = site.imaging.images_below(before)
        if not images:
            return _only_taken_back(site, before, after)
        if there := [image.path for image in images if os.path.exists(image.path)]:
            raise UserError(f"{there[0]} is there as before, so {before} has not moved; name what has")
        paths = {image.id: after + image.path[len(before) :] for image in images}
        left = _not_to_follow(site, images, paths)
        moved = {image_id: path for image_id, path in paths.items() if image_id not in left}
        site.imaging.move_images(moved)
        away = site.imaging.move_removed(before, after)
    return Followed(
        moved=len(moved), away=away, left=tuple(f"{paths[each]}: {why}" for each, why in sorted(left.items()))
    )


def _only_taken_back(site: Installation, before: str, after: str) -> Followed:
    """Follow a folder of which every image that was imported has been taken back."""
    if os.path.isdir(before):
        raise UserError(f"{before} is there as before, and no image of it is in use; name a folder that has moved")
    if not (away := site.imaging.move_removed(before, after)):
        raise UserError(f"no image was imported from {before}; give the folder as it was then")
    return Followed(moved=0, away=away, left=())


def _not_to_follow(site: Installation, images: Sequence[StoredImage], paths: dict[int, str]) -> dict[int, str]:
    """Return the images that cannot be followed, and why."""
    taken = site.imaging.known_paths(list(paths.values()))
    left: dict[int, str] = {}
    for image in images:
        path = paths[image.id]
        if path in taken:
            left[image.id] = "is another image already"
        elif why := _differs(path, image.version):
            left[image.id] = why
    return left


def _differs(path: str, version: FileVersion | None) -> str:
    """Return what is wrong with a file that should be the one that was read before; empty when nothing is."""
    try:
        with open(path, "rb") as file:
            if version is None:
                return ""
            same = os.fstat(file.fileno()).st_size == version.size_bytes
            same = same and hashlib.file_digest(file, "sha256").hexdigest() == version.sha256
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return "" if same else "holds another picture than the one that was imported"
