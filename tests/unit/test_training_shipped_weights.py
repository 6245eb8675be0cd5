"""Trainings that begin with the weights that come with the program."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from crystal_search.class_schemes import SCHEMES
from crystal_search.errors import ModelError, UserError
from crystal_search.exporting.export import write_onnx
from crystal_search.inference import OnnxNetwork
from crystal_search.model import Model, default_model
from crystal_search.model_card import ClassifierCard, DropCard, ImageCard, ModelCard
from crystal_search.networks.network_kinds import build, classifier_card, image_classifier_card
from crystal_search.networks.squeezenet import SqueezeNet, wide_squeezenet
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.training import cells_task, loop
from crystal_search.training.checkpoints import BEST
from crystal_search.training.requests import SHIPPED, CellRequest
from crystal_search.training.shipped_weights import begin, begin_with
from crystal_search.training.train import train
from crystal_search.unet_drop.network import UNet
from tests.tiny_training import random_of_images
from tests.unit.dataset_files import write_rendered
from tests.unit.networks_fakes import fake_well

FOUR = SCHEMES["groups-4"].class_names
SIZES = {DropCard: (3, 1, 64, 96), ClassifierCard: (3, 1, 256, 272)}


class OneBatch:
    """A source of nothing but one batch."""

    views = torch.randn(*SIZES[DropCard], generator=torch.Generator().manual_seed(2))

    def names(self) -> list[str]:
        return []

    def refresh(self) -> None: ...

    def use(self, names: list[str]) -> None: ...

    def batch(self, step: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.views, self.views


def classifier() -> SqueezeNet:
    return wide_squeezenet(len(OUTCOME_NAMES))


@pytest.mark.parametrize(("kind", "build"), [(DropCard, UNet), (ClassifierCard, classifier)])
def test_the_shipped_weights_answer_as_the_shipped_file(kind: type[ModelCard], build: type[nn.Module]) -> None:
    model, network = default_model(kind), build()
    views = torch.randn(*SIZES[kind], generator=torch.Generator().manual_seed(0))
    begin_with(model, network, views)
    expected = OnnxNetwork(model).logits(views.numpy())
    with torch.no_grad():
        answer = network.eval()(views)
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.train()
        in_training = network(views)
    np.testing.assert_allclose(answer.numpy(), expected, rtol=0, atol=1e-4)
    # In training the statistics are those of the batch, the very one from which they were taken.
    np.testing.assert_allclose(in_training.numpy(), expected, rtol=0, atol=0.05)


def test_what_the_file_has_not_teaches_the_rest_nothing_at_first() -> None:
    network, views = classifier(), torch.randn(2, 1, 288, 288, generator=torch.Generator().manual_seed(1))
    begin_with(default_model(ClassifierCard), network, views)
    textures = network.train().at_two_depths(views)[1]
    torch.autograd.backward((textures - 1).square().sum())
    assert not textures.any()
    assert network.texture_head.weight.grad is not None
    assert network.texture_head.weight.grad.any()
    assert all(not weights.grad.any() for weights in network.fires_4_5.parameters() if weights.grad is not None)


def learnt(network: nn.Module, views: torch.Tensor) -> nn.Module:
    """Return a network whose numbers differ from each other, and whose normalisations do something."""
    generator = torch.Generator().manual_seed(3)
    for parameter in network.parameters():
        if parameter.ndim == 1:
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    network.train()(views)
    return network.eval()


def exported(network: nn.Module, card: ModelCard, channels: int, folder: Path) -> Model[ModelCard]:
    write_onnx(network, folder / card.file, [card.outputs[0].name], channels)
    return Model(card, (folder / card.file).read_bytes())


def of_images(name: str, classes: tuple[str, ...] = FOUR) -> ImageCard:
    return image_classifier_card("whole", name, classes=classes, normalisation="rgb-1", side_px=64)


@pytest.mark.parametrize(
    ("card", "channels", "side_px"),
    [
        (classifier_card("chops", "alexnet", classes=FOUR), 1, 256),
        (of_images("efficientnet-lite0"), 3, 64),
        (of_images("resnet50-image"), 3, 64),
        (of_images("convnext-tiny"), 3, 64),
    ],
    ids=lambda told: told.architecture if isinstance(told, ModelCard) else None,
)
def test_every_network_answers_as_the_model_with_whose_weights_it_begins(
    card: ModelCard, channels: int, side_px: int, tmp_path: Path
) -> None:
    views = torch.randn(2, channels, side_px, side_px, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(1)
    model = exported(learnt(build(card.architecture, len(FOUR), channels), views), card, channels, tmp_path)
    network = build(card.architecture, len(FOUR), channels)
    begin_with(model, network, views)
    with torch.no_grad():
        answer = network.eval()(views)
    expected = OnnxNetwork(model).logits(views.numpy())
    assert expected.std() > 1e-3
    np.testing.assert_allclose(answer.numpy(), expected, rtol=0, atol=1e-4)


def test_a_last_layer_for_other_classes_begins_anew(tmp_path: Path) -> None:
    views = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    model = exported(random_of_images(13, 3).eval(), of_images("tiny", OUTCOME_NAMES), 3, tmp_path)
    network = random_of_images(4, 3)
    drawn = {name: weights.clone() for name, weights in network.state_dict().items()}
    begin_with(model, network, views)
    begun = network.state_dict()
    assert torch.equal(begun["head.weight"], drawn["head.weight"])
    assert torch.equal(begun["head.bias"], drawn["head.bias"])
    assert not torch.equal(begun["first.1.weight"], drawn["first.1.weight"])
    with pytest.raises(ModelError, match="another network"):
        begin_with(model, random_of_images(13, 1), views[:, :1])


def test_of_a_role_in_which_no_model_comes_with_the_program_none_is_shipped() -> None:
    with pytest.raises(UserError, match=r"^no whole-image classifier comes with the program; give a card's file or a "):
        begin(SHIPPED, ImageCard, OneBatch(), random_of_images(4, 3))


def test_a_file_of_another_network_is_no_beginning() -> None:
    with pytest.raises(ModelError, match=r"squeezenet-wells-.* another network .* --network, squeezenet-wide"):
        begin_with(default_model(ClassifierCard), UNet(), torch.zeros(1, 1, 32, 32))
    with pytest.raises(ModelError, match="another network than the one to train"):
        begin_with(default_model(ClassifierCard), SqueezeNet(13), torch.zeros(1, 1, 256, 256))


def test_a_training_begins_with_a_model_by_name_or_with_none_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no model 'drop-unet'.* choose from drop-unet-2 \(.* or a training's folder$"):
        begin(Path("drop-unet"), DropCard, OneBatch(), UNet())
    network = UNet()
    begin(Path("drop-unet-2"), DropCard, OneBatch(), network)
    expected = OnnxNetwork(default_model(DropCard)).logits(OneBatch.views.numpy())
    with torch.no_grad():
        np.testing.assert_allclose(network.eval()(OneBatch.views).numpy(), expected, rtol=0, atol=1e-4)


def test_cells_are_learnt_from_the_shipped_classifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "add_events", lambda *_: None)
    monkeypatch.setattr(cells_task, "HELD_CROPS", 2)
    wells = [fake_well(number) for number in range(4)]
    data = write_rendered(tmp_path / "data", train=[wells[:2]], validation=[wells[2:]])
    request = CellRequest(
        network="squeezenet-wide",
        start_from=SHIPPED,
        data=data,
        out=tmp_path / "run",
        steps=1,
        validate_every=1,
        batch_size=2,
        rate=5.0,
        device="cpu",
        quiet=True,
    )
    train("cells", request)
    best = torch.load(tmp_path / "run" / BEST, weights_only=True)
    assert best["step"] == 0  # such a step only makes it worse
    assert best["network"]["head.weight"].abs().sum() > 0
