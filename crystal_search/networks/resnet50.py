"""ResNet50, zero-padded as published, as a network that is scored window by window.

He, Zhang, Ren and Sun (2016), arXiv:1512.03385, with the stride of a block in its 3 x 3 convolution, where Goyal et al.
(2017), arXiv:1706.02677, have it. Unpadded, nothing would be left of a 256 px chop: the 3 x 3 convolutions need more
margin than it has. The last layer is a 1 x 1 convolution, so that the mean over a chop's 8 x 8 cells is what the
published network computes by average pooling and a fully connected layer.
"""

from torch import Tensor, nn

from crystal_search.networks.convolutions import Entrance, convolution

OUTPUT_STRIDE_PX = 32
CELLS_PER_CHOP = 8
FEATURES = 2048  #: channels of the last map
EXPANSION = 4  #: channels that a block gives, for each of its 3 x 3 convolution's


class Bottleneck(nn.Module):
    """Squeeze by a 1x1, look around by a 3x3, expand by a 1x1 convolution; add what came in."""

    def __init__(self, channels_in: int, squeezed: int, stride: int) -> None:
        super().__init__()
        channels_out = EXPANSION * squeezed
        self.squeeze = convolution(channels_in, squeezed, 1)
        self.look = convolution(squeezed, squeezed, 3, stride, padding=1)
        self.expand = convolution(squeezed, channels_out, 1, relu=False)
        same = stride == 1 and channels_in == channels_out
        self.shortcut = nn.Identity() if same else convolution(channels_in, channels_out, 1, stride, relu=False)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, 4 x squeezed, h / stride, w / stride) for `x` of shape (N, channels_in, h, w)."""
        seen = self.look(self.squeeze(x))  # (N, squeezed, h / stride, w / stride)
        total: Tensor = self.relu(self.expand(seen) + self.shortcut(x))  # (N, 4 squeezed, h / stride, w / stride)
        return total


def _stage(channels_in: int, squeezed: int, blocks: int, stride: int) -> nn.Sequential:
    later = [Bottleneck(EXPANSION * squeezed, squeezed, 1) for _ in range(blocks - 1)]
    return nn.Sequential(Bottleneck(channels_in, squeezed, stride), *later)


class ResNet50Features(nn.Module):
    """What ResNet50 sees in every cell of 32 px, cells at the border seeing zeros outside."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.entrance = Entrance(channels)
        self.stem = convolution(channels, 64, 7, stride=2, padding=3)
        self.pool = nn.MaxPool2d(3, 2, padding=1)
        self.stage_1 = _stage(64, 64, blocks=3, stride=1)
        self.stage_2 = _stage(256, 128, blocks=4, stride=2)
        self.stage_3 = _stage(512, 256, blocks=6, stride=2)
        self.stage_4 = _stage(1024, 512, blocks=3, stride=2)
        self._begin_as_shortcuts()

    def _begin_as_shortcuts(self) -> None:
        """Draw weights as He et al. (2015), arXiv:1502.01852; let every block begin as its shortcut (Goyal et al.)."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        for block in self.modules():
            if isinstance(block, Bottleneck):
                nn.init.zeros_(block.expand[1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Return features (N, 2048, H / 32, W / 32), sides rounded up, of images (N, channels, H, W)."""
        x = self.entrance(x)  # (N, channels, 256, 256)
        x = self.pool(self.stem(x))  # (N, 64, 64, 64), from 128 x 128
        x = self.stage_1(x)  # (N, 256, 64, 64)
        x = self.stage_2(x)  # (N, 512, 32, 32)
        x = self.stage_3(x)  # (N, 1024, 16, 16)
        seen: Tensor = self.stage_4(x)  # (N, 2048, 8, 8)
        return seen


class ResNet50(ResNet50Features):
    """Logits of every class in every cell of 32 px."""

    def __init__(self, classes: int, channels: int = 1) -> None:
        super().__init__(channels)
        self.head = nn.Conv2d(FEATURES, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the map of class logits, (N, classes, H / 32, W / 32) rounded up, of images (N, channels, H, W)."""
        logits: Tensor = self.head(super().forward(x))  # (N, classes, 8, 8)
        return logits
