"""Crystals in suspension: fitted, placed, distributed as intended, drawn, and written with their truth."""

import csv
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import integers
from numpy.typing import NDArray
from PIL import Image as Pillow
from torch import Tensor

from crystal_search.exit_codes import USAGE
from crystal_search.main import main
from crystal_search.synthesis.rendered_folder import mask_of, run_lengths
from crystal_search.synthesis.seeds import WellSeed
from crystal_search.synthesis.suspension.crystal_model import AREA_RANGE_PX, LARGEST_RATIO, SIDE_PX, drawn, library
from crystal_search.synthesis.suspension.histograms import off_uniform, spreads
from crystal_search.synthesis.suspension.microscope import normal
from crystal_search.synthesis.suspension.noise import Layers, clouds, equalised, waves
from crystal_search.synthesis.suspension.pixels import under
from crystal_search.synthesis.suspension.placing import Placed, placed, reach, smallest_rectangles, wrapped
from crystal_search.synthesis.suspension.scene import Settings, Suspension, rendered, suspension_images

CPU = torch.device("cpu")


def crystals(split: str, images: int, *, most: int = 100, overlap: float = 0.3, across_border: bool = False) -> Placed:
    wanted = [drawn(WellSeed(split, number).generator("suspension"), most) for number in range(images)]
    return placed(wanted, CPU, overlap=overlap, across_border=across_border)


def mask_in(batch: Suspension, crystal: int) -> NDArray[np.bool_]:
    """Return the pixels of one crystal, (384, 384)."""
    found = np.zeros((SIDE_PX, SIDE_PX), np.bool_)
    mine = batch.pixels.among(batch.pixels.crystal == crystal)
    found[mine.row.numpy(), mine.column.numpy()] = True
    return found


def all_pairs(count: int) -> Tensor:
    return torch.combinations(torch.arange(count))[None]


def test_calipers_find_a_rectangle_drawn_by_hand() -> None:
    """Sides 10 and 4 around (7, -2), the long one turned by 30 degrees from columns towards rows."""
    cosine, sine = np.cos(np.pi / 6), np.sin(np.pi / 6)
    corners = [
        (7 + u * sine + v * cosine, -2 + u * cosine - v * sine) for u, v in ((-5, -2), (5, -2), (5, 2), (-5, 2), (0, 0))
    ]
    found = smallest_rectangles(torch.tensor(corners)[None].float(), all_pairs(5))[0]
    np.testing.assert_allclose(found, [7, -2, 10, 4, np.pi / 6], atol=1e-4)


@settings(deadline=None, max_examples=40)
@given(integers(0, 10_000), integers(3, 12))
def test_no_direction_has_a_smaller_rectangle(seed: int, count: int) -> None:
    points = torch.from_numpy(np.random.default_rng(seed).normal(size=(1, count, 2))).float()
    found = smallest_rectangles(points, all_pairs(count))[0]
    angles = torch.linspace(0, torch.pi / 2, 361)
    along = torch.stack((angles.sin(), angles.cos()), dim=1) @ points[0].T
    across = torch.stack((angles.cos(), -angles.sin()), dim=1) @ points[0].T
    areas = (along.amax(1) - along.amin(1)) * (across.amax(1) - across.amin(1))
    assert float(found[2] * found[3]) <= float(areas.min()) * 1.0001
    assert float(found[2]) >= float(found[3])


def test_every_body_of_the_library_fills_its_cube_and_is_convex() -> None:
    lib = library()
    np.testing.assert_allclose(lib.corners.min(axis=1), -1, atol=1e-5)
    np.testing.assert_allclose(lib.corners.max(axis=1), 1, atol=1e-5)
    beyond = np.einsum("kpx,kcx->kpc", lib.normals, lib.corners) - lib.distances[:, :, None]
    assert beyond.max() < 1e-4


