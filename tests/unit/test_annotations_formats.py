"""Every format of annotations: what is written comes back, what is lost is said, what is hostile is refused."""

import base64
import csv
import json
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from crystal_search.annotations.annotated_image import (
    AnnotatedImage,
    AnnotatedObject,
    Boxed,
    Outlined,
    Painted,
    Placed,
)
from crystal_search.annotations.annotation_format import ReadOptions, Trait, WriteOptions, lost, traits_of
from crystal_search.annotations.converting import write_annotations
from crystal_search.annotations.drawn_shapes import edges_of, mask_in, outlined, painted, pixels_of
from crystal_search.annotations.format_kinds import FORMATS, WRITTEN, format_at, format_named, read_annotations
from crystal_search.annotations.png_numbers import mask_png, numbers_in
from crystal_search.errors import UnknownNameError, UserError
from crystal_search.images import picture_file
from tests.unit.annotation_strategies import HEIGHT, SHAPES, WIDTH, boxes, images, objects, outlines, painted_shapes

GOLDEN = Path(__file__).parents[1] / "golden" / "annotations"
BOTH = [name for name, each in FORMATS.items() if each.read and each.write]
PLAIN: dict[str, Any] = {
    "supercategory": "",
    "annotator": "",
    "too_faint": False,
    "crowd": False,
    "oriented_box": (),
    "probability": None,
}


def there_and_back(
    drawn: Sequence[AnnotatedImage], name: str, options: WriteOptions | None = None
) -> list[AnnotatedImage]:
    with TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        write_annotations(drawn, out, name, options or WriteOptions())
        return list(read_annotations(out, name))


def by_person(drawn: Sequence[AnnotatedImage]) -> list[AnnotatedImage]:
    """Return images with objects in the order in which an export by persons has them."""
    return [
        replace(image, objects=tuple(each for found in image.by_annotator.values() for each in found))
        for image in drawn
    ]


@settings(max_examples=25)  # each is written to the disk
@given(drawn=images(scaled=True))
def test_labelme_and_coco_hold_all_but_what_they_say(drawn: list[AnnotatedImage]) -> None:
    for name in ("labelme", "coco"):
        kept = [
            replace(
                image,
                objects=tuple(_but_for_holes(each, image, name) for each in image.objects if _is_held(each, name)),
            )
            for image in drawn
        ]
        assert there_and_back(drawn, name) == kept


def _is_held(found: AnnotatedObject, name: str) -> bool:
    return name == "labelme" or not isinstance(found.shape, Placed)


def _but_for_holes(found: AnnotatedObject, image: AnnotatedImage, name: str) -> AnnotatedObject:
    if name == "labelme":
        found = replace(found, supercategory="")
    if Trait.HOLES in set(traits_of(found)):
        return replace(found, shape=painted(pixels_of(image, found)))
    return found


@pytest.mark.parametrize("told", [0, 0.001, 1e9, True, "0.5", [0.5], 10**400])
def test_a_scale_that_no_microscope_has_is_not_taken_over_and_said(told: object, tmp_path: Path) -> None:
    image = {"id": 1, "file_name": "a.png", "height": 3, "width": 4, "um_per_px": told}
    record = {"images": [image], "categories": [], "annotations": []}
    (tmp_path / "annotations.json").write_text(json.dumps(record))
    (tmp_path / "labelme").mkdir()
    shape = {"shapes": [], "imageHeight": 3, "imageWidth": 4, "imagePath": "a.png", "um_per_px": told}
    (tmp_path / "labelme" / "a.json").write_text(json.dumps(shape))
    for name, place in (("coco", tmp_path), ("labelme", tmp_path / "labelme")):
        (read,) = read_annotations(place, name)
        assert (read.um_per_px, read.passed_over) == (None, ("um_per_px",))


@pytest.mark.parametrize("target", [name for name in WRITTEN if name not in ("coco", "labelme", "cut-outs")])
def test_a_format_that_holds_no_scale_says_so(target: str, tmp_path: Path) -> None:
    image = AnnotatedImage(name="a.png", height_px=3, width_px=4, um_per_px=0.59)
    done = write_annotations([image], tmp_path / "out", target, WriteOptions())
    assert "1 images whose scale is known: not kept" in done.lost


