"""ImageNet weights: what is taken from states with torchvision's names, and what is said where there are none."""

import logging
import re
import sys
import types
from pickle import UnpicklingError
from typing import Any
from urllib.error import URLError

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from crystal_search.errors import UnknownNameError, UserError
from crystal_search.networks.convolutions import Entrance
from crystal_search.networks.network_kinds import build
from crystal_search.networks.pretrained import TORCHVISION, load_imagenet, take

State = dict[str, Tensor]

#: How many tensors of each network there are to take, written by hand: 5 for each convolution with its normalisation.
TAKEN = {"alexnet": 5 * 5, "vgg16": 5 * 13, "resnet50": 5 * 53, "squeezenet": 5 * 25}
HEADS = {
    "alexnet": tuple(f"head.{layer}.{part}" for layer in (0, 3, 6) for part in ("weight", "bias")),
    "vgg16": tuple(f"head.{layer}.{part}" for layer in (0, 3, 6) for part in ("weight", "bias")),
    "resnet50": ("head.weight", "head.bias"),
    "squeezenet": ("head.weight", "head.bias", "texture_head.weight", "texture_head.bias"),
}


def convolution(name: str, out: int, into: int, side: int, *, bias: bool) -> State:
    state = {f"{name}.weight": torch.randn(out, into, side, side) / (into * side**2) ** 0.5}
    return state | ({f"{name}.bias": torch.randn(out)} if bias else {})


def normalisation(name: str, width: int) -> State:
    return {
        f"{name}.weight": torch.rand(width) + 0.5,
        f"{name}.bias": torch.randn(width),
        f"{name}.running_mean": torch.randn(width),
        f"{name}.running_var": torch.rand(width) + 0.5,
        f"{name}.num_batches_tracked": torch.tensor(7),
    }


def alexnet() -> State:
    layers = ((0, 64, 3, 11), (3, 192, 64, 5), (6, 384, 192, 3), (8, 256, 384, 3), (10, 256, 256, 3))
    state: State = {}
    for number, out, into, side in layers:
        state |= convolution(f"features.{number}", out, into, side, bias=True)
    return state | {"classifier.6.weight": torch.zeros(1000, 4096), "classifier.6.bias": torch.zeros(1000)}


def vgg16() -> State:
    numbers = (0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40)
    widths = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
    state: State = {}
    for index, number in enumerate(numbers):
        state |= convolution(f"features.{number}", widths[index + 1], widths[index], 3, bias=True)
        state |= normalisation(f"features.{number + 1}", widths[index + 1])
    return state


def resnet50() -> State:
    state = convolution("conv1", 64, 3, 7, bias=False) | normalisation("bn1", 64)
    into = 64
    for stage, (squeezed, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=1):
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            shapes = ((squeezed, into, 1), (squeezed, squeezed, 3), (4 * squeezed, squeezed, 1))
            for number, (out, channels, side) in enumerate(shapes, start=1):
                state |= convolution(f"{name}.conv{number}", out, channels, side, bias=False)
                state |= normalisation(f"{name}.bn{number}", out)
            if block == 0:
                state |= convolution(f"{name}.downsample.0", 4 * squeezed, into, 1, bias=False)
                state |= normalisation(f"{name}.downsample.1", 4 * squeezed)
            into = 4 * squeezed
    return state | {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}


def squeezenet() -> State:
    state = convolution("features.0", 64, 3, 3, bias=True)
    lower = ((3, 64, 16, 64), (4, 128, 16, 64), (6, 128, 32, 128), (7, 256, 32, 128))
    upper = ((9, 256, 48, 192), (10, 384, 48, 192), (11, 384, 64, 256), (12, 512, 64, 256))
    for number, into, squeezed, expanded in (*lower, *upper):
        state |= convolution(f"features.{number}.squeeze", squeezed, into, 1, bias=True)
        state |= convolution(f"features.{number}.expand1x1", expanded, squeezed, 1, bias=True)
        state |= convolution(f"features.{number}.expand3x3", expanded, squeezed, 3, bias=True)
    return state | {"classifier.1.weight": torch.zeros(1000, 512, 1, 1), "classifier.1.bias": torch.zeros(1000)}


