"""AlexNet without zero padding, as a fully convolutional network.

Krizhevsky, Sutskever and Hinton (2012), Advances in Neural Information Processing Systems 25, in the one-column
layout of Krizhevsky (2014), arXiv:1404.5997. Every convolution and every pooling is unpadded, and the fully connected
layers are convolutions, so that a cell of the output map depends on the 227 x 227 pixels below it and on nothing
else. Batch normalisation after each of the five convolutions stands in for local response normalisation.
"""

from torch import Tensor, nn

from crystal_search.networks.convolutions import Entrance, GivesFeatures, convolution, fully_connected

OUTPUT_STRIDE_PX = 32
FIELD_OF_VIEW_PX = 227  #: side of what one output cell depends on; the side of the published network's input
CELLS_PER_CHOP = 1


class AlexNet(GivesFeatures):
    """Logits of every class in every cell of 32 px: ``h = (H - 227) // 32 + 1``, and so for ``w``: 1 for a chop.

    Of features, ``h = (H - 115) // 32 + 1``: 5 for a chop.
    """

    half_way_stride_px = 16
    half_way_sees_px = 99
    feature_cells = 2

    def __init__(self, classes: int, channels: int = 1, *, narrowing: int = 1) -> None:
        super().__init__()
        first, second, third, last, hidden = (width // narrowing for width in (64, 192, 384, 256, 4096))
        self.entrance = Entrance(channels)
        self.convolution_1 = convolution(channels, first, 11, stride=4)
        self.convolution_2 = convolution(first, second, 5)
        self.convolution_3 = convolution(second, third, 3)
        self.convolution_4 = convolution(third, last, 3)
        self.convolution_5 = convolution(last, last, 3)
        self.pool = nn.MaxPool2d(3, 2)
        self.channels_half_way = third
        self.head = fully_connected(last, hidden, classes, 2)

    def lower_half(self, x: Tensor) -> Tensor:
        """Return features (N, 384, h, w) of images (N, channels, H, W), one for every 16 px, which sees 99 px."""
        x = self.entrance(x)  # (N, channels, 256, 256)
        x = self.pool(self.convolution_1(x))  # (N, 64, 30, 30), from 62 x 62
        x = self.pool(self.convolution_2(x))  # (N, 192, 12, 12), from 26 x 26
        half_way: Tensor = self.convolution_3(x)  # (N, 384, 10, 10)
        return half_way

    def upper_half(self, x: Tensor) -> Tensor:
        """Return the map of class logits for features, (N, 384, 10, 10) for 256 x 256 px."""
        x = self.convolution_4(x)  # (N, 256, 8, 8)
        x = self.pool(self.convolution_5(x))  # (N, 256, 2, 2), from 6 x 6
        logits: Tensor = self.head(x)  # (N, classes, 1, 1)
        return logits
