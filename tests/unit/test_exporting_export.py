"""From torch to ONNX: numbers first, files second."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from crystal_search.errors import ModelError, UserError
from crystal_search.exporting import export as module
from crystal_search.exporting.answer_differences import TOLERANCE
from crystal_search.inference import OnnxNetwork
from crystal_search.model import default_models_folder, read_model, sha256_of, write_model
from crystal_search.model_card import Output
from crystal_search.networks.alexnet import AlexNet
from crystal_search.networks.network_kinds import build, classifier_card, drop_locator_card
from crystal_search.networks.vgg16 import Vgg16
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.unet_drop.network import UNet


class Tiny(nn.Module):
    """As much of a drop locator as an export needs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, 1, H, W)."""
        logits: Tensor = self.layer(x)
        return logits


def test_the_card_describes_the_file(tmp_path: Path) -> None:
    model = read_model(module.export(Tiny(), drop_locator_card("tiny"), tmp_path))
    assert (model.card.file, model.card.sha256) == ("tiny.onnx", sha256_of(model.onnx))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.card.json", "tiny.onnx"]


def test_the_unet_is_exported_and_answers_at_the_size_of_its_input(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = read_model(module.export(UNet(), drop_locator_card("unet"), tmp_path))
    assert OnnxNetwork(model).logits(torch.zeros(2, 1, 48, 80).numpy()).shape == (2, 1, 48, 80)


def network_of(architecture: str, channels: int) -> nn.Module:
    """Return a network with batch norms that have seen something; the large ones in narrow."""
    torch.manual_seed(0)
    network: nn.Module
    if architecture == "alexnet":
        network = AlexNet(13, channels, narrowing=16)
    elif architecture == "vgg16":
        network = Vgg16(13, channels, narrowing=16)
    else:
        network = build(architecture, 13, channels)
    with torch.no_grad():
        network.train()(torch.randn(2, channels, 256, 256))
    return network.eval()


@pytest.mark.parametrize(
    ("architecture", "normalisation", "channels"),
    [
        ("squeezenet", "local-contrast-1", 1),
        ("squeezenet", "rgb-1", 3),
        ("alexnet", "local-contrast-1", 1),
        ("vgg16", "rgb-1", 3),
        pytest.param("resnet50", "local-contrast-1", 1, marks=pytest.mark.slow),
    ],
)
def test_every_network_is_exported_with_equal_numbers(
    tmp_path: Path, architecture: str, normalisation: str, channels: int
) -> None:
    network = network_of(architecture, channels)
    card = classifier_card("x", architecture, normalisation=normalisation)
    onnx = OnnxNetwork(read_model(module.export(network, card, tmp_path)))
    batch = np.random.default_rng(1).normal(size=(2, channels, card.side_px, card.side_px)).astype(np.float32)
    expected = network(torch.from_numpy(batch)).detach().numpy()
    np.testing.assert_allclose(onnx.logits(batch), expected, rtol=0, atol=TOLERANCE)
    assert np.ptp(expected) > 0.01


def test_an_unpadded_network_is_compared_on_multiples_of_its_stride_and_on_odd_sizes() -> None:
    card = classifier_card("x", "alexnet")
    sides = {side for _, *sides in module.sizes_to_compare(card) for side in sides}
    assert all(side >= card.side_px for side in sides)
    assert {(side - card.side_px) % card.output_stride_px == 0 for side in sides} == {True, False}
    assert any(side % 2 for side in sides)


def test_a_padded_classifier_is_compared_on_chops_only() -> None:
    assert {sides for _, *rest in module.sizes_to_compare(classifier_card("x", "resnet50")) for sides in rest} == {256}


def test_an_export_whose_numbers_differ_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = module.write_onnx

    def wrong(network: nn.Module, path: Path, outputs: Sequence[str], channels: int, *, batch: int) -> None:
        right(Tiny(), path, outputs, channels, batch=batch)

    monkeypatch.setattr(module, "write_onnx", wrong)
    with pytest.raises(ModelError, match=r"ONNX Runtime and torch differ by .* do not use this export"):
        module.export(Tiny(), drop_locator_card("tiny"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def adding(number: float) -> nn.Module:
    """Return a network that adds a number to each pixel."""
    layer = nn.Conv2d(1, 1, 1)
    layer.load_state_dict({"weight": torch.ones(1, 1, 1, 1), "bias": torch.tensor([number])})
    return layer


@pytest.mark.parametrize(
    ("own", "exported", "is_one"),
    [
        (0.0, 0.00005, True),
        (0.0, 0.0002, False),  # nothing is rounded
        (4096.0, 4096 + 2**-11, True),  # numbers near 4096 are multiples of 2**-11: half of it is rounding
        (4096.0, 4096 + 5 * 2**-11, False),
        (65536.0, 65536 + 2**-7, False),  # as little as rounding, which is too much
        (0.0, float("nan"), False),
        (float("nan"), 0.0, False),
    ],
)
def test_an_export_may_differ_by_what_rounding_explains(
    tmp_path: Path, own: float, exported: float, is_one: bool
) -> None:
    module.write_onnx(adding(exported), tmp_path / "n.onnx", ["map"])
    with nullcontext() if is_one else pytest.raises(ModelError, match=r"rounding does to torch's own numbers \("):
        module.compare(adding(own), tmp_path / "n.onnx", module.noise([(1, 64, 64)]))


def test_names_are_checked_before_anything_is_computed(tmp_path: Path) -> None:
    module.check_name("new", tmp_path)
    with pytest.raises(UserError, match="'a/b' is no name for a model"):
        module.check_name("a/b", tmp_path)
    write_model(b"weights", replace(drop_locator_card("there"), outputs=(Output(classes=OUTCOME_NAMES),)), tmp_path)
    with pytest.raises(UserError, match=r"there\.card\.json is there already; say --replace"):
        module.check_name("there", tmp_path)
    module.check_name("there", tmp_path, replacing=True)


@pytest.mark.parametrize("name", ["drop-unet-2", "squeezenet-wells-2"])
def test_the_weights_that_come_with_the_package_are_those_their_cards_describe(name: str) -> None:
    model = read_model(default_models_folder() / f"{name}.card.json")
    assert model.card.name == name
    assert model.card.training_command
    assert model.card.measured
    assert len(model.onnx) < 8_000_000
    assert OnnxNetwork(model).logits(torch.zeros(1, 1, 256, 256).numpy()).shape[0] == 1
