"""Annotations of COCO (https://cocodataset.org/#format-data), columns before rows.

A mask is polygons, run lengths, or run lengths as a text, which hotcoco reads and writes. What COCO has no word for
stands beside its own keys: ``annotator``, ``too_faint``, ``oriented_box`` of an annotation, ``annotators`` and
``um_per_px`` of an image.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from crystal_search.annotations.annotated_image import (
    AnnotatedImage,
    AnnotatedObject,
    Boxed,
    Edges,
    Outlined,
    Painted,
    Placed,
    Polygon,
    Shape,
)
from crystal_search.annotations.annotation_format import AnnotationFormat, ReadOptions, Trait, WriteOptions
from crystal_search.annotations.drawn_shapes import area_of, edges_of, painted, pixels_of, size_of
from crystal_search.annotations.foreign_values import (
    json_in,
    list_in,
    name_in,
    number_in,
    record_in,
    ring_in,
    side_in,
    text_in,
    whole_number_in,
    within,
)
from crystal_search.annotations.keys_beside import SCALE, beside_in, people_in, scale_in, told_beside, told_of_image
from crystal_search.errors import UserError
from crystal_search.files import write_whole

FILE = "annotations.json"
MISSING = "hotcoco, which knows compressed run lengths, is missing: pip install 'crystal-search[annotations]'"
LONGEST_RUN = 10**8  #: px; the largest image has as many
IMAGE_KEYS = ("id", "file_name", "height", "width", "annotators")
OBJECT_KEYS = (
    *("id", "image_id", "category_id", "segmentation", "bbox", "area", "iscrowd", "num_keypoints"),
    *("annotator", "too_faint", "oriented_box", "score"),
)
Size = tuple[int, int]  #: height and width, px
Class = tuple[str, str]  #: name and supercategory


def read_coco(path: Path, options: ReadOptions) -> Iterator[AnnotatedImage]:
    """Yield the images of the file `path`, or of ``annotations.json`` in the folder.

    Raises
    ------
    UserError
        If it cannot be read, or breaks the format.
    """
    file = path / FILE if path.is_dir() else path
    with within(str(file)):
        images = images_in(json_in(file))
    yield from images


def images_in(told: Any) -> list[AnnotatedImage]:
    """Return the images of a file.

    Raises
    ------
    UserError
        If it breaks the format.
    """
    record = record_in(told, "the file")
    classes = {each["id"]: _class_in(each) for each in _records(record, "categories")}
    images = {each["id"]: each for each in _records(record, "images")}
    names = {key: name_in(each["file_name"]) for key, each in images.items()}
    if len(images) < len(record["images"]) or len(set(names.values())) < len(images):
        raise UserError("two images have the same id or file_name; give each its own")
    found: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for each in _records(record, "annotations"):
        if each["image_id"] not in images:
            raise UserError(f"an annotation of image {each['image_id']!r:.50}, which is not in the list of images")
        found[each["image_id"]].append(each)
    return [_image(each, names[key], found[key], classes) for key, each in images.items()]


def _records(record: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    if key not in record:
        raise UserError(f"it has no list of {key}; is it a file of COCO annotations?")
    return [record_in(each, f"each of {key}") for each in list_in(record[key], key)]


def _class_in(category: Mapping[str, Any]) -> Class:
    told = category.get("supercategory")
    return text_in(category.get("name"), "a category's name"), text_in(told, "a supercategory") if told else ""


def _image(
    told: Mapping[str, Any], name: str, annotations: Sequence[Mapping[str, Any]], classes: Mapping[Any, Class]
) -> AnnotatedImage:
    size = (side_in(told["height"], "height"), side_in(told["width"], "width")) if "height" in told else None
    objects = []
    with within(name):
        for each in annotations:
            if each["category_id"] not in classes:
                raise UserError(f"an annotation of category {each['category_id']!r:.50}, which is not in the list")
            label, supercategory = classes[each["category_id"]]
            objects.append(replace(object_in(each, label, size), supercategory=supercategory))
            size = size or _size_told(each)
        people = people_in(told)
    scale = scale_in(told)
    return AnnotatedImage(
        name=name,
        height_px=size[0] if size else 0,
        width_px=size[1] if size else 0,
        objects=tuple(objects),
        um_per_px=scale,
        annotators=people,
        passed_over=tuple(sorted({key for each in annotations for key in _beside(each, OBJECT_KEYS)}))
        + tuple(sorted(_beside(told, IMAGE_KEYS if scale is None else (*IMAGE_KEYS, SCALE)))),
    )


def _beside(record: Mapping[str, Any], read: Collection[str]) -> set[str]:
    """Return which keys of a record say something, beside those that are read."""
    return {key for key, value in record.items() if key not in read and value not in (None, "", [], {})}


def object_in(annotation: Mapping[str, Any], label: str, size: Size | None = None) -> AnnotatedObject:
    """Return the object of one annotation.

    Parameters
    ----------
    size
        Height and width of the image, px, where its file tells them.

    Raises
    ------
    UserError
        If its mask is none, or does not fit the image.
    """
    return AnnotatedObject(
        label=label,
        shape=_shape_in(annotation, size),
        crowd=bool(annotation.get("iscrowd")),
        **beside_in(annotation),
    )


def _shape_in(annotation: Mapping[str, Any], size: Size | None) -> Shape:
    match annotation.get("segmentation"):
        case dict(mask):
            return _run_lengths_in(mask, size)
        case list(polygons) if polygons:
            return Outlined(tuple(Polygon(ring_in(_pairs(each))) for each in polygons))
        case None | []:
            left, top, width, height = (
                number_in(each, "a number of bbox") for each in list_in(annotation.get("bbox"), "a bbox")
            )
            if min(width, height) < 0:
                raise UserError(f"a bbox of {width:g} x {height:g} px; sides are at least 0")
            return Boxed(Edges(top, left, top + height, left + width))
        case other:
            raise UserError(f"a segmentation must be polygons or run lengths, got {other!r:.50}")


def _pairs(numbers: Any) -> list[tuple[Any, Any]]:
    return list(zip(list_in(numbers, "a polygon")[::2], numbers[1::2], strict=True))


def _size_told(annotation: Mapping[str, Any]) -> Size | None:
    mask = annotation.get("segmentation")
    return (int(mask["size"][0]), int(mask["size"][1])) if isinstance(mask, dict) else None


def _run_lengths_in(mask: Mapping[str, Any], size: Size | None) -> Painted:
    height, width = (side_in(each, "a side of a mask") for each in list_in(mask.get("size"), "the size of a mask"))
    if size and size != (height, width):
        raise UserError(f"a mask of {height} x {width} px in an image of {size[0]} x {size[1]}; correct the annotation")
    counts = mask.get("counts")
    if isinstance(counts, str):
        return _decompressed(counts, height, width)
    runs = list_in(counts, "run lengths")
    if not {*map(type, runs)} <= {int}:
        runs = [whole_number_in(each, "a run length", 0, LONGEST_RUN) for each in runs]
    if min(runs, default=0) < 0 or sum(runs) != height * width:
        raise UserError(f"run lengths of {sum(runs)} px in an image of {height} x {width}; correct the annotation")
    return Painted(tuple(runs))


def _decompressed(counts: str, height: int, width: int) -> Painted:
    try:
        from hotcoco import mask
    except ImportError as error:
        raise UserError(MISSING) from error
    try:
        return painted(mask.decode({"size": [height, width], "counts": counts}) > 0)
    except (ValueError, TypeError) as error:
        raise UserError(f"run lengths that hotcoco does not read: {error}; correct the annotation") from error


def write_coco(images: Sequence[AnnotatedImage], path: Path, options: WriteOptions) -> None:
    """Write a file of annotations.

    Raises
    ------
    UserError
        If an image with painted masks or with holes tells no size, or a library is missing.
    """
    held = [replace(image, objects=tuple(each for each in image.objects if _is_held(each))) for image in images]
    classes = sorted({_class_of(each) for image in held for each in image.objects})
    numbers = {each: number for number, each in enumerate(classes, start=1)}
    told = [_image_record(image, number) for number, image in enumerate(images, start=1)]
    annotations = [
        {"image_id": number, "category_id": numbers[_class_of(each)], **annotation_of(image, each, options)}
        for number, image in enumerate(held, start=1)
        for each in image.objects
    ]
    record = {
        "images": told,
        "categories": [
            {"id": number, "name": label} | ({"supercategory": above} if above else {})
            for (label, above), number in numbers.items()
        ],
        "annotations": [{"id": number, **each} for number, each in enumerate(annotations, start=1)],
    }
    write_whole(path, json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n")


def _class_of(found: AnnotatedObject) -> Class:
    return found.label, found.supercategory


def _is_held(found: AnnotatedObject) -> bool:
    return not isinstance(found.shape, Placed)


def _image_record(image: AnnotatedImage, number: int) -> dict[str, Any]:
    record: dict[str, Any] = {"id": number, "file_name": image.name}
    if image.height_px:
        record |= {"height": image.height_px, "width": image.width_px}
    return record | told_of_image(image)


def annotation_of(image: AnnotatedImage, found: AnnotatedObject, options: WriteOptions) -> dict[str, Any]:
    """Return the record of an object, without the numbers of itself, its image and its category."""
    size = (image.height_px, image.width_px)
    top, left, bottom, right = edges_of(found.shape, *size) or (0.0, 0.0, 0.0, 0.0)
    return {
        "segmentation": _segmentation(image, found, options),
        "bbox": [left, top, right - left, bottom - top],
        "area": area_of(found.shape),
        "iscrowd": int(found.crowd),
        **told_beside(found),
    }


def _segmentation(image: AnnotatedImage, found: AnnotatedObject, options: WriteOptions) -> Any:
    match found.shape:
        case Outlined(parts) if not any(each.holes for each in parts):
            return [[number for row, column in each.outline for number in (column, row)] for each in parts]
        case Outlined() | Painted():
            return _run_lengths(image, found, options)
        case _:
            return []


def _run_lengths(image: AnnotatedImage, found: AnnotatedObject, options: WriteOptions) -> dict[str, Any]:
    size = list(size_of(image))
    if not options.compressed:
        runs = found.shape.runs if isinstance(found.shape, Painted) else painted(pixels_of(image, found)).runs
        return {"size": size, "counts": list(runs)}
    try:
        from hotcoco import mask
    except ImportError as error:
        raise UserError(MISSING) from error
    return {"size": size, "counts": mask.encode(pixels_of(image, found))["counts"].decode()}


COCO = AnnotationFormat(
    meaning="one JSON file for all images, as COCO has it",
    read=read_coco,
    write=write_coco,
    file=FILE,
    instead={
        Trait.HOLES: "their pixels are kept as masks",
        Trait.PLACES: "left out",
    },
)
