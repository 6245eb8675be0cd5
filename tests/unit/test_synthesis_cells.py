"""Insect cells with crystals: shapes, truth, pictures, sections, and what is written."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import integers
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.archives.archive import ArchiveImage
from crystal_search.archives.archive_kinds import open_archive
from crystal_search.errors import UnknownNameError
from crystal_search.exit_codes import USAGE
from crystal_search.main import main
from crystal_search.synthesis.insect_cells.bright_field import drawn_bright_field, light_through
from crystal_search.synthesis.insect_cells.cell_crystals import LONG, LONGEST_UM, drawn_crystals
from crystal_search.synthesis.insect_cells.cell_culture import CLOSEST, FIELD_UM, Culture, drawn_cells
from crystal_search.synthesis.insect_cells.cell_image import CellImage, photographed, rendered, staged
from crystal_search.synthesis.insect_cells.confocal import sections
from crystal_search.synthesis.polyhedra import corners_of
from crystal_search.synthesis.rendered_folder import mask_of
from crystal_search.synthesis.seeds import WellSeed

CPU = torch.device("cpu")
GOLDEN = Path(__file__).parents[1] / "golden" / "insect-cells.png"
BLOCK_PX, LEVELS_OFF = 16, 2  #: of a golden picture, a mean a block; how far one may be off on another processor


def culture(cells: int = 30, **more: float) -> Culture:
    usual = {"radius": 9.0, "spread": 0.1, "clumped": 0.4, "infected": 1.0, "lysed": 0.0, "flatness": 0.7}
    return Culture(cells, **usual | {"index": 0.03} | more)


@pytest.fixture(scope="module", params=["long", "clustered", "both"])
def found(request: pytest.FixtureRequest) -> CellImage:
    return rendered(WellSeed("test", 12), request.param, side_px=256)


def blocks(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the means of blocks of an image."""
    side = image.shape[0] // BLOCK_PX
    return np.asarray(image.reshape(side, BLOCK_PX, side, BLOCK_PX).mean(axis=(1, 3)))


@settings(deadline=None, max_examples=15)
@given(integers(0, 10_000))
def test_cells_do_not_lie_on_each_other(seed: int) -> None:
    cells = drawn_cells(np.random.default_rng(seed), culture())
    gaps = np.linalg.norm(cells.centres[:, None] - cells.centres, axis=2) + 1e9 * np.eye(len(cells))
    assert (gaps >= CLOSEST * (cells.radius[:, None] + cells.radius) - 1e-9).all()


@settings(deadline=None, max_examples=10)
@given(integers(0, 10_000))
def test_crystals_of_a_cluster_keep_within_the_contour_of_their_cell(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = drawn_cells(rng, culture(8))
    for crystal in drawn_crystals(rng, cells, "clustered")[0]:
        corners = corners_of(crystal.body.normals, crystal.body.distances)[:, :2]
        away = corners + crystal.centre[:2] - cells.centres[crystal.cell]
        for row, column in away:
            reach = cells.contour(np.array([np.arctan2(row, column)]))[crystal.cell, 0]
            assert np.hypot(row, column) <= reach + 1e-6


@settings(deadline=None, max_examples=10)
@given(integers(0, 10_000))
def test_long_crystals_begin_in_their_cell_and_are_as_long_as_wanted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = drawn_cells(rng, culture(8))
    for crystal in drawn_crystals(rng, cells, "long")[0]:
        axis = np.array([np.sin(crystal.heading), np.cos(crystal.heading)])
        middle = (cells.centres[crystal.cell] - crystal.centre[:2]) @ axis
        assert abs(middle) <= crystal.half_axes[2]
        assert 0.9 * 2 * cells.radius[crystal.cell] - 1e-9 <= 2 * crystal.half_axes[2] <= LONGEST_UM
        corners = corners_of(crystal.body.normals, crystal.body.distances) @ crystal.body.axis
        assert np.ptp(corners) == pytest.approx(2 * crystal.half_axes[2], rel=0.12)


def test_healthy_cells_have_no_crystals() -> None:
    rng = np.random.default_rng(0)
    cells = drawn_cells(rng, culture(60, infected=0.5))
    crystals, _ = drawn_crystals(rng, cells, "both")
    assert len({each.cell for each in crystals}) > 5
    assert all(cells.infected[each.cell] for each in crystals)


def test_a_target_that_there_is_not_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="choose from long, clustered, both, none"):
        rendered(WellSeed("test", 1), "square", side_px=128)


