"""What holds for every classifier of the registry: shapes, sizes, cards, and exact dense scoring."""

import pytest
import torch
from torch import nn

from crystal_search.artefacts import card_from_json, card_to_json
from crystal_search.class_schemes import SCHEMES
from crystal_search.errors import UnknownNameError
from crystal_search.networks.cards import classifier_card
from crystal_search.networks.layers import Entrance
from crystal_search.networks.registry import ARCHITECTURES, build
from crystal_search.outcomes import OUTCOME_NAMES

#: Convolutions and fully connected layers as their papers count them; a fire module counts as two.
WEIGHT_LAYERS = {"alexnet": 8, "vgg16": 16, "resnet50": 50, "squeezenet": 18}


def test_the_four_networks_of_the_paper_are_there() -> None:
    assert {name: each.weight_layers for name, each in ARCHITECTURES.items()} == WEIGHT_LAYERS


@pytest.mark.parametrize("name", WEIGHT_LAYERS)
@pytest.mark.parametrize(("classes", "channels"), [(13, 1), (4, 3)])
def test_a_chop_gives_the_cells_that_the_registry_names(name: str, classes: int, channels: int) -> None:
    cells = ARCHITECTURES[name].cells_per_chop
    with torch.no_grad():
        logits = build(name, classes, channels).eval()(torch.rand(1, channels, 256, 256))
    assert logits.shape == (1, classes, cells, cells)


@pytest.mark.parametrize("name", WEIGHT_LAYERS)
def test_only_a_network_that_says_so_pads(name: str) -> None:
    convolutions = [layer for layer in build(name, 5).modules() if isinstance(layer, nn.Conv2d)]
    assert any(layer.padding != (0, 0) for layer in convolutions) == ARCHITECTURES[name].padded


@pytest.mark.parametrize("name", WEIGHT_LAYERS)
def test_a_card_says_what_the_registry_says(name: str) -> None:
    card, network = classifier_card("mine", name), ARCHITECTURES[name]
    assert card_from_json(card_to_json(card).encode()) == card
    assert (card.architecture, card.file, card.classes) == (name, "mine.onnx", OUTCOME_NAMES)
    assert (card.side_px, card.padded) == (256, network.padded)
    assert card.output_stride_px == network.output_stride_px
    assert card.chop_stride_px % card.output_stride_px == 0
    assert abs(card.chop_stride_px - 50) <= card.output_stride_px / 2


def test_a_card_can_name_other_classes_and_another_view() -> None:
    groups = SCHEMES["groups-5"].class_names
    card = classifier_card("mine", "alexnet", classes=groups, normalisation="rgb-1", working_width_px=640)
    assert (card.classes, card.normalisation, card.working_width_px) == (groups, "rgb-1", 640)


def test_a_card_of_an_unknown_network_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="no network 'lenet'; choose from alexnet, resnet50, squeezenet, vgg16"):
        classifier_card("mine", "lenet")


def test_grey_is_squashed_and_colour_is_centred() -> None:
    assert Entrance(1)(torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)).flatten().tolist() == pytest.approx([0, 0.905148])
    colours = torch.tensor([0.485, 0.456 + 0.224, 0.0]).view(1, 3, 1, 1)
    assert Entrance(3)(colours).flatten().tolist() == pytest.approx([0, 1, -0.406 / 0.225])
    assert not Entrance(3).state_dict()


def test_other_numbers_of_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="1 channel or of 3, got 2"):
        build("alexnet", 13, 2)


def test_every_block_of_resnet50_begins_as_its_shortcut() -> None:
    network = build("resnet50", 13).eval()
    block = network.get_submodule("stage_2.1")
    features = torch.rand(1, 512, 4, 4)
    with torch.no_grad():
        assert torch.equal(block(features), features)
