"""What a detector is taught, what it is charged, and that a perfect answer is read back as the crystals themselves."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import floats, integers
from numpy.typing import NDArray
from PIL import Image as Pillow
from torch import Tensor

from crystal_search.archives.seen_objects import SeenObject, objects_json, of_mask
from crystal_search.crystals.boxes import DIRECTIONS, areas, corners, overlaps, reaches
from crystal_search.crystals.decoding import BOX_NUMBERS, BOXES, HEAT, OUTLINES, Decoding, crystals_in, distinct
from crystal_search.datasets.packed import IMAGE, IMAGES, OBJECTS, PackedDataset, open_dataset
from crystal_search.images import Sight, picture_file
from crystal_search.inference import Maps
from crystal_search.networks.box_refinement import Refined, read_at, turned
from crystal_search.networks.dense_crystals import First
from crystal_search.polygons import covered
from crystal_search.training import crystal_targets as told
from crystal_search.training.crystal_losses import crystal_losses, divergence, looked_at
from crystal_search.training.crystal_source import CrystalSource, KnownImage, known_image, truth_of
from crystal_search.training.crystal_targets import KnownCrystals, heats, target
from crystal_search.training.crystals_task import opened
from crystal_search.training.distributed import Group
from crystal_search.training.machine import Machine
from crystal_search.training.requests import CrystalRequest
from crystal_search.training.task import Losses
from tests.unit.dataset_files import write_about, write_shard

SIDE_PX, CELLS = 128, 32
NOTHING_COVERED = np.zeros((CELLS, CELLS), np.float32)


def known(*boxes: tuple[float, ...], ignored: tuple[bool, ...] = ()) -> KnownCrystals:
    """Return crystals that fill their boxes."""
    array = np.array(boxes, np.float64).reshape(-1, 5)
    return KnownCrystals(array, corners(array), np.array(ignored or [False] * len(array), np.bool_))


def answers(truth: NDArray[np.float32]) -> Maps:
    """Return the maps of a detector that answers what it was taught."""
    heat, turn = np.clip(truth[told.HEAT], 1e-6, 1 - 1e-6), truth[told.ANGLE]
    boxes = np.concatenate((truth[told.OFFSET : told.ANGLE], [np.cos(2 * turn), np.sin(2 * turn)]))
    maps = {HEAT: np.log(heat / (1 - heat))[None], BOXES: boxes, OUTLINES: truth[told.OUTLINE :]}
    return {name: each[None].astype(np.float32) for name, each in maps.items()}


def losses(heat: Tensor, boxes: Tensor, outlines: Tensor, truth: Tensor) -> Losses:
    """Return what such maps (N, channels, h, w) cost, of which two further looks say the same."""
    first = First(heat, boxes, outlines, torch.zeros(0), torch.zeros(0))
    looked = looked_at(first, truth)
    look = Refined(looked.of(heat), looked.of(boxes), looked.of(outlines))
    return crystal_losses(first, torch.full_like(heat, -20.0), looked, [look, look], truth)


@given(
    row=floats(45, 83),
    column=floats(45, 83),
    long=floats(8, 80),
    ratio=floats(0.12, 0.9),
    angle=floats(0, 3.1415),
)
@settings(deadline=None)
def test_a_crystal_comes_back_from_a_perfect_answer(
    row: float, column: float, long: float, ratio: float, angle: float
) -> None:
    box = (row, column, long, max(2.0, long * ratio), angle)
    found = crystals_in(answers(target(known(box), NOTHING_COVERED)), Decoding())
    assert len(found) == 1
    assert found[0].probability > 0.99
    assert overlaps(np.array([found[0].box]), np.array([box]))[0] > 0.85
    assert found[0].box[:2] == pytest.approx(box[:2], abs=0.05)
    assert len(found[0].outline) >= 3


def test_the_long_side_is_told_by_its_length_not_by_its_place() -> None:
    maps = answers(target(known((64, 64, 60, 12, 0.5)), NOTHING_COVERED))
    maps[BOXES][:, [2, 3]] = maps[BOXES][:, [3, 2]]  # the same box, its short side told first, a quarter turn on
    maps[BOXES][:, 4:] *= -1
    (found,) = crystals_in(maps, Decoding())
    assert found.box == pytest.approx((64, 64, 60, 12, 0.5), abs=0.2)


def test_places_are_read_between_cells_of_their_own_image() -> None:
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(9.0), indexing="ij")
    maps = torch.stack([torch.stack((rows + 0.5, columns + 0.5, torch.full((6, 9), each))) for each in (0.0, 1.0)])
    places = torch.tensor([[[0.5, 0.5], [2.25, 7.75]], [[5.9, 3.0], [-3.0, 4.5]]])
    read = read_at(maps, places, torch.tensor([0, 1])).view(2, 2, 3)
    torch.testing.assert_close(read[0], torch.tensor([[0.5, 0.5, 0], [2.25, 7.75, 0]]))
    torch.testing.assert_close(read[1], torch.tensor([[5.5, 3.0, 1], [0.5, 4.5, 1]]))  # at the edge beyond it


def test_points_of_a_box_lie_where_its_corners_do() -> None:
    boxes = np.array([(20.0, 30.0, 40.0, 10.0, 0.7), (5.0, 6.0, 8.0, 4.0, 2.9)])
    centres, sides, turns = (torch.from_numpy(each) for each in (boxes[:, None, :2], boxes[:, None, 2:4], boxes[:, 4]))
    halves = torch.tensor([(0.5, 0.5), (0.5, -0.5), (-0.5, -0.5), (-0.5, 0.5)])
    found = centres + turned(halves * sides, turns)
    np.testing.assert_allclose(found.numpy(), corners(boxes))


def test_an_outline_lies_in_its_box() -> None:
    truth = target(known((64, 64, 60, 12, 0.0)), NOTHING_COVERED)
    truth[told.OUTLINE :] += np.log(2)
    (found,) = crystals_in(answers(truth), Decoding())
    outline = np.array(found.outline)
    np.testing.assert_allclose([outline.min(axis=0), outline.max(axis=0)], [[58, 34], [70, 94]], atol=0.1)


def hexagon(box: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the corners (6, 2) of a hexagon that touches all sides of its box, the long ones along half of them."""
    ((first, second, third, fourth),) = corners(np.array([box]))
    ends = [(first + second) / 2, (third + fourth) / 2]
    along, back = (fourth - first) / 4, (third - second) / 4
    return np.array([ends[0], second + back, third - back, ends[1], fourth - along, first + along])


