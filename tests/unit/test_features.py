"""Features of a drop: which cells count, the same densely and window by window, as the bytes that are kept."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from crystal_search.chopper.cutting import chops_of_drop
from crystal_search.chopper.tiling import ChopGrid, grid_over
from crystal_search.features import as_text, from_text, packed, unpacked
from crystal_search.inference import Maps
from crystal_search.model_card import FEATURES, LOGITS, ClassifierCard, Output
from crystal_search.scoring.classify import dense_answers, windowed_answers
from crystal_search.scoring.feature_cells import FeatureCells, mean_over_drop
from crystal_search.scoring.pipeline import Models, score_image
from crystal_search.unet_drop.regions import box_around
from crystal_search.work_unit import Parameters
from tests.unit.builders import card
from tests.unit.test_classify import BrightnessNetwork, DropNetwork, classifier, well_image

CELL_PX = 8


def featured() -> ClassifierCard:
    """Return the card of a classifier whose features have a cell for every 8 px, and whose chops have 64."""
    output = Output(name=FEATURES, numbers=2, stride_px=CELL_PX, offset_px=3)
    return replace(classifier().card, outputs=(*classifier().card.outputs, output))


class FeaturedNetwork(BrightnessNetwork):
    """The network made by hand, with two features: the mean brightness of a cell, and its largest."""

    def maps(self, batch: NDArray[np.float32]) -> Maps:
        count, _, height, width = batch.shape
        rows, columns = height // CELL_PX, width // CELL_PX
        blocks = batch[:, 0, : rows * CELL_PX, : columns * CELL_PX].reshape(count, rows, CELL_PX, columns, CELL_PX)
        features = np.stack([blocks.mean(axis=(2, 4)), blocks.max(axis=(2, 4))], axis=1)
        return {LOGITS: self.logits(batch), FEATURES: features}


@given(values=arrays(np.float16, st.integers(1, 50), elements=st.floats(-1000, 1000, width=16)))
def test_what_is_packed_and_written_is_read(values: NDArray[np.float16]) -> None:
    data = from_text(as_text(packed(values)))
    assert unpacked(data).dtype == np.float16
    np.testing.assert_array_equal(unpacked(data), values)


@given(text=st.text(max_size=40))
def test_any_other_text_is_refused(text: str) -> None:
    try:
        data = from_text(text)
    except ValueError:
        return
    assert as_text(data) == text
    assert np.isfinite(unpacked(data)).all()


#: Two chops of 18 px beside each other at a stride of 9: cells of 9 px in two rows of three.
OF_9_PX = Output(name=FEATURES, numbers=1, stride_px=9, offset_px=4)
SMALL = FeatureCells(ChopGrid(0, 0, 1, 2, 18, 9), OF_9_PX, per_chop=2)


@pytest.mark.parametrize(
    ("mask", "scale", "kept", "shares"),
    [
        ([[1, 0, 0], [0, 1, 0]], 9, [0, 1], [[0.5, 0, 0], [0, 0.5, 0]]),
        ([[1, 0, 1], [0, 1, 0]], 9, [0], [[0.5, 0, 0], [0, 0.5, 0]]),  # cells of the right chop do not count
        ([[1, 0, 0], [0, 1, 0]], 9, [1], [[0, 0, 0], [0, 1, 0]]),
        ([[1, 1, 1, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0] * 6, [0] * 6], 4.5, [0, 1], [[0.5, 0.5, 0], [0, 0, 0]]),
        ([[0, 1], [0, 0]], 13.5, [0, 1], [[0, 2 / 9, 4 / 9], [0, 1 / 9, 2 / 9]]),
        ([[0, 0, 1], [0, 0, 0]], 9, [0], [[0.25, 0.25, 0], [0.25, 0.25, 0]]),  # no drop where a chop lies: all alike
    ],
)
def test_a_cell_counts_by_how_much_drop_lies_in_it(
    mask: list[list[int]], scale: float, kept: list[int], shares: list[list[float]]
) -> None:
    found = SMALL.shares(np.array(mask, np.bool_), scale, kept)
    np.testing.assert_allclose(found, shares, atol=1e-6)


def test_the_mean_is_over_the_drop_alone() -> None:
    maps = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    shares = np.array([[0.5, 0, 0], [0, 0.5, 0]])
    assert unpacked(mean_over_drop(maps, shares)).tolist() == [2.0, 8.0]


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_dense_and_windowed_scoring_give_the_same_features(data: st.DataObject) -> None:
    network = FeaturedNetwork(featured())
    height, width = data.draw(st.integers(20, 300)), data.draw(st.integers(20, 300))
    mask = np.zeros((height, width), np.bool_)
    for _ in range(data.draw(st.integers(1, 3))):
        top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
        mask[top : data.draw(st.integers(top + 1, height)), left : data.draw(st.integers(left + 1, width))] = True
    view = np.random.default_rng(1).normal(size=(height, width)).astype(np.float32)
    grid = grid_over(box_around(mask), image_height=height, image_width=width, side_px=64, stride_px=32)
    kept = chops_of_drop(mask, list(grid.boxes()))
    cells = FeatureCells.of(grid, network.card)
    assert cells
    shares = cells.shares(mask, 1.0, kept)
    assert shares.sum() == pytest.approx(1)
    found = []
    for answers in (dense_answers, windowed_answers):
        maps = answers(view, grid, kept, network).features
        assert maps is not None
        assert maps.shape == (2, cells.rows, cells.columns)
        found.append(mean_over_drop(maps, shares))
    np.testing.assert_allclose(unpacked(found[0]), unpacked(found[1]), rtol=0, atol=1e-3)


@pytest.mark.parametrize("scoring", ["dense", "windowed"])
def test_an_image_has_the_features_of_its_drop(scoring: str) -> None:
    models = Models(FeaturedNetwork(replace(featured(), working_width_px=512)), DropNetwork())
    parameters = Parameters(scoring="dense" if scoring == "dense" else "windowed")

    def features(*spot: slice) -> NDArray[np.float16]:
        image = well_image(drop=True)
        image.colour[spot] = 255
        found = score_image(image, models, parameters).features
        assert found is not None
        return found

    plain = features(slice(0))
    assert (features(slice(110, 118), slice(160, 168)) > plain).all()
    np.testing.assert_array_equal(features(slice(20, 28), slice(230, 238)), plain)  # above the drop, in its chops


def test_without_a_drop_features_are_of_the_whole_view_or_there_are_none() -> None:
    models = Models(FeaturedNetwork(replace(featured(), working_width_px=512)), DropNetwork())
    image = well_image(drop=False)
    assert score_image(image, models, Parameters()).features is None
    whole = score_image(image, models, Parameters(no_drop="whole_image")).features
    assert whole is not None
    assert len(whole) == 2


def test_a_classifier_without_features_gives_none() -> None:
    assert card().features is None
    found = score_image(well_image(drop=True), Models(classifier(), DropNetwork()), Parameters())
    assert (found.score is None, found.features, found.packed_features) == (False, None, b"")


def test_chops_that_share_no_cells_have_no_features() -> None:
    assert FeatureCells.of(ChopGrid(0, 0, 2, 2, 64, 32), featured())
    assert FeatureCells.of(ChopGrid(0, 0, 2, 2, 64, 12), featured()) is None
    assert FeatureCells.of(ChopGrid(0, 0, 2, 2, 64, 32), replace(featured(), padded=True)) is None
