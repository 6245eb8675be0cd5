"""An archive that is a folder with COCO annotations, as ``crystal-search render`` writes it (docs/archives.md)."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from crystal_search.archives.archive import Archive, ArchiveImage, ArchiveOptions, Items, LeftOut, naming
from crystal_search.archives.channel_mates import is_there
from crystal_search.archives.image_table import open_csv
from crystal_search.archives.seen_objects import SeenObject, from_coco
from crystal_search.class_schemes import SCHEMES
from crystal_search.errors import CrystalSearchError, UserError
from crystal_search.hostile_json import loads
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.synthesis.rendered_folder import CELL

ANNOTATIONS, TRUTH, PICTURES = "annotations.json", "truth.csv", "images"
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
    try:
        text = (path / ANNOTATIONS).read_bytes()
        with naming(str(path / ANNOTATIONS)):
            objects = _objects(loads(text, UserError))
    except OSError as error:
        raise UserError(f"cannot read {path / ANNOTATIONS}: {error.strerror}; name a folder that has it") from error
    except (CrystalSearchError, MemoryError):
        raise
    except Exception as error:  # whatever stands in the place of what is read
        raise UserError(f"{path / ANNOTATIONS} lacks or misnames {error}; render the folder again") from error
    return Archive(
        name=f"annotations {path.name or path}",
        scheme=SCHEMES[SCHEME] if table is None else table.scheme,
        images=partial(_images, path, objects, table),
    )


def _objects(truth: Any) -> dict[str, tuple[SeenObject, ...]]:
    crystals = {each["id"]: str(each["name"]) for each in truth["categories"] if each.get("supercategory") != CELL}
    cells = {each["id"] for each in truth["categories"]} - crystals.keys()
    sizes = {
        each["id"]: (int(each["height"]), int(each["width"]))
        for each in truth["images"]
        if "height" in each and "width" in each
    }
    found: dict[Any, list[SeenObject]] = defaultdict(list)
    for each in truth["annotations"]:
        image, category = each["image_id"], each["category_id"]
        if category not in cells:
            found[image].append(from_coco(each, crystals[category], sizes.get(image)))
    return {str(each["file_name"]): tuple(found[each["id"]]) for each in truth["images"]}


def _images(folder: Path, objects: Mapping[str, tuple[SeenObject, ...]], table: Archive | None) -> Items:
    """Yield images with their crystals by the name of the file; all else is in a table, if they are of wells."""
    for item in _in_suspension(folder, objects) if table is None else table.images():
        if isinstance(item, ArchiveImage) and item.name in objects:
            yield replace(item, objects=objects[item.name])
        else:
            yield item


def _in_suspension(folder: Path, objects: Mapping[str, tuple[SeenObject, ...]]) -> Items:
    for file, seen in objects.items():
        found = [path for path in (folder / file, folder / PICTURES / file) if is_there(path)]
        if not found:
            yield LeftOut(file, "the file is missing")
            continue
        outcome = outcome_of(seen)
        yield ArchiveImage(name=file, content=found[0], outcome=outcome, well=file, plate="", in_suspension=True)
