"""A detector seen as a whole: tiles, sizes, export, card."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow
from torch import nn

from crystal_search.card_file import card_from_json, card_to_json
from crystal_search.crystals.decoding import BOXES, HEAT, STRIDE_PX
from crystal_search.crystals.finding import dense_maps, find_crystals
from crystal_search.errors import ModelCardError
from crystal_search.exporting.export import export
from crystal_search.images import Sight, from_array
from crystal_search.inference import Maps, OnnxNetwork
from crystal_search.model import (
    Model,
    default_model,
    default_models,
    default_models_folder,
    in_role,
    read_model,
    write_model,
)
from crystal_search.model_card import CrystalCard, ModelCard
from crystal_search.networks.dense_crystals import LOOKED_AT, DenseCrystals
from crystal_search.networks.network_kinds import build, crystal_detector_card
from crystal_search.server.models_in_use import check_usable
from crystal_search.training.shipped_weights import begin_with
from tests.service_site import site_at
from tests.tiny_detector import LONG_PX, SHORT_PX, tiny_detector

CARD = crystal_detector_card("mine", "dense-crystals", normalisation="local-contrast-1", working_width_px=1224)


@dataclass(frozen=True)
class InTorch:
    """A detector in torch, asked like a model file; it remembers how large its inputs were."""

    network: nn.Module
    card: CrystalCard
    seen: list[tuple[int, ...]]

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.maps(batch)[HEAT]

    def maps(self, batch: NDArray[np.float32]) -> Maps:
        self.seen.append(batch.shape[2:])
        with torch.inference_mode():
            answers = self.network(torch.from_numpy(batch))
        return {output.name: each.numpy() for output, each in zip(self.card.outputs, answers, strict=True)}


@pytest.fixture(scope="module")
def detector() -> InTorch:
    torch.manual_seed(0)
    network = build("dense-crystals", 1).eval()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.8, 1.6)  # so that what is far away matters, as after training
            nn.init.normal_(layer.bias, std=0.1)
    assert isinstance(network, DenseCrystals)
    nn.init.zeros_(network.heat[-1].get_parameter("bias"))  # half of all cells get further looks
    nn.init.constant_(network.boxes[-1].get_parameter("bias"), 6.5)  # which go as far as they may
    nn.init.normal_(network.refinement.answer[-1].get_parameter("weight"), std=0.02)
    return InTorch(network, CARD, [])


@pytest.mark.parametrize(("rows", "columns", "tiles"), [(1600, 60, 13), (60, 1600, 13)])
def test_tiles_answer_what_one_pass_answers(detector: InTorch, rows: int, columns: int, tiles: int) -> None:
    view = np.random.default_rng(0).normal(size=(rows, columns)).astype(np.float32)
    whole = dense_maps(view, detector)
    detector.seen.clear()
    tiled = dense_maps(view, detector, tile_px=128)
    assert len(detector.seen) == tiles
    assert max(max(each) for each in detector.seen) == 128 + 2 * CARD.margin_px
    for name, each in whole.items():
        assert each.shape[2:] == (-(-rows // STRIDE_PX), -(-columns // STRIDE_PX))
        np.testing.assert_allclose(tiled[name], each, rtol=0, atol=2e-5)


def test_an_image_of_usual_size_is_seen_in_one_pass(detector: InTorch) -> None:
    detector.seen.clear()
    dense_maps(np.zeros((96, 100), np.float32), detector)
    assert detector.seen == [(96, 128)]


def test_a_wide_image_is_reduced_and_what_is_found_lies_in_its_own_pixels(detector: InTorch) -> None:
    grey = np.random.default_rng(0).integers(0, 255, (256, 512), np.uint8)
    narrow = replace(detector, card=replace(CARD, working_width_px=256))
    crystals = find_crystals(from_array(grey), narrow, least_probability=0.0)
    assert max(each.column for each in crystals) > 256


def test_an_image_is_seen_as_its_enlarged_copy_and_told_in_pixels_as_stored(detector: InTorch) -> None:
    grey = np.random.default_rng(0).integers(0, 255, (130, 160), np.uint8)
    copy = np.asarray(Pillow.fromarray(grey).resize((320, 260), Pillow.Resampling.BICUBIC))
    seeing = replace(detector, card=replace(CARD, enlarged=2.0))
    found = find_crystals(from_array(grey), seeing, least_probability=0.0)
    of_copy = find_crystals(from_array(copy), detector, least_probability=0.0)
    assert found
    assert found == tuple(each.enlarged(0.5) for each in of_copy)


def test_a_crystal_of_few_pixels_is_found_where_it_lies_with_its_own_sides(tmp_path: Path) -> None:
    model = in_role(read_model(tiny_detector(tmp_path)), CrystalCard)
    grey = np.full((160, 200), 128, np.uint8)
    grey[60:64, 100:104] = 255
    sides = {}
    for enlarged in (1.0, 2.0, 3.0):
        network = OnnxNetwork(replace(model, card=replace(model.card, enlarged=enlarged)))
        likeliest, *_ = find_crystals(from_array(grey), network)
        assert (likeliest.row, likeliest.column) == pytest.approx((62, 102), abs=2)
        assert likeliest.contrast is not None
        sides[enlarged] = (likeliest.long_px, likeliest.short_px)
    for enlarged, told in sides.items():
        assert told == pytest.approx((LONG_PX / enlarged, SHORT_PX / enlarged), rel=1e-4)


@pytest.mark.parametrize(
    ("width", "enlarged", "seen"), [(512, 1, 512), (512, 2, 1024), (1000, 2, 1224), (1224, 4, 1224), (2000, 2, 1224)]
)
def test_an_image_is_enlarged_as_far_as_the_detector_reads(width: int, enlarged: float, seen: int) -> None:
    sight, grey = Sight(1224, enlarged), np.zeros((128, width), np.uint8)
    assert (sight.width_of(width), sight.of(grey).shape[1]) == (seen, seen)
    assert sight.of(grey).shape[0] == round(128 * seen / width)
    assert sight.of(grey) is grey or seen != width


@pytest.fixture(scope="module")
def model(detector: InTorch, tmp_path_factory: pytest.TempPathFactory) -> Model[ModelCard]:
    return read_model(export(detector.network, CARD, tmp_path_factory.mktemp("models")))


def test_its_file_gives_the_same_numbers_and_its_card_is_read_back(detector: InTorch, model: Model[ModelCard]) -> None:
    view = np.random.default_rng(1).normal(size=(1, 1, 96, 64)).astype(np.float32)
    expected, answers = detector.maps(view), OnnxNetwork(in_role(model, CrystalCard)).maps(view)
    assert answers.keys() == expected.keys()
    for name, each in expected.items():
        np.testing.assert_allclose(answers[name], each, rtol=0, atol=1e-4)
    assert card_from_json(card_to_json(model.card).encode()) == model.card


def test_a_card_whose_tiles_would_begin_between_cells_is_refused() -> None:
    text = card_to_json(replace(CARD, margin_px=100))
    with pytest.raises(ModelCardError, match="margin_px must be a multiple of 32, the side_multiple_px, got 100"):
        card_from_json(text.encode())


def test_a_folder_that_has_it_scores_with_it(model: Model[ModelCard], tmp_path: Path) -> None:
    check_usable(site_at(tmp_path), model)
    folder = tmp_path / "models"
    for each in default_models(default_models_folder()):
        write_model(each.onnx, each.card, folder)
    write_model(model.onnx, model.card, folder)
    assert [each.card.role for each in default_models(folder)] == ["classifier", "drop", "crystals"]
    assert default_model(CrystalCard, folder).card.name == "mine"


def test_its_file_answers_where_no_cell_gets_further_looks(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build("dense-crystals", 1).eval()  # its heat begins below that
    network_model = read_model(export(network, CARD, tmp_path))
    view = np.random.default_rng(0).normal(size=(1, 1, 64, 96)).astype(np.float32)
    answers = OnnxNetwork(network_model).maps(view)
    assert 1 / (1 + np.exp(-answers[HEAT].max())) < LOOKED_AT
    assert answers[BOXES].shape == (1, 6, 16, 24)


def test_a_training_may_go_on_from_its_file(detector: InTorch, model: Model[ModelCard]) -> None:
    torch.manual_seed(1)
    network, views = build("dense-crystals", 1), torch.randn(2, 1, 96, 96)
    begin_with(model, network, views)
    with torch.inference_mode():
        answers, expected = network.eval()(views), detector.network(views)
    for mine, its in zip(answers, expected, strict=True):
        torch.testing.assert_close(mine, its, rtol=0, atol=1e-3)
