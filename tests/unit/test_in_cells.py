"""Crystals of insect cells: by hand, by laws, and from rendered cells to tables."""

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from scipy.stats import beta, chi2

from crystal_search.annotations.annotated_image import AnnotatedImage, AnnotatedObject, Boxed, Edges, Placed
from crystal_search.crystals.border_weights import border_weights
from crystal_search.errors import UserError
from crystal_search.exit_codes import OK, USAGE
from crystal_search.in_cells.cell_yield import NOT_KNOWN, alike, yield_of
from crystal_search.in_cells.cells_of_images import LEAST_SHARE, CellsOfImage, cells_of, is_cell, is_crystal
from crystal_search.in_cells.crystals_and_cells import Counting, counted, paired
from crystal_search.main import main
from tests.tiny_detector import tiny_detector

SIDE = 200


def box(top: float, left: float, bottom: float, right: float, label: str = "cell", **more: Any) -> AnnotatedObject:
    return AnnotatedObject(label=label, shape=Boxed(Edges(top, left, bottom, right)), **more)


def image(*objects: AnnotatedObject, name: str = "a.png") -> AnnotatedImage:
    return AnnotatedImage(name=name, height_px=SIDE, width_px=SIDE, objects=objects)


def seen(*objects: AnnotatedObject, least_share: float = LEAST_SHARE) -> CellsOfImage:
    there = image(*objects)
    cells, crystals = filter(is_cell, objects), filter(is_crystal, objects)
    return cells_of(there, cells, crystals, least_share=least_share)


def plain(crystals: list[int], weight: list[float] | None = None) -> CellsOfImage:
    """Return cells of 100 px² with crystals of 5 px²."""
    held = np.array(crystals, np.float64)
    return CellsOfImage(
        name="",
        crystals=held,
        weight=np.ones(len(held)) if weight is None else np.array(weight),
        cell_px2=np.full(len(held), 100.0),
        crystal_px2=5 * held,
    )


def test_a_crystal_is_that_cells_which_has_most_of_it_and_sticks_out() -> None:
    one, other = box(10, 10, 30, 30), box(10, 30, 30, 50)
    rod = box(18, 25, 20, 70, "crystal")  # 5 px of its length in one, 20 in the other, 20 in none
    found = seen(one, other, rod, box(60, 60, 64, 64, "crystal"))
    assert found.crystals.tolist() == [0, 1]
    assert found.cell_px2.tolist() == [400, 400]
    assert found.crystal_px2.tolist() == [0, 90]
    assert (found.cut_off, found.crystals_outside) == (0, 1)


def test_a_crystal_with_too_little_of_it_in_a_cell_is_outside() -> None:
    rod = box(18, 25, 20, 75, "crystal")  # a tenth of it in the cell
    assert seen(box(10, 10, 30, 30), rod).crystals_outside == 0
    assert seen(box(10, 10, 30, 30), rod, least_share=0.11).crystals_outside == 1
    assert seen(rod).crystals_outside == 1


def test_crystals_on_each_other_cover_their_cell_once() -> None:
    found = seen(box(10, 10, 30, 30), box(12, 12, 16, 16, "crystal"), box(12, 14, 16, 18, "crystal"))
    assert found.crystals.tolist() == [2]
    assert found.crystal_px2.tolist() == [4 * 6]


def test_a_cell_whose_crystal_the_border_cuts_is_left_out_with_it() -> None:
    found = seen(box(10, 10, 30, 30), box(50, 50, 70, 70), box(60, 52, 62, SIDE, "crystal"), box(0, 0, 5, 5))
    assert found.crystals.tolist() == [0]
    assert (found.cut_off, found.crystals_cut_off) == (2, 1)


def test_weights_are_places_in_the_image_over_places_inside_by_hand() -> None:
    low, high = np.array([[10.0, 10], [0, 10]]), np.array([[30.0, 60], [20, 20]])
    wanted = [SIDE * SIDE / ((SIDE - 2 - 20) * (SIDE - 2 - 50)), 0]
    np.testing.assert_allclose(border_weights(low, high, (SIDE, SIDE), 1.0), wanted)


@pytest.mark.parametrize(
    ("found", "cell", "crystal"),
    [
        (box(0, 0, 1, 1, "insect cells"), True, False),
        (box(0, 0, 1, 1, "Crystal in a cell"), False, True),
        (box(0, 0, 1, 1, "long", supercategory="crystal"), False, True),
        (box(0, 0, 1, 1, "infected", supercategory="cell"), True, False),
        (box(0, 0, 1, 1, "drop"), False, False),
    ],
)
def test_kinds_are_told_by_what_objects_are_called(found: AnnotatedObject, cell: bool, crystal: bool) -> None:
    assert (is_cell(found), is_crystal(found)) == (cell, crystal)