@settings(max_examples=25)  # each is written to the disk
@given(drawn=images())
def test_compressed_run_lengths_are_the_same_masks(drawn: list[AnnotatedImage]) -> None:
    assert there_and_back(drawn, "coco", WriteOptions(compressed=True)) == there_and_back(drawn, "coco")


@settings(max_examples=25)  # each is written to the disk
@given(drawn=images(objects(st.one_of(boxes(), outlines(parts=1, holes=False)))))
def test_zooniverse_holds_outlines_and_boxes_of_persons(drawn: list[AnnotatedImage]) -> None:
    kept: dict[str, Any] = {
        "supercategory": "",
        "too_faint": False,
        "crowd": False,
        "oriented_box": (),
        "probability": None,
    }
    plain = [
        replace(image, objects=tuple(replace(each, **kept) for each in image.objects)) for image in by_person(drawn)
    ]
    assert by_person(there_and_back(drawn, "zooniverse")) == plain


@settings(max_examples=25)  # each is written to the disk
@given(drawn=images(objects(boxes(whole=True)), blank=False))
def test_voc_holds_boxes_of_whole_pixels(drawn: list[AnnotatedImage]) -> None:
    plain = [
        replace(
            image,
            annotators=(),
            objects=tuple(replace(each, **PLAIN | {"too_faint": each.too_faint}) for each in image.objects),
        )
        for image in drawn
    ]
    assert there_and_back(drawn, "voc") == plain


@settings(max_examples=25)  # each is written to the disk
@given(drawn=images(objects(painted_shapes())))
def test_masks_hold_every_pixel(drawn: list[AnnotatedImage]) -> None:
    plain = [
        replace(
            image,
            annotators=tuple(sorted(image.annotators)),
            objects=tuple(replace(each, oriented_box=(), supercategory="") for each in image.objects),
        )
        for image in drawn
    ]
    found = [replace(image, annotators=tuple(sorted(image.annotators))) for image in there_and_back(drawn, "masks")]
    assert found == plain


@settings(max_examples=25)  # each is written to the disk
@given(drawn=images(objects(painted_shapes())))
def test_pictures_of_numbers_hold_every_object_unless_others_lie_on_it(drawn: list[AnnotatedImage]) -> None:
    found = there_and_back(drawn, "instances")
    overlapping = any("objects on others" in each for each in lost(drawn, FORMATS["instances"]))
    pairs = [
        pair for one, other in zip(drawn, found, strict=True) for pair in zip(one.objects, other.objects, strict=True)
    ]
    same = all(replace(one, oriented_box=(), supercategory="") == other for one, other in pairs)
    assert same == (not overlapping)


@settings(max_examples=25)  # each is written to the disk
@given(drawn=images(objects(painted_shapes()), blank=False))
def test_pictures_of_classes_hold_what_hangs_together(drawn: list[AnnotatedImage]) -> None:
    said = lost(drawn, FORMATS["semantic"])
    found = there_and_back(drawn, "semantic")
    wanted = [{(each.label, each.shape) for each in image.objects if sum(_runs(each)[1::2])} for image in drawn]
    same = [{(each.label, each.shape) for each in image.objects} for image in found] == wanted
    told = any("hang together" in each or "on others" in each for each in said)
    assert same or told
    assert not (told and same) or any("on others" in each for each in said)


def _runs(found: AnnotatedObject) -> tuple[int, ...]:
    assert isinstance(found.shape, Painted)
    return found.shape.runs


@given(shape=st.one_of(painted_shapes(), boxes(), outlines()))
def test_an_outline_holds_the_same_pixels_and_has_the_same_box(shape: Painted | Boxed | Outlined) -> None:
    mask = mask_in(shape, HEIGHT, WIDTH)
    around = outlined(shape, HEIGHT, WIDTH)
    if around is None:
        assert not mask.any()
        return
    np.testing.assert_array_equal(mask_in(around, HEIGHT, WIDTH), mask)
    assert edges_of(around, HEIGHT, WIDTH) == edges_of(shape, HEIGHT, WIDTH)


