"""Files of labelme (https://github.com/wkentaro/labelme): one beside each image, columns before rows.

What labelme has no word for stands beside its own keys, which it keeps when it saves a file again: ``annotator``,
``too_faint``, ``crowd``, ``oriented_box`` and ``score`` of a shape, ``annotators`` and ``um_per_px`` of a file.
"""

import base64
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from crystal_search.annotations.annotated_image import (
    AnnotatedImage,
    AnnotatedObject,
    Boxed,
    Edges,
    Outlined,
    Painted,
    Placed,
    Polygon,
    Ring,
    Shape,
)
from crystal_search.annotations.annotation_files import files_ending_in, name_beside, new_file
from crystal_search.annotations.annotation_format import AnnotationFormat, ReadOptions, Trait, WriteOptions
from crystal_search.annotations.drawn_shapes import ellipse, mask_in, outlined, painted, pixels_of, size_of
from crystal_search.annotations.foreign_values import (
    json_in,
    last_name_in,
    list_in,
    record_in,
    ring_in,
    side_in,
    text_in,
    within,
)
from crystal_search.annotations.keys_beside import SCALE, beside_in, people_in, scale_in, told_beside, told_of_image
from crystal_search.annotations.png_numbers import mask_png, numbers_in
from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.geometry import Box
from crystal_search.unet_drop.regions import box_around

SUFFIX = ".json"
VERSION = "5.5.0"  #: of the format that is written: the first with masks are 5.3
PAIR = 2
RECTANGLE_CORNERS = (2, 4)  #: labelme tells two, programs that turn rectangles four
TURNED = ("oriented_rectangle", "rotation")
KNOWN = "polygon, rectangle, oriented_rectangle, circle, mask, point, points, line, linestrip"
Size = tuple[int, int]  #: height and width, px


def read_labelme(path: Path, options: ReadOptions) -> Iterator[AnnotatedImage]:
    """Yield the images of all files of labelme in a folder, or of the one at `path`.

    Raises
    ------
    UserError
        If a file cannot be read, or breaks the format.
    """
    for file in files_ending_in(path, SUFFIX):
        with within(str(file)):
            told = json_in(file)
            if not is_labelme(told) and path.is_dir():
                continue  # of another program, which may write beside an image too
            image = image_in(told, file.with_suffix(".png").name)
        yield replace(image, name=name_beside(file, path, image.name))


def is_labelme(told: Any) -> bool:
    """Tell whether a JSON value is a file of labelme."""
    return isinstance(told, dict) and isinstance(told.get("shapes"), list)


def image_in(told: Any, name: str = "") -> AnnotatedImage:
    """Return the image that a file tells of.

    Parameters
    ----------
    name
        Of the image, where the file does not tell.

    Raises
    ------
    UserError
        If the file breaks the format.
    """
    record = record_in(told, "the file")
    shapes = [record_in(each, "a shape") for each in list_in(record.get("shapes"), "shapes")]
    size = side_in(record.get("imageHeight"), "imageHeight"), side_in(record.get("imageWidth"), "imageWidth")
    beside = {
        "flags": record.get("flags") or any(each.get("flags") for each in shapes),
        "descriptions": any(each.get("description") for each in shapes),
        SCALE: record.get(SCALE) is not None and scale_in(record) is None,
    }
    return AnnotatedImage(
        name=last_name_in(record["imagePath"]) if record.get("imagePath") else name,
        height_px=size[0],
        width_px=size[1],
        objects=_objects(shapes, size),
        um_per_px=scale_in(record),
        annotators=people_in(record),
        passed_over=tuple(what for what, there in beside.items() if there),
    )


def _objects(shapes: Sequence[Mapping[str, Any]], size: Size) -> tuple[AnnotatedObject, ...]:
    """Return objects; shapes of one label and one group are parts of one."""
    parts: dict[Any, list[AnnotatedObject]] = {}
    for number, told in enumerate(shapes, start=1):
        with within(f"shape {number} ({told.get('label')!r:.50})"):
            found = _object(told, size)
        group = told.get("group_id")
        alone = group is None or isinstance(found.shape, Placed)
        parts.setdefault(("alone", number) if alone else (found.label, str(group)), []).append(found)
    return tuple(_together(each, size) for each in parts.values())


def _object(told: Mapping[str, Any], size: Size) -> AnnotatedObject:
    return AnnotatedObject(
        label=text_in(told.get("label")), shape=_shape(told, size), crowd=bool(told.get("crowd")), **beside_in(told)
    )


