"""SqueezeNet 1.1 without zero padding, as a fully convolutional network.

Iandola et al. (2017), arXiv:1602.07360, in the layout of the authors' release 1.1. Every convolution and
every pooling is unpadded, and poolings round down, so that a cell of the output map depends on the 207 x 207
working pixels below it and on nothing else: running the network once over a large image gives the same cells
as running it on every chop. Batch normalisation is added after each convolution; the average over a chop's
cells, which ends the published network, is left to whoever knows where the chops are.
"""

import torch
from torch import Tensor, nn

from crystal_search.networks.convolutions import Entrance, GivesFeatures, convolution

OUTPUT_STRIDE_PX = 16
FIELD_OF_VIEW_PX = 207  #: side of what one output cell depends on
CHOP_SIDE_PX = 256
STEM_CHANNELS = 64
CELLS_PER_CHOP = 4  #: a chop of 256 px gives 4 x 4 cells


class Fire(nn.Module):
    """Squeeze to few channels, then expand by 1x1 and by 3x3 convolutions side by side.

    With a bypass, and as many channels out as in, what comes in is added to what goes out.
    """

    def __init__(self, channels_in: int, squeezed: int, expanded: int, *, bypass: bool = False) -> None:
        super().__init__()
        self.bypass = bypass and channels_in == 2 * expanded
        self.squeeze = convolution(channels_in, squeezed, 1)
        self.expand_1x1 = convolution(squeezed, expanded, 1)
        self.expand_3x3 = convolution(squeezed, expanded, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, 2 x expanded, h - 2, w - 2) for `x` of shape (N, channels_in, h, w)."""
        squeezed = self.squeeze(x)  # (N, squeezed, h, w)
        narrow = self.expand_1x1(squeezed[:, :, 1:-1, 1:-1])  # (N, expanded, h - 2, w - 2): centres of the 3x3
        both = torch.cat((narrow, self.expand_3x3(squeezed)), dim=1)  # (N, 2 expanded, h - 2, w - 2)
        return both + x[:, :, 1:-1, 1:-1] if self.bypass else both


class SqueezeNet(GivesFeatures):
    """Logits of every class in every cell of 16 px: ``h = (H - 207) // 16 + 1``, and so for ``w``: 4 for a chop.

    Of features, ``h = (H - 79) // 24 + 1``: 8 for a chop of 256 px.

    Parameters
    ----------
    classes, channels
        Of the output, and of the input (1 or 3).
    width
        Channels of the fire modules over those published.
    bypass
        Every second fire module adds what comes in to what goes out, as the paper's simple bypass does.
    """

    half_way_stride_px = 8
    half_way_sees_px = 63
    feature_cells = 3

    def __init__(self, classes: int, channels: int = 1, *, width: float = 1.0, bypass: bool = False) -> None:
        super().__init__()

        def fire(channels_in: int, squeezed: int, expanded: int) -> Fire:
            first = channels_in == STEM_CHANNELS
            before = channels_in if first else round(width * channels_in)
            return Fire(before, round(width * squeezed), round(width * expanded), bypass=bypass)

        self.entrance = Entrance(channels)
        self.stem = convolution(channels, STEM_CHANNELS, 3, stride=2)
        self.fires_2_3 = nn.Sequential(fire(64, 16, 64), fire(128, 16, 64))
        self.fires_4_5 = nn.Sequential(fire(128, 32, 128), fire(256, 32, 128))
        self.fires_6_9 = nn.Sequential(fire(256, 48, 192), fire(384, 48, 192), fire(384, 64, 256), fire(512, 64, 256))
        self.pool = nn.MaxPool2d(3, 2)
        self.drop_out = nn.Dropout(0.2)
        self.head = nn.Conv2d(round(width * 512), classes, 1)
        # It teaches the lower layers, and is no part of the exported network.
        self.channels_half_way = round(width * 256)
        self.texture_head = nn.Conv2d(self.channels_half_way, classes, 1)

    @property
    def lowest(self) -> tuple[nn.Module, ...]:
        """What `lower_half` computes with, in which most of the time is spent."""
        return self.stem, self.fires_2_3, self.fires_4_5

    def at_two_depths(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the map of class logits, and another from half-way up, for training.

        The other one has a cell for every 8 px, which sees 63 px: ``h = (H - 63) // 8 + 1``.
        """
        half_way = self.lower_half(x)
        return self.upper_half(half_way), self.texture_head(half_way)

    def lower_half(self, x: Tensor) -> Tensor:
        """Return features (N, 256, h, w) of images (N, channels, H, W), one for every 8 px."""
        x = self.entrance(x)  # (N, channels, 256, 256)
        x = self.pool(self.stem(x))  # (N, 64, 63, 63) for 256 x 256 px
        x = self.pool(self.fires_2_3(x))  # (N, 128, 29, 29)
        features: Tensor = self.fires_4_5(x)  # (N, 256, 25, 25)
        return features

    def upper_half(self, x: Tensor) -> Tensor:
        """Return the map of class logits for features, (N, 256, 25, 25) for 256 x 256 px."""
        x = self.fires_6_9(self.pool(x))  # (N, 512, 4, 4), from 12 x 12
        logits: Tensor = self.head(self.drop_out(x))  # (N, classes, 4, 4)
        return logits


def wide_squeezenet(classes: int, channels: int = 1) -> SqueezeNet:
    """Return a SqueezeNet of one and a half times the channels, with bypasses."""
    return SqueezeNet(classes, channels, width=1.5, bypass=True)


def chop_logits(cells: Tensor, *, cells_per_chop: int = CELLS_PER_CHOP, stride_cells: int = 1) -> Tensor:
    """Return the logits of all chops, (N, classes, rows, columns), from the cells they cover.

    >>> chop_logits(torch.zeros(1, 13, 16, 10), stride_cells=3).shape
    torch.Size([1, 13, 5, 3])
    """
    return nn.functional.avg_pool2d(cells, cells_per_chop, stride_cells)
