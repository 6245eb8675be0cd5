"""What holds for every classifier of the registry: shapes, sizes, cards, and exact dense scoring."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import integers, sampled_from, tuples
from numpy.typing import NDArray
from torch import nn

from crystal_search.card_file import card_from_json, card_to_json
from crystal_search.chopper.tiling import ChopGrid
from crystal_search.class_schemes import SCHEMES
from crystal_search.errors import UnknownNameError
from crystal_search.exporting.export import export, with_features
from crystal_search.inference import Maps, Network, OnnxNetwork
from crystal_search.model import in_role, read_model
from crystal_search.model_card import FEATURES, LOGITS, ClassifierCard
from crystal_search.networks.alexnet import AlexNet
from crystal_search.networks.convolutions import Entrance, GivesFeatures
from crystal_search.networks.network_kinds import CLASSIFIERS, build, classifier_card
from crystal_search.networks.vgg16 import Vgg16
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.scoring.classify import dense_answers, windowed_answers

#: Convolutions and fully connected layers as their papers count them; a fire module counts as two.
WEIGHT_LAYERS = {"alexnet": 8, "vgg16": 16, "resnet50": 50, "squeezenet": 18, "squeezenet-wide": 18}


def test_the_four_networks_of_the_paper_are_there_and_a_wide_one() -> None:
    assert {name: each.weight_layers for name, each in CLASSIFIERS.items()} == WEIGHT_LAYERS


@pytest.mark.parametrize("name", WEIGHT_LAYERS)
@pytest.mark.parametrize(("classes", "channels"), [(13, 1), (4, 3)])
def test_a_chop_gives_the_cells_that_the_registry_names(name: str, classes: int, channels: int) -> None:
    cells = CLASSIFIERS[name].cells_per_chop
    with torch.no_grad():
        logits = build(name, classes, channels).eval()(torch.rand(1, channels, 256, 256))
    assert logits.shape == (1, classes, cells, cells)


@pytest.mark.parametrize("name", WEIGHT_LAYERS)
def test_only_a_network_that_says_so_pads(name: str) -> None:
    convolutions = [layer for layer in build(name, 5).modules() if isinstance(layer, nn.Conv2d)]
    assert any(layer.padding != (0, 0) for layer in convolutions) == CLASSIFIERS[name].padded


@pytest.mark.parametrize("name", WEIGHT_LAYERS)
def test_a_card_says_what_the_registry_says(name: str) -> None:
    card, network = classifier_card("mine", name), CLASSIFIERS[name]
    assert card_from_json(card_to_json(card).encode()) == card
    assert (card.architecture, card.file, card.classes) == (name, "mine.onnx", OUTCOME_NAMES)
    assert (card.side_px, card.padded) == (256, network.padded)
    assert card.output_stride_px == network.output_stride_px
    assert card.chop_stride_px % card.output_stride_px == 0
    assert abs(card.chop_stride_px - 50) <= card.output_stride_px / 2


def multiply_adds(network: nn.Module, channels: int) -> int:
    """Return how many multiply-adds the convolutions take for one chop."""
    total = 0

    def count(layer: nn.Conv2d, _: object, output: torch.Tensor) -> None:
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    with torch.no_grad():
        network.eval()(torch.zeros(1, channels, 256, 256))
    return total


@pytest.mark.parametrize("name", WEIGHT_LAYERS)
def test_the_page_on_the_networks_has_their_numbers(name: str) -> None:
    each, network = CLASSIFIERS[name], build(name, 13)
    weights = sum(values.numel() for key, values in network.named_parameters() if not key.startswith("texture_head"))
    billions = multiply_adds(network, 1) / 1e9
    page = (Path(__file__).parent.parent.parent / "docs" / "networks.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{name}`"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2:] == [
        str(each.weight_layers),
        f"{weights / 1e6:.2f}",
        f"{4 * weights / 1e6:.1f}",
        f"{billions:.2f}",
        str(each.output_stride_px),
        f"{each.cells_per_chop} x {each.cells_per_chop}",
        str(each.chop_stride_px),
        "yes" if each.padded else "no",
        "windowed" if each.padded else "dense",
    ]


def test_a_card_can_name_other_classes_and_another_view() -> None:
    groups = SCHEMES["groups-5"].class_names
    card = classifier_card("mine", "alexnet", classes=groups, normalisation="rgb-1", working_width_px=640)
    assert (card.classes, card.normalisation, card.working_width_px) == (groups, "rgb-1", 640)


def test_a_card_of_an_unknown_network_is_refused() -> None:
    with pytest.raises(
        UnknownNameError, match="no network 'lenet'; choose from alexnet, vgg16, resnet50, squeezenet, squeezenet-wide"
    ):
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


# Dense scoring is exact: for every unpadded network, over sizes, places, strides and colours.

NARROW = {"alexnet": AlexNet, "vgg16": Vgg16}  #: so wide that tests over many sizes take an eighth of their width
UNPADDED = [name for name, each in CLASSIFIERS.items() if not each.padded]
NORMALISATIONS = {1: "local-contrast-1", 3: "rgb-1"}
ALMOST = 1e-5  #: largest difference between a logit of one pass and one of a chop on its own


@dataclass(frozen=True)
class TorchNetwork:
    """A torch network behind the client's interface, in whatever precision its weights have."""

    card: ClassifierCard
    module: nn.Module

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.maps(batch)[LOGITS]

    def maps(self, batch: NDArray[np.float32]) -> Maps:
        with torch.no_grad():
            views = torch.from_numpy(batch).to(next(self.module.parameters()).dtype)
            answer = (
                self.module.with_features(views) if isinstance(self.module, GivesFeatures) else [self.module(views)]
            )
        return {output.name: each.numpy() for output, each in zip(self.card.outputs, answer, strict=True)}


