"""Crystals one by one, from a dataset to a page: training, export, evaluation."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from crystal_search.datasets.packed import IMAGE, IMAGES
from crystal_search.demo.truth import plate_folder
from crystal_search.exit_codes import OK, USAGE
from crystal_search.images import decode, to_grey
from crystal_search.inference import OnnxNetwork
from crystal_search.main import main
from crystal_search.model import default_model, default_models_folder, in_role, read_model, write_model
from crystal_search.model_card import CrystalCard, DropCard
from crystal_search.server.home import Home
from crystal_search.synthesis.rendered_folder import RenderedFolder, annotation
from crystal_search.training.run_record import read_run
from crystal_search.unet_drop.locate import locate_drop
from tests.service_site import site_at
from tests.tiny_detector import tiny_detector
from tests.unit.crystal_dataset import SIDE_PX, crystal, picture, sample, write_crystals
from tests.unit.dataset_files import write_about, write_shard


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a short training."""
    folder = tmp_path_factory.mktemp("crystals")
    write_crystals(folder)
    words = ["--data", str(folder), "--out", str(folder / "run"), "--steps", "2", "--validate-every", "2"]
    assert main(["train", "crystals", *words, "--side", "64", "--batch-size", "2"]) == OK
    return folder / "run"


@pytest.fixture(scope="module")
def card(run: Path) -> Path:
    """Return the card of the model that becomes of it."""
    assert main(["export", str(run), "--name", "tiny"]) == OK
    return run / "tiny.card.json"


def test_a_training_becomes_a_model_that_says_from_when_on_crystals_count(card: Path) -> None:
    found = in_role(read_model(card), CrystalCard).card
    assert [output.name for output in found.outputs] == ["heat", "boxes", "outlines"]
    assert 0 < found.least_probability <= 1
    assert found.least_in_drops is None


def test_a_detector_that_learnt_from_enlarged_images_sees_them_enlarged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run = write_crystals(tmp_path), tmp_path / "run"
    words = ["train", "crystals", "--data", str(data), "--out", str(run), "--side", "64", "--batch-size", "2"]
    assert main([*words, "--steps", "1", "--validate-every", "1", "--enlarge", "2"]) == OK
    assert json.loads((run / "run.json").read_text())["enlarged"] == 2.0
    more = ["--steps", "2", "--validate-every", "1", "--resume"]
    for other, was in (([], "2.0, not None"), (["--enlarge", "3"], "2.0, not 3.0")):
        assert main([*words, *more, *other]) == USAGE
        assert f"began with enlarge {was}" in capsys.readouterr().err
    assert main([*words, *more, "--enlarge", "2"]) == OK
    assert main(["export", str(run), "--name", "twice"]) == OK
    assert in_role(read_model(run / "twice.card.json"), CrystalCard).card.enlarged == 2.0
    site_at(tmp_path)
    assert main(["models", "show", str(run / "twice.card.json"), "--home", str(tmp_path / "home")]) == OK
    assert "reads: 1224 px wide, narrower ones 2 times as large, local-contrast-1" in capsys.readouterr().out


def test_only_a_training_on_enlarged_images_says_so(run: Path, card: Path) -> None:
    assert "enlarged" not in json.loads((run / "run.json").read_text())
    assert "enlarged" not in json.loads(card.read_text())
    assert read_run(run).enlarged == 1.0


@pytest.mark.parametrize("factor", ["0.5", "5", "nan", "two"])
@pytest.mark.parametrize(
    "words",
    [
        ["train", "crystals", "--data", "d", "--out", "r"],
        ["crystals", "i.png", "--csv", "c.csv"],
        ["crystals", "sizes", "images", "--csv", "c.csv"],
        ["crystals", "in-cells", "cells", "--detector", "dense-crystals-3", "--csv", "c.csv"],
    ],
)
def test_factors_that_no_detector_sees_with_are_refused(
    words: list[str], factor: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*words, "--enlarge", factor])
    assert f"argument --enlarge: must be from 1 to 4, got {factor}" in capsys.readouterr().err


