"""The truth about each crystal of a rendered well, and its COCO file."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from crystal_search.main import main
from crystal_search.synthesis.polyhedra import HABITS
from crystal_search.synthesis.rendered_folder import mask_of
from crystal_search.synthesis.seeds import WellSeed
from crystal_search.synthesis.wells.crystal_truth import smallest_box
from crystal_search.synthesis.wells.rendered_well import RenderedImage, render_well

CRYSTALS = ("crystal_harvestable", "crystal_bad_form", "crystal_overnucleated")


@pytest.fixture(scope="module", params=CRYSTALS)
def well(request: pytest.FixtureRequest) -> RenderedImage:
    return render_well(WellSeed("test", 11), outcome=request.param, height_px=512, width_px=612, crystals=True)


def test_a_box_drawn_by_hand_is_found_again() -> None:
    """Sides 40 and 10 around (60, 50), the long one turned by 30 degrees from columns towards rows."""
    row, column = np.mgrid[:120, :120] + 0.5
    row, column = row - 60, column - 50
    along, across = row * 0.5 + column * np.sqrt(0.75), row * np.sqrt(0.75) - column * 0.5
    box = smallest_box(*np.nonzero((np.abs(along) <= 20) & (np.abs(across) <= 5)))
    np.testing.assert_allclose(box[:2], [60, 50], atol=0.6)
    np.testing.assert_allclose(box[2:4], [40, 10], atol=2)
    assert box[4] == pytest.approx(np.pi / 6, abs=0.04)


def test_an_upright_box_is_half_a_turn_from_a_level_one() -> None:
    rows, columns = np.divmod(np.arange(12), 2)
    np.testing.assert_allclose(smallest_box(rows, columns), [3, 1, 6, 2, np.pi / 2], atol=1e-6)


def test_every_pixel_lies_in_its_box(well: RenderedImage) -> None:
    assert well.crystals
    for crystal in well.crystals:
        row, column = crystal.rows + 0.5 - crystal.oriented_box[0], crystal.columns + 0.5 - crystal.oriented_box[1]
        cosine, sine = np.cos(crystal.oriented_box[4]), np.sin(crystal.oriented_box[4])
        assert np.abs(row * sine + column * cosine).max() <= crystal.oriented_box[2] / 2 + 1e-6
        assert np.abs(row * cosine - column * sine).max() <= crystal.oriented_box[3] / 2 + 1e-6


def test_what_counts_as_crystal_is_what_is_not_too_faint(well: RenderedImage) -> None:
    visible = np.zeros(well.crystal_mask.shape, np.bool_)
    for crystal in well.crystals:
        if not crystal.too_faint:
            visible[crystal.rows, crystal.columns] = True
    np.testing.assert_array_equal(visible & well.drop_mask, well.crystal_mask)
    assert all(0 <= crystal.visible_fraction <= 1 for crystal in well.crystals)
    assert max(crystal.contrast for crystal in well.crystals) > 13


def test_every_crystal_has_a_name(well: RenderedImage) -> None:
    assert {crystal.habit for crystal in well.crystals} <= set(HABITS)
    assert {crystal.aspect for crystal in well.crystals} <= {"needle", "rod", "plate", "block"}


def test_long_boxes_are_needles() -> None:
    """The same well that a person would say holds needles: its crystals are far longer than wide."""
    for number in range(40):
        well = render_well(
            WellSeed("test", number), outcome="crystal_bad_form", height_px=512, width_px=612, crystals=True
        )
        needles = [crystal for crystal in well.crystals if crystal.aspect == "needle" and crystal.oriented_box[3] > 4]
        if len(needles) > 3:
            assert np.median([each.oriented_box[2] / each.oriented_box[3] for each in needles]) > 3
            return
    pytest.fail("no well with needles")


def test_the_picture_is_the_same_whether_or_not_truth_is_asked_for(well: RenderedImage) -> None:
    plain = render_well(WellSeed("test", 11), outcome=well.outcome, height_px=512, width_px=612)
    np.testing.assert_array_equal(plain.image, well.image)
    assert plain.crystals == ()


def test_a_well_without_crystals_has_none() -> None:
    assert render_well(WellSeed("test", 2), outcome="clear", height_px=256, width_px=306, crystals=True).crystals == ()


def test_wells_are_written_with_annotations_and_all_that_is_present(tmp_path: Path) -> None:
    size = ("--width", "306", "--height", "256", "--no-sheet")
    words = ("--count", "2", "--outcome", "crystal_harvestable", "--split", "test", *size)
    assert main(["render", "wells", "--out", str(tmp_path), *words]) == 0
    truth = json.loads((tmp_path / "annotations.json").read_text())
    assert [(each["width"], each["height"]) for each in truth["images"]] == [(306, 256)] * 2
    lines = list(csv.DictReader((tmp_path / "truth.csv").read_text().splitlines()))
    assert [each["file_name"] for each in truth["images"]] == [line["file"] for line in lines]
    assert all("crystal_harvestable" in line["present"].split() for line in lines)
    well = render_well(WellSeed("test", 1), outcome="crystal_harvestable", height_px=256, width_px=306, crystals=True)
    mine = [each for each in truth["annotations"] if each["image_id"] == 2]
    assert len(mine) == len(well.crystals)
    mask = mask_of(mine[0]["segmentation"]["counts"], 256, 306)
    assert set(zip(*np.nonzero(mask), strict=True)) == set(
        zip(well.crystals[0].rows.tolist(), well.crystals[0].columns.tolist(), strict=True)
    )
    assert [each["habit"] for each in mine] == [crystal.habit for crystal in well.crystals]
    assert {each["aspect"] for each in mine} <= {"needle", "rod", "plate", "block"}
    assert {each["name"] for each in truth["categories"]} == set(CRYSTALS)