def as_after_a_training(network: nn.Module, channels: int) -> nn.Module:
    """Give batch normalisations the statistics of some noise, then change all their constants at random."""
    normalisations = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    for layer in normalisations:
        layer.momentum = 1.0
    with torch.no_grad():
        network(torch.randn(2, channels, 300, 300))
        for layer in normalisations:
            mean, variance = layer.running_mean, layer.running_var
            assert mean is not None
            assert variance is not None
            mean += 0.3 * variance.sqrt() * torch.randn_like(mean)
            variance *= torch.rand_like(variance) + 0.5
            layer.weight.uniform_(0.5, 1.5)
            layer.bias.normal_(0, 0.3)
        head = network.get_submodule("head")
        last = head[-1] if isinstance(head, nn.Sequential) else head
        assert isinstance(last, nn.Conv2d)
        last.weight /= network.eval()(torch.randn(2, channels, 300, 300)).std()  # logits of about 1
    return network


@cache
def trained(name: str, channels: int, *, narrow: bool = False) -> nn.Module:
    """Return a network of full width, or an eighth of it where `narrow` is asked for."""
    torch.manual_seed(3)
    if not narrow:
        return as_after_a_training(build(name, 13, channels), channels)
    return as_after_a_training(NARROW[name](13, channels, narrowing=8), channels)


def described(name: str, channels: int, *, narrow: bool = False) -> ClassifierCard:
    """Return the card of `trained`, features and all."""
    card = classifier_card("under-test", name, normalisation=NORMALISATIONS[channels])
    return with_features(card, trained(name, channels, narrow=narrow))


def noise(rows: int, columns: int, channels: int) -> NDArray[np.float32]:
    shape = (rows, columns) if channels == 1 else (rows, columns, channels)
    return np.random.default_rng(rows + columns).normal(size=shape).astype(np.float32)


def check_dense_is_windowed(network: Network[ClassifierCard], grid: ChopGrid, view: NDArray[np.float32]) -> None:
    chops = range(grid.rows * grid.columns)
    dense, windowed = (answers(view, grid, chops, network) for answers in (dense_answers, windowed_answers))
    np.testing.assert_allclose(dense.logits, windowed.logits, rtol=0, atol=ALMOST)
    assert dense.logits.shape == (grid.rows * grid.columns, 13)
    # The numbers must differ from chop to chop by far more, or else equality would say nothing.
    assert len(chops) == 1 or np.ptp(dense.logits, axis=0).max() > 1000 * ALMOST
    assert (dense.features is None) == (windowed.features is None) == bool(grid.stride_px % stride_of_features(network))
    if dense.features is not None and windowed.features is not None:
        covered = windowed.features.any(axis=0)  # chops far from each other leave cells that no chop sees
        np.testing.assert_allclose(dense.features[:, covered], windowed.features[:, covered], rtol=ALMOST, atol=ALMOST)
        assert np.ptp(windowed.features[:, covered], axis=1).max() > 1000 * ALMOST


def stride_of_features(network: Network[ClassifierCard]) -> int:
    assert network.card.features
    return network.card.features.stride_px


@pytest.mark.parametrize("name", UNPADDED)
@settings(max_examples=5, deadline=None)
@given(
    size=tuples(integers(1, 3), integers(1, 3)),
    place=tuples(integers(-70, 70), integers(-70, 70)),
    strides=integers(1, 4),
    channels=sampled_from([1, 3]),
)
def test_dense_equals_windowed(
    name: str, size: tuple[int, int], place: tuple[int, int], strides: int, channels: int
) -> None:
    network = trained(name, channels, narrow=name in NARROW).double()
    card = described(name, channels, narrow=name in NARROW)
    grid = ChopGrid(*place, *size, card.side_px, strides * card.output_stride_px)
    check_dense_is_windowed(TorchNetwork(card, network), grid, noise(350, 310, channels))  # some grids reach beyond it