def test_images_are_searched_enlarged_as_it_is_asked_and_one_that_is_too_wide_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detector, sides = str(tiny_detector(tmp_path)), {}
    for name, width in (("small.png", 200), ("wide.png", 1224)):
        grey = np.full((width, width), 128, np.uint8)
        grey[60:64, 100:104] = 255
        Pillow.fromarray(grey).save(tmp_path / name)
    words = ["crystals", str(tmp_path), "--detector", detector, "--csv", str(tmp_path / "found.csv")]
    for factor in ("1", "2"):
        assert main([*words, "--enlarge", factor]) == OK
        told = rows_in(tmp_path / "found.csv")
        sides[factor] = [
            {row["long_px"] for row in told if row["path"].endswith(name)} for name in ("small.png", "wide.png")
        ]
        said = capsys.readouterr().err
        assert ("at most 1224 px wide" in said) == (factor == "2")
    assert "wide.png is 1 times as large, not 2" in said
    assert sides == {"1": [{"24.0"}, {"24.0"}], "2": [{"12.0"}, {"24.0"}]}


def test_it_is_judged_on_a_folder_of_annotated_images(
    card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = RenderedFolder(tmp_path / "test", ("crystal_harvestable",), sheet=None)
    for number in range(2):
        rows, columns = np.nonzero(crystal(number).mask)
        box = np.array([rows.mean() + 0.5, 80, 40, 16, 0])
        folder.write(f"{number}.png", picture(number), np.zeros((1, 1), np.uint8))
        folder.add_image(number, f"{number}.png", (SIDE_PX, SIDE_PX))
        folder.annotate(number, "crystal_harvestable", annotation(rows, columns, (SIDE_PX, SIDE_PX), box))
    folder.finish()
    assert main(["evaluate", str(card), "--coco", str(tmp_path / "test"), "--out", str(tmp_path / "out")]) == OK
    assert "AP50 of oriented boxes: " in capsys.readouterr().out
    with (tmp_path / "out" / "crystals.csv").open() as file:
        rows_read = list(csv.DictReader(file))
    assert [row["crystals_there"] for row in rows_read] == ["1", "1"]
    assert "Crystals</h2>" in (tmp_path / "out" / "index.html").read_text()


def test_sections_are_joined_to_crystals_with_a_volume(
    card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "stack").mkdir()
    for number in range(2):
        (tmp_path / "stack" / f"{number}.png").write_bytes(picture(0))
    words = ["crystals", str(tmp_path / "stack"), "--detector", str(card), "--csv", str(tmp_path / "stack.csv")]
    assert main([*words, "--section-um", "2"]) == USAGE
    (row,) = rows_in(tmp_path / "stack.csv")
    assert row["error"].startswith("the scale of the image is not known")
    assert "1 stacks have no volumes" in capsys.readouterr().err
    home = Home(tmp_path / "home").made()
    home.settings.write_text('[micrometres_per_pixel]\n"all images" = 0.5\n')
    assert main([*words, "--section-um", "2", "--home", str(home.path)]) == OK
    rows = rows_in(tmp_path / "stack.csv")
    assert {(row["path"], row["um_per_px"], row["scale_from"]) for row in rows} == {
        (str(tmp_path / "stack"), "0.5", "settings")
    }
    for row in rows:
        assert not row["crystal"] or (row["sections"], float(row["volume_um3"]) > 0) == ("2", True)


def test_it_is_judged_on_photographs_of_which_only_the_class_is_known(
    card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(picture(number))
    (tmp_path / "labels.csv").write_text("file,label\n0.png,crystal\n1.png,clear\n")
    words = ["evaluate", str(card), "--photographs", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main([*words, "--labels", str(tmp_path / "labels.csv")]) == OK
    assert "accuracy of crystals or none in an image: " in capsys.readouterr().out
    with (tmp_path / "out" / "table-7.csv").open() as file:
        assert [(row["class"], row["images"]) for row in csv.DictReader(file)] == [
            ("crystals", "1"),
            ("no crystals", "1"),
        ]
    page = (tmp_path / "out" / "index.html").read_text()
    assert "Crystals or none in an image</h2>" in page
    assert "Tables 7 and 9" in page
    assert "Crystals by size</h2>" not in page


def test_it_is_not_judged_where_nobody_says_which_crystals_there_are(
    card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "0.png").write_bytes(picture(0))
    words = ["evaluate", str(card), "--photographs", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(words) == USAGE
    assert "which crystals there are, one by one" in capsys.readouterr().err


def test_a_dataset_without_known_crystals_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known, parts = sample(0)
    write_about(tmp_path, [write_shard(tmp_path, IMAGES, "train", [(known, {IMAGE: parts[IMAGE]})])])
    assert main(["train", "crystals", "--data", str(tmp_path), "--out", str(tmp_path / "run")]) == USAGE
    assert "has crystals that are known one by one" in capsys.readouterr().err


def test_images_are_searched_without_a_database(card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for number in range(2):
        (images / f"{number}.png").write_bytes(picture(number))
    (images / "2.png").write_bytes(b"no picture")
    eager = tmp_path / "eager.card.json"
    model = read_model(card)
    write_model(model.onnx, replace(in_role(model, CrystalCard).card, name="eager", least_probability=0.01), tmp_path)
    found, overlays, coco = tmp_path / "found.csv", tmp_path / "overlays", tmp_path / "found.json"
    words = ["crystals", str(images), "--detector", str(eager), "--csv", str(found), "--um-per-px", "2"]
    assert main([*words, "--overlays", str(overlays), "--coco", str(coco)]) == OK
    assert "in 2 images" in capsys.readouterr().out
    with found.open() as file:
        rows = list(csv.DictReader(file))
    assert {row["path"] for row in rows} == {str(images / f"{number}.png") for number in range(3)}
    assert [row["error"] != "" for row in rows] == [False] * (len(rows) - 1) + [True]
    boxes = [row for row in rows if row["crystal"]]
    assert boxes
    assert all(float(row["long_um"]) == pytest.approx(2 * float(row["long_px"]), abs=0.03) for row in boxes)
    assert all(float(row["area_um2"]) == pytest.approx(4 * float(row["area_px2"]), abs=0.3) for row in boxes)
    assert {row["cut_off"] for row in boxes} <= {"yes", "no"}
    annotations = json.loads(coco.read_text())["annotations"]
    assert {each["um_per_px"] for each in json.loads(coco.read_text())["images"]} == {2.0}
    assert [round(each["area"], 1) for each in annotations] == [float(row["area_px2"]) for row in boxes]
    assert [each["too_faint"] for each in annotations] == [row["faint"] == "yes" for row in boxes]
    assert sorted(each.name for each in overlays.iterdir()) == ["00000_0.jpg", "00001_1.jpg"]


@pytest.fixture(scope="module")
def eager(card: Path) -> Path:
    """Return the card of the same model, to which nearly everything is a crystal."""
    model = read_model(card)
    write_model(model.onnx, replace(in_role(model, CrystalCard).card, name="keen", least_probability=0.01), card.parent)
    return card.parent / "keen.card.json"


def rows_in(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_it_says_where_to_shoot_and_why_there_is_no_place_to_dispense_at(eager: Path, tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(picture(0))
    (tmp_path / "1.png").write_bytes(b"no picture")
    words = [
        "crystals",
        str(tmp_path),
        "--detector",
        str(eager),
        "--csv",
        str(tmp_path / "found.csv"),
        "--um-per-px",
        "2",
    ]
    aims = ["--targets", str(tmp_path / "targets.csv"), "--dispense", str(tmp_path / "dispense.csv")]
    assert main([*words, *aims, "--spacing", "20", "--overlays", str(tmp_path / "pictures")]) == OK
    found = [row for row in rows_in(tmp_path / "found.csv") if row["crystal"]]
    assert {row["scale_from"] for row in found} == {"told"}
    *targets, unreadable = rows_in(tmp_path / "targets.csv")
    assert {row["crystal"] for row in targets} == {row["crystal"] for row in found}
    assert [row["point"] for row in targets] == [str(number) for number in range(1, len(targets) + 1)]
    assert all(float(row["to_outline_px"]) >= 0 for row in targets)
    assert all(float(row["x_um"]) == pytest.approx(2 * float(row["x_px"]), abs=0.2) for row in targets)
    assert (unreadable["point"], "no JPEG, PNG" in unreadable["refused"]) == ("", True)
    assert [row["refused"][:17] for row in rows_in(tmp_path / "dispense.csv")] == [
        "no drop was found",
        "the file is no JP",
    ]
    assert (tmp_path / "pictures" / "00000_0.jpg").exists()


def test_in_a_drop_it_says_where_to_dispense_or_how_near_everything_is(card: Path, tmp_path: Path) -> None:
    well = next(plate_folder().glob("*.jpg"))
    model = read_model(card)
    write_model(model.onnx, replace(in_role(model, CrystalCard).card, name="shy", least_probability=1.0), tmp_path)
    words = ["crystals", str(well), "--detector", str(tmp_path / "shy.card.json"), "--csv", str(tmp_path / "found.csv")]
    asked = ["--dispense", str(tmp_path / "dispense.csv"), "--candidates", "3"]
    assert main([*words, *asked, "--um-per-px", "2", "--overlays", str(tmp_path / "pictures")]) == OK
    first, *others = rows_in(tmp_path / "dispense.csv")
    assert (first["candidate"], first["to_crystal_um"], first["refused"]) == ("1", "", "")
    assert float(first["to_border_um"]) >= 84
    assert all(float(row["to_border_um"]) <= float(first["to_border_um"]) for row in others)
    assert main([*words, *asked, "--um-per-px", "2", "--least-clearance", "5000"]) == OK
    (refused,) = rows_in(tmp_path / "dispense.csv")
    assert f"{float(first['to_border_um']):.0f} um from the drop's border; wanted are 5000 um" in refused["refused"]


def test_without_the_scale_that_it_needs_the_command_warns_or_fails(
    eager: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What needs no scale is written all the same."""
    images, found = tmp_path / "images", tmp_path / "found.csv"
    images.mkdir()
    (images / "0.png").write_bytes(picture(0))
    words = ["crystals", str(images), "--detector", str(eager), "--csv", str(found)]
    shoot = ["--targets", str(tmp_path / "targets.csv")]
    assert main([*words, *shoot]) == OK  # points without a spacing need none
    for asked in ([*shoot, "--spacing", "20"], ["--dispense", str(tmp_path / "dispense.csv")]):
        assert main([*words, *asked]) == USAGE
        assert "the scale of no image is known: say by --um-per-px" in capsys.readouterr().err
        assert rows_in(found)[0]["crystal"] == "1"
        (row,) = rows_in(Path(asked[1]))
        assert "--um-per-px" in row["refused"]
    with Pillow.open(images / "0.png") as copy:
        copy.save(images / "1.png", dpi=(25400, 25400))
    assert main([*words, *shoot, "--spacing", "20"]) == OK
    assert f"warning: the scale is not known of 1 of 2 images, as {images / '0.png'}: say" in capsys.readouterr().err
    assert {row["path"] for row in rows_in(tmp_path / "targets.csv") if row["refused"]} == {str(images / "0.png")}


def test_of_a_well_only_what_lies_in_the_drop_counts_where_that_is_asked(eager: Path, tmp_path: Path) -> None:
    well = next(plate_folder().glob("*.jpg"))
    image = decode(well.read_bytes())
    drop = locate_drop(to_grey(image.colour), OnnxNetwork(default_model(DropCard)))
    assert drop is not None
    scale = drop.mask.shape[1] / image.width_px

    def centres() -> set[tuple[float, float]]:
        rows = rows_in(tmp_path / "found.csv")
        return {(float(row["centre_row_px"]), float(row["centre_column_px"])) for row in rows if row["crystal"]}

    words = ["crystals", str(well), "--detector", str(eager), "--csv", str(tmp_path / "found.csv")]
    assert main(words) == OK
    everywhere = centres()
    assert main([*words, "--in-drops", "--crystals-from", "0"]) == OK
    in_drop = centres()
    assert in_drop < everywhere
    assert all(drop.mask[int(row * scale), int(column * scale)] for row, column in in_drop)
    assert main([*words, "--in-drops", "--crystals-from", "0.5"]) == OK
    assert centres() < in_drop
    home = Home(tmp_path / "home").made()
    home.settings.write_text("crystals_from = 0.0\n")
    assert main([*words, "--in-drops", "--home", str(home.path)]) == OK
    assert centres() == in_drop
    assert main([*words, "--in-drops", "--least", "1"]) == OK
    assert not centres()
    assert main([*words, "--crystals-from", "0.5"]) == 2


def test_where_not_one_image_can_be_read_the_command_fails_and_the_table_says_why(
    card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "found.csv"
    (tmp_path / "lost.png").symlink_to("nowhere")
    assert main(["crystals", str(tmp_path / "lost.png"), "--detector", str(card), "--csv", str(table)]) == 1
    assert f"not one image could be read; {table} says why" in capsys.readouterr().err
    assert [row["error"] for row in rows_in(table)] == ["No such file or directory"]


def test_a_folder_of_a_robot_becomes_lists_for_dispensers(
    card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "demo_2026-01-05_RI1000"
    folder.mkdir()
    for name in ("demo_01A_1.jpg", "demo_02A_1.jpg"):
        (folder / name).write_bytes((plate_folder() / name).read_bytes())
    (folder / "whole plate.jpg").write_bytes((plate_folder() / "demo_01A_1.jpg").read_bytes())
    model = read_model(card)
    write_model(model.onnx, replace(in_role(model, CrystalCard).card, name="shy", least_probability=1.0), tmp_path)
    card, found = tmp_path / "shy.card.json", tmp_path / "found.csv"
    words = ["crystals", str(folder), "--detector", str(card), "--csv", str(found)]
    echo = ["--echo", str(tmp_path / "echo.csv"), "--volume-nl", "25", "--source-plate", "DMSO", "--source-well", "A1"]
    asked = [*words, *echo, "--soakdb", str(tmp_path / "soakdb.csv"), "--plate-kind", "swissci-3"]
    assert (
        main([*asked, "--dispense", str(tmp_path / "dispense.csv"), "--um-per-px", "2", "--least-clearance", "5"]) == OK
    )
    told = capsys.readouterr()
    assert f"2 of 2 drops are in {tmp_path / 'echo.csv'}" in told.out
    assert "whole plate.jpg: not like PLATE_01A_1.jpg" in told.err
    *drops, other = rows_in(tmp_path / "dispense.csv")
    assert [(row["plate"], row["well"], row["drop"], row["left_out"]) for row in drops] == [
        ("demo", "A01", "1", ""),
        ("demo", "A02", "1", ""),
    ]
    assert (other["well"], other["left_out"]) == ("", "not like PLATE_01A_1.jpg")
    targets = [line.split(",") for line in (tmp_path / "soakdb.csv").read_text().splitlines()]
    assert [target[0] for target in targets] == ["A01a", "A02a"]
    for row, (_, right, down) in zip(drops, targets, strict=True):
        assert float(right) == pytest.approx(float(row["offset_right_um"]), abs=0.6)
        assert float(down) == pytest.approx(-float(row["offset_up_um"]), abs=0.6)
    assert [(row["Destination Plate Name"], row["Destination Well"]) for row in rows_in(tmp_path / "echo.csv")] == [
        ("demo", "A1"),
        ("demo", "A3"),
    ]
    (tmp_path / "echo.csv").unlink()
    assert main(asked) == USAGE
    assert "--um-per-px" in capsys.readouterr().err
    assert not (tmp_path / "echo.csv").exists()


def test_the_settings_say_the_scale_before_the_file_does(card: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    image = Pillow.open(io.BytesIO(picture(0)))
    image.save(tmp_path / "images" / "0.png", dpi=(10160, 10160))
    words = ["crystals", str(tmp_path / "images"), "--detector", str(card), "--csv", str(tmp_path / "found.csv")]
    assert main(words) == OK
    assert {(row["um_per_px"][:3], row["scale_from"]) for row in rows_in(tmp_path / "found.csv")} == {("2.5", "file")}
    home = Home(tmp_path / "home").made()
    home.settings.write_text('[micrometres_per_pixel]\n"all images" = 3.5\n')
    assert main([*words, "--home", str(home.path)]) == OK
    assert {(row["um_per_px"], row["scale_from"]) for row in rows_in(tmp_path / "found.csv")} == {("3.5", "settings")}


def test_how_targets_lie_is_of_no_use_without_targets(
    card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["crystals", str(tmp_path), "--detector", str(card), "--csv", str(tmp_path / "found.csv"), "--spacing", "5"]
    assert main(words) == USAGE
    assert "name a file by --targets" in capsys.readouterr().err


def test_an_image_without_crystals_has_a_row_too(card: Path, tmp_path: Path) -> None:
    model = read_model(card)
    write_model(model.onnx, replace(in_role(model, CrystalCard).card, name="shy", least_probability=1.0), tmp_path)
    (tmp_path / "0.png").write_bytes(picture(0))
    words = ["crystals", str(tmp_path / "0.png"), "--detector", str(tmp_path / "shy.card.json")]
    assert main([*words, "--csv", str(tmp_path / "found.csv")]) == OK
    with (tmp_path / "found.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["path"], row["crystal"], row["error"]) == (str(tmp_path / "0.png"), "", "")


def test_a_place_that_is_not_there_is_told_before_anything_is_searched(
    card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "unread.png").touch()
    words = ["crystals", str(tmp_path), "--detector", str(card), "--csv"]
    assert main([*words, str(tmp_path / "nowhere" / "found.csv")]) == USAGE
    assert "there is no folder" in capsys.readouterr().err
    drop_locator = str(default_models_folder() / "drop-unet-2.card.json")
    words = ["crystals", str(tmp_path), "--detector", drop_locator, "--csv", str(tmp_path / "found.csv")]
    assert main(words) != OK
    assert "is a drop locator, expected a crystal detector" in capsys.readouterr().err


def test_a_folder_of_images_is_searched_for_crystals_over_time(card: Path, tmp_path: Path) -> None:
    images, times, out = tmp_path / "images", tmp_path / "times.csv", tmp_path / "out.csv"
    images.mkdir()
    for number in range(2):
        (images / f"{number}.png").write_bytes(picture(number))
    (images / "2.png").write_bytes(b"no picture")
    times.write_text("path,time\n0.png,1\n1.png,2.5\n")
    model = read_model(card)
    write_model(model.onnx, replace(in_role(model, CrystalCard).card, name="eager", least_probability=0.01), tmp_path)
    words = ["crystals", "sizes", str(images), "--detector", str(tmp_path / "eager.card.json"), "--times", str(times)]
    assert main([*words, "--csv", str(out), "--page", str(tmp_path / "page.html")]) == OK
    assert "long_px_median" in rows_in(out)[0]
    home = Home(tmp_path / "home").made()
    home.settings.write_text('[micrometres_per_pixel]\n"all images" = 0.5\n')
    assert main([*words, "--csv", str(out), "--home", str(home.path)]) == OK
    assert "long_um_median" in rows_in(out)[0]
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["hours"] for row in rows] == ["1.0", "2.5"]
    assert sum(int(row["crystals"]) + int(row["crystals_cut_off"]) for row in rows) > 0
    assert "1 image left out, not searched" in (tmp_path / "page.html").read_text(encoding="utf-8")
