"""From torch to ONNX: numbers first, files second."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from crystal_search.artefacts import default_models_folder, read_model, sha256_of
from crystal_search.errors import ModelError
from crystal_search.inference import OnnxNetwork
from crystal_search.networks import export as module
from crystal_search.networks.cards import drop_locator_card
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


def test_an_export_whose_numbers_differ_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = module._write_onnx

    def wrong(network: nn.Module, path: Path) -> None:
        right(Tiny(), path)

    monkeypatch.setattr(module, "_write_onnx", wrong)
    with pytest.raises(ModelError, match=r"ONNX Runtime and torch differ by .* do not use this export"):
        module.export(Tiny(), drop_locator_card("tiny"), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["drop-unet-1", "squeezenet-wells-1"])
def test_the_weights_that_come_with_the_package_are_those_their_cards_describe(name: str) -> None:
    model = read_model(default_models_folder() / f"{name}.card.json")
    assert model.card.name == name
    assert model.card.training_command
    assert model.card.measured
    assert len(model.onnx) < 3_500_000
    assert OnnxNetwork(model).logits(torch.zeros(1, 1, 256, 256).numpy()).shape[0] == 1