def test_rectangles_are_those_drawn_within_the_tolerances() -> None:
    found = crystals("train", 24)
    ratio, area, angle = found.wanted.T
    sides = found.boxes[:, 2] * found.boxes[:, 3]
    assert float((sides.sqrt() - area.sqrt()).abs().max()) < 2
    assert float((found.boxes[:, 2] / found.boxes[:, 3] - ratio).abs().max()) < 0.2
    assert float(wrapped(found.boxes[:, 4] - angle).abs().max()) < np.deg2rad(2)


def test_hardly_a_crystal_is_left_out() -> None:
    wanted = [drawn(WellSeed("train", number).generator("suspension"), 100) for number in range(40)]
    asked = sum(len(each.ratio) for each in wanted)
    found = len(placed(wanted, CPU, overlap=0.3, across_border=False).image)
    assert found >= 0.99 * asked


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_ratio_angle_and_area_are_distributed_as_intended(split: str) -> None:
    ratio, angle, area = spreads(crystals(split, 100).boxes.double().numpy())
    assert ratio.probability is not None
    assert angle.probability is not None
    assert ratio.probability > 0.05
    assert angle.probability > 0.05
    quarters = area.heights.reshape(4, -1).sum(axis=1)
    assert np.abs(quarters / quarters.mean() - 1).max() < 0.2


def test_a_slope_in_the_distribution_would_be_noticed() -> None:
    shares = np.sqrt(np.random.default_rng(0).random(4000))
    assert off_uniform(shares)[1] < 1e-6


def test_no_crystal_lies_across_the_border_unless_asked() -> None:
    found = crystals("train", 12)
    far = reach(found.boxes)
    assert float((found.boxes[:, :2] - far).min()) >= 0
    assert float((found.boxes[:, :2] + far).max()) <= SIDE_PX
    free = crystals("train", 12, across_border=True)
    assert float((free.boxes[:, :2] - reach(free.boxes)).min()) < 0


def test_no_crystal_lies_more_on_larger_ones_than_allowed() -> None:
    found = crystals("train", 6, overlap=0.0)
    for image in range(6):
        masks = [_filled(box) for box in found.boxes[found.image == image]]
        covered = np.zeros((SIDE_PX, SIDE_PX), np.bool_)
        for mask in masks:  # the largest first
            assert np.count_nonzero(mask & covered) <= 0.25 * np.count_nonzero(mask)
            covered |= mask