@pytest.mark.parametrize("sides", [(12, 4), (24, 8), (40, 5), (14, 12), (60, 30)])
@pytest.mark.parametrize("shape", [hexagon, lambda box: corners(np.array([box]))[0]])
def test_outlines_of_perfect_answers_are_as_large_as_the_crystals_however_they_lie(
    sides: tuple[float, float], shape: Callable[[tuple[float, ...]], NDArray[np.float64]]
) -> None:
    rng = np.random.default_rng(3)  # the places are of this seed
    known_px2, told_px2 = 0.0, 0.0
    for _ in range(20):
        box = (*rng.uniform(60, 68, 2).tolist(), *sides, rng.uniform(0, np.pi))
        outline = shape(box)
        mask = covered([[(float(row), float(column)) for row, column in outline]], SIDE_PX, SIDE_PX)
        crystal = KnownCrystals(
            np.array([box]), np.asarray(np.argwhere(mask)[None] + 0.5, np.float64), np.array([False])
        )
        (found,) = crystals_in(answers(target(crystal, NOTHING_COVERED)), Decoding())
        known_px2, told_px2 = known_px2 + float(areas(outline)), told_px2 + found.area_px2
        assert found.area_px2 <= found.long_px * found.short_px * 1.0001
    assert told_px2 == pytest.approx(known_px2, rel=0.06)


def test_crystals_beside_each_other_come_back_one_by_one() -> None:
    boxes = ((30, 30, 40, 10, 0.3), (60, 90, 30, 12, 2.0), (100, 40, 12, 4, 1.2))
    found = crystals_in(answers(target(known(*boxes), NOTHING_COVERED)), Decoding())
    assert sorted(round(each.row) for each in found) == [30, 60, 100]


