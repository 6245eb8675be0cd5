"""EfficientNet-Lite0 up to its last map: blocks that expand, look around channel by channel, and project back.

Tan and Le (2019), arXiv:1905.11946, as its authors made it for small devices (EfficientNet-Lite, 2020): ReLU6 in place
of swish, and no squeezing and exciting. Padding is TensorFlow's for even sides: of what is odd, more at the bottom and
the right.
"""

import math
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.functional import pad

from crystal_search.networks.convolutions import Entrance

FEATURES = 1280  #: channels of the last map
STEM = 32  #: channels of the first one
EPSILON, MOMENTUM = 1e-3, 0.01  #: of batch normalisations, as published


class Stage(NamedTuple):
    """Blocks in a row, the first of which may halve the sides."""

    blocks: int
    side: int  #: of the kernel that looks around
    stride: int
    expansion: int  #: channels in a block, for each that comes in
    channels: int  #: that each block gives


STAGES = (
    Stage(blocks=1, side=3, stride=1, expansion=1, channels=16),
    Stage(blocks=2, side=3, stride=2, expansion=6, channels=24),
    Stage(blocks=2, side=5, stride=2, expansion=6, channels=40),
    Stage(blocks=3, side=3, stride=2, expansion=6, channels=80),
    Stage(blocks=3, side=5, stride=1, expansion=6, channels=112),
    Stage(blocks=4, side=5, stride=2, expansion=6, channels=192),
    Stage(blocks=1, side=3, stride=1, expansion=6, channels=320),
)


class PaddedConvolution(nn.Conv2d):
    """A convolution that halves even sides, with more padding at the bottom and the right."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels, h / 2, w / 2) for `x` of shape (N, channels_in, h, w)."""
        missing = self.kernel_size[0] - self.stride[0]
        before, after = missing // 2, missing - missing // 2
        return super().forward(pad(x, (before, after, before, after)))


def convolution(
    channels_in: int, channels_out: int, side: int, stride: int = 1, *, groups: int = 1, relu: bool = True
) -> nn.Sequential:
    """Return a padded convolution (layer 0), batch normalisation (layer 1) and, unless `relu` is false, a ReLU6."""
    padded, padding = (nn.Conv2d, side // 2) if stride == 1 else (PaddedConvolution, 0)
    layers: list[nn.Module] = [
        padded(channels_in, channels_out, side, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(channels_out, EPSILON, MOMENTUM),
    ]
    return nn.Sequential(*layers, nn.ReLU6(inplace=True)) if relu else nn.Sequential(*layers)


class InvertedBottleneck(nn.Module):
    """Expand by a 1x1 convolution, look around in each channel, project by a 1x1; add what came in, if it fits."""

    def __init__(self, channels_in: int, stage: Stage, stride: int) -> None:
        super().__init__()
        expanded = channels_in * stage.expansion
        self.expand = nn.Identity() if stage.expansion == 1 else convolution(channels_in, expanded, 1)
        self.look = convolution(expanded, expanded, stage.side, stride, groups=expanded)
        self.project = convolution(expanded, stage.channels, 1, relu=False)
        self.adds = stride == 1 and channels_in == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels, h / stride, w / stride) for `x` of shape (N, channels_in, h, w)."""
        seen: Tensor = self.project(self.look(self.expand(x)))  # (N, channels, h / stride, w / stride)
        return seen + x if self.adds else seen


class EfficientNetLite0(nn.Module):
    """What EfficientNet-Lite0 sees in every cell of 32 px, cells at the border seeing zeros outside."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.entrance = Entrance(channels)
        self.stem = convolution(channels, STEM, 3, 2)
        blocks: list[nn.Module] = []
        width = STEM
        for stage in STAGES:
            for number in range(stage.blocks):
                blocks.append(InvertedBottleneck(width, stage, stage.stride if number == 0 else 1))
                width = stage.channels
        self.blocks = nn.Sequential(*blocks)
        self.top = convolution(width, FEATURES, 1)
        self._begin()

    def _begin(self) -> None:
        """Draw weights as He et al. (2015), arXiv:1502.01852, a kernel of one channel by its own numbers alone."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                outputs = layer.kernel_size[0] * layer.kernel_size[1] * layer.out_channels // layer.groups
                nn.init.normal_(layer.weight, std=math.sqrt(2 / outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return features (N, 1280, H / 32, W / 32) of images (N, channels, H, W) whose sides are multiples of 32."""
        x = self.stem(self.entrance(x))  # (N, 32, 256, 256), from 512 x 512
        x = self.blocks(x)  # (N, 320, 16, 16)
        seen: Tensor = self.top(x)  # (N, 1280, 16, 16)
        return seen