@pytest.mark.parametrize("source", BOTH)
@pytest.mark.parametrize("target", BOTH)
def test_every_format_becomes_every_other_and_says_what_is_lost(source: str, target: str, tmp_path: Path) -> None:
    drawn = list(read_annotations(GOLDEN / source, source))
    done = write_annotations(drawn, tmp_path / "out", target, WriteOptions())
    found = list(read_annotations(tmp_path / "out", target))
    assert {each.name.rpartition(".")[0] for each in found} == {each.name.rpartition(".")[0] for each in drawn}
    left_out = sum(isinstance(each.shape, Placed) for image in drawn for each in image.objects)
    if left_out and target not in ("labelme", "zooniverse"):
        assert any("places and lines" in each for each in done.lost)
    if target == "voc" and source != "voc":
        assert any("only their boxes are kept" in each for each in done.lost)


@pytest.mark.parametrize("name", BOTH)
def test_golden_files_are_read_as_they_were_and_written_so_again(name: str, tmp_path: Path) -> None:
    drawn = list(read_annotations(GOLDEN / name, name))
    expected = json.loads((GOLDEN / "expected.json").read_text(encoding="utf-8"))[name]
    assert [_plain(each) for each in drawn] == expected
    write_annotations(drawn, tmp_path / "out", name, WriteOptions())
    assert format_at(tmp_path / "out") == name
    again = list(read_annotations(tmp_path / "out", name))
    assert [replace(each, passed_over=()) for each in drawn] == [replace(each, passed_over=()) for each in again]


def _plain(image: AnnotatedImage) -> dict[str, object]:
    """Return what is to be seen at once of an image: names, classes, areas in pixels, boxes."""
    size = image.height_px, image.width_px
    return {
        "name": image.name,
        "size": list(size),
        "annotators": list(image.annotators),
        "passed_over": list(image.passed_over),
        "objects": [
            [
                each.label,
                type(each.shape).__name__,
                int(mask_in(each.shape, *size).sum()),
                [round(edge, 2) for edge in edges_of(each.shape, *size) or ()],
                each.annotator,
                each.too_faint,
                each.crowd,
            ]
            for each in image.objects
        ],
    }


def test_an_unknown_format_is_told_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="no format of annotations 'yolo'; choose from labelme"):
        format_named("yolo")
    with pytest.raises(UserError, match="cannot tell what format"):
        format_at(tmp_path)
    with pytest.raises(UserError, match="there is no"):
        format_at(tmp_path / "nothing")


LABELME = {"version": "5.5.0", "shapes": [], "imageHeight": 4, "imageWidth": 6, "imagePath": "a.png"}
COCO = {"images": [{"id": 1, "file_name": "a.png", "height": 4, "width": 6}], "categories": [], "annotations": []}


def _shape(**more: object) -> str:
    shape = {"label": "crystal", "points": [[0, 0], [2, 0], [2, 2]], "shape_type": "polygon"} | more
    return json.dumps(LABELME | {"shapes": [shape]})


def _voc(inside: str, before: str = "") -> str:
    size = "<size><width>6</width><height>4</height></size>"
    return f"{before}<annotation><filename>a.jpg</filename>{size}{inside}</annotation>"


def _looks(annotations: str, subject: str = '{"1": {"Filename": "a.png"}}') -> str:
    cells = ['"' + each.replace('"', '""') + '"' for each in (annotations, subject)]
    return f"user_name,annotations,subject_data\nann,{cells[0]},{cells[1]}\n"


