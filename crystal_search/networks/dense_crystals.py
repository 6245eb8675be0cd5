"""A dense detector of single crystals: each cell says whether it is the middle of one, and its box and outline.

Without anchors, as in Tian et al. (2019), FCOS, arXiv:1904.01355, and Zhou, Wang and Kraehenbuehl (2019),
Objects as Points, arXiv:1904.07850. The outline is told by how far it reaches in directions that do not turn with the
box, its support function. Where a crystal may have its middle, heat, box and outline get
further looks (`networks.box_refinement`).

Convolutions are padded. What lies farther than `MARGIN_PX` from the border of a tile is as in one pass over the whole
image, if the tile begins at multiples of `SIDE_MULTIPLE_PX`.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d

from crystal_search.crystals.boxes import DIRECTIONS
from crystal_search.crystals.decoding import BOX_NUMBERS, BOXES, HEAT, OUTLINES, STRIDE_PX
from crystal_search.model_card import Output
from crystal_search.networks.box_refinement import REACH_PX, BoxRefinement, Cells, Refined
from crystal_search.networks.convolutions import convolution

WIDTHS = (24, 48, 96, 128, 160)  #: channels at strides of 2, 4, 8, 16 and 32 px
CONVOLUTIONS = (1, 2, 2, 3, 3)  #: at each of these; the first alone costs as much as two farther down
DECODED = (48, 96, 96)  #: channels of the decoder at strides of 4, 8 and 16 px
SIDE_MULTIPLE_PX = 2 ** len(WIDTHS)
HIDDEN = 128  #: numbers of a cell between the features and what is told of it
MARGIN_PX = 224 + REACH_PX  #: of its surroundings that a tile needs, so that its answers are those of one pass
OUTPUTS = (
    Output(name=HEAT, classes=("crystal",), stride_px=STRIDE_PX),
    Output(name=BOXES, numbers=BOX_NUMBERS, stride_px=STRIDE_PX),
    Output(name=OUTLINES, numbers=DIRECTIONS, stride_px=STRIDE_PX),
)
RARE = -4.0  #: first bias of the heat, so that the many cells without a crystal do not swamp the first steps
LOOKED_AT, LOOKS = 0.15, 2  #: heat from which on a cell gets further looks; and how many
FADED_IN = 0.05  #: heat above that, at which they count fully; so that a rounding error decides on nothing
BESIDE_PEAKS = 0.05  #: heat below the hottest neighbour's, from which on a cell is no peak, and grows no hotter


class First(NamedTuple):
    """What is told at first sight of images (N, 1, H, W), one cell for every `STRIDE_PX`."""

    heat: Tensor  #: (N, 1, h, w), logits
    boxes: Tensor  #: (N, `BOX_NUMBERS`, h, w)
    outlines: Tensor  #: (N, `DIRECTIONS`, h, w)
    coarse: Tensor  #: features of it, (N, channels, h, w)
    fine: Tensor  #: features at twice its resolution, (N, channels, 2 h, 2 w)


class DenseCrystals(nn.Module):
    """Maps grey images to heat, boxes and outlines, one cell for every `STRIDE_PX`; after so many further looks."""

    def __init__(self, further: int = LOOKS) -> None:
        super().__init__()
        self.further = further
        narrower = (1, *WIDTHS[:-1])
        self.levels = nn.ModuleList(map(_level, narrower, WIDTHS, CONVOLUTIONS))
        wider = (*DECODED[1:], WIDTHS[-1])
        self.lateral = nn.ModuleList(nn.Conv2d(*pair, 1) for pair in zip(WIDTHS[1:-1], DECODED, strict=True))
        self.upward = nn.ModuleList(nn.Conv2d(*pair, 1) for pair in zip(wider, DECODED, strict=True))
        self.joined = nn.ModuleList(convolution(each, each, 3, padding=1) for each in DECODED)
        width = DECODED[0]
        self.shared = convolution(width, width, 3, padding=1)
        self.heat, self.boxes, self.outlines = (_head(width, each) for each in (1, BOX_NUMBERS, DIRECTIONS))
        self.covered = nn.Conv2d(width, 1, 1)
        self.refinement = BoxRefinement(width, WIDTHS[0])
        nn.init.constant_(self.heat[-1].get_parameter("bias"), RARE)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what a model answers for images (N, 1, H, W), whose sides are multiples of `SIDE_MULTIPLE_PX`.

        Returns
        -------
        tuple of Tensor
            Logits of the heat (N, 1, h, w), boxes (N, `BOX_NUMBERS`, h, w) and outlines (N, `DIRECTIONS`, h, w); h and
            w are H and W over `STRIDE_PX`.
        """
        first = self.first(x)
        heat = first.heat[:, 0].sigmoid()
        cells = Cells(*torch.nonzero(heat > LOOKED_AT, as_tuple=True))
        counts = ((cells.of(heat[:, None]) - LOOKED_AT) / FADED_IN).clamp(max=1.0)
        looks = self.looks(first, cells)
        hotter, *others = (counts * (new - old) for old, new in zip(looks[0], looks[-1], strict=True))
        changes = torch.minimum(hotter, hotter * cells.of(_peaked(heat[:, None]))), *others
        better = (old + change for old, change in zip(looks[0], changes, strict=True))
        maps = (first.heat, first.boxes, first.outlines)
        heat, boxes, outlines = (cells.into(each, numbers) for each, numbers in zip(maps, better, strict=True))
        return heat, boxes, outlines

    def looks(self, first: First, cells: Cells) -> list[Refined]:
        """Return what is told of cells at first sight and after each further look.

        By a further look, what was told before learns nothing.
        """
        looks = [Refined(*(cells.of(each) for each in (first.heat, first.boxes, first.outlines)))]
        maps = self.refinement.readable(first.coarse, first.fine)
        for _ in range(self.further):
            before = Refined(*(each.detach() for each in looks[-1]))
            looks.append(self.refinement(maps, before, cells))
        return looks

    def first(self, x: Tensor) -> First:
        """Return what is told at first sight of images (N, 1, H, W)."""
        maps = []
        for level in self.levels:
            x = level(x)
            maps.append(x)  # (N, width, H / 2, W / 2) and so on down to a thirty-second
        for number in reversed(range(len(DECODED))):
            lifted = interpolate(self.upward[number](x), scale_factor=2.0, mode="nearest")
            x = self.joined[number](torch.relu(self.lateral[number](maps[number + 1]) + lifted))
        features = self.shared(x)  # (N, 48, H / 4, W / 4)
        return First(self.heat(features), self.boxes(features), self.outlines(features), features, maps[0])


def _peaked(heat: Tensor) -> Tensor:
    """Return how much each cell is a peak of the heat (N, 1, h, w) at first sight, from 0 to 1.

    Further looks are taught at peaks and near middles of crystals; elsewhere they cannot tell crystals from nothing.
    """
    return (1 - (max_pool2d(heat, 3, 1, 1) - heat) / BESIDE_PEAKS).clamp(min=0.0)


def _head(channels: int, numbers: int) -> nn.Sequential:
    return nn.Sequential(convolution(channels, HIDDEN, 1), nn.Conv2d(HIDDEN, numbers, 1))


def _level(channels_in: int, channels: int, count: int) -> nn.Sequential:
    first = convolution(channels_in, channels, 3, 2, padding=1)
    return nn.Sequential(first, *(convolution(channels, channels, 3, padding=1) for _ in range(count - 1)))