def test_masks_lie_in_the_image_and_crystals_in_their_cells(found: CellImage) -> None:
    assert found.crystals
    for places in (*found.cells, *(each.places for each in found.crystals)):
        assert (np.diff(places) > 0).all()
        assert not len(places) or (places[0] >= 0 and places[-1] < found.image.size)
    for crystal in found.crystals:
        inside = np.isin(crystal.places, found.cells[crystal.cell]).mean()
        assert inside > (0.3 if crystal.kind == LONG else 0.97)


def test_a_long_crystal_stretches_its_cell() -> None:
    seed = WellSeed("test", 12)
    with_rods = rendered(seed, "long", side_px=256)
    without = rendered(seed, "none", side_px=256)
    longest = max(with_rods.crystals, key=lambda each: len(each.places))
    stretched, round_one = with_rods.cells[longest.cell], without.cells[longest.cell]
    assert len(stretched) > 1.1 * len(round_one) > 0
    assert np.isin(longest.places, stretched).mean() > np.isin(longest.places, round_one).mean()


def test_pixels_change_where_crystals_are(found: CellImage) -> None:
    """The picture without the crystals differs from that with them more inside of their masks than elsewhere."""
    seed, stage = WellSeed("test", 12), found.stage
    bare = photographed(seed, type(stage)(stage.frame, stage.cells, (), {}, stage.shapes))
    change = np.abs(found.image.astype(float) - bare.image)
    crystal = np.zeros(found.image.shape, np.bool_)
    for each in found.crystals:
        crystal |= found.mask(each.places)
    assert change[crystal].mean() > 5 * change[~crystal].mean()
    assert change[crystal].mean() == pytest.approx(
        np.average([each.contrast for each in found.crystals], weights=[len(each.places) for each in found.crystals]),
        rel=0.25,
    )


def test_nothing_in_the_field_is_even_light() -> None:
    field = drawn_bright_field(np.random.default_rng(3))
    light = light_through(torch.full((64, 64), 0.3), torch.zeros(64, 64), 2.0, field)
    np.testing.assert_allclose(light, 1.0, atol=1e-3)


def test_the_same_cells_are_seen_at_every_size() -> None:
    """A finer picture reduced to the coarser one's pixels has the same masks, but for pixels on their edge."""
    seed = WellSeed("test", 5)
    coarse, fine = (rendered(seed, "long", side_px=side) for side in (256, 512))
    assert len(coarse.crystals) == len(fine.crystals)
    for one, other in zip(coarse.crystals, fine.crystals, strict=True):
        assert one.cell == other.cell
        assert one.volume_um3 == pytest.approx(other.volume_um3, rel=0.06, abs=3)
        assert len(one.places) * 4 == pytest.approx(len(other.places), rel=0.2, abs=40)
    reduced = fine.image.reshape(256, 2, 256, 2).mean(axis=(1, 3))
    assert np.corrcoef(reduced.ravel(), coarse.image.ravel())[0, 1] > 0.9


def test_an_image_is_as_it_was() -> None:
    """The golden picture is of another machine, so that levels may differ a little, masks by single pixels."""
    image = rendered(WellSeed("test", 12), "both", side_px=256)
    with Pillow.open(GOLDEN) as stored:
        wanted = np.asarray(stored)
    assert np.abs(blocks(image.image) - wanted[0:16]).max() <= LEVELS_OFF
    covered = np.zeros(image.image.size, np.uint8)
    covered[np.concatenate([each.places for each in image.crystals])] = 255
    assert np.abs(blocks(covered.reshape(256, 256)) - wanted[16:]).max() <= LEVELS_OFF


def test_seeds_splits_and_targets_differ() -> None:
    images = [
        rendered(WellSeed(split, number), target, side_px=128).image.astype(float)
        for split, number, target in (("train", 1, "long"), ("train", 2, "long"), ("test", 1, "long"))
    ]
    assert min(np.abs(one - other).mean() for one, other in zip(images, images[1:] + images[:1], strict=True)) > 1


def test_crystals_are_dark_in_fluorescent_cells_and_their_volume_is_the_sum_of_sections() -> None:
    seed = WellSeed("test", 12)
    stage = staged(seed, "clustered", 384, CPU)
    cuts = list(sections(seed, stage, 22, step_um=1.0))
    assert [each.depth_um for each in cuts[:2]] == pytest.approx([0.5, 1.5])
    truth = photographed(seed, stage)
    pixel = (FIELD_UM / 384) ** 2
    cut = [sum(len(each.crystals[one.number]) for each in cuts) * pixel for one in truth.crystals]
    volumes = np.array([each.volume_um3 for each in truth.crystals])
    assert sum(cut) == pytest.approx(volumes.sum(), rel=0.03)
    large = volumes > np.median(volumes)
    np.testing.assert_allclose(np.array(cut)[large], volumes[large], rtol=0.15)
    fullest = max(cuts, key=lambda each: sum(map(len, each.crystals)))
    light = fullest.image.reshape(-1).astype(float)
    dark = np.unique(np.concatenate(fullest.crystals))
    fluorescent = np.flatnonzero(stage.cells.infected & ~stage.cells.lysed)
    bright = np.setdiff1d(np.unique(np.concatenate([fullest.cells[each] for each in fluorescent])), dark)
    assert light[dark].mean() < 0.7 * light[bright].mean()
    outside = np.setdiff1d(np.arange(light.size), np.concatenate([bright, *fullest.cells, dark]))
    assert light[outside].mean() < 0.6 * light[bright].mean()