BOMB = '<!DOCTYPE a [<!ENTITY b "' + "x" * 1000 + '"><!ENTITY c "' + "&b;" * 1000 + '">]>'
HOSTILE: list[tuple[str, str, str, str]] = [
    ("labelme", "a.json", "[" * 100_000, "nested too deep"),
    ("labelme", "a.json", json.dumps(LABELME | {"imageHeight": 10**9}), "imageHeight must be a number from 1 to 10000"),
    ("labelme", "a.json", _shape(points=[[0, float("nan")]]), "NaN is no number here"),
    ("labelme", "a.json", _shape(points=[["1", 2], [0, 0], [1, 1]]), "the x of a corner must be a number"),
    ("labelme", "a.json", _shape(points=[[1, 2, 3]]), "ValueError"),
    ("labelme", "a.json", _shape(label="a\u0000b"), "a label must be a text of 1 to 200 characters"),
    ("labelme", "a.json", _shape(label=""), "a label must be a text"),
    ("labelme", "a.json", _shape(shape_type="star"), "it is a 'star' of 3 points; known are polygon"),
    ("labelme", "a.json", _shape(shape_type="mask", points=[[0, 0], [1, 1]]), "a mask without a picture"),
    ("labelme", "a.json", _shape(shape_type="mask", points=[[0, 0], [1, 1]], mask="AAAA"), "no PNG that can be read"),
    ("coco", "annotations.json", "[" * 100_000, "nested too deep"),
    ("coco", "annotations.json", json.dumps({**COCO, "images": [{"id": 1, "file_name": "/etc/a.png"}]}), "outside of"),
    ("coco", "annotations.json", json.dumps({**COCO, "images": [{"id": 1, "file_name": "a/../../b"}]}), "outside of"),
    ("voc", "a.xml", _voc("", BOMB), "it defines types or entities"),
    ("voc", "a.xml", "<a>" * 100_000, "not XML"),
    ("voc", "a.xml", "<html></html>", "expected 'annotation'"),
    ("voc", "a.xml", _voc("<object><name>c</name></object>"), "object 1: it has no bndbox"),
    (
        "voc",
        "a.xml",
        _voc(
            "<object><name>c</name><bndbox><xmin>nan</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></object>"
        ),
        "xmin must be a number from",
    ),
    (
        "voc",
        "a.xml",
        _voc(
            "<object><name>c</name><bndbox><xmin>3</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></object>"
        ),
        "it ends before it begins",
    ),
    ("zooniverse", "classifications.csv", "user_name,annotations\nann,[]\n", "it has no column subject_data"),
    ("zooniverse", "classifications.csv", _looks("[" * 100_000), "line 2: annotations: the JSON is nested too deep"),
    ("zooniverse", "classifications.csv", _looks("[]", "{}"), "line 2"),
    ("zooniverse", "classifications.csv", _looks("[]", '{"1": {"retired": true}}'), "no fact of subject 1 names its"),
    ("zooniverse", "classifications.csv", _looks('[{"value": [{"x": 1, "y": 1e999}]}]'), "Infinity|the y of a corner"),
    ("zooniverse", "classifications.csv", _looks('[{"value": [{"x": 1, "y": 2, "r": -1}]}]'), "r must be a number"),
    ("masks", "masks.csv", "image,mask,object,class\na.png,../m.png,1,crystal\n", "line 2: .* lies outside"),
    ("masks", "masks.csv", "image,mask,object,class\na.png,m.png,1,crystal\n", "cannot read the file"),
    ("masks", "masks.csv", "image,mask,object,class\na.png,masks.csv,1,crystal\n", "it is no PNG"),
    ("instances", "objects.csv", "image,mask\na.png,m.png\n", "it has no column object, class"),
    ("instances", "objects.csv", "image,mask,object,class\na.png,m.png,0,5,c\n", "line 2: it has 5 cells, expected 4"),
    ("instances", "objects.csv", "image;mask;object;class\na.png;m.png;1,5;c\n", "object must be a whole number"),
    (
        "masks",
        "masks.csv",
        "image,mask,object,class,probability\na.png,m.png,1,c,high\n",
        "probability must be a number, with a point",
    ),
    ("instances", "objects.csv", "image\tmask\tobject\tclass\na.png\tm.png\t1,234\tc\n", "no comma, got '1,234'"),
]