STATES = {"alexnet": alexnet, "vgg16": vgg16, "resnet50": resnet50, "squeezenet": squeezenet}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("name", STATES)
def test_all_but_the_head_is_taken(name: str) -> None:
    network = build(name, 13, 3)
    before = {key: values.clone() for key, values in network.state_dict().items()}
    found = take(network, name, STATES[name]())
    assert (found.taken, found.random, found.unavailable) == (TAKEN[name], HEADS[name], "")
    after = network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in found.random)
    kernels = [key for key in before if key.endswith("0.weight") and "head" not in key]
    assert not any(torch.equal(before[key], after[key]) for key in kernels)


def test_vgg16_s_first_block_gives_torchvision_s_numbers() -> None:
    network, state, colours = build("vgg16", 13, 3).eval(), vgg16(), torch.rand(1, 3, 12, 12)
    take(network, "vgg16", state)
    x = Entrance(3)(colours)
    for number in (0, 3):
        x = functional.conv2d(x, state[f"features.{number}.weight"], state[f"features.{number}.bias"])
        mean, variance, weight, bias = (
            state[f"features.{number + 1}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        x = functional.batch_norm(x, mean, variance, weight, bias).relu()
    with torch.no_grad():
        block = network.get_submodule("block_1")(Entrance(3)(colours))
    torch.testing.assert_close(block, functional.max_pool2d(x, 2, 2), rtol=1e-4, atol=1e-4)


def test_a_fire_module_gives_torchvision_s_numbers() -> None:
    network, state, features = build("squeezenet", 13).eval(), squeezenet(), torch.rand(1, 64, 6, 6)
    take(network, "squeezenet", state)

    def layer(part: str, x: Tensor, padding: int = 0) -> Tensor:
        weight, bias = (state[f"features.3.{part}.{which}"] for which in ("weight", "bias"))
        return functional.conv2d(x, weight, bias, padding=padding).relu()

    squeezed = layer("squeeze", features)
    padded = torch.cat((layer("expand1x1", squeezed), layer("expand3x3", squeezed, padding=1)), dim=1)
    with torch.no_grad():
        ours = network.get_submodule("fires_2_3.0")(features)
    torch.testing.assert_close(ours, padded[:, :, 1:-1, 1:-1], rtol=1e-4, atol=1e-4)


def test_a_block_of_resnet50_gives_torchvision_s_numbers() -> None:
    network, state, features = build("resnet50", 13).eval(), resnet50(), torch.rand(1, 256, 8, 8)
    take(network, "resnet50", state)

    def layer(convolution: str, norm: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        x = functional.conv2d(x, state[f"layer2.0.{convolution}.weight"], stride=stride, padding=padding)
        mean, variance, weight, bias = (
            state[f"layer2.0.{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x, mean, variance, weight, bias)

    x = layer("conv1", "bn1", features).relu()
    x = layer("conv2", "bn2", x, stride=2, padding=1).relu()
    expected = (layer("conv3", "bn3", x) + layer("downsample.0", "downsample.1", features, stride=2)).relu()
    with torch.no_grad():
        ours = network.get_submodule("stage_2.0")(features)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


def test_for_grey_images_the_colours_of_the_first_layer_are_summed() -> None:
    network, state = build("alexnet", 13), alexnet()
    state["features.0.weight"] = torch.arange(64 * 3 * 121, dtype=torch.float32).view(64, 3, 11, 11)
    assert take(network, "alexnet", state).taken == TAKEN["alexnet"]
    kernel = network.get_submodule("convolution_1.0").weight
    assert isinstance(kernel, Tensor)
    assert kernel.shape == (64, 1, 11, 11)
    assert kernel[0, 0, 0, :2].tolist() == [0 + 121 + 242, 1 + 122 + 243]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda state: state.pop("features.8.weight"), "have no 'features.8.weight'.* install another"),
        (
            lambda state: state.update({"features.8.weight": torch.zeros(256, 384, 5, 5)}),
            r"weights \(256, 38",
        ),
    ],
)
def test_a_state_of_another_network_is_refused_and_nothing_taken(spoil: Any, message: str) -> None:
    network, state = build("alexnet", 13, 3), alexnet()
    before = {key: values.clone() for key, values in network.state_dict().items()}
    spoil(state)
    with pytest.raises(UserError, match=message):
        take(network, "alexnet", state)
    assert all(torch.equal(values, before[key]) for key, values in network.state_dict().items())


class _Finder:
    """An import of torchvision that fails as it does beside a torch that it was not built for."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def find_spec(self, name: str, *_: object) -> None:
        if name.partition(".")[0] == "torchvision":
            raise self.error


@pytest.fixture
def without_torchvision(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that makes every import of torchvision raise."""
    for name in [each for each in sys.modules if each.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    return lambda error: monkeypatch.setattr(sys, "meta_path", [_Finder(error), *sys.meta_path])


def untouched(network: nn.Module, caplog: pytest.LogCaptureFixture) -> str:
    """Load in vain; return what was said, after checking that nothing else happened."""
    before = {key: values.clone() for key, values in network.state_dict().items()}
    with caplog.at_level(logging.WARNING):
        found = load_imagenet(network, "squeezenet")
    assert found.taken == 0
    assert len(found.random) == TAKEN["squeezenet"] + len(HEADS["squeezenet"])
    assert all(torch.equal(values, before[key]) for key, values in network.state_dict().items())
    assert [record.getMessage() for record in caplog.records] == [found.unavailable]
    return found.unavailable


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ModuleNotFoundError("No module named 'torchvision'"), "torchvision is not installed"),
        (RuntimeError("operator torchvision::nms does not exist"), "does not fit torch .*nms does not exist"),
        (OSError("libcudart.so.12: cannot open shared object file"), "does not fit torch"),
    ],
)
def test_without_a_working_torchvision_the_training_is_told_and_goes_on(
    error: Exception, message: str, without_torchvision: Any, caplog: pytest.LogCaptureFixture
) -> None:
    without_torchvision(error)
    sentence = untouched(build("squeezenet", 13), caplog)
    assert re.fullmatch(rf"No ImageNet weights: .*{message}.*; training from scratch\.", sentence)