def test_faint_crystals_count_if_asked_for() -> None:
    there = image(box(10, 10, 30, 30), box(12, 12, 14, 14, "crystal", too_faint=True))
    assert counted(there, there, Counting()).crystals.tolist() == [0]
    assert counted(there, there, Counting(faint=True)).crystals.tolist() == [1]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (None, "no image of its name was searched"),
        (replace(image(), width_px=50), "crystals are of 200 x 50 px and those of 200 x 200 px of cells"),
        (image(box(1, 1, 5, 5, "crystal", crowd=True)), "how many is not known"),
        (image(AnnotatedObject(label="crystal", shape=Placed(((1, 1),)))), "a crystal is drawn as a place"),
    ],
)
def test_an_image_that_cannot_be_counted_says_why(other: AnnotatedImage | None, message: str) -> None:
    assert message in str(counted(image(box(10, 10, 30, 30)), other, Counting()).error)


def test_images_are_paired_by_path_or_by_a_name_that_is_there_once() -> None:
    ours = [image(name=name) for name in ("x/a.png", "y/a.png", "b.png", "c.png")]
    theirs = [image(name=name) for name in ("x/a.png", "runs/images/b.tif", "z/c.png", "y/c.png")]
    assert [other.name if other else None for _, other in paired(ours, theirs)] == [
        "x/a.png",
        None,
        "runs/images/b.tif",
        None,
    ]


def test_intervals_of_cells_alone_are_those_of_clopper_and_pearson_and_of_garwood() -> None:
    found = yield_of([plain([1] * 8 + [0] * 12)])
    np.testing.assert_allclose(found.share, (0.4, beta.ppf(0.025, 8, 13), beta.ppf(0.975, 9, 12)))
    np.testing.assert_allclose(found.a_cell, (0.4, chi2.ppf(0.025, 16) / 40, chi2.ppf(0.975, 18) / 40))
    assert found.area.value == pytest.approx(0.02)
    assert found.area.low < 0.02 < found.area.high


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(0, 99))
def test_intervals_hold_the_figure_and_those_of_numbers_have_a_width(crystals: list[int], seed: int) -> None:
    weight = np.random.default_rng(seed).uniform(1, 3, len(crystals)).tolist()
    found = yield_of([plain(crystals, weight)])
    for each in (found.share, found.a_cell):
        assert each.low <= each.value <= each.high
        assert each.low < each.high
    assert found.share.low >= 0
    assert found.share.high <= 1


def test_without_a_cell_there_is_nothing_to_tell() -> None:
    found = yield_of([CellsOfImage(name="")])
    assert found.cells == 0
    assert np.isnan([*found.share, *found.a_cell, *found.area]).all()


def test_images_that_differ_make_intervals_wide_and_those_that_do_not_only_a_little() -> None:
    mixed, full, empty = plain([1, 0] * 20), plain([1] * 40), plain([0] * 40)
    same, apart = alike([[mixed] * 5]), alike([[full, empty, full, empty, mixed]])
    assert same.effects["share"] == 1
    assert apart.effects["share"] == pytest.approx(40 * (4 * 0.25) / 4 / (200 * 0.25 / 199))  # by hand
    width = {name: np.ptp(yield_of([mixed] * 5, known).share) for name, known in (("s", same), ("a", apart))}
    assert np.ptp(yield_of([mixed] * 5).share) < width["s"] < width["a"]


def test_of_wells_with_one_image_nobody_knows_how_images_differ() -> None:
    one = plain([1, 0, 1])
    assert alike([[one], [one]]) is NOT_KNOWN
    assert alike([[one], [one, one]]).interval_from == "cells"
    assert alike([[one, one], [one, one]]).interval_from == "images"
    assert alike([[one, one], [one, one, CellsOfImage(name="")]]).more == 2


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 10_000))
def test_intervals_hold_the_truth_where_images_of_a_well_differ(seed: int) -> None:
    rng, share, held = np.random.default_rng(seed), 0.3, 0
    for _ in range(150):
        images = [plain(rng.binomial(1, rng.beta(6, 14), 40).tolist()) for _ in range(6)]
        found = yield_of(images, alike([images])).share
        held += found.low <= share <= found.high
    assert held >= 0.9 * 150  # of 0.95, three standard errors below


