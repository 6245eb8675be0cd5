"""From annotations in one format to another, whole or not at all, and what is lost on the way."""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from crystal_search.annotations.annotated_image import AnnotatedImage
from crystal_search.annotations.annotation_files import picture_of
from crystal_search.annotations.annotation_format import AnnotationFormat, WriteOptions, lost
from crystal_search.annotations.format_kinds import WRITTEN, format_named
from crystal_search.errors import UserError
from crystal_search.whole_folders import whole_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written."""

    out: Path
    images: int
    objects: Mapping[str, int]  #: by class
    passed_over: Mapping[str, int]  #: what no record holds, and in how many images it stood
    lost: Sequence[str]  #: what the format cannot hold, in words
    missing: int = 0  #: images that were to be copied, and were not found


def renamed(images: Sequence[AnnotatedImage], names: Mapping[str, str]) -> list[AnnotatedImage]:
    """Return images whose classes have other names.

    Raises
    ------
    UserError
        If no object has a class that is to be renamed.
    """
    known = {each.label for image in images for each in image.objects}
    if unknown := sorted(names.keys() - known):
        raise UserError(f"no object is called {unknown[0]!r}; there are {', '.join(sorted(known))}")
    return [
        replace(image, objects=tuple(replace(each, label=names.get(each.label, each.label)) for each in image.objects))
        for image in images
    ]


def write_annotations(
    images: Sequence[AnnotatedImage], out: Path, name: str, options: WriteOptions, *, copied_from: Path | None = None
) -> Written:
    """Write images in the format `name`: a folder, or the one file that the format has.

    Parameters
    ----------
    copied_from
        A folder with the images themselves, which are copied beside; None: they are not.

    Raises
    ------
    UserError
        If there is something at `out`, the format is only read, or it cannot hold the images.
    """
    target = format_named(name)
    if not target.write:
        raise UserError(f"{name} is only read; write one of {', '.join(WRITTEN)}")
    if not images:
        raise UserError("there is no image to write; name annotations that have some")
    losses, missing = lost(images, target), 0
    if target.file and out.suffix == PurePosixPath(target.file).suffix:
        _write_file(images, out, target, options, copied=copied_from is not None)
    else:
        with whole_folder(out) as folder:
            target.write(images, folder / target.file, options)
            missing = _copy(images, copied_from, folder / target.images) if copied_from else 0
    return Written(
        out=out,
        images=len(images),
        objects=Counter(each.label for image in images for each in image.objects),
        passed_over=Counter(what for image in images for what in image.passed_over),
        lost=losses,
        missing=missing,
    )


def _write_file(
    images: Sequence[AnnotatedImage], out: Path, target: AnnotationFormat, options: WriteOptions, *, copied: bool
) -> None:
    if out.exists():
        raise UserError(f"{out} is there already; name another, or remove it first")
    if not out.parent.is_dir():
        raise UserError(f"there is no folder {out.parent} for {out.name}; make it, or name another place")
    if copied:
        raise UserError(f"images are copied into folders; name one instead of the file {out}")
    if target.write:
        target.write(images, out, options)


def _copy(images: Sequence[AnnotatedImage], source: Path, folder: Path) -> int:
    """Copy pictures beside their annotations; return how many there are not."""
    missing = 0
    for image in images:
        picture, place = picture_of(image.name, [source]), folder / image.name
        if picture is None:
            missing += 1
        elif place.exists():
            raise UserError(f"the image {image.name} has the name of a file of annotations; do not copy images there")
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(picture, place)
    return missing