def test_sections_become_smaller_towards_the_top() -> None:
    seed = WellSeed("test", 3)
    cuts = list(sections(seed, staged(seed, "none", 128, CPU), 16, step_um=2.1))
    areas = [sum(map(len, each.cells)) for each in cuts]
    assert areas[-1] < areas[2] / 4


def test_a_set_is_written_with_its_truth(tmp_path: Path) -> None:
    words = ("--count", "2", "--target", "both", "--split", "test", "--seed-start", "12", "--side", "256")
    assert main(["render", "cells", *words, "--sections", "3", "--out", str(tmp_path)]) == 0
    truth = json.loads((tmp_path / "annotations.json").read_text())
    assert [(each["file_name"], each["um_per_px"]) for each in truth["images"]] == [
        ("000012.png", 1.171875),
        ("000013.png", 1.171875),
    ]
    assert [(each["name"], each["supercategory"]) for each in truth["categories"]] == [
        ("long", "crystal"),
        ("clustered", "crystal"),
        ("cell", "cell"),
    ]
    image = rendered(WellSeed("test", 12), "both", side_px=256)
    mine = [each for each in truth["annotations"] if each["image_id"] == 12]
    by_number = {each["id"]: each for each in mine}
    crystals = [each for each in mine if each["category_id"] < 3]
    assert len(crystals) == len(image.crystals)
    for told, known in zip(crystals, image.crystals, strict=True):
        np.testing.assert_array_equal(mask_of(told["segmentation"]["counts"], 256, 256), image.mask(known.places))
        assert told["area"] == len(known.places)
        assert told["volume_um3"] == pytest.approx(known.volume_um3, abs=1e-3)
        cell = by_number[told["cell"]]
        np.testing.assert_array_equal(
            mask_of(cell["segmentation"]["counts"], 256, 256), image.mask(image.cells[known.cell])
        )
        assert cell["state"] in {"infected", "lysed"}
        assert cell["crystals"] == sum(each["cell"] == told["cell"] for each in crystals)
    with Pillow.open(tmp_path / "images" / "000012.png") as stored:
        np.testing.assert_array_equal(np.asarray(stored), image.image)
    cuts = json.loads((tmp_path / "sections" / "annotations.json").read_text())
    assert [each["file_name"] for each in cuts["images"][:3]] == [f"000012/0{place}.png" for place in range(3)]
    assert [each["depth_um"] for each in cuts["images"][:3]] == [1.05, 3.15, 5.25]
    for part in cuts["annotations"]:
        assert truth["annotations"][part["object"] - 1]["category_id"] == part["category_id"]
    with Pillow.open(tmp_path / "sections" / "000013" / "02.png") as stored:
        assert stored.size == (256, 256)
    assert (tmp_path / "contact-sheet.png").exists()


def test_cells_are_no_crystals_of_an_archive(tmp_path: Path) -> None:
    words = ("--count", "1", "--target", "long", "--side", "128", "--no-sheet", "--seed-start", "12")
    assert main(["render", "cells", *words, "--out", str(tmp_path)]) == 0
    truth = json.loads((tmp_path / "annotations.json").read_text())
    (image,) = open_archive("coco", tmp_path).images()
    assert isinstance(image, ArchiveImage)
    assert image.in_suspension
    assert len(image.objects or ()) == sum(each["category_id"] < 3 for each in truth["annotations"]) > 0
    assert {each.category for each in image.objects or ()} == {"long"}
    assert not (tmp_path / "contact-sheet.png").exists()
    assert not (tmp_path / "sections").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--count", "0"), "render at least 1 image"),
        (("--side", "99"), "--side is 99; give 128 to 2136 px"),
        (("--sections", "-1"), "--sections is -1"),
        (("--sections", "2", "--section-um", "0"), "more than 0 micrometres"),
        (("--outcome", "clear"), "no outcome"),
        (("--channels", "uv"), "seen once"),
        (("--device", "abacus"), "no device 'abacus' here"),
    ],
)
def test_what_cannot_be_rendered_is_refused(
    words: tuple[str, str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", "cells", "--out", str(tmp_path / "new"), *words]) == USAGE
    assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
