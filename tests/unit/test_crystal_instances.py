"""Crystals that are read from upright boxes with small masks."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats
from numpy.typing import NDArray

from crystal_search.crystals.boxes import corners, overlaps, smallest_around
from crystal_search.crystals.decoding import Decoding
from crystal_search.crystals.finding import DECODINGS, find_crystals
from crystal_search.crystals.instances import CORNERS, INSTANCES, MASK_SIDE, MASKS, instances_in
from crystal_search.images import DecodedImage
from crystal_search.inference import Maps
from crystal_search.model_card import CrystalCard, Output

BOX = (40.0, 60.0, 96.0, 116.0)  #: two pixels for each cell of its mask
OUTPUTS = (
    Output(name=INSTANCES, classes=("crystal", "drop")),
    Output(name=CORNERS, numbers=4),
    Output(name=MASKS, numbers=MASK_SIDE**2),
)


def answer(*instances: tuple[Sequence[float], Sequence[float], NDArray[np.float32]]) -> Maps:
    """Return what a detector answers that found instances: probabilities of classes, corners, a mask."""
    columns = zip(*instances, strict=True)
    flat = (np.array(each, np.float32).reshape(len(instances), -1).T[None, :, :, None] for each in columns)
    return dict(zip((INSTANCES, CORNERS, MASKS), flat, strict=True))


def turned_rectangle(box: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the mask over `BOX` of a rectangle (5,), whose edge falls off over a cell."""
    top, left, bottom, right = BOX
    steps = (np.arange(MASK_SIDE) + 0.5) / MASK_SIDE
    down, across = (top + steps * (bottom - top) - box[0])[:, None], left + steps * (right - left) - box[1]
    along = down * np.sin(box[4]) + across * np.cos(box[4])
    beside = down * np.cos(box[4]) - across * np.sin(box[4])
    within_px = np.minimum(box[2] / 2 - np.abs(along), box[3] / 2 - np.abs(beside))
    return np.asarray(np.clip(0.5 + within_px / 2, 0, 1), np.float32)


FULL = np.ones((MASK_SIDE, MASK_SIDE), np.float32)


def test_a_full_mask_is_the_box_itself() -> None:
    (found,) = instances_in(answer(((0.9, 0), (10, 20, 30, 60), FULL)), Decoding())
    assert found.box == pytest.approx((20, 40, 40, 20, 0))
    assert found.probability == pytest.approx(0.9)
    rows, columns = np.array(found.outline).T
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((10, 30, 20, 60))


def test_half_a_mask_is_half_a_box_to_a_part_of_a_cell() -> None:
    mask = FULL.copy()
    mask[14:] = 0
    (found,) = instances_in(answer(((0.9, 0), BOX, mask)), Decoding())
    assert found.box == pytest.approx((54, 88, 56, 28, 0), abs=0.5)


def test_a_mask_of_nothing_leaves_the_box() -> None:
    (found,) = instances_in(answer(((0.9, 0), (10, 20, 30, 60), 0 * FULL)), Decoding())
    assert found.box == pytest.approx((20, 40, 40, 20, 0))


@given(angle=floats(0, 3.1415), ratio=floats(0.2, 0.8))
@settings(deadline=None, max_examples=30)
def test_a_turned_rectangle_comes_back_from_its_mask(angle: float, ratio: float) -> None:
    box = np.array([[68.0, 88.0, 44.0, 44.0 * ratio, angle]])
    (found,) = instances_in(answer(((0.9, 0), BOX, turned_rectangle(box[0]))), Decoding())
    assert overlaps(np.array([found.box]), box)[0] > 0.8


def test_drops_the_improbable_and_a_second_box_of_one_crystal_are_no_crystals() -> None:
    maps = answer(
        ((0.5, 0), (10, 20, 30, 60), FULL),
        ((0, 0.99), (0, 0, 200, 200), FULL),
        ((0.2, 0), (100, 20, 130, 60), FULL),
        ((0.8, 0), (11, 20, 31, 60), FULL),
        ((0.7, 0), (60, 20, 80, 60), FULL),
    )
    assert [round(each.probability, 2) for each in instances_in(maps, Decoding(least=0.3))] == [0.8, 0.7]


def test_where_nothing_is_found_there_are_no_crystals() -> None:
    nothing = {each.name: np.zeros((1, each.channels, 0, 1), np.float32) for each in OUTPUTS}
    assert instances_in(nothing, Decoding()) == ()


class Finder:
    """Finds one crystal in whatever it sees, and remembers how large that was."""

    def __init__(self, card: CrystalCard) -> None:
        self.card = card
        self.shapes: list[tuple[int, ...]] = []

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.maps(batch)[INSTANCES]

    def maps(self, batch: NDArray[np.float32]) -> Maps:
        self.shapes.append(batch.shape)
        return answer(((0.9, 0), (10, 20, 30, 60), FULL))


def test_an_image_is_seen_whole_and_what_is_found_lies_in_its_own_pixels() -> None:
    card = CrystalCard(
        name="n",
        file="n.onnx",
        sha256="0" * 64,
        architecture="a",
        outputs=OUTPUTS,
        working_width_px=200,
        normalisation="centred-1",
        side_multiple_px=32,
        margin_px=0,
        decoding="instances",
    )
    detector = Finder(card)
    (found,) = find_crystals(DecodedImage(np.zeros((300, 400, 3), np.uint8), 300, 400), detector)
    assert detector.shapes[-1] == (1, 1, 160, 224)
    assert found.box == pytest.approx((40, 80, 80, 40, 0))


def test_every_decoding_that_a_card_can_name_is_there() -> None:
    assert list(DECODINGS) == ["dense", "instances"]


@given(row=floats(-50, 50), column=floats(-50, 50), long=floats(5, 50), ratio=floats(0.1, 0.9), step=floats(0, 359))
@settings(deadline=None, max_examples=30)
def test_the_smallest_rectangle_around_the_corners_of_one_is_that_one(
    row: float, column: float, long: float, ratio: float, step: float
) -> None:
    box = np.array([[row, column, long, ratio * long, np.deg2rad(round(step) / 2)]])
    np.testing.assert_allclose(overlaps(smallest_around(corners(box)[0])[None], box), 1, atol=1e-6)
