"""ConvNeXt-Tiny up to its last map: a convolutional network that is built like a transformer.

Liu, Mao, Wu, Feichtenhofer, Darrell and Xie (2022), arXiv:2201.03545, Figure 4 and Table 9; without stochastic depth,
which long trainings need, and without the layer normalisation before the last layer: a head begins with its own.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from crystal_search.networks.convolutions import Entrance

FEATURES = 768  #: channels of the last map
WIDTHS, BLOCKS = (96, 192, 384, 768), (3, 3, 9, 3)  #: of the four stages
EXPANSION = 4  #: channels within a block, for each that comes in
FIRST_SCALE = 1e-6  #: of what a block adds, before it learns
EPSILON = 1e-6  #: of layer normalisations
DEVIATION = 0.02  #: of the first weights, as published


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each cell."""

    def forward(self, x: Tensor) -> Tensor:
        """Return `x`, (N, channels, h, w), each cell's channels centred and scaled."""
        normed: Tensor = super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # through (N, h, w, channels)
        return normed


class Block(nn.Module):
    """Look around in each channel, think over the channels of each cell, add a little of it to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.look = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, EPSILON)
        self.expand, self.project = nn.Linear(width, EXPANSION * width), nn.Linear(EXPANSION * width, width)
        self.activation = nn.GELU()
        self.layer_scale = nn.Parameter(torch.full((width, 1, 1), FIRST_SCALE))

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the shape of `x`, (N, width, h, w)."""
        seen = self.norm(self.look(x).permute(0, 2, 3, 1))  # (N, h, w, width)
        thought: Tensor = self.project(self.activation(self.expand(seen)))  # (N, h, w, width), through 4 width
        return x + self.layer_scale * thought.permute(0, 3, 1, 2)


class ConvNextTiny(nn.Module):
    """What ConvNeXt-Tiny sees in every cell of 32 px, cells at the border seeing zeros outside."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.entrance = Entrance(channels)
        self.stem = nn.Sequential(nn.Conv2d(channels, WIDTHS[0], 4, 4), ChannelNorm(WIDTHS[0], EPSILON))
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(width) for _ in range(blocks))) for width, blocks in zip(WIDTHS, BLOCKS, strict=True)
        )
        self.reductions = nn.ModuleList(
            nn.Sequential(ChannelNorm(wide, EPSILON), nn.Conv2d(wide, wider, 2, 2)) for wide, wider in pairwise(WIDTHS)
        )
        self._begin()

    def _begin(self) -> None:
        """Draw weights as published."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=DEVIATION)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return features (N, 768, H / 32, W / 32) of images (N, channels, H, W)."""
        x = self.stem(self.entrance(x))  # (N, 96, 128, 128), from 512 x 512
        x = self.stages[0](x)  # (N, 96, 128, 128)
        for reduction, stage in zip(self.reductions, list(self.stages)[1:], strict=True):
            x = stage(reduction(x))  # (N, 192, 64, 64), then (N, 384, 32, 32), then (N, 768, 16, 16)
        return x