@pytest.mark.parametrize("name", ["alexnet", pytest.param("vgg16", marks=pytest.mark.slow)])
def test_dense_equals_windowed_in_full_width(name: str) -> None:
    network = TorchNetwork(described(name, 1), trained(name, 1))
    check_dense_is_windowed(network, ChopGrid(3, 5, 1, 2, 256, 64), noise(300, 400, 1))


@pytest.mark.parametrize("name", UNPADDED)
def test_dense_equals_windowed_in_onnx_runtime(name: str, tmp_path: Path) -> None:
    network = trained(name, 1, narrow=name in NARROW).float()
    exported = OnnxNetwork(
        in_role(read_model(export(network, classifier_card("under-test", name), tmp_path)), ClassifierCard)
    )
    stride = exported.card.chop_stride_px
    for rows, columns in ((1, 1), (2, 3)):
        check_dense_is_windowed(exported, ChopGrid(11, -7, rows, columns, 256, stride), noise(380, 400, 1))


@pytest.mark.slow
@pytest.mark.parametrize("name", NARROW)
def test_dense_equals_windowed_in_onnx_runtime_in_full_width(name: str, tmp_path: Path) -> None:
    exported = OnnxNetwork(
        in_role(
            read_model(export(trained(name, 1).float(), classifier_card("under-test", name), tmp_path)), ClassifierCard
        )
    )
    check_dense_is_windowed(exported, ChopGrid(0, 0, 2, 2, 256, 64), noise(320, 320, 1))


@pytest.mark.parametrize(("name", "sees_px"), [("alexnet", 227), ("vgg16", 244), ("squeezenet", 207)])
def test_a_cell_sees_its_field_of_view_and_no_more(name: str, sees_px: int) -> None:
    network = TorchNetwork(described(name, 1, narrow=name in NARROW), trained(name, 1, narrow=name in NARROW).double())
    batch = noise(300, 300, 1)[None, None]
    beyond, edge = batch.copy(), batch.copy()
    beyond[:, :, sees_px:] += 1
    edge[:, :, sees_px - 2 :] += 1  # two rows: strides may skip what only the last one shows
    one = network.logits(batch)[:, :, 0, 0]
    np.testing.assert_allclose(network.logits(beyond)[:, :, 0, 0], one, rtol=0, atol=1e-9)
    assert np.abs(network.logits(edge)[:, :, 0, 0] - one).max() > 1e-6


@pytest.mark.parametrize(("name", "sees_px"), [("alexnet", 115), ("vgg16", 52), ("squeezenet-wide", 79)])
def test_a_cell_of_features_lies_where_the_card_says(name: str, sees_px: int) -> None:
    network = TorchNetwork(described(name, 1, narrow=name in NARROW), trained(name, 1, narrow=name in NARROW).double())
    output = network.card.features
    assert output
    assert output.offset_px == (sees_px - 1) // 2
    batch = noise(300, 300, 1)[None, None]
    first, second = network.maps(batch)[FEATURES][0, :, 0, 0], network.maps(batch)[FEATURES][0, :, 1, 0]
    outside, inside = batch.copy(), batch.copy()
    outside[:, :, sees_px:] += 1
    inside[:, :, sees_px - 2 : sees_px] += 1
    np.testing.assert_allclose(network.maps(outside)[FEATURES][0, :, 0, 0], first, rtol=0, atol=1e-9)
    assert np.abs(network.maps(inside)[FEATURES][0, :, 0, 0] - first).max() > 1e-6
    above, within = batch.copy(), batch.copy()
    above[:, :, : output.stride_px] += 1
    within[:, :, output.stride_px : output.stride_px + 2] += 1
    np.testing.assert_allclose(network.maps(above)[FEATURES][0, :, 1, 0], second, rtol=0, atol=1e-9)
    assert np.abs(network.maps(within)[FEATURES][0, :, 1, 0] - second).max() > 1e-6
    assert len(first) == output.numbers


def test_a_padded_network_gives_no_features() -> None:
    assert not isinstance(build("resnet50", 13), GivesFeatures)
    assert classifier_card("under-test", "resnet50").features is None


def test_a_padded_network_is_not_scored_densely() -> None:
    network = TorchNetwork(classifier_card("under-test", "resnet50"), nn.Identity())
    with pytest.raises(ValueError, match="score windowed"):
        dense_answers(noise(320, 320, 1), ChopGrid(0, 0, 2, 2, 256, 64), [], network)
