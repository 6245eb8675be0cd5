"""An archive that is a folder with COCO annotations, as ``crystal-search render`` writes it (docs/archives.md)."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from crystal_search.annotations.coco_json import FILE
from crystal_search.annotations.drawn_shapes import size_of
from crystal_search.annotations.format_kinds import read_annotations
from crystal_search.archives.archive import Archive, ArchiveImage, ArchiveOptions, Items, LeftOut
from crystal_search.archives.channel_mates import is_there
from crystal_search.archives.image_table import open_csv
from crystal_search.archives.seen_objects import SeenObject, seen
from crystal_search.archives.set_hash import set_hash
from crystal_search.class_schemes import SCHEMES
from crystal_search.errors import UserError
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.synthesis.rendered_folder import CELL

TRUTH, PICTURES = "truth.csv", "images"
SCHEME, A_CRYSTAL = "outcomes-13", "crystal_harvestable"  #: what an image with crystals of any other name counts as


def outcome_of(objects: tuple[SeenObject, ...]) -> str:
    """Return what an image shows by its crystals, those aside that are too faint to see."""
    categories = {each.category for each in objects if not each.too_faint}
    return next((name for name in OUTCOME_NAMES if name in categories), A_CRYSTAL if categories else "clear")


def open_coco(path: Path, options: ArchiveOptions) -> Archive:
    """Return the archive in the folder `path`.

    Raises
    ------
    UserError
        If there is no such folder, or its annotations are none.
    """
    table = open_csv(path / TRUTH, options) if is_there(path / TRUTH) else None
    objects = {
        image.name: tuple(seen(each, *size_of(image)) for each in image.objects if each.supercategory != CELL)
        for image in read_annotations(path / FILE, "coco")
    }
    return Archive(
        name=f"annotations {path.name or path}",
        scheme=SCHEMES[SCHEME] if table is None else table.scheme,
        images=partial(_images, path, objects, table),
    )


def annotated_images(folder: Path) -> list[ArchiveImage]:
    """Return the images in `folder`, all that its annotations tell of, as ``crystal-search render`` writes them.

    Raises
    ------
    UserError
        If there is no such folder, its annotations are none, or an image is missing.
    """
    items = list(open_coco(folder, ArchiveOptions()).images())
    if missing := [each for each in items if isinstance(each, LeftOut)]:
        raise UserError(f"{folder}: {missing[0].name}: {missing[0].reason}; render or copy it again")
    return [each for each in items if isinstance(each, ArchiveImage)]


def set_named(folder: Path, name: str | None = None) -> tuple[str, str]:
    """Return what to call the images in `folder` where figures of them are told, and their hash, if they have one.

    Raises
    ------
    UserError
        If one was changed since.
    """
    sha256, called = set_hash(folder), name or folder.resolve().name
    return (f"{called} ({sha256[:12]})" if sha256 else called), sha256


def _images(folder: Path, objects: Mapping[str, tuple[SeenObject, ...]], table: Archive | None) -> Items:
    """Yield images with their crystals by the name of the file; all else is in a table, if they are of wells."""
    for item in _in_suspension(folder, objects) if table is None else table.images():
        if isinstance(item, ArchiveImage) and item.name in objects:
            yield replace(item, objects=objects[item.name])
        else:
            yield item


def _in_suspension(folder: Path, objects: Mapping[str, tuple[SeenObject, ...]]) -> Items:
    for file, crystals in objects.items():
        found = [path for path in (folder / file, folder / PICTURES / file) if is_there(path)]
        if not found:
            yield LeftOut(file, "the file is missing")
            continue
        outcome = outcome_of(crystals)
        yield ArchiveImage(name=file, content=found[0], outcome=outcome, well=file, plate="", in_suspension=True)
