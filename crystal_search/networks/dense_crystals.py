"""A dense detector of single crystals: each cell says whether it is the middle of one, and its box and outline.

One stage and no anchors, as in Tian et al. (2019), FCOS, arXiv:1904.01355, and Zhou, Wang and Kraehenbuehl (2019),
Objects as Points, arXiv:1904.07850. The angle of the box is told as classes, as in Yang and Yan (2020),
arXiv:2003.05597, since the smallest rectangle around a crystal often has two likely angles, of which a mean is none;
the outline is told by how far it reaches in directions that do not turn with the box, its support function.

Convolutions are padded. What lies farther than `MARGIN_PX` from the border of a tile is as in one pass over the whole
image, if the tile begins at multiples of `SIDE_MULTIPLE_PX`.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from crystal_search.crystals.boxes import DIRECTIONS
from crystal_search.crystals.decoding import ANGLES, BOXES, HEAT, OUTLINES, STRIDE_PX, TURNS
from crystal_search.model_card import Output
from crystal_search.networks.convolutions import convolution

WIDTHS = (24, 48, 96, 128, 160)  #: channels at strides of 2, 4, 8, 16 and 32 px
CONVOLUTIONS = (1, 2, 2, 3, 3)  #: at each of these; the first alone costs as much as two farther down
DECODED = (48, 96, 96)  #: channels of the decoder at strides of 4, 8 and 16 px
SIDE_MULTIPLE_PX = 2 ** len(WIDTHS)
BOX_NUMBERS = 6  #: offset of the centre, logarithms of the sides, cosine and sine of twice the angle
MARGIN_PX = 224  #: of its surroundings that a tile needs, so that its answers are those of one pass
OUTPUTS = (
    Output(name=HEAT, classes=("crystal",), stride_px=STRIDE_PX),
    Output(name=BOXES, numbers=BOX_NUMBERS, stride_px=STRIDE_PX),
    Output(name=TURNS, numbers=ANGLES, stride_px=STRIDE_PX),
    Output(name=OUTLINES, numbers=DIRECTIONS, stride_px=STRIDE_PX),
)
RARE = -4.0  #: first bias of the heat, so that the many cells without a crystal do not swamp the first steps


class DenseCrystals(nn.Module):
    """Maps grey images to heat, boxes, angles and outlines, one cell for every `STRIDE_PX`."""

    def __init__(self) -> None:
        super().__init__()
        narrower = (1, *WIDTHS[:-1])
        self.levels = nn.ModuleList(map(_level, narrower, WIDTHS, CONVOLUTIONS))
        wider = (*DECODED[1:], WIDTHS[-1])
        self.lateral = nn.ModuleList(nn.Conv2d(*pair, 1) for pair in zip(WIDTHS[1:-1], DECODED, strict=True))
        self.upward = nn.ModuleList(nn.Conv2d(*pair, 1) for pair in zip(wider, DECODED, strict=True))
        self.joined = nn.ModuleList(convolution(each, each, 3, padding=1) for each in DECODED)
        width = DECODED[0]
        self.shared = convolution(width, width, 3, padding=1)
        self.heat, self.covered = nn.Conv2d(width, 1, 1), nn.Conv2d(width, 1, 1)
        self.boxes, self.angles = nn.Conv2d(width, BOX_NUMBERS, 1), nn.Conv2d(width, ANGLES, 1)
        self.outlines = nn.Conv2d(width, DIRECTIONS, 1)
        nn.init.constant_(self.heat.bias, RARE)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return what a model answers for images (N, 1, H, W), whose sides are multiples of `SIDE_MULTIPLE_PX`.

        Returns
        -------
        tuple of Tensor
            Logits of the heat (N, 1, h, w), boxes (N, `BOX_NUMBERS`, h, w), logits of the angles (N, `ANGLES`, h, w)
            and outlines (N, `DIRECTIONS`, h, w); h and w are H and W over `STRIDE_PX`.
        """
        features = self.features(x)
        return self.heat(features), self.boxes(features), self.angles(features), self.outlines(features)

    def taught(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return what `forward` does, and logits of whether a cell is covered by a crystal, (N, 1, h, w)."""
        features = self.features(x)
        answers = (self.heat, self.boxes, self.angles, self.outlines, self.covered)
        return tuple(answer(features) for answer in answers)

    def features(self, x: Tensor) -> Tensor:
        """Return what all answers are read from, (N, 48, h, w)."""
        maps = []
        for level in self.levels:
            x = level(x)
            maps.append(x)  # (N, width, H / 2, W / 2) and so on down to a thirty-second
        for number in reversed(range(len(DECODED))):
            lifted = interpolate(self.upward[number](x), scale_factor=2.0, mode="nearest")
            x = self.joined[number](torch.relu(self.lateral[number](maps[number + 1]) + lifted))
        features: Tensor = self.shared(x)  # (N, 48, H / 4, W / 4)
        return features


def _level(channels_in: int, channels: int, count: int) -> nn.Sequential:
    first = convolution(channels_in, channels, 3, 2, padding=1)
    return nn.Sequential(first, *(convolution(channels, channels, 3, padding=1) for _ in range(count - 1)))