def test_a_table_that_was_saved_with_decimal_commas_is_read(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(mask_png(np.ones((4, 6), np.bool_)))
    header = "image;height_px;width_px;mask;object;class;annotator;probability"
    (tmp_path / "masks.csv").write_text(f"{header}\na.png;4,0;6,0;m.png;1,0;0,5;Ada, Ben;0,25\n", encoding="utf-8-sig")
    (image,) = read_annotations(tmp_path, "masks")
    (found,) = image.objects
    assert (found.label, found.annotator, found.probability) == ("0,5", "Ada, Ben", 0.25)
    assert (image.height_px, image.width_px) == (4, 6)


@pytest.mark.parametrize("name", [".a.png", "day 3/.a.png", "@eaDir/a.png"])
@pytest.mark.parametrize("target", ["labelme", "voc", "semantic"])
def test_a_file_that_no_reader_would_see_is_not_written(name: str, target: str, tmp_path: Path) -> None:
    image = AnnotatedImage(name=name, height_px=3, width_px=4)
    with pytest.raises(UserError, match="nobody would find what belongs to"):
        write_annotations([image], tmp_path / "out", target, WriteOptions())


ZERO = {"naturalWidth": 0, "naturalHeight": 0}


@pytest.mark.parametrize(
    "metadata",
    [None, "", "{}", '{"subject_dimensions": null}', '{"subject_dimensions": [null]}']
    + [json.dumps({"subject_dimensions": [each]}) for each in (ZERO, {"naturalWidth": 6}, {"naturalHeight": 4})],
)
def test_a_look_without_the_size_of_the_image_takes_it_from_the_picture(metadata: str | None, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    Pillow.new("L", (6, 4)).save(tmp_path / "pictures" / "a.png")
    mark = [{"task": "T0", "value": [{"tool": 0, "x": 1, "y": 1, "width": 2, "height": 2, "tool_label": "crystal"}]}]
    cells = {"user_name": "ann", "annotations": json.dumps(mark), "subject_data": '{"1": {"Filename": "a.png"}}'}
    cells |= {} if metadata is None else {"metadata": metadata}
    with (tmp_path / "classifications.csv").open("w", newline="") as file:
        csv.writer(file).writerows((cells.keys(), cells.values()))
    (image,) = read_annotations(tmp_path, "zooniverse", ReadOptions(images=tmp_path / "pictures"))
    assert (image.height_px, image.width_px) == (4, 6)
    (image,) = read_annotations(tmp_path, "zooniverse")
    assert (image.height_px, image.width_px) == (0, 0)
    write_annotations([image], tmp_path / "coco", "coco", WriteOptions())
    with pytest.raises(UserError, match=r"nobody tells how large a\.png is; say --images"):
        write_annotations([image], tmp_path / "labelme", "labelme", WriteOptions())


@pytest.mark.parametrize(("name", "file", "content", "message"), HOSTILE)
def test_what_is_hostile_or_broken_is_refused_with_its_place(
    name: str, file: str, content: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / file).write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=message) as refused:
        list(read_annotations(tmp_path, name))
    assert str(tmp_path) in str(refused.value)


def test_a_name_in_labelme_or_voc_never_leaves_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(LABELME | {"imagePath": "..\\..\\etc\\passwd.png"}))
    assert [each.name for each in read_annotations(tmp_path, "labelme")] == ["passwd.png"]
    (tmp_path / "a.xml").write_text(_voc("").replace("a.jpg", "/etc/../x.jpg"))
    assert [each.name for each in read_annotations(tmp_path, "voc")] == ["x.jpg"]


def test_a_huge_picture_of_masks_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    header = bytes.fromhex("89504e470d0a1a0a0000000d49484452000186a0000186a00100000000")
    (tmp_path / "a.png").write_bytes(header + bytes(100))
    with pytest.raises(UserError, match=r"a\.png: it (has 100000 x 100000 px|is no PNG)"):
        list(read_annotations(tmp_path, "instances"))


def png_header(width: int, height: int) -> bytes:
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    first = struct.pack(">I", 13) + ihdr + struct.pack(">I", zlib.crc32(ihdr))
    return b"\x89PNG\r\n\x1a\n" + first + struct.pack(">I", 100) + b"IDAT" + bytes(104)


