"""Folders with COCO annotations."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from crystal_search.annotations.coco_json import object_in
from crystal_search.archives.archive import ArchiveImage, LeftOut
from crystal_search.archives.archive_kinds import open_archive
from crystal_search.archives.seen_objects import SeenObject, objects_in, objects_json, seen
from crystal_search.datasets.dataset_command import kind_of
from crystal_search.errors import UserError
from crystal_search.geometry import Box

CATEGORIES = [{"id": 1, "name": "crystal_bad_form"}, {"id": 2, "name": "needle"}]
#: 2 rows, 3 columns; the pixels at (0, 1), (1, 1) and (0, 2), column by column.
CRYSTAL = {"segmentation": {"size": [2, 3], "counts": [2, 3, 1]}, "oriented_box": [1.5, 0.5, 2.0, 1.0, 0.25]}


def annotation(image: int, category: int, **more: Any) -> dict[str, Any]:
    return CRYSTAL | {"image_id": image, "category_id": category, "iscrowd": 0} | more


def from_coco(told: dict[str, Any], category: str) -> SeenObject:
    return seen(object_in(told, category), 2, 3)


def write(folder: Path, annotations: list[dict[str, Any]], files: tuple[str, ...] = ("a.png", "b.png")) -> Path:
    images = [{"id": number, "file_name": file} for number, file in enumerate(files, start=1)]
    truth = {"images": images, "categories": CATEGORIES, "annotations": annotations}
    (folder / "annotations.json").write_text(json.dumps(truth))
    for file in files:
        Image.new("L", (3, 2)).save(folder / file)
    return folder


def images(folder: Path) -> list[ArchiveImage | LeftOut]:
    return list(open_archive(kind_of(folder), folder).images())


def test_masks_and_boxes_lie_where_they_were_drawn() -> None:
    crystal = from_coco(annotation(1, 1, too_faint=True), "needle")
    assert crystal.mask.astype(int).tolist() == [[0, 1, 1], [0, 1, 0]]
    assert crystal.box == Box(0, 1, 2, 3)
    assert crystal.oriented_box == (0.5, 1.5, 2.0, 1.0, 0.25)  # rows before columns
    assert crystal.too_faint


def test_a_crystal_outside_of_the_image_has_an_empty_box() -> None:
    nothing = from_coco({"segmentation": {"size": [2, 3], "counts": [6]}}, "needle")
    assert nothing.box.area == 0
    assert nothing.oriented_box == ()


def test_objects_come_back_as_they_went_in() -> None:
    crystals = (from_coco(annotation(1, 1), "needle"), from_coco(annotation(1, 1, iscrowd=1), "rod"))
    assert objects_in(objects_json(crystals)) == crystals
    assert objects_in(objects_json(())) == ()


def test_what_is_seen_best_is_what_an_image_in_suspension_counts_as(tmp_path: Path) -> None:
    found = images(
        write(
            tmp_path,
            [annotation(1, 2), annotation(1, 1), annotation(2, 1, too_faint=True), annotation(3, 2)],
            ("a.png", "b.png", "c.png"),
        )
    )
    seen = [(each.name, each.outcome, len(each.objects or ())) for each in found if isinstance(each, ArchiveImage)]
    assert seen == [("a.png", "crystal_bad_form", 2), ("b.png", "clear", 1), ("c.png", "crystal_harvestable", 1)]
    assert all(each.in_suspension for each in found if isinstance(each, ArchiveImage))


def test_a_missing_file_is_left_out(tmp_path: Path) -> None:
    (write(tmp_path, []) / "a.png").unlink()
    missing, there = images(tmp_path)
    assert missing == LeftOut("a.png", "the file is missing")
    assert isinstance(there, ArchiveImage)
    assert there.objects == ()  # somebody looked, and there is none


def test_a_table_tells_what_else_is_known(tmp_path: Path) -> None:
    write(tmp_path, [annotation(1, 1)])
    Image.new("L", (3, 2)).save(tmp_path / "c.png")
    (tmp_path / "truth.csv").write_text("file,outcome,uv\na.png,clear,b.png\nc.png,23,\n")
    first, second = images(tmp_path)
    assert isinstance(first, ArchiveImage)
    assert isinstance(second, ArchiveImage)
    assert (first.outcome, first.in_suspension, len(first.objects or ())) == ("clear", False, 1)
    assert first.uv == tmp_path / "b.png"
    assert second.objects is None  # nobody says which crystals it has


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ({"size": [2, 3], "counts": [2, 3]}, "run lengths of 5 px in an image of 2 x 3"),
        ({"size": [2, 3], "counts": [-1, 7]}, "run lengths of 6 px in an image of 2 x 3"),
        ({"size": [2, 3], "counts": "zzzzzz"}, "run lengths that hotcoco does not read: invalid RLE"),
        ({"size": [2, 1e308], "counts": [6]}, "a side of a mask must be a number from 1 to 10000"),
        ({"size": [100000, 1], "counts": [100000]}, "a side of a mask must be a number from 1 to 10000, got 100000"),
        ({"size": [0, 1], "counts": [0]}, "a side of a mask must be a number from 1 to 10000, got 0"),
        ({"size": [2, 3], "counts": [1.5, 4.5]}, "a run length must be a whole number, got 1.5"),
        ({"size": [2, 3]}, "run lengths must be a list, got None"),
        (7, "a segmentation must be polygons or run lengths, got 7"),
        ([[0, 0, 1, 1, 2, 0, 7]], "ValueError"),
        ([[0, 0, 1, 1]], "an outline of 2 corners; it has at least 3"),
    ],
)
def test_masks_of_other_kinds_are_refused(tmp_path: Path, segmentation: object, message: str) -> None:
    write(tmp_path, [annotation(1, 1, segmentation=segmentation)])
    with pytest.raises(UserError, match=rf"annotations\.json: .*{message}"):
        images(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "not JSON"),
        ("{}", "it has no list of categories"),
        ("[1]", "the file must be an object"),
        (
            '{"categories": [], "images": [], "annotations": [{"image_id": 1, "category_id": []}]}',
            "an annotation of image 1, which is not in the list of images",
        ),
        ('{"categories": [], "images": [{"id": [], "file_name": "a.png"}], "annotations": []}', "unhashable type"),
        (
            '{"categories": [], "images": [{"id": 1, "file_name": "../a.png"}], "annotations": []}',
            "outside of the folder",
        ),
        ("[" * 100_000, "nested too deep"),
        (
            '{"categories": [], "annotations": [],'
            ' "images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}]}',
            "two images have the same id or file_name",
        ),
    ],
)
def test_files_that_are_no_annotations_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "annotations.json").write_text(text)
    with pytest.raises(UserError, match=message):
        images(tmp_path)


def test_a_folder_without_annotations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"annotations\.json: cannot read the file"):
        open_archive("coco", tmp_path)


def test_an_object_is_a_value() -> None:
    assert hash(SeenObject(category="needle", height_px=1, width_px=1, runs=(1,)))
    assert not np.array(SeenObject(category="needle", height_px=1, width_px=1, runs=(1,)).mask).any()
