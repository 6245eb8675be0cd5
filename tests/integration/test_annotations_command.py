"""``crystal-search annotations``, as people call it."""

import json
from pathlib import Path

import pytest
from PIL import Image

from crystal_search.demo.truth import plate_folder
from crystal_search.main import main

GOLDEN = Path(__file__).parents[1] / "golden" / "annotations"


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """Return a folder with an image of 6 x 4 px and what labelme wrote beside it."""
    folder = tmp_path / "drawn"
    folder.mkdir()
    Image.new("L", (6, 4)).save(folder / "a.png")
    shapes = [
        {"label": "Crystals", "points": [[1, 1], [4, 1], [4, 3]], "shape_type": "polygon"},
        {"label": "pick", "points": [[2, 2]], "shape_type": "point"},
    ]
    told = {"shapes": shapes, "imageHeight": 4, "imageWidth": 6, "imagePath": "a.png"}
    (folder / "a.json").write_text(json.dumps(told))
    return folder


def test_what_labelme_wrote_becomes_a_folder_of_coco(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    call = ["annotations", "convert", str(drawn), str(out), "--to", "coco", "--copy-images"]
    assert main([*call, "--rename", "Crystals=crystal"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{out}: 1 image, 1 crystal, 1 pick",
        "not in coco: 1 places and lines: left out",
    ]
    assert sorted(each.name for each in out.iterdir()) == ["a.png", "annotations.json"]
    told = json.loads((out / "annotations.json").read_text())
    assert [each["segmentation"] for each in told["annotations"]] == [[[1.0, 1.0, 4.0, 1.0, 4.0, 3.0]]]
    assert main(["annotations", "convert", str(out), str(tmp_path / "again.json")]) == 0
    assert json.loads((tmp_path / "again.json").read_text()) == told


def test_people_are_compared_and_what_both_drew_is_written(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    assert main(["annotations", "convert", str(drawn), str(other), "--to", "masks", "--copy-images"]) == 0
    assert (other / "images" / "a.png").is_file()
    capsys.readouterr()
    table, out = tmp_path / "agreement.csv", tmp_path / "agreed.json"
    call = ["annotations", "agreement", str(drawn), str(other), "--csv", str(table), "--consensus", str(out)]
    assert main(call) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"F1 100.0 %, mean IoU 1.0: {table}"
    rows = table.read_text().splitlines()
    assert rows[0].startswith("person,other_person,class,images,objects,other_objects,matched,f1_percent")
    assert "drawn,other,Crystals,1,1,1,1,100.0" in table.read_text()
    assert [each["name"] for each in json.loads(out.read_text())["categories"]] == ["Crystals"]
    assert main(call) == 2
    assert "is there already; name another --csv" in capsys.readouterr().err


@pytest.mark.slow
def test_best_chops_of_the_demo_plate_are_boxes_beside_the_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = plate_folder() / "demo_10D_1.jpg"
    table, out = tmp_path / "scores.csv", tmp_path / "boxes"
    assert main(["score", str(picture), "--csv", str(table), "--workers", "1"]) == 0
    call = ["annotations", "from-scores", str(table), "--out", str(out), "--to", "coco", "--copy-images"]
    assert main([*call, "--workers", "1"]) == 0
    assert f"{out}: 1 image, 5 crystal_harvestable" in capsys.readouterr().out
    told = json.loads((out / "annotations.json").read_text())
    assert (out / "demo_10D_1.jpg").read_bytes() == picture.read_bytes()
    assert {each["score"] > 0.85 for each in told["annotations"]} == {True}
    assert {tuple(each["bbox"][2:]) for each in told["annotations"]} == {(256.0, 256.0)}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--to", "coco", "--rename", "x=y"], "no object is called 'x'; there are Crystals, pick"),
        (["--to", "coco", "--rename", "x"], "--rename x: expected OLD=NEW"),
        ([], "cannot tell what format to write into"),
        (["--to", "voc", "--from", "coco"], "annotations.json: cannot read the file"),
    ],
)
def test_a_wrong_call_is_told_and_nothing_written(
    more: list[str], message: str, drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["annotations", "convert", str(drawn), str(tmp_path / "out"), *more]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_is_passed_over_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annotations", "convert", str(GOLDEN / "zooniverse"), str(tmp_path / "out"), "--to", "voc"]) == 0
    said = capsys.readouterr().out
    assert "not taken over: answers to questions (in 1 images)" in said
    assert "not in voc: 5 outlines: only their boxes are kept" in said
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["b.xml", "well_02C_1.xml"]