def test_a_target_is_what_a_person_would_write() -> None:
    truth = target(known((8, 8, 12, 12, 0)), np.zeros((4, 4), np.float32))
    # The nearest cells are 2 px away along both axes, the others 6 px along one or both; the spread is 0.15 of 12 px.
    near, far = (np.exp(-0.5 * (away - 8) / 1.8**2) for away in (6**2 + 2**2, 6**2 + 6**2))
    edge, middle = [far, near, near, far], [near, 1, 1, near]
    np.testing.assert_allclose(truth[told.HEAT], [edge, middle, middle, edge], atol=1e-6)
    np.testing.assert_array_equal(truth[told.BOX_COUNTS, 1:3, 1:3], np.full((2, 2), 0.25))
    assert truth[told.BOX_COUNTS].sum() == 1
    np.testing.assert_allclose(truth[told.OFFSET : told.SIDES, 1, 2], [2 / 16, -2 / 16])
    np.testing.assert_allclose(truth[told.SIDES : told.ANGLE, 1, 1], np.log([12, 12]), rtol=1e-6)
    np.testing.assert_allclose(truth[told.OUTLINE, 1, 1], np.log(6), rtol=1e-6)


def test_what_is_ignored_counts_neither_as_found_nor_as_missed() -> None:
    truth = target(known((64, 64, 40, 20, 0), ignored=(True,)), NOTHING_COVERED)
    assert not truth[told.HEAT].any()
    assert truth[told.HEAT_COUNTS, 16, 16] == 0
    assert truth[told.HEAT_COUNTS, 0, 0] == 1
    assert not truth[told.BOX_COUNTS].any()


def test_a_crystal_that_the_border_of_a_view_cuts_is_ignored_and_one_beyond_it_is_gone() -> None:
    seen = known((10, 10, 8, 4, 0), (20, 40, 30, 6, 0), (90, 90, 8, 4, 0)).moved(0, 0, 48)
    assert seen.boxes[:, 0].tolist() == [10, 20]
    assert seen.ignored.tolist() == [False, True]


@given(turn=integers(0, 7), angle=floats(0, 3.14))
@settings(deadline=None, max_examples=20)
def test_turned_crystals_lie_where_the_turned_picture_has_them(turn: int, angle: float) -> None:
    crystals = known((30, 80, 50, 14, angle))
    hot = heats(crystals.boxes, (CELLS, CELLS))[0]
    expected = np.rot90(hot[:, ::-1] if turn >= 4 else hot, turn % 4)
    turned = crystals.turned(turn, SIDE_PX)
    np.testing.assert_allclose(heats(turned.boxes, (CELLS, CELLS))[0], expected, atol=1e-3)
    np.testing.assert_allclose(np.sort(turned.points[0], axis=0), np.sort(corners(turned.boxes)[0], axis=0), atol=1e-6)


def test_a_perfect_answer_costs_almost_nothing_and_a_wrong_angle_something() -> None:
    truth = target(known((64, 64, 60, 12, 0.5)), NOTHING_COVERED)
    heat, boxes, outlines = (torch.from_numpy(maps) for maps in answers(truth).values())
    right = losses(heat, boxes, outlines, torch.from_numpy(truth)[None])
    assert all(float(right[name]) < 2e-3 for name in right if name != "loss")
    boxes[:, 4:] *= -1
    wrong = losses(heat, boxes, outlines, torch.from_numpy(truth)[None])
    assert float(wrong["gauss"]) > 0.5
    assert float(wrong["turn"]) > 1
    assert float(wrong["better gauss"]) == pytest.approx(2 * float(wrong["gauss"]), rel=1e-3)


def test_after_a_further_look_a_box_that_fits_badly_shall_be_less_probable() -> None:
    truth = target(known((64, 64, 60, 12, 0.5)), NOTHING_COVERED)
    heat, boxes, outlines = (torch.from_numpy(maps) for maps in answers(truth).values())
    boxes[:, 4:] *= -1  # turned
    heat.requires_grad_()
    losses(heat, boxes, outlines, torch.from_numpy(truth)[None])["better heat"].backward()  # type: ignore[no-untyped-call]
    assert heat.grad is not None
    assert bool((heat.grad[0, 0][torch.from_numpy(truth[told.BETTER_COUNTS]) > 0] > 0).all())


