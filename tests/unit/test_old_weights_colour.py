"""An imported classifier in our client: it sees the colours of every chop as they are, at its own side."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from crystal_search import images
from crystal_search.chopper.tiling import ChopGrid
from crystal_search.geometry import Box
from crystal_search.images import normalised, resized
from crystal_search.inference import OnnxNetwork
from crystal_search.model import in_role, read_model
from crystal_search.model_card import ClassifierCard
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.scoring.classify import windowed_answers
from tests.unit.test_old_weights_command import PARAMS, SYMBOL, import_weights

pytestmark = pytest.mark.skipif(
    "rgb-1" not in images.NORMALISATIONS,
    reason="images.NORMALISATIONS lacks rgb-1 (docs/decisions/0004-colour-networks.md)",
)
SIDE_PX = 17


@pytest.fixture
def network(tmp_path: Path) -> OnnxNetwork[ClassifierCard]:
    import_weights(PARAMS, SYMBOL, "--class-names", ",".join(OUTCOME_NAMES), "--side", str(SIDE_PX), "--out", tmp_path)
    return OnnxNetwork(in_role(read_model(tmp_path / "operators-0000.card.json"), ClassifierCard))


def well() -> NDArray[np.uint8]:
    return np.random.default_rng(4).integers(0, 256, (60, 80, 3), dtype=np.uint8)


def logits(view: NDArray[np.float32], boxes: list[Box], network: OnnxNetwork[ClassifierCard]) -> NDArray[np.float64]:
    grids = [ChopGrid(box.top, box.left, 1, 1, SIDE_PX, SIDE_PX) for box in boxes]
    return np.concatenate([windowed_answers(view, grid, [0], network).logits for grid in grids])


def test_a_chop_is_seen_in_colour_and_what_lies_outside_is_black(network: OnnxNetwork[ClassifierCard]) -> None:
    colour = well()
    view = normalised(resized(colour, 80), network.card.normalisation)  # (60, 80, 3)
    boxes = [Box(3, 5, 3 + SIDE_PX, 5 + SIDE_PX), Box(50, 70, 50 + SIDE_PX, 70 + SIDE_PX)]
    chops = np.zeros((2, 3, SIDE_PX, SIDE_PX), dtype=np.float32)
    chops[0] = colour[boxes[0].slices].transpose(2, 0, 1) / np.float32(255)
    chops[1, :, :10, :10] = colour[50:, 70:].transpose(2, 0, 1) / np.float32(255)
    expected = network.logits(chops)[:, :, 0, 0]
    np.testing.assert_allclose(logits(view, boxes, network), expected, rtol=0, atol=1e-5)
    swapped = logits(view[:, :, ::-1], boxes, network)
    assert np.abs(swapped - expected).max() > 1e-3


def test_a_colour_image_keeps_its_proportions(network: OnnxNetwork[ClassifierCard]) -> None:
    assert normalised(resized(well(), 40), network.card.normalisation).shape == (30, 40, 3)
