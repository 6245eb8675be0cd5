"""Outlines that people drew: polygons of COCO, files of labelme."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from crystal_search.annotations.coco_json import object_in
from crystal_search.archives.archive import ArchiveImage, LeftOut
from crystal_search.archives.archive_kinds import open_archive
from crystal_search.archives.seen_objects import of_mask, seen
from crystal_search.errors import UserError
from crystal_search.polygons import covered

SQUARE = [[1.0, 1.0], [4.0, 1.0], [4.0, 3.0], [1.0, 3.0]]


def shape(label: str, points: list[list[float]], kind: str | None = "polygon") -> dict[str, Any]:
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}}


def labelme(*shapes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"version": "5.0.1", "shapes": list(shapes), "imageHeight": 4, "imageWidth": 6, "imageData": None} | more


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one image of 4 rows and 6 columns."""
    (tmp_path / "clear").mkdir()
    Image.new("L", (6, 4)).save(tmp_path / "clear" / "a.png")
    return tmp_path


def read(folder: Path, told: object) -> ArchiveImage | LeftOut:
    text = told if isinstance(told, str) else json.dumps(told)
    (folder / "clear" / "a.json").write_text(text)
    (image,) = open_archive("folder", folder).images()
    (folder / "list.csv").write_text("file,outcome,mask\nclear/a.png,clear,clear/a.json\n")
    (listed,) = open_archive("csv", folder / "list.csv").images()
    assert type(listed) is type(image)
    if isinstance(image, ArchiveImage) and isinstance(listed, ArchiveImage):
        assert (listed.drop_mask, listed.objects) == (image.drop_mask, image.objects)
    return image


def drop_of(image: ArchiveImage | LeftOut) -> list[list[int]]:
    assert isinstance(image, ArchiveImage)
    assert isinstance(image.drop_mask, bytes)
    return np.asarray(Image.open(io.BytesIO(image.drop_mask)).convert("L")).clip(0, 1).tolist()  # type: ignore[no-any-return]


def test_the_outline_of_a_drop_is_its_mask(folder: Path) -> None:
    image = read(folder, labelme(shape("Drop", SQUARE)))
    assert drop_of(image) == [[0] * 6, [0, 1, 1, 1, 0, 0], [0, 1, 1, 1, 0, 0], [0] * 6]
    assert isinstance(image, ArchiveImage)
    assert image.objects is None  # nobody says which crystals there are


def test_crystals_are_objects_and_other_shapes_are_left_alone(folder: Path) -> None:
    image = read(folder, labelme(shape("drop", SQUARE), shape("crystal_bad_form", SQUARE), shape("dust", SQUARE)))
    assert isinstance(image, ArchiveImage)
    (crystal,) = image.objects or ()
    assert crystal.category == "crystal_bad_form"
    assert crystal.mask.astype(int).tolist() == drop_of(image)


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        (
            shape("drop", [[4.0, 3.0], [1.0, 1.0]], "rectangle"),
            [[0] * 6, [0, 1, 1, 1, 0, 0], [0, 1, 1, 1, 0, 0], [0] * 6],
        ),
        (shape("drop", [[3.0, 2.0], [3.0, 3.0]], "circle"), [[0] * 6, [0, 0, 1, 1, 0, 0], [0, 0, 1, 1, 0, 0], [0] * 6]),
        (shape("drop", SQUARE, None), [[0] * 6, [0, 1, 1, 1, 0, 0], [0, 1, 1, 1, 0, 0], [0] * 6]),
    ],
)
def test_other_shapes_are_filled(folder: Path, drawn: dict[str, Any], expected: list[list[int]]) -> None:
    assert drop_of(read(folder, labelme(drawn))) == expected


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("{", "not JSON"),
        (labelme(shape("dust", SQUARE)), "the shapes are called dust; call the outline of the drop drop"),
        (labelme(shape("drop", SQUARE, "line")), "the shape drop is a place or a line; draw a polygon"),
        (
            labelme(shape("drop", [*SQUARE, [1e300, 0.0]])),
            "shape 1 ('drop'): the x of a corner must be a number from -1e+06 to 1e+06",
        ),
        (json.dumps(labelme(shape("drop", SQUARE))).replace("4.0", "1e999"), "must be a number from -1e+06 to 1e+06"),
        (labelme(shape("drop", [])), "a.json: shape 1 ('drop'): an outline of 0 corners"),
        (labelme(shape("drop", SQUARE), imageHeight=10**9), "imageHeight must be a number from 1 to 10000"),
        ({"shapes": [shape("drop", SQUARE)]}, "imageHeight must be a number from 1 to 10000, got None"),
        (labelme(shape("drop", SQUARE, "mask")), "a 'mask' of 4 points; known are polygon"),
    ],
)
def test_outlines_that_cannot_be_used_leave_the_image_out_with_the_reason(
    folder: Path, told: object, reason: str
) -> None:
    image = read(folder, told)
    assert isinstance(image, LeftOut)
    assert (image.name, image.reason) == ("clear/a.png", "its outlines cannot be used")
    assert reason in image.detail