def test_further_looks_are_taught_at_peaks_of_the_heat_and_near_the_middle_of_a_crystal() -> None:
    truth = target(known((8, 8, 12, 12, 0)), np.zeros((4, 4), np.float32))
    heat = torch.full((1, 1, 4, 4), -9.0)
    heat[0, 0, 3, 0] = 0
    first = First(heat, heat, heat, heat, heat)
    looked = looked_at(first, torch.from_numpy(truth)[None])
    assert list(zip(looked.row.tolist(), looked.column.tolist(), strict=True)) == [
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
        (3, 0),
    ]
    np.testing.assert_array_equal(truth[told.BETTER_COUNTS, 1:3, 1:3], np.full((2, 2), 0.25))


def test_a_view_without_crystals_can_be_learnt_from() -> None:
    truth = torch.from_numpy(target(known(), NOTHING_COVERED))[None]
    heat = torch.zeros((1, 1, CELLS, CELLS), requires_grad=True)
    boxes, outlines = (torch.zeros(1, count, CELLS, CELLS) for count in (BOX_NUMBERS, DIRECTIONS))
    losses(heat, boxes, outlines, truth)["loss"].backward()  # type: ignore[no-untyped-call]
    assert heat.grad is not None
    assert bool((heat.grad > 0).all())


def test_a_crystal_counts_for_more_where_there_are_few_and_so_does_a_false_one() -> None:
    few, none = (torch.from_numpy(target(known(*boxes), NOTHING_COVERED)) for boxes in (((64, 64, 60, 12, 0.5),), ()))
    small = [(8.0 + 15 * row, 8.0 + 15 * column, 12, 2.4, 0.0) for row in range(8) for column in range(8)]
    many = torch.from_numpy(target(known(*small), NOTHING_COVERED))  # 64, for 50 of which each counts once
    heat, boxes, outlines = (torch.zeros(2, count, CELLS, CELLS) for count in (1, BOX_NUMBERS, DIRECTIONS))
    outlines.requires_grad_()
    losses(heat, boxes, outlines, torch.stack((few, many)))["outline"].backward()  # type: ignore[no-untyped-call]
    grad = outlines.grad
    assert grad is not None
    one, another = (grad[view].abs().sum() / each[told.BOX_COUNTS].sum() for view, each in enumerate((few, many)))
    assert float(one / another) == pytest.approx(2 / (50 / 64) ** 0.5, rel=0.1)
    alone = losses(heat[:1], boxes[:1], outlines[:1].detach(), none[None])["heat"]
    assert float(alone) == pytest.approx(2 * 0.25 * np.log(2) * CELLS**2, rel=1e-4)


