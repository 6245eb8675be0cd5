"""VGG16 without zero padding, as a fully convolutional network.

Simonyan and Zisserman (2015), arXiv:1409.1556, configuration D: 13 convolutions of 3 x 3 in five blocks and three
fully connected layers. Here every convolution is unpadded, and the fully connected layers are convolutions, so that a
cell of the output map depends on the 244 x 244 pixels below it and on nothing else. Batch normalisation is added after
each of the 13 convolutions.
"""

from torch import Tensor, nn

from crystal_search.networks.convolutions import Entrance, GivesFeatures, convolution, fully_connected

OUTPUT_STRIDE_PX = 32
FIELD_OF_VIEW_PX = 244  #: side of what one output cell depends on
CELLS_PER_CHOP = 1


def _block(channels_in: int, channels_out: int, convolutions: int) -> nn.Sequential:
    widths = [channels_in] + [channels_out] * convolutions
    layers = [convolution(widths[number], channels_out, 3) for number in range(convolutions)]
    return nn.Sequential(*layers, nn.MaxPool2d(2, 2))


class Vgg16(GivesFeatures):
    """Logits of every class in every cell of 32 px: ``h = (H - 244) // 32 + 1``, and so for ``w``: 1 for a chop.

    Of features, ``h = (H - 52) // 16 + 1``: 13 for a chop.
    """

    half_way_stride_px = 8
    half_way_sees_px = 44
    feature_cells = 2

    def __init__(self, classes: int, channels: int = 1, *, narrowing: int = 1) -> None:
        super().__init__()
        first, second, third, last, hidden = (width // narrowing for width in (64, 128, 256, 512, 4096))
        self.channels_half_way = third
        self.entrance = Entrance(channels)
        self.block_1 = _block(channels, first, 2)
        self.block_2 = _block(first, second, 2)
        self.block_3 = _block(second, third, 3)
        self.block_4 = _block(third, last, 3)
        self.block_5 = _block(last, last, 3)
        self.head = fully_connected(last, hidden, classes, 2)

    def lower_half(self, x: Tensor) -> Tensor:
        """Return features (N, 256, h, w) of images (N, channels, H, W), one for every 8 px, which sees 44 px."""
        x = self.entrance(x)  # (N, channels, 256, 256)
        x = self.block_1(x)  # (N, 64, 126, 126), from 252 x 252
        x = self.block_2(x)  # (N, 128, 61, 61), from 122 x 122
        half_way: Tensor = self.block_3(x)  # (N, 256, 27, 27), from 55 x 55
        return half_way

    def upper_half(self, x: Tensor) -> Tensor:
        """Return the map of class logits for features, (N, 256, 27, 27) for 256 x 256 px."""
        x = self.block_4(x)  # (N, 512, 10, 10), from 21 x 21
        x = self.block_5(x)  # (N, 512, 2, 2), from 4 x 4
        logits: Tensor = self.head(x)  # (N, classes, 1, 1)
        return logits
