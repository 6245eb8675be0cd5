"""An archive that is a folder with COCO annotations, as ``crystal-search render`` writes it (docs/archives.md)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crystal_search.archives.archive import ArchiveImage, LeftOut
from crystal_search.archives.archive_options import ArchiveOptions
from crystal_search.archives.channel_mates import is_there
from crystal_search.archives.image_table import CsvArchive, open_csv
from crystal_search.archives.seen_objects import SeenObject, from_coco
from crystal_search.class_schemes import SCHEMES, Scheme
from crystal_search.errors import UserError
from crystal_search.hostile_json import loads
from crystal_search.outcomes import OUTCOME_NAMES

ANNOTATIONS, TRUTH, PICTURES = "annotations.json", "truth.csv", "images"
SCHEME, A_CRYSTAL = "outcomes-13", "crystal_harvestable"  #: what an image with crystals of any other name counts as


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoArchive:
    """Images whose crystals are known one by one."""

    folder: Path
    objects: Mapping[str, tuple[SeenObject, ...]]  #: by the image's file
    table: CsvArchive | None  #: what else is known of each image; None for crystals in suspension

    @property
    def name(self) -> str:
        """What people call it."""
        return f"annotations {self.folder.name or self.folder}"

    @property
    def scheme(self) -> Scheme:
        """The classes in which people scored its images."""
        return SCHEMES[SCHEME] if self.table is None else self.table.scheme

    def images(self) -> Iterator[ArchiveImage | LeftOut]:
        """Yield its images, by the table where there is one.

        Raises
        ------
        UserError
            If the table cannot be read, or has a label that nobody knows.
        """
        for item in self._of_annotations() if self.table is None else self.table.images():
            if isinstance(item, ArchiveImage) and item.name in self.objects:
                yield replace(item, objects=self.objects[item.name])
            else:
                yield item

    def _of_annotations(self) -> Iterator[ArchiveImage | LeftOut]:
        for file, objects in self.objects.items():
            found = [path for path in (self.folder / file, self.folder / PICTURES / file) if is_there(path)]
            if not found:
                yield LeftOut(file, "the file is missing")
                continue
            seen = outcome_of(objects)
            yield ArchiveImage(name=file, content=found[0], outcome=seen, well=file, plate="", in_suspension=True)


def outcome_of(objects: tuple[SeenObject, ...]) -> str:
    """Return what an image shows by its crystals, those aside that are too faint to see."""
    categories = {each.category for each in objects if not each.too_faint}
    return next((name for name in OUTCOME_NAMES if name in categories), A_CRYSTAL if categories else "clear")


def open_coco(path: Path, options: ArchiveOptions) -> CocoArchive:
    """Return the archive in the folder `path`.

    Raises
    ------
    UserError
        If there is no such folder, or its annotations are none.
    """
    table = open_csv(path / TRUTH, options) if is_there(path / TRUTH) else None
    try:
        objects = _objects(loads((path / ANNOTATIONS).read_bytes(), UserError))
    except OSError as error:
        raise UserError(f"cannot read {path / ANNOTATIONS}: {error.strerror}; name a folder that has it") from error
    except UserError as error:
        raise UserError(f"{path / ANNOTATIONS}: {error}") from error
    except (KeyError, TypeError) as error:
        raise UserError(f"{path / ANNOTATIONS} lacks or misnames {error}; render the folder again") from error
    return CocoArchive(folder=path, objects=objects, table=table)


def _objects(truth: Any) -> dict[str, tuple[SeenObject, ...]]:
    categories = {each["id"]: str(each["name"]) for each in truth["categories"]}
    found: dict[Any, list[SeenObject]] = defaultdict(list)
    for each in truth["annotations"]:
        found[each["image_id"]].append(from_coco(each, categories[each["category_id"]]))
    return {str(each["file_name"]): tuple(found[each["id"]]) for each in truth["images"]}