@given(scale=floats(0.5, 2.0))
@settings(deadline=None, max_examples=20)
def test_an_image_and_its_crystals_are_enlarged_alike(scale: float) -> None:
    grey = np.full((160, 160), 50, np.uint8)
    grey[rectangle(40, 60, 16, 48).mask] = 200
    truth = truth_of([rectangle(40, 60, 16, 48), rectangle(120, 8, 4, 4)], (160, 160))
    scaled = KnownImage(grey, truth.crystals, truth.covered).scaled(scale)
    large, small = scaled.crystals.boxes
    rows, columns = np.nonzero(scaled.grey > 125)
    assert (rows.mean() + 0.5, columns.mean() + 0.5) == pytest.approx(large[:2], abs=0.6)
    assert len(rows) == pytest.approx(large[2] * large[3], rel=0.15)
    assert scaled.covered.shape == tuple(side // 4 for side in scaled.grey.shape)
    assert scaled.covered.sum() / 255 * 16 == pytest.approx(large[2] * large[3] + small[2] * small[3], rel=0.1)
    assert scaled.crystals.ignored.tolist() == [False, small[2] * small[3] < 20]


def test_the_divergence_of_two_boxes_is_that_of_their_gaussians() -> None:
    mine = torch.tensor([[0.0, 0.0, np.log(8.0), np.log(4.0), 1.0, 0.0]], dtype=torch.float64)
    moved = mine + torch.tensor([[0.0, 4 / 16, 0, 0, 0, 0]])  # by one standard deviation along the long side
    assert float(divergence(mine, mine)) == pytest.approx(0, abs=1e-5)
    assert float(divergence(moved, mine)) == pytest.approx(0.5, abs=1e-5)
    wider = mine + torch.tensor([[0.0, 0, np.log(2), 0, 0, 0]])
    assert float(divergence(wider, mine)) == pytest.approx(0.5 * (4 - 1) - np.log(2), abs=1e-5)


def test_of_boxes_that_overlap_much_the_first_remains() -> None:
    boxes = np.array([(20, 20, 30, 10, 0.0), (21, 20, 30, 10, 0.1), (20, 60, 30, 10, 0.0), (20, 20, 30, 10, 1.5)])
    assert distinct(boxes, 0.5).tolist() == [0, 2, 3]


def rectangle(top: int, left: int, height: int, width: int, *, side_px: int = 160) -> SeenObject:
    mask = np.zeros((side_px, side_px), np.bool_)
    mask[top : top + height, left : left + width] = True
    return of_mask(mask, "crystal_harvestable")


def test_a_crystal_without_a_box_gets_the_smallest_around_its_mask_and_a_reduced_image_a_smaller_one() -> None:
    truth = truth_of([rectangle(40, 64, 8, 32)], (80, 80))
    np.testing.assert_allclose(truth.crystals.boxes, [[22, 40, 16, 4, 0]], atol=1e-6)
    assert truth.covered.shape == (20, 20)
    assert (truth.covered == 255).sum() == 4
    assert truth.covered.sum() == 255 * 4


def ellipse(times: int = 1) -> SeenObject:
    """Return a turned ellipse of a few pixels, each of which is a square of `times` pixels on a side."""
    rows, columns = np.indices((80, 80)) - np.array([30.2, 44.7])[:, None, None]
    mask = ((rows + columns) / 6) ** 2 + ((rows - columns) / 3.5) ** 2 < 1
    return of_mask(np.kron(mask, np.ones((times, times))) > 0, "crystal_harvestable")


@pytest.mark.parametrize("times", [2, 3, 4])
def test_the_truth_of_an_enlarged_image_is_that_of_its_enlarged_masks(times: int) -> None:
    shape = (80 * times, 80 * times)
    seen, drawn = truth_of([ellipse()], shape), truth_of([ellipse(times)], shape)
    np.testing.assert_allclose(seen.crystals.boxes, drawn.crystals.boxes, atol=1e-9)
    reach, expected = (reaches(each.crystals.points, each.crystals.boxes[:, :2]) for each in (seen, drawn))
    np.testing.assert_allclose(reach, expected, atol=1e-9)
    np.testing.assert_array_equal(seen.covered, drawn.covered)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """Return a dataset of grey noise with a lighter crystal in each image."""
    samples = []
    for number in range(3):
        grey = np.random.default_rng(number).normal(100, 4, (160, 160))
        crystal = rectangle(40 + number, 60, 8, 32)
        grey[crystal.mask] += 60
        row = {"key": f"{number:08d}", "outcome": "crystal_harvestable", "image": f"{number}.png"}
        parts = {
            IMAGE: picture_file(Pillow.fromarray(np.clip(grey, 0, 255).astype(np.uint8))),
            OBJECTS: objects_json([crystal]),
        }
        samples.append((row | {"well": f"{number}", "plate": ""}, parts))
    folder = tmp_path_factory.mktemp("data")
    write_about(folder, [write_shard(folder, IMAGES, "train", samples)])
    return open_dataset(folder)


def test_the_same_step_gives_the_same_batch_and_another_step_another(dataset: PackedDataset) -> None:
    source = CrystalSource(dataset, 0, SIDE_PX, Sight(1224))
    source.refresh()
    views, targets = source.batch(3, 4)
    assert (views.shape, targets.shape) == ((4, 1, SIDE_PX, SIDE_PX), (4, told.CHANNELS, CELLS, CELLS))
    again, _ = source.batch(3, 4)
    torch.testing.assert_close(again, views, rtol=0, atol=0)
    assert not torch.equal(source.batch(4, 4)[0], views)


def test_the_heat_lies_on_the_crystal_of_every_view(dataset: PackedDataset) -> None:
    source = CrystalSource(dataset, 0, SIDE_PX, Sight(1224))
    source.refresh()
    for step in range(4):
        views, targets = source.batch(step, 2)
        small = torch.nn.functional.avg_pool2d(views, 4)[:, 0]
        for view, truth in zip(small, targets, strict=True):
            if truth[told.HEAT].max() == 1:
                assert view[truth[told.HEAT] > 0.9].mean() > view.mean() + 0.5


def test_a_steady_training_leaves_the_statistics_of_batch_normalisation_as_they_are(
    dataset: PackedDataset, tmp_path: Path
) -> None:
    request = CrystalRequest(data=dataset.folder, out=tmp_path, side_px=64, batch_size=2, steady=True)
    task = opened(request, Machine(group=Group(torch.device("cpu")), batch_size=2))
    network = task.build().train()
    assert task.prepare is not None
    task.prepare(network, 0)
    before = {name: each.clone() for name, each in network.named_buffers()}
    task.losses(network, *task.source.batch(0, 2))["loss"].backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(dict(network.named_buffers()), before, rtol=0, atol=0)
    assert all(each.grad is not None for each in network.parameters())
    assert network.training


def test_an_image_learnt_from_enlarged_has_its_crystals_twice_as_far_apart_and_as_large(dataset: PackedDataset) -> None:
    row = next(each for each in dataset.wells("train") if each.image == "1.png")
    known = known_image(dataset, row, Sight(1224, 2.0))
    assert (known.grey.shape, known.covered.shape, known.marked_scale) == ((320, 320), (80, 80), 2.0)
    np.testing.assert_allclose(known.crystals.boxes, [[2 * 45, 2 * 76, 64, 16, 0]], atol=1e-6)
    low, high = known.crystals.points.min(axis=(0, 1)), known.crystals.points.max(axis=(0, 1))
    np.testing.assert_allclose((low, high), [(82.5, 120.5), (97.5, 183.5)])  # middles of pixels in rows 82 to 97
    bright = known.grey > 130
    assert (np.nonzero(bright)[0].mean() + 0.5, np.nonzero(bright)[1].mean() + 0.5) == pytest.approx((90, 152), abs=0.5)
    assert bright.sum() == pytest.approx(64 * 16, rel=0.05)
    assert known.covered.sum() / 255 * 16 == pytest.approx(64 * 16, rel=0.02)


def test_a_source_draws_views_of_enlarged_images(dataset: PackedDataset) -> None:
    source = CrystalSource(dataset, 0, 320, Sight(1224, 2.0), augmented=False)
    source.refresh()
    views, targets = source.batch(0, 1)
    heat = targets[0, told.HEAT]
    row, column = divmod(int(heat.argmax()), heat.shape[1])
    assert (4 * row + 2, 4 * column + 2) == pytest.approx((90, 152), abs=6)
    assert float(views[0, 0, 88:92, 130:170].mean()) > float(views.mean()) + 0.5


def test_a_small_image_is_filled_up(dataset: PackedDataset, tmp_path: Path) -> None:
    source = CrystalSource(dataset, 0, 192, Sight(1224), augmented=False)
    source.refresh()
    views, targets = source.batch(0, 1)
    assert views.shape == (1, 1, 192, 192)
    torch.testing.assert_close(views[0, 0, :, 191], views[0, 0, :, 159])
    assert not targets[0, told.HEAT, 40:].any()


def test_a_crystal_from_edge_to_edge_reaches_to_all_of_its_corners() -> None:
    truth = truth_of([rectangle(0, 60, 160, 8)], (160, 160))
    np.testing.assert_allclose(truth.crystals.boxes, [[80, 64, 160, 8, np.pi / 2]], atol=1e-6)
