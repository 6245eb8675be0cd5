"""What a detector learns that answers instance by instance, and how two of its answers are compared."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from crystal_search.archives.seen_objects import SeenObject, of_mask
from crystal_search.datasets.packed import open_dataset
from crystal_search.errors import UserError
from crystal_search.exit_codes import USAGE
from crystal_search.exporting.answer_differences import TOLERANCE, of_instances
from crystal_search.images import NORMALISATIONS, Sight, normalised
from crystal_search.main import main
from crystal_search.networks.network_kinds import build
from crystal_search.networks.pretrained_detectors import PUBLISHED
from crystal_search.training.crystal_source import CrystalSource, KnownImage, Window, truth_of
from crystal_search.training.instance_targets import CRYSTAL_VALUE, DROP_VALUE, instance_target
from tests.unit.crystal_dataset import write_crystals

SIDE_PX = 80


def marked(top: int, left: int, height: int, width: int, *, faint: bool = False, scale: int = 1) -> SeenObject:
    mask = np.zeros((scale * SIDE_PX, scale * SIDE_PX), np.bool_)
    mask[scale * top : scale * (top + height), scale * left : scale * (left + width)] = True
    return replace(of_mask(mask, "crystal_harvestable"), too_faint=faint)


def known(*objects: SeenObject, drop: NDArray[np.uint8] | None = None) -> KnownImage:
    truth = truth_of(objects, (SIDE_PX, SIDE_PX))
    scale = SIDE_PX / objects[0].width_px if objects else 1.0
    grey = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    return KnownImage(grey, truth.crystals, truth.covered, truth.marked, scale, drop)


def test_each_crystal_that_can_be_seen_in_a_view_has_a_plane() -> None:
    image = known(marked(4, 8, 10, 20), marked(30, 30, 6, 6, faint=True), marked(60, 60, 10, 10), marked(20, 28, 8, 9))
    planes = instance_target(image, Window(0, 0, 32, 0))
    expected = np.zeros((2, 32, 32), np.uint8)
    expected[0, 4:14, 8:28] = CRYSTAL_VALUE
    expected[1, 20:28, 28:32] = CRYSTAL_VALUE  # what the view shows of it
    np.testing.assert_array_equal(planes, expected)


def test_a_part_of_a_crystal_too_small_to_learn_from_has_none() -> None:
    assert instance_target(known(marked(4, 31, 10, 20)), Window(0, 0, 32, 0)).shape == (0, 32, 32)


def test_a_view_beyond_the_border_is_filled_up_and_turned_as_the_picture_is() -> None:
    (plane,) = instance_target(known(marked(64, 64, 10, 4)), Window(60, 60, 32, 1))
    assert plane.shape == (32, 32)
    expected = np.zeros((32, 32), np.uint8)
    expected[4:14, 4:8] = CRYSTAL_VALUE
    np.testing.assert_array_equal(plane, np.rot90(expected))


def test_the_drop_is_a_plane_of_its_own_class() -> None:
    drop = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    drop[8:72, 8:72] = 255
    crystal, liquid = instance_target(known(marked(20, 20, 10, 10), drop=drop), Window(0, 0, SIDE_PX, 0))
    assert (crystal.max(), liquid.max(), int((liquid > 0).sum())) == (CRYSTAL_VALUE, DROP_VALUE, 64 * 64)


@pytest.mark.parametrize("scale", [1, 2])
def test_masks_go_along_when_an_image_is_reduced_or_enlarged(scale: int) -> None:
    image = known(marked(20, 20, 20, 20, scale=scale)).scaled(1.5)
    (plane,) = instance_target(image, Window(0, 0, 120, 0))
    rows, columns = np.nonzero(plane)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((30, 59, 30, 59), abs=1)


def test_views_of_few_crystals_are_filled_up_with_empty_planes(tmp_path: Path) -> None:
    source = CrystalSource(open_dataset(write_crystals(tmp_path)), 0, 64, Sight(1224), target=instance_target)
    source.refresh()
    views, planes = source.batch(0, 6)
    assert views.shape == (6, 1, 64, 64)
    assert planes.dtype == torch.uint8
    assert {int(each.amax()) for view in planes for each in view} <= {0, CRYSTAL_VALUE}
    torch.testing.assert_close(source.batch(0, 6)[1], planes, rtol=0, atol=0)


Answer = list[NDArray[np.float32]]


def answer(*instances: tuple[float, float]) -> Answer:
    """Return what a detector answers that finds squares of 10 px, by probability and first column."""
    probability, left = np.array(instances, np.float32).reshape(-1, 2).T
    corners = np.stack((0 * left, left, 0 * left + 10, left + 10))
    return [each[None, :, :, None] for each in (probability[None], corners, np.ones((784, len(left)), np.float32))]


def test_the_same_instances_in_another_order_are_the_same() -> None:
    assert of_instances(answer((0.9, 0), (0.5, 40)), answer((0.5, 40), (0.9, 0))) == 0


@pytest.mark.parametrize(
    "other", [answer((0.9, 0)), answer((0.9, 0), (0.5, 41)), answer((0.9, 0), (0.4, 40)), answer()]
)
def test_instances_that_one_of_both_lacks_or_has_elsewhere_are_apart(other: Answer) -> None:
    one = answer((0.9, 0), (0.5, 40))
    assert of_instances(one, other) > TOLERANCE
    assert of_instances(other, one) > TOLERANCE


def test_what_is_hardly_probable_enough_to_be_told_may_be_told_by_one_alone() -> None:
    assert of_instances(answer((0.9, 0), (0.05001, 40)), answer((0.9, 0))) == 0
    masked = answer((0.9, 0))
    masked[2] = masked[2] * 0.5
    assert of_instances(masked, answer((0.9, 0))) == 0.5


def test_without_torchvision_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(UserError, match=r"is missing: pip install 'crystal-search\[mask-rcnn\]'"):
        build("mask-rcnn-light", 1)


def test_without_opencv_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(UserError, match=r"clahe-1 needs OpenCV: pip install 'crystal-search\[clahe\]'"):
        normalised(np.zeros((16, 16), np.uint8), "clahe-1")


def test_equalised_images_have_the_contrast_that_dim_parts_lack() -> None:
    pytest.importorskip("cv2", reason="OpenCV is tried by make mask-rcnn")
    grey = np.full((256, 256), 40, np.uint8)
    grey[:, 128:] = 200
    grey[60:80, 20:60] += 6  # a crystal in the shadow
    plain, view = NORMALISATIONS["centred-1"](grey), normalised(grey, "clahe-1")
    assert view.dtype == np.float32
    assert abs(float(view.mean())) < 1e-4
    there = np.s_[62:78, 22:58], np.s_[90:110, 22:58]
    apart = [float(each[there[0]].mean() - each[there[1]].mean()) for each in (plain, view)]
    assert apart[1] > 1.2 * apart[0] > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--teach-drops"], "dense-crystals tells no drops from crystals; leave out --teach-drops"),
        (["--pretrained"], f"no weights of dense-crystals are published, but of {', '.join(PUBLISHED)}"),
        (["--pretrained", "--start-from", "x", "--network", "mask-rcnn-light"], "are two beginnings; name one of them"),
    ],
)
def test_what_a_network_cannot_do_is_told_before_it_learns(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_crystals(tmp_path)
    assert main(["train", "crystals", "--data", str(data), "--out", str(tmp_path / "run"), *words]) == USAGE
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