def fake_torchvision(monkeypatch: pytest.MonkeyPatch, answer: Any) -> list[dict[str, bool]]:
    """Install a torchvision whose downloads end in `answer()`; return the list of their options."""
    calls: list[dict[str, bool]] = []

    def get_state_dict(**options: bool) -> State:
        calls.append(options)
        found: State = answer()
        return found

    models = types.ModuleType("torchvision.models")
    version = types.SimpleNamespace(get_state_dict=get_state_dict)
    for name in TORCHVISION.values():
        setattr(models, name, types.SimpleNamespace(IMAGENET1K_V1=version))
    package = types.ModuleType("torchvision")
    package.models = models  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    return calls


def fails(error: Exception) -> Any:
    def answer() -> State:
        raise error

    return answer


@pytest.mark.parametrize(
    "error",
    [
        URLError("Name or service not known"),
        TimeoutError("timed out"),
        RuntimeError('invalid hash value (expected "b8a52dc0", got "0")'),
        OSError(28, "No space left on device"),
        UnpicklingError("invalid load key"),
        AttributeError("module 'torchvision.models' has no attribute 'SqueezeNet1_1_Weights'"),
    ],
)
def test_without_the_file_the_training_is_told_and_goes_on(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fake_torchvision(monkeypatch, fails(error))
    sentence = untouched(build("squeezenet", 13), caplog)
    assert sentence == (
        f"No ImageNet weights: torchvision could not fetch those of squeezenet ({error}); training from scratch."
    )


def test_with_the_file_its_hash_is_checked_and_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_torchvision(monkeypatch, squeezenet)
    found = load_imagenet(build("squeezenet", 5), "squeezenet")
    assert (found.taken, found.unavailable) == (TAKEN["squeezenet"], "")
    assert calls == [{"progress": False, "check_hash": True}]


def test_an_unknown_network_is_an_error_all_the_same() -> None:
    with pytest.raises(UnknownNameError, match="no network 'lenet'"):
        load_imagenet(build("squeezenet", 5), "lenet")