@pytest.mark.parametrize("infected", [0.05, 0.3])
def test_intervals_of_areas_hold_the_truth_where_few_cells_have_crystals(infected: float) -> None:
    rng, held = np.random.default_rng(7), 0  # the wells are of this seed
    for _ in range(150):
        images = [plain(rng.binomial(1, rng.beta(20 * infected, 20 * (1 - infected)), 40).tolist()) for _ in range(6)]
        found = yield_of(images, alike([images])).area
        held += found.low <= infected * 0.05 <= found.high
    assert held >= 0.88 * 150


def test_an_area_whose_bounds_say_nothing_has_none() -> None:
    found = yield_of([plain([1, 0])]).area
    assert found.value == pytest.approx(0.025)
    assert np.isnan(found.high)


def coco(folder: Path, *objects: dict[str, Any], names: tuple[str, ...] = ("a.png",)) -> Path:
    """Write annotations of images of 200 x 200 px; each object has an image, a class and a box."""
    folder.mkdir(exist_ok=True)
    classes = ("cell", "crystal", "nucleus", "cell crystal")
    told = {
        "images": [{"id": name, "file_name": name, "height": SIDE, "width": SIDE} for name in names],
        "categories": [{"id": each, "name": each} for each in classes],
        "annotations": [{"id": number, **each} for number, each in enumerate(objects)],
    }
    (folder / "annotations.json").write_text(json.dumps(told))
    return folder


def drawn(name: str, kind: str, left: float, top: float, side: float = 20) -> dict[str, Any]:
    return {"image_id": name, "category_id": kind, "bbox": [left, top, side, side]}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_tables_have_a_row_an_image_and_a_row_a_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("B2_1.png", "B2_2.png", "C3_1.png")
    folder = coco(
        tmp_path / "cells",
        *(drawn(name, "cell", left, 10) for name in names for left in (10, 40, 70)),
        drawn("B2_1.png", "crystal", 12, 12, 4),
        drawn("C3_1.png", "crystal", 12, 40, 4),
        names=names,
    )
    images, wells = tmp_path / "images.csv", tmp_path / "wells.csv"
    assert main(["crystals", "in-cells", str(folder), "--csv", str(images), "--yields", str(wells)]) == OK
    assert [(row["path"], row["well"], row["cells_with_crystals"]) for row in rows(images)] == [
        ("B2_1.png", "B2", "1"),
        ("B2_2.png", "B2", "0"),
        ("C3_1.png", "C3", "0"),
    ]
    one, other = rows(wells)
    assert (one["well"], one["images"], one["cells"], one["crystals_in_cells"]) == ("B2", "2", "6", "1")
    assert float(one["with_crystals_percent"]) == pytest.approx(100 / 6, abs=1e-3)
    assert float(one["crystal_area_percent"]) == pytest.approx(100 * 16 / 2400, abs=1e-3)
    assert (other["with_crystals_percent"], other["crystals_outside"]) == ("0.0", "1")
    assert float(other["with_crystals_percent_high"]) > 50
    assert (other["crystal_area_percent_low"], other["interval_from"]) == ("", "cells")
    said = capsys.readouterr()
    corrected = "11.1 % of cells have crystals, 0.11 a cell, corrected for the border"
    assert said.out.startswith(f"{corrected}: 9 cells in 3 images")
    assert said.err == ""