def test_a_picture_of_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_header(9400, 9400))
    with pytest.raises(UserError, match=r"a\.png: it has 9400 x 9400 px; .* both together 64000000"):
        list(read_annotations(tmp_path, "instances"))


def test_a_mask_of_labelme_that_is_larger_than_its_image_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    mask = base64.b64encode(png_header(7, 4)).decode()
    (tmp_path / "a.json").write_text(_shape(shape_type="mask", points=[[0, 0], [1, 1]], mask=mask))
    with pytest.raises(UserError, match="it has 7 x 4 px, its image 6 x 4"):
        list(read_annotations(tmp_path, "labelme"))


@pytest.mark.parametrize("corner", [(-1, -2), (0, 0), (2, 3), (9, 9)])
def test_of_a_mask_of_labelme_what_is_outside_of_the_image_is_cut_off(corner: tuple[int, int], tmp_path: Path) -> None:
    patch = np.arange(12).reshape(3, 4) % 5 > 0
    mask = base64.b64encode(mask_png(patch)).decode()
    points = [corner[::-1], corner[::-1]]
    (tmp_path / "a.json").write_text(_shape(shape_type="mask", points=points, mask=mask))
    (image,) = read_annotations(tmp_path, "labelme")
    wide = np.zeros((40, 40), np.bool_)
    wide[10 + corner[0] : 13 + corner[0], 10 + corner[1] : 14 + corner[1]] = patch
    np.testing.assert_array_equal(pixels_of(image, image.objects[0]), wide[10:14, 10:16])


def test_the_number_of_a_pixel_in_colour_is_that_of_24_bits(tmp_path: Path) -> None:
    colours = np.array([[(1, 2, 3), (255, 255, 255), (0, 0, 0)]], np.uint8)
    found = numbers_in(picture_file(Pillow.fromarray(colours)))
    assert found.tolist() == [[1 + 2 * 256 + 3 * 65536, 2**24 - 1, 0]]
    assert found.dtype == np.uint32


def test_of_the_masks_of_an_image_one_at_a_time_is_in_memory(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    mask = np.zeros((500, 500), np.bool_)
    mask[100:200, 100:200] = True
    for number in range(40):
        (tmp_path / "a" / f"{number}.png").write_bytes(mask_png(mask))
    tracemalloc.start()
    try:
        (image,) = read_annotations(tmp_path, "masks")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(image.objects) == 40
    assert most < 20 * 4 * mask.size


def unwritable() -> list[tuple[str, Callable[[AnnotatedImage], Sequence[AnnotatedImage]], str]]:
    return [
        ("labelme", lambda image: [replace(image, height_px=0)], "nobody tells how large a.png is"),
        ("voc", lambda image: [image, replace(image, name="a.jpg")], "two images would both be told in a.xml"),
        ("coco", lambda image: [], "there is no image to write"),
    ]


@pytest.mark.parametrize(("name", "spoilt", "message"), unwritable())
def test_nothing_half_written_is_left(
    name: str, spoilt: Callable[[AnnotatedImage], Sequence[AnnotatedImage]], message: str, tmp_path: Path
) -> None:
    image = AnnotatedImage(name="a.png", height_px=4, width_px=6)
    with pytest.raises(UserError, match=message):
        write_annotations(spoilt(image), tmp_path / "out", name, WriteOptions())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("out", ["out", "out.json"])
def test_what_is_there_is_not_replaced(out: str, tmp_path: Path) -> None:
    place = tmp_path / out
    if place.suffix:
        place.write_text("mine")
    else:
        place.mkdir()
        (place / "mine").write_text("mine")
    with pytest.raises(UserError, match="is there already"):
        write_annotations([AnnotatedImage(name="a.png")], place, "coco", WriteOptions())


@given(shape=SHAPES)
def test_traits_are_those_of_the_shape(shape: Painted | Boxed | Outlined | Placed) -> None:
    kinds = {Painted: Trait.MASKS, Boxed: Trait.BOXES, Outlined: Trait.OUTLINES, Placed: Trait.PLACES}
    traits = set(traits_of(AnnotatedObject(label="a", shape=shape)))
    assert traits & set(kinds.values()) == {kinds[type(shape)]}
