"""Formats of annotations by name; a new one adds its line."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from crystal_search.annotations.annotated_image import AnnotatedImage
from crystal_search.annotations.annotation_files import picture_of, size_in
from crystal_search.annotations.annotation_format import AnnotationFormat, ReadOptions
from crystal_search.annotations.coco_json import COCO
from crystal_search.annotations.cut_outs import CUT_OUTS
from crystal_search.annotations.foreign_values import json_in, within
from crystal_search.annotations.labelme_json import LABELME, is_labelme
from crystal_search.annotations.mask_pictures import CLASSES, INSTANCE_TABLE, INSTANCES, MASK_TABLE, MASKS, SEMANTIC
from crystal_search.annotations.voc_xml import VOC
from crystal_search.annotations.zooniverse_csv import ZOONIVERSE
from crystal_search.errors import UserError
from crystal_search.known_names import among

FORMATS: dict[str, AnnotationFormat] = {
    "labelme": LABELME,
    "zooniverse": ZOONIVERSE,
    "coco": COCO,
    "voc": VOC,
    "masks": MASKS,
    "instances": INSTANCES,
    "semantic": SEMANTIC,
    "cut-outs": CUT_OUTS,
}
#: Formats by a file in a folder, and by how names of files end.
BY_FILE = {
    **{each.file: name for name, each in FORMATS.items() if each.file},
    **{INSTANCE_TABLE: "instances", MASK_TABLE: "masks", CLASSES: "semantic"},
}
BY_SUFFIX = {".csv": "zooniverse", ".xml": "voc", ".json": "labelme"}
READ = tuple(name for name, each in FORMATS.items() if each.read)
WRITTEN = tuple(name for name, each in FORMATS.items() if each.write)


def format_named(name: str) -> AnnotationFormat:
    """Return a format.

    Raises
    ------
    UnknownNameError
        If there is none of this name; the message lists those there are.
    """
    return among(FORMATS, name, "format of annotations")


def format_at(path: Path) -> str:
    """Return the format of the annotations at `path`, where their names tell.

    Raises
    ------
    UserError
        If there are none, or their names do not tell.
    """
    if not path.exists():
        raise UserError(f"there is no {path}; name a folder or file of annotations")
    named = next((name for file, name in BY_FILE.items() if (path / file).is_file()), None)
    if named:
        return named
    if path.is_file() and path.suffix.lower() == ".json":
        with within(str(path)):
            return "labelme" if is_labelme(json_in(path)) else "coco"
    ended = {file.suffix.lower() for file in ([path] if path.is_file() else path.rglob("*"))}
    found = [name for suffix, name in BY_SUFFIX.items() if suffix in ended]
    if len(found) != 1:
        raise UserError(f"cannot tell what format {path} has; say --from with one of {', '.join(READ)}")
    return found[0]


def read_annotations(path: Path, name: str, options: ReadOptions | None = None) -> Iterator[AnnotatedImage]:
    """Yield the images at `path`, in the format `name`; sizes that no file tells are those of the pictures.

    Raises
    ------
    UserError
        If there is no such format, it is only written, or something cannot be read.
    """
    if not (read := format_named(name).read):
        raise UserError(f"{name} is only written; read one of {', '.join(READ)}")
    chosen = options or ReadOptions()
    folders = [chosen.images or (path if path.is_dir() else path.parent)]
    for image in read(path, chosen):
        picture = None if image.height_px else picture_of(image.name, folders)
        height, width = size_in(picture) if picture else (image.height_px, image.width_px)
        yield replace(image, height_px=height, width_px=width)