def test_wells_are_those_of_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("1.png", "2.png")
    folder = coco(tmp_path / "cells", *(drawn(name, "cell", 10, 10) for name in names), names=names)
    told, wells = tmp_path / "told.csv", tmp_path / "wells.csv"
    words = ["crystals", "in-cells", str(folder), "--csv", str(tmp_path / "i.csv"), "--yields", str(wells)]
    assert main(words) == OK
    assert "every image is of a well of its own" in (err := capsys.readouterr().err)
    assert "no crystal is marked in" in err
    told.write_text("path,well\n1.png,A1\n2.png,A1\n")
    assert main([*words, "--image-wells", str(told)]) == OK
    assert [row["well"] for row in rows(wells)] == ["A1"]
    told.write_text("path,well\n1.png,A1\n")
    assert main([*words, "--image-wells", str(told)]) == USAGE
    assert "tells no well of 1 images, as of 2.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("objects", "others", "message"),
    [
        ((drawn("a.png", "nucleus", 9, 9),), (), "is called cell (nucleus); call them so"),
        ((), (), "is called cell (nothing is drawn there)"),
        ((drawn("a.png", "cell", 9, 9),), (drawn("a.png", "nucleus", 9, 9),), "is called crystal (nucleus)"),
        ((drawn("a.png", "cell crystal", 9, 9),), (), "called 'cell crystal', which may be a cell or a crystal"),
        ((drawn("a.png", "cell", 9, 9) | {"iscrowd": 1},), (), "none of 1 images can be counted; a.png: an outline"),
    ],
)
def test_what_cannot_be_counted_is_told(
    objects: tuple[dict[str, Any], ...],
    others: tuple[dict[str, Any], ...],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["crystals", "in-cells", str(coco(tmp_path / "cells", *objects)), "--csv", str(tmp_path / "i.csv")]
    more = ["--crystals", str(coco(tmp_path / "crystals", *others))] if others else []
    assert main([*words, *more]) == USAGE
    assert message in capsys.readouterr().err
    assert not (tmp_path / "i.csv").exists()


def test_a_detectors_crystals_count_alike_by_its_model_and_by_what_crystals_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = coco(tmp_path / "cells", drawn("a.png", "cell", 20, 20, 60), names=("a.png", "gone.png", "bad.png"))
    pixels = np.full((SIDE, SIDE), 128, np.uint8)
    pixels[44:52, 44:52] = 255
    Pillow.fromarray(pixels).save(folder / "a.png")
    (folder / "bad.png").write_bytes(b"no picture")
    card = str(tiny_detector(tmp_path))
    found, by_file, by_model = (tmp_path / name for name in ("found.json", "file.csv", "model.csv"))
    search = ["crystals", str(folder), "--detector", card, "--csv", str(tmp_path / "c.csv")]
    assert main([*search, "--coco", str(found)]) == OK
    words = ["crystals", "in-cells", str(folder)]
    assert main([*words, "--crystals", str(found), "--csv", str(by_file)]) == OK
    assert main([*words, "--detector", card, "--csv", str(by_model)]) == OK
    assert "2 images could not be counted" in capsys.readouterr().out
    first, gone, bad = rows(by_model)
    assert rows(by_file)[0] == first
    assert int(first["crystals_in_cells"]) >= 1
    assert "there is no such image" in gone["error"]
    assert "the file is no JPEG" in bad["error"]
    assert "its crystals are not known" in rows(by_file)[1]["error"]
    assert gone["cells"] == ""


def test_images_are_enlarged_for_a_detector_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = coco(tmp_path / "cells", drawn("a.png", "cell", 20, 20, 60))
    pixels = np.full((SIDE, SIDE), 128, np.uint8)
    pixels[44:48, 44:48] = 255
    Pillow.fromarray(pixels).save(folder / "a.png")
    words, areas = ["crystals", "in-cells", str(folder), "--csv", str(tmp_path / "i.csv"), "--enlarge", "2"], []
    assert main(words) == USAGE
    assert "name one by --detector" in capsys.readouterr().err
    assert not (tmp_path / "i.csv").exists()
    words += ["--detector", str(tiny_detector(tmp_path))]
    for factor in ("1", "2"):
        assert main([*words, "--enlarge", factor]) == OK
        (row,) = rows(tmp_path / "i.csv")
        areas.append(float(row["crystal_area_percent"]))
    assert areas[0] > 1.5 * areas[1] > 0


def test_rendered_crystals_are_told_to_the_cells_that_they_grew_in(tmp_path: Path) -> None:
    from crystal_search.synthesis.insect_cells.cell_writing import CellSet, write_cells

    write_cells(tmp_path, CellSet(split="test", count=1, target="both", side_px=256))
    table = tmp_path / "i.csv"
    assert main(["crystals", "in-cells", str(tmp_path), "--faint", "--csv", str(table)]) == OK
    told = json.loads((tmp_path / "annotations.json").read_text())["annotations"]
    crystals = [each for each in told if "volume_um3" in each and each["area"]]
    (row,) = rows(table)
    assert int(row["cells"]) + int(row["cells_cut_off"]) == len(told) - sum("volume_um3" in each for each in told)
    inside = sum(each["cell"] is not None for each in crystals)
    assert int(row["crystals_in_cells"]) + int(row["crystals_of_cut_cells"]) == pytest.approx(inside, abs=1)
    assert inside > 10


def test_without_scipy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(UserError, match=r"crystal-search\[crystals\]"):
        yield_of([plain([1])])
