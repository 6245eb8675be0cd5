"""A small U-Net that says for every pixel whether it belongs to the drop.

Ronneberger, Fischer and Brox (2015), arXiv:1505.04597, with 0.8 million parameters instead of thirty-one million,
batch normalisation, and dilated convolutions at the lowest level. Convolutions are padded: the whole image is seen at
once, so that exact dense scoring of parts, the reason to leave padding out, has no use here.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

WIDTHS = (8, 16, 32, 64, 128)  #: channels from full resolution down to a sixteenth
CONTEXT_DILATIONS = (2, 4)  #: of the lowest level, which then sees about 330 of 256 x 224 px
SIDE_MULTIPLE_PX = 2 ** (len(WIDTHS) - 1)  #: input sides must be multiples of this


def _convolved(channels_in: int, channels_out: int, dilation: int = 1) -> tuple[nn.Module, nn.Module, nn.Module]:
    return (
        nn.Conv2d(channels_in, channels_out, 3, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


def _twice_convolved(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(*_convolved(channels_in, channels_out), *_convolved(channels_out, channels_out))


class Context(nn.Module):
    """What the lowest level sees further away: a drop may fill the image, and its middle looks like no drop."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers = [layer for dilation in CONTEXT_DILATIONS for layer in _convolved(channels, channels, dilation)]
        self.layers = nn.Sequential(*layers[:-1])
        nn.init.zeros_(layers[-2].get_parameter("weight"))  # adds nothing before it has learnt to

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` of shape (N, channels, h, w) with what lies around added."""
        added: Tensor = torch.relu(x + self.layers(x))  # (N, channels, h, w)
        return added


class UNet(nn.Module):
    """Logit of "this pixel is drop", at the resolution of the input."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.first = _twice_convolved(1, widths[0])
        self.down = nn.ModuleList(_twice_convolved(upper, lower) for upper, lower in pairwise(widths))
        self.pool = nn.MaxPool2d(2)
        self.context = Context(widths[-1])
        upwards = tuple(reversed(tuple(pairwise(widths))))
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(lower, upper, 2, stride=2) for upper, lower in upwards)
        self.up = nn.ModuleList(_twice_convolved(2 * upper, upper) for upper, _ in upwards)
        self.head = nn.Conv2d(widths[0], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, 1, H, W) of normalised grey images (N, 1, H, W); H and W multiples of 16."""
        x = self.first(x)  # (N, 8, H, W)
        kept: list[Tensor] = []
        for down in self.down:
            kept.append(x)
            x = down(self.pool(x))  # (N, 16, H/2, W/2) ... (N, 128, H/16, W/16)
        x = self.context(x)  # (N, 128, H/16, W/16)
        for enlarge, up in zip(self.enlarge, self.up, strict=True):
            x = up(torch.cat((kept.pop(), enlarge(x)), dim=1))  # (N, 64, H/8, W/8) ... (N, 8, H, W)
        logits: Tensor = self.head(x)  # (N, 1, H, W)
        return logits
