"""The models that come with the package, on a well of the demo plate."""

import numpy as np
import pytest

from crystal_search.artefacts import default_model
from crystal_search.chopper.tiling import grid_over
from crystal_search.client.classify import dense_logits, probabilities, windowed_logits
from crystal_search.demo.truth import plate_folder
from crystal_search.geometry import Box
from crystal_search.images import decode, normalised, resized, to_grey
from crystal_search.inference import OnnxNetwork


@pytest.mark.parametrize("width", [1224, 1001, 777])
def test_dense_and_windowed_scoring_give_the_same_probabilities(width: int) -> None:
    network = OnnxNetwork(default_model("classifier"))
    card = network.card
    grey = to_grey(decode((plate_folder() / "demo_05D_1.jpg").read_bytes()).colour)
    view = normalised(resized(grey, width), card.normalisation)
    height = view.shape[0]
    drop = Box(height // 5, width // 5, 3 * height // 5 + 1, 3 * width // 5 + 3)
    grid = grid_over(drop, image_height=height, image_width=width, side_px=card.side_px, stride_px=card.chop_stride_px)
    dense = probabilities(dense_logits(view, grid, network), card.temperature)
    windowed = probabilities(windowed_logits(view, list(grid.boxes()), network), card.temperature)
    assert np.abs(dense - windowed).max() < 1e-5
    assert np.ptp(dense, axis=0).max() > 0.1  # the chops differ, so that equal numbers mean something


def test_every_card_says_what_its_model_learnt_from_and_how_well_it_does() -> None:
    for kind in ("classifier", "drop_locator"):
        card = default_model(kind).card
        assert "rendered" in card.training_data
        assert card.training_command
        assert len(card.measured) > 3


def test_models_are_as_small_as_promised() -> None:
    assert len(default_model("classifier").onnx) < 4_000_000
    assert len(default_model("drop_locator").onnx) < 10_000_000
