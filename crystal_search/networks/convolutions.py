"""What the four classifiers share: how pixels enter them, and a convolution with its batch normalisation."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from crystal_search.model_card import FEATURES, Output

STEEPNESS = 1.5  #: of the grey input's squashing; faint edges have a contrast of 0.1 to 0.5, black walls of 10
IMAGENET_MEANS, IMAGENET_DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  #: of red, green, blue in [0, 1]
HIDDEN_DEVIATION = 0.01  #: of a hidden fully connected layer's first weights, as AlexNet's and VGG's authors drew them


class GivesFeatures(nn.Module, ABC):
    """A classifier in two halves; what lies between them travels with every score (docs/model-card.md)."""

    half_way_stride_px: ClassVar[int]  #: between two cells of what the lower half gives
    half_way_sees_px: ClassVar[int]  #: side of what one of them depends on
    feature_cells: ClassVar[int]  #: of them on a side, whose mean is one cell of features
    channels_half_way: int

    @abstractmethod
    def lower_half(self, x: Tensor) -> Tensor:
        """Return what lies half-way, (N, channels_half_way, h, w), of images (N, channels, H, W)."""

    @abstractmethod
    def upper_half(self, x: Tensor) -> Tensor:
        """Return the map of class logits for what lies half-way."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the map of class logits, (N, classes, h, w), of normalised images (N, channels, H, W)."""
        return self.upper_half(self.lower_half(x))

    @property
    def features_output(self) -> Output:
        """What `with_features` adds to the logits, as a model's card has it."""
        sees_px = self.half_way_sees_px + self.half_way_stride_px * (self.feature_cells - 1)
        return Output(
            name=FEATURES,
            numbers=self.channels_half_way,
            stride_px=self.half_way_stride_px * self.feature_cells,
            offset_px=(sees_px - 1) // 2,
        )

    def with_features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the map of class logits for images (N, channels, H, W), and that of features, (N, numbers, h, w)."""
        half_way = self.lower_half(x)
        return self.upper_half(half_way), nn.functional.avg_pool2d(half_way, self.feature_cells)


class Entrance(nn.Module):
    """Pixels as the first convolution wants them, each from itself alone.

    Grey contrasts are squashed into -1 to 1; colours in [0, 1] are centred by constants, those of ImageNet. It has
    no weights, and nothing of it is in a checkpoint.
    """

    means: Tensor  #: (1, 3, 1, 1)
    deviations: Tensor  #: (1, 3, 1, 1)

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels not in (1, 3):
            raise ValueError(f"a classifier reads images of 1 channel or of 3, got {channels}")
        self.channels = channels
        self.register_buffer("means", torch.tensor(IMAGENET_MEANS).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviations", torch.tensor(IMAGENET_DEVIATIONS).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x`, (N, channels, H, W), in a range about 0."""
        if self.channels == 1:
            return torch.tanh(STEEPNESS * x)
        return (x - self.means) / self.deviations


def convolution(
    channels_in: int, channels_out: int, side: int, stride: int = 1, *, padding: int = 0, relu: bool = True
) -> nn.Sequential:
    """Return a convolution (layer 0), batch normalisation (layer 1) and, unless `relu` is false, a ReLU."""
    layers: list[nn.Module] = [
        nn.Conv2d(channels_in, channels_out, side, stride, padding, bias=False),
        nn.BatchNorm2d(channels_out),
    ]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


def fully_connected(channels_in: int, hidden: int, classes: int, side: int) -> nn.Sequential:
    """Return three fully connected layers as convolutions, the first over `side` x `side` cells.

    Without batch normalisation, which would have one value a chop to go by.
    """
    layers = [nn.Conv2d(channels_in, hidden, side), nn.Conv2d(hidden, hidden, 1)]
    for layer in layers:
        nn.init.normal_(layer.weight, std=HIDDEN_DEVIATION)
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    first, second = layers
    return nn.Sequential(
        first,
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        second,
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Conv2d(hidden, classes, 1),
    )