@pytest.mark.parametrize("told", [{"exposure_ms": 5}, [1, 2], labelme()])
def test_what_other_programs_write_beside_an_image_is_no_outline(folder: Path, told: object) -> None:
    image = read(folder, told)
    assert isinstance(image, ArchiveImage)
    assert (image.drop_mask, image.objects) == (None, None)


def test_a_mask_that_was_painted_counts_before_outlines(folder: Path) -> None:
    Image.new("L", (6, 4), 255).save(folder / "clear" / "a.mask.png")
    (folder / "clear" / "a.json").write_text(json.dumps(labelme(shape("drop", SQUARE))))
    (image,) = open_archive("folder", folder).images()
    assert isinstance(image, ArchiveImage)
    assert image.drop_mask == folder / "clear" / "a.mask.png"


def test_a_json_without_its_image_is_told(folder: Path) -> None:
    (folder / "clear" / "b.json").write_text("{}")
    assert LeftOut("clear/b.json", "not the file of an image", ".json") in list(open_archive("folder", folder).images())


def test_polygons_of_coco_are_masks() -> None:
    told = {"segmentation": [[1, 1, 4, 1, 4, 3, 1, 3], [4, 3, 6, 3, 6, 4, 4, 4]], "iscrowd": 0}
    crystal = seen(object_in(told, "needle", (4, 6)), 4, 6)
    expected = [[0] * 6, [0, 1, 1, 1, 0, 0], [0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]]
    assert crystal.mask.astype(int).tolist() == expected


def test_polygons_need_the_size_of_their_image(tmp_path: Path) -> None:
    truth = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "crystal"}],
        "annotations": [{"image_id": 1, "category_id": 1, "segmentation": [[1, 1, 4, 1, 4, 3, 1, 3]]}],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(truth))
    with pytest.raises(UserError, match=r"nobody tells how large a\.png is"):
        open_archive("coco", tmp_path)
    Image.new("L", (6, 4)).save(tmp_path / "a.png")
    (image,) = open_archive("coco", tmp_path).images()
    assert isinstance(image, ArchiveImage)
    assert image.objects is not None
    assert (image.objects[0].height_px, image.objects[0].width_px) == (4, 6)


def test_an_archive_of_coco_may_have_polygons(tmp_path: Path) -> None:
    Image.new("L", (6, 4)).save(tmp_path / "a.png")
    truth = {
        "images": [{"id": 1, "file_name": "a.png", "height": 4, "width": 6}],
        "categories": [{"id": 1, "name": "crystal"}],
        "annotations": [{"image_id": 1, "category_id": 1, "segmentation": [[1, 1, 4, 1, 4, 3, 1, 3]]}],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(truth))
    (image,) = open_archive("coco", tmp_path).images()
    assert isinstance(image, ArchiveImage)
    (crystal,) = image.objects or ()
    assert crystal.mask.sum() == 6


@given(
    top=st.integers(0, 9),
    left=st.integers(0, 9),
    height=st.integers(0, 9),
    width=st.integers(0, 9),
    turned=st.booleans(),
)
def test_a_rectangle_of_whole_pixels_fills_these_and_no_other(
    top: int, left: int, height: int, width: int, turned: bool
) -> None:
    corners: list[tuple[float, float]] = [
        (top, left),
        (top, left + width),
        (top + height, left + width),
        (top + height, left),
    ]
    expected = np.zeros((12, 14), np.bool_)
    expected[top : top + height, left : left + width] = True
    np.testing.assert_array_equal(covered([corners[::-1] if turned else corners], 12, 14), expected)
    np.testing.assert_array_equal(of_mask(expected, "needle").mask, expected)
