"""Pascal VOC (http://host.robots.ox.ac.uk/pascal/VOC/): an XML file of boxes beside each image.

Its pixels are counted from 1 and a box names the last one in it, so that a box of the first pixel is 1, 1, 1, 1.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree as Xml  # written only; what others wrote is read by defusedxml

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from crystal_search.annotations.annotated_image import AnnotatedImage, AnnotatedObject, Boxed, Edges
from crystal_search.annotations.annotation_files import files_ending_in, name_beside, new_file
from crystal_search.annotations.annotation_format import AnnotationFormat, ReadOptions, Trait, WriteOptions
from crystal_search.annotations.drawn_shapes import edges_of, size_of
from crystal_search.annotations.foreign_values import bytes_in, last_name_in, number_in, side_in, text_in, within
from crystal_search.errors import UserError
from crystal_search.files import write_whole

SUFFIX = ".xml"
FOLDER = "Annotations"  #: of files in VOC's own folders, beside the folder of the images
SIDES = ("xmin", "ymin", "xmax", "ymax")
PASSED_OVER = ("truncated", "occluded", "part", "actions", "point", "polygon")  #: what else objects may tell


def read_voc(path: Path, options: ReadOptions) -> Iterator[AnnotatedImage]:
    """Yield the images of all files in a folder, or of the one at `path`.

    Raises
    ------
    UserError
        If a file cannot be read, or breaks the format.
    """
    for file in files_ending_in(path, SUFFIX):
        with within(str(file)):
            image = _image(_root(bytes_in(file)), file.with_suffix(".jpg").name)
            folder = PurePosixPath(name_beside(file, path, "."))
            below = PurePosixPath(*(each for each in folder.parts if each != FOLDER))
        yield replace(image, name=(below / image.name).as_posix())


def _root(data: bytes) -> Xml.Element:
    try:
        root: Xml.Element = fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        raise UserError("it defines types or entities, which no such file needs; take them out") from error
    except (Xml.ParseError, ValueError) as error:
        raise UserError(f"not XML: {error}") from error
    if root.tag != "annotation":
        raise UserError(f"it is XML of {root.tag[:50]!r}, expected 'annotation'; is it a file of Pascal VOC?")
    return root


def _image(root: Xml.Element, name: str) -> AnnotatedImage:
    """Return the image of a file; `name` where it tells none."""
    size = root.find("size")
    height, width = (0, 0) if size is None else (side_in(_number(size, each), each) for each in ("height", "width"))
    found = root.findall("object")
    objects = []
    for number, each in enumerate(found, start=1):
        with within(f"object {number}"):
            objects.append(_object(each))
    told = root.findtext("filename")
    return AnnotatedImage(
        name=last_name_in(told.strip()) if told and told.strip() else name,
        height_px=height,
        width_px=width,
        objects=tuple(objects),
        passed_over=tuple(
            tag for tag in PASSED_OVER if any((each.findtext(tag) or "0").strip() != "0" for each in found)
        ),
    )


def _object(told: Xml.Element) -> AnnotatedObject:
    box = told.find("bndbox")
    if box is None:
        raise UserError("it has no bndbox; give it one")
    left, top, right, bottom = (number_in(_number(box, side), side) for side in SIDES)
    if right < left or bottom < top:
        raise UserError(f"a box from {left:g}, {top:g} to {right:g}, {bottom:g}; it ends before it begins")
    return AnnotatedObject(
        label=text_in(told.findtext("name"), "a name"),
        shape=Boxed(Edges(top - 1, left - 1, bottom, right)),
        too_faint=(told.findtext("difficult") or "0").strip() == "1",
    )


def _number(told: Xml.Element, tag: str) -> float:
    text = (told.findtext(tag) or "").strip()
    try:
        return float(text)
    except ValueError as error:
        raise UserError(f"{tag} must be a number, got {text[:50]!r}") from error


def write_voc(images: Sequence[AnnotatedImage], folder: Path, options: WriteOptions) -> None:
    """Write a file for each image, so that both can lie in one folder.

    Raises
    ------
    UserError
        If nobody tells how large an image is, or two images differ only in how their names end.
    """
    for image in images:
        height, width = size_of(image)
        path = PurePosixPath(image.name)
        root = Xml.Element("annotation")
        _add(root, folder=path.parent.name, filename=path.name)
        _add(Xml.SubElement(root, "source"), database="Crystal Search")
        _add(Xml.SubElement(root, "size"), width=width, height=height, depth=3)
        _add(root, segmented=0)
        for found in image.objects:
            edges = edges_of(found.shape, height, width)
            if edges:
                _write_object(Xml.SubElement(root, "object"), found, edges)
        Xml.indent(root)
        write_whole(new_file(folder, image.name, SUFFIX), Xml.tostring(root, "utf-8") + b"\n")


def _write_object(told: Xml.Element, found: AnnotatedObject, edges: Edges) -> None:
    _add(told, name=found.label, pose="Unspecified", truncated=0, difficult=int(found.too_faint))
    top, left = math.floor(edges.top), math.floor(edges.left)
    sides = (left + 1, top + 1, max(left + 1, math.ceil(edges.right)), max(top + 1, math.ceil(edges.bottom)))
    _add(Xml.SubElement(told, "bndbox"), **dict(zip(SIDES, sides, strict=True)))


def _add(parent: Xml.Element, **texts: str | int) -> None:
    for tag, text in texts.items():
        Xml.SubElement(parent, tag).text = str(text)


VOC = AnnotationFormat(
    meaning="an XML file of boxes beside each image, as Pascal VOC has it",
    read=read_voc,
    write=write_voc,
    instead={
        Trait.OUTLINES: "only their boxes are kept",
        Trait.MASKS: "only their boxes are kept",
        Trait.PLACES: "left out",
        Trait.FRACTIONS: "boxes are widened to whole pixels",
        Trait.ANNOTATORS: "who drew them is not kept",
        Trait.BLANKS: "that they looked is not kept",
        Trait.CROWDS: "that they are many is not kept",
        Trait.SUPERCATEGORIES: "not kept",
        Trait.ORIENTED_BOXES: "not kept",
        Trait.PROBABILITIES: "not kept",
        Trait.SCALES: "not kept",
    },
)