def _shape(told: Mapping[str, Any], size: Size) -> Shape:
    kind, points = told.get("shape_type") or "polygon", list_in(told.get("points"), "points")
    corners = ring_in([_pair(each) for each in points], at_least=1)
    if kind == "polygon" or kind in TURNED:
        return _polygon(corners)
    if kind == "rectangle" and len(corners) in RECTANGLE_CORNERS:
        rows, columns = zip(*corners, strict=True)
        edges = Edges(min(rows), min(columns), max(rows), max(columns))
        upright = set(rows) == {edges.top, edges.bottom} and set(columns) == {edges.left, edges.right}
        return Boxed(edges) if upright else _polygon(corners)
    if kind == "circle" and len(corners) == PAIR:
        (row, column), edge = corners
        radius = math.dist(corners[0], edge)
        return Outlined((Polygon(ellipse(row, column, (radius, radius))),))
    if kind == "mask" and len(corners) == PAIR:
        return _pasted(told.get("mask"), corners, size)
    if kind in ("point", "points", "line", "linestrip"):
        return Placed(corners, joined=kind in ("line", "linestrip"))
    raise UserError(f"it is a {kind!r:.50} of {len(corners)} points; known are {KNOWN}")


def _pair(point: Any) -> tuple[Any, Any]:
    x, y = list_in(point, "a point")
    return x, y


def _polygon(corners: Ring) -> Outlined:
    if len(corners) <= PAIR:
        raise UserError(f"an outline of {len(corners)} corners; it has at least 3")
    return Outlined((Polygon(corners),))


def _pasted(mask: Any, corners: Ring, size: Size) -> Painted:
    """Return a mask that is told as a picture and where its upper left pixel is; what is outside is cut off."""
    if not isinstance(mask, str):
        raise UserError("a mask without a picture; save it again with labelme")
    patch = numbers_in(base64.b64decode(mask, validate=True), within_px=size) > 0
    whole = np.zeros(size, np.bool_)
    top, left = map(round, corners[0])
    there = Box(top, left, top + patch.shape[0], left + patch.shape[1]).clipped(*size)
    if there.area:
        inside = Box(there.top - top, there.left - left, there.bottom - top, there.right - left)
        whole[there.slices] = patch[inside.slices]
    return painted(whole)


def _together(parts: Sequence[AnnotatedObject], size: Size) -> AnnotatedObject:
    """Return one object of several parts."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if any(isinstance(each.shape, Painted) for each in parts):
        return replace(first, shape=painted(np.logical_or.reduce([mask_in(each.shape, *size) for each in parts])))
    polygons = [outlined(each.shape, *size) for each in parts]
    return replace(first, shape=Outlined(tuple(part for each in polygons if each for part in each.parts)))


def write_labelme(images: Sequence[AnnotatedImage], folder: Path, options: WriteOptions) -> None:
    """Write a file for each image, so that both can lie in one folder.

    Raises
    ------
    UserError
        If nobody tells how large an image is, or two images differ only in how their names end.
    """
    for image in images:
        height, width = size_of(image)
        shapes = [shape for number, each in enumerate(image.objects, 1) for shape in _told(image, each, number)]
        record: dict[str, Any] = {
            "version": VERSION,
            "flags": {},
            "shapes": shapes,
            "imagePath": PurePosixPath(image.name).name,
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        text = json.dumps(record | told_of_image(image), ensure_ascii=False, allow_nan=False, indent=1) + "\n"
        write_whole(new_file(folder, image.name, SUFFIX), text)


def _told(image: AnnotatedImage, found: AnnotatedObject, number: int) -> list[dict[str, Any]]:
    shapes = _shapes_of(image, found)
    more = told_beside(found) | ({"crowd": True} if found.crowd else {})
    common: dict[str, Any] = {
        "label": found.label,
        "group_id": number if len(shapes) > 1 else None,
        "description": "",
        "flags": {},
        "mask": None,
    }
    return [common | shape | more for shape in shapes]


def _shapes_of(image: AnnotatedImage, found: AnnotatedObject) -> list[dict[str, Any]]:
    match found.shape:
        case Boxed((top, left, bottom, right)):
            return [{"shape_type": "rectangle", "points": [[left, top], [right, bottom]]}]
        case Placed(corners, joined):
            one, several = ("line", "linestrip") if joined else ("point", "points")
            kind = one if len(corners) == 1 + joined else several
            return [{"shape_type": kind, "points": _points(corners)}]
        case Outlined(parts) if not any(each.holes for each in parts):
            return [{"shape_type": "polygon", "points": _points(each.outline)} for each in parts]
        case _:
            return [_mask(image, found)]


def _points(corners: Ring) -> list[list[float]]:
    return [[column, row] for row, column in corners]


def _mask(image: AnnotatedImage, found: AnnotatedObject) -> dict[str, Any]:
    """Return a mask as labelme has it: a picture of its box, and the first and the last pixel of that."""
    mask = pixels_of(image, found)
    top, left, bottom, right = box_around(mask) if mask.any() else (0, 0, 1, 1)
    picture = base64.b64encode(mask_png(mask[top:bottom, left:right])).decode()
    return {"shape_type": "mask", "points": [[left, top], [right - 1, bottom - 1]], "mask": picture}


LABELME = AnnotationFormat(
    meaning="a JSON file of labelme beside each image",
    read=read_labelme,
    write=write_labelme,
    instead={Trait.HOLES: "their pixels are kept as masks", Trait.SUPERCATEGORIES: "not kept"},
)