def _filled(box: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    centres = np.arange(SIDE_PX) + 0.5
    row, column = centres[:, None] - float(box[0]), centres - float(box[1])
    cosine, sine = float(box[4].cos()), float(box[4].sin())
    along, across = row * sine + column * cosine, row * cosine - column * sine
    return (np.abs(along) <= float(box[2]) / 2) & (np.abs(across) <= float(box[3]) / 2)


@settings(deadline=None, max_examples=30)
@given(integers(0, 10_000))
def test_all_pixels_of_a_rectangle_are_looked_at(seed: int) -> None:
    rng = np.random.default_rng(seed)
    box = torch.tensor([[*rng.uniform(20, 360, 2), rng.uniform(5, 90), rng.uniform(1, 5), rng.uniform(-1.6, 1.6)]])
    found = under(box.float())
    looked = np.zeros((SIDE_PX, SIDE_PX), np.bool_)
    looked[found.row.numpy(), found.column.numpy()] = True
    inside = _filled(box[0])
    assert not (inside & ~looked).any()
    assert (
        len(found.row) == np.count_nonzero(looked) <= np.count_nonzero(inside) + 10 * float(box[0, 2] + box[0, 3] + 8)
    )


@pytest.fixture(scope="module")
def batch() -> Suspension:
    return rendered([WellSeed("test", 3), WellSeed("test", 4)], Settings(most=12, fewest=8), CPU)


def test_masks_lie_in_their_boxes_and_fill_much_of_them(batch: Suspension) -> None:
    for crystal, box in enumerate(batch.crystals.boxes):
        mask, centres = mask_in(batch, crystal), np.arange(SIDE_PX) + 0.5
        row, column = centres[:, None] - float(box[0]), centres - float(box[1])
        cosine, sine = float(box[4].cos()), float(box[4].sin())
        along = np.abs(row * sine + column * cosine)[mask]
        across = np.abs(row * cosine - column * sine)[mask]
        assert along.max(initial=0) <= float(box[2]) / 2 + 0.01
        assert across.max(initial=0) <= float(box[3]) / 2 + 0.01
        assert np.count_nonzero(mask) > 0.3 * float(box[2] * box[3]) - 5


def test_what_lies_alone_is_wholly_visible(batch: Suspension) -> None:
    counts = np.zeros((2, SIDE_PX, SIDE_PX), int)
    for crystal, image in enumerate(batch.crystals.image.tolist()):
        counts[image] += mask_in(batch, crystal)
    for crystal, image in enumerate(batch.crystals.image.tolist()):
        alone = counts[image][mask_in(batch, crystal)].max() == 1
        assert (float(batch.visible[crystal]) == 1) or not alone
    assert float(batch.visible.min()) >= 0
    assert 0 < float(batch.contrast.mean()) < 1


def test_an_image_is_the_same_in_every_batch() -> None:
    together = next(suspension_images("train", 5, 3, settings=Settings(most=9), batch=3))
    alone = [next(suspension_images("train", 5 + n, 1, settings=Settings(most=9), batch=1)) for n in range(3)]
    for number, each in enumerate(alone):
        off = (together.images[number].int() - each.images[0].int()).abs()
        assert int(off.max()) <= 1
        assert float((off > 0).float().mean()) < 0.01


def test_seeds_differ(batch: Suspension) -> None:
    assert float((batch.images[0].float() - batch.images[1].float()).abs().mean()) > 1


def test_a_wave_has_its_length_and_direction() -> None:
    one = Layers(torch.tensor([0]), torch.tensor([32.0]), torch.tensor([0.0]), torch.zeros(1, 2), torch.empty(0))
    wave = waves(one)[0]
    np.testing.assert_allclose(wave[0, [0, 8, 16, 32]], [1, 0.5, 0, 1], atol=1e-5)
    np.testing.assert_allclose(wave[100], wave[0], atol=1e-5)


def test_clouds_are_smooth_and_nothing_on_lattice_points() -> None:
    gradients = torch.rand(1, 51, 51, generator=torch.Generator().manual_seed(0)) * 6.28
    layers = Layers(torch.tensor([0]), torch.tensor([16.0]), torch.tensor([0.0]), torch.zeros(1, 2), gradients)
    cloud = clouds(layers)[0]
    np.testing.assert_allclose(cloud[::16, ::16], 0.5, atol=1e-5)
    assert float((cloud[1:] - cloud[:-1]).abs().max()) < 0.15
    angle = gradients[0, 3, 5]  # half a pixel beside a lattice point, the gradient alone counts
    step = float(cloud[3 * 16 + 1, 5 * 16] - 0.5)
    assert step == pytest.approx(float(angle.sin()) / 16 / 2**0.5, abs=0.004)


def test_equalised_values_are_spread_evenly() -> None:
    texture = torch.rand(2, 64, 64, generator=torch.Generator().manual_seed(1)) ** 3
    even = equalised(texture)
    shares = torch.histc(even[0], 8, 0, 1) / 64**2
    assert float((shares - 1 / 8).abs().max()) < 0.06
    assert float(torch.corrcoef(torch.stack((texture[0].flatten(), even[0].flatten())))[0, 1]) > 0.8


def test_sensor_noise_is_normal_and_of_its_seed() -> None:
    noise = normal(torch.tensor([1, 2]), 100_000)
    assert abs(float(noise.mean())) < 0.01
    assert float(noise.std()) == pytest.approx(1, abs=0.02)
    assert abs(float((noise[0] * noise[1]).mean())) < 0.02
    assert abs(float((noise[0, 1:] * noise[0, :-1]).mean())) < 0.02
    assert torch.equal(normal(torch.tensor([2]), 100_000)[0], noise[1])


@given(integers(0, 2**20 - 1))
def test_run_lengths_come_back_as_masks(bits: int) -> None:
    mask = np.array([bits >> place & 1 for place in range(20)], dtype=bool).reshape(4, 5)
    places = np.flatnonzero(mask.T.ravel())
    np.testing.assert_array_equal(mask_of(run_lengths(places, 20), 4, 5), mask)


def test_a_set_is_written_with_its_truth(tmp_path: Path) -> None:
    words = ("--count", "3", "--most-crystals", "20", "--split", "test", "--seed-start", "7", "--out", str(tmp_path))
    assert main(["render", "suspension", *words]) == 0
    truth = json.loads((tmp_path / "annotations.json").read_text())
    assert [each["file_name"] for each in truth["images"]] == ["000007.png", "000008.png", "000009.png"]
    batch = next(suspension_images("test", 7, 3, settings=Settings(most=20), batch=3))
    assert len(truth["annotations"]) == len(batch.crystals.image)
    for number in (0, len(truth["annotations"]) - 1):
        found = truth["annotations"][number]
        mask = mask_of(found["segmentation"]["counts"], *found["segmentation"]["size"])
        np.testing.assert_array_equal(mask, mask_in(batch, number))
        assert found["area"] == np.count_nonzero(mask)
        column, row, long, short, angle = found["oriented_box"]
        np.testing.assert_allclose((row, column, long, short, angle), batch.crystals.boxes[number], atol=2e-3)
        assert found["iscrowd"] == 0
    assert {each["id"] for each in truth["categories"]} >= {each["category_id"] for each in truth["annotations"]}
    with Pillow.open(tmp_path / "images" / "000008.png") as stored:
        picture = np.asarray(stored)
    assert np.abs(picture.astype(int) - batch.images[1].numpy()).max() <= 1
    lines = list(csv.DictReader((tmp_path / "histograms.csv").read_text().splitlines()))
    assert {line["property"] for line in lines} == {"ratio", "angle", "total area by size"}
    ratio = [line for line in lines if line["property"] == "ratio"]
    assert float(ratio[0]["from"]) == 1
    assert float(ratio[-1]["to"]) == LARGEST_RATIO
    assert all(before["to"] == after["from"] for before, after in pairwise(ratio))
    with Pillow.open(tmp_path / "contact-sheet.png") as sheet:
        assert sheet.size == (3 * SIDE_PX, SIDE_PX)
    assert (tmp_path / "histograms.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--count", "0"), "render at least 1 image"),
        (("--overlap", "1.5"), "between 0 and 1"),
        (("--outcome", "clear"), "no outcome"),
        (("--device", "abacus"), "no device 'abacus' here"),
    ],
)
def test_what_cannot_be_rendered_is_refused(
    words: tuple[str, str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", "suspension", "--out", str(tmp_path / "new"), *words]) == USAGE
    assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_set_without_a_contact_sheet_has_none(tmp_path: Path) -> None:
    words = ("--count", "1", "--most-crystals", "3", "--no-sheet", "--out", str(tmp_path))
    assert main(["render", "suspension", *words]) == 0
    names = {"images", "annotations.json", "checksums.sha256", "histograms.csv", "histograms.png"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["render", "suspension", "--count", "1", "--out", str(tmp_path / "file")]) == USAGE
    assert "cannot write to" in capsys.readouterr().err


def test_smallest_and_largest_crystals_are_within_the_range() -> None:
    area = crystals("validation", 20).wanted[:, 1]
    assert float(area.min()) >= AREA_RANGE_PX[0] * 0.999
    assert float(area.max()) <= AREA_RANGE_PX[1] * 1.001
