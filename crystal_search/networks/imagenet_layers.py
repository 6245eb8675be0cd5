"""Which layers of ours are which of the published networks that ImageNet weights are of.

Published networks are padded, most without batch normalisation, for three colours and 1000 classes. What fits is taken,
layer by layer:

* A convolution's weights as they are; for grey images, the first one's summed over the colours.
* Its bias, where theirs has one and we have a batch normalisation: in the normalisation's shift if theirs has none
  there, else taken off the normalisation's mean. Both give the same numbers as the bias.
* Everything from the first layer of the head on stays random: it has other shapes, or reads what has them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from crystal_search.networks.convnext import BLOCKS
from crystal_search.networks.efficientnet_lite import STAGES

STATISTICS = ("weight", "bias", "running_mean", "running_var")
State = Mapping[str, Tensor]  #: tensors by name


@dataclass(frozen=True, slots=True)
class Pair:
    """A convolution of ours with its batch normalisation, and theirs."""

    ours: str  #: prefix of layers of which layer 0 convolves, layer 1 normalises
    convolution: str  #: prefix in their state
    normalisation: str = ""  #: prefix in their state; empty: it has a bias instead

    def converted(self, state: State, own: State) -> dict[str, Tensor]:
        """Return the pair's tensors under our names; a name that `state` lacks is a KeyError."""
        kernel = colours_summed(state[f"{self.convolution}.weight"], own[f"{self.ours}.0.weight"])
        if self.normalisation:
            theirs = [state[f"{self.normalisation}.{name}"] for name in STATISTICS]
            theirs[2] = theirs[2] - state.get(f"{self.convolution}.bias", 0.0)
        else:
            shift = state[f"{self.convolution}.bias"]
            theirs = [torch.ones_like(shift), shift, torch.zeros_like(shift), torch.ones_like(shift)]
        normalisation = {f"{self.ours}.1.{name}": values for name, values in zip(STATISTICS, theirs, strict=True)}
        return {f"{self.ours}.0.weight": kernel} | normalisation


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that we have as they have it, under another name."""

    ours: str  #: prefix
    theirs: str  #: prefix in their state
    names: tuple[str, ...] = ("weight", "bias")

    def converted(self, state: State, own: State) -> dict[str, Tensor]:
        """Return the layer's tensors under our names; a name that `state` lacks is a KeyError."""
        return {
            f"{self.ours}.{name}": colours_summed(state[f"{self.theirs}.{name}"], own[f"{self.ours}.{name}"])
            for name in self.names
        }


def colours_summed(weights: Tensor, own: Tensor) -> Tensor:
    """Return a kernel for three colours as one for grey images, where ours is; anything else as it is."""
    if weights.ndim == 4 and weights.shape[1] == 3 and own.shape[1] == 1:
        return weights.sum(dim=1, keepdim=True)  # (out, 1, rows, columns)
    return weights


def _alexnet() -> Iterator[Pair]:
    for number, theirs in enumerate((0, 3, 6, 8, 10), start=1):
        yield Pair(f"convolution_{number}", f"features.{theirs}")


def _vgg16() -> Iterator[Pair]:
    position = 0  # in torchvision's list: convolution, normalisation, ReLU; a pooling after every block
    for block, convolutions in enumerate((2, 2, 3, 3, 3), start=1):
        for number in range(convolutions):
            yield Pair(f"block_{block}.{number}", f"features.{position}", f"features.{position + 1}")
            position += 3
        position += 1


def _resnet50(within: str = "") -> Iterator[Pair]:
    yield Pair(f"{within}stem", "conv1", "bn1")
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        for block in range(blocks):
            ours, theirs = f"{within}stage_{stage}.{block}", f"layer{stage}.{block}"
            for number, part in enumerate(("squeeze", "look", "expand"), start=1):
                yield Pair(f"{ours}.{part}", f"{theirs}.conv{number}", f"{theirs}.bn{number}")
            if block == 0:
                yield Pair(f"{ours}.shortcut", f"{theirs}.downsample.0", f"{theirs}.downsample.1")


def _squeezenet() -> Iterator[Pair]:
    yield Pair("stem", "features.0")
    fires = (("fires_2_3", (3, 4)), ("fires_4_5", (6, 7)), ("fires_6_9", (9, 10, 11, 12)))
    for group, positions in fires:
        for number, position in enumerate(positions):
            ours, theirs = f"{group}.{number}", f"features.{position}"
            yield Pair(f"{ours}.squeeze", f"{theirs}.squeeze")
            yield Pair(f"{ours}.expand_1x1", f"{theirs}.expand1x1")
            yield Pair(f"{ours}.expand_3x3", f"{theirs}.expand3x3")


def _resnet50_of_images() -> Iterator[Pair]:
    return _resnet50("features.")


def _convnext() -> Iterator[Layer]:
    yield Layer("features.stem.0", "features.0.0")
    yield Layer("features.stem.1", "features.0.1")
    for stage, blocks in enumerate(BLOCKS):
        if stage:
            for layer in (0, 1):
                yield Layer(f"features.reductions.{stage - 1}.{layer}", f"features.{2 * stage}.{layer}")
        for block in range(blocks):
            ours, theirs = f"features.stages.{stage}.{block}", f"features.{2 * stage + 1}.{block}"
            yield Layer(ours, theirs, ("layer_scale",))
            for part, position in (("look", 0), ("norm", 2), ("expand", 3), ("project", 5)):
                yield Layer(f"{ours}.{part}", f"{theirs}.block.{position}")


def _efficientnet_lite0() -> Iterator[Pair]:
    yield Pair("features.stem", "_conv_stem", "_bn0")
    expanding = [stage.expansion > 1 for stage in STAGES for _ in range(stage.blocks)]
    for block, expands in enumerate(expanding):
        ours, theirs = f"features.blocks.{block}", f"_blocks.{block}"
        if expands:
            yield Pair(f"{ours}.expand", f"{theirs}._expand_conv", f"{theirs}._bn0")
        yield Pair(f"{ours}.look", f"{theirs}._depthwise_conv", f"{theirs}._bn1")
        yield Pair(f"{ours}.project", f"{theirs}._project_conv", f"{theirs}._bn2")
    yield Pair("features.top", "_conv_head", "_bn1")


#: What is taken of published weights, by the name of our network.
PUBLISHED: dict[str, Callable[[], Iterator[Pair | Layer]]] = {
    "alexnet": _alexnet,
    "vgg16": _vgg16,
    "resnet50": _resnet50,
    "squeezenet": _squeezenet,
    "resnet50-image": _resnet50_of_images,
    "convnext-tiny": _convnext,
    "efficientnet-lite0": _efficientnet_lite0,
}
